using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Server.Keys;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class KeyringTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();

    private ApiKeyStore Store => new(new LinuxFileSystem(), _folder.Path, BitcoinNetwork.Regtest, _time);
    private Keyring Open() => Open([0]);
    private Keyring Open(uint[] owners) => new(new KeyFolder(new LinuxFileSystem(), _folder.Path), BitcoinNetwork.Regtest, owners, _time, NullLogger<Keyring>.Instance);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_key_made_while_the_server_runs_is_good_within_a_second_and_refused_within_a_second_of_its_revocation()
    {
        var ring = Open();
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read | Scopes.Pay, "till"));
        _time.Advance(Keyring.StaleMax);
        Assert.Equal(KeyRefusal.None, ring.Identify(key.Secret, out var principal));
        Assert.Equal(new Principal(key.Record.Tenant, Scopes.Read | Scopes.Pay, key.Record.Id), principal);

        Store.Revoke(key.Record.Id);
        _time.Advance(Keyring.StaleMax);
        Assert.Equal(KeyRefusal.Revoked, ring.Identify(key.Secret, out _));
        Assert.True(Keyring.StaleMax < TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_key_expires_at_its_time()
    {
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till", ValidFor: TimeSpan.FromHours(1)));
        var ring = Open();
        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal(KeyRefusal.None, ring.Identify(key.Secret, out _));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(KeyRefusal.Expired, ring.Identify(key.Secret, out _));
    }

    [Fact]
    public void What_is_remembered_of_a_header_is_no_more_than_its_key()
    {
        var store = Store;
        var (key, other) = (store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till")), store.Create(new KeyTerms("shop", NewTenant: false, Scopes.Pay, "door")));
        var ring = Open();
        foreach (var header in new[] { "Bearer " + key.Secret, "Bearer " + other.Secret })
        {
            Assert.Equal(KeyRefusal.None, ring.Identify(header, out var first, keyAt: "Bearer ".Length));
            Assert.Equal(KeyRefusal.None, ring.Identify(header, out var again, keyAt: "Bearer ".Length));
            Assert.Equal(first, again);
            Assert.Equal(header.EndsWith(key.Secret, StringComparison.Ordinal) ? Scopes.Read : Scopes.Pay, again.Scopes);
            store.Revoke(again.KeyId);
            _time.Advance(Keyring.StaleMax);
            Assert.Equal(KeyRefusal.Revoked, ring.Identify(header, out _, keyAt: "Bearer ".Length));
        }
    }

    [Fact]
    public void Keys_of_nobody_and_of_another_network_are_told_apart()
    {
        var ring = Open();
        Assert.Equal(KeyRefusal.Unknown, ring.Identify(ApiKey.Create(BitcoinNetwork.Regtest), out _));
        Assert.Equal(KeyRefusal.OtherNetwork, ring.Identify(ApiKey.Create(BitcoinNetwork.Mainnet), out _));
        Assert.Equal(KeyRefusal.Malformed, ring.Identify("bck_test_", out _));
    }

    [Fact]
    public void While_the_file_cannot_be_used_nobody_is_let_in()
    {
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        var ring = Open();
        var good = File.ReadAllBytes(_folder.File("keys.json"));
        File.WriteAllText(_folder.File("keys.json"), "{}");
        _time.Advance(Keyring.StaleMax);
        Assert.Throws<KeyFileException>(() => ring.Identify(key.Secret, out _));

        File.WriteAllBytes(_folder.File("keys.json"), good);
        _time.Advance(Keyring.StaleMax);
        Assert.Equal(KeyRefusal.None, ring.Identify(key.Secret, out _));
    }

    [Fact]
    public void A_file_that_was_there_and_has_gone_is_damage_and_said_once()
    {
        using var log = new LogLines();
        using var logs = LoggerFactory.Create(logging => logging.AddProvider(log));
        var ring = new Keyring(new KeyFolder(new LinuxFileSystem(), _folder.Path), BitcoinNetwork.Regtest, [0], _time, logs.CreateLogger<Keyring>());
        Assert.True(ring.IsUsable);
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        _time.Advance(Keyring.StaleMax);
        Assert.Equal(KeyRefusal.None, ring.Identify(key.Secret, out _));

        var good = File.ReadAllBytes(_folder.File("keys.json"));
        File.Delete(_folder.File("keys.json"));
        for (var looks = 0; looks < 3; looks++)
        {
            _time.Advance(Keyring.StaleMax);
            Assert.Throws<KeyFileException>(() => ring.Identify(key.Secret, out _));
            Assert.False(ring.IsUsable);
        }
        Assert.Single(log.At(LogLevel.Warning), line => line.Contains("has gone", StringComparison.Ordinal));

        File.WriteAllBytes(_folder.File("keys.json"), good);
        _time.Advance(Keyring.StaleMax);
        Assert.Equal(KeyRefusal.None, ring.Identify(key.Secret, out _));
    }

    [Fact]
    public void A_server_does_not_start_on_keys_that_lack_an_owner_of_wallets()
    {
        var shop = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        uint[] owners = [0, shop.Record.Tenant];
        Assert.True(Open(owners).IsUsable);
        File.Delete(_folder.File("keys.json"));
        Assert.Contains($"lacks tenants who own wallets of this ledger, or were in the file when it was last read: {shop.Record.Tenant}.", Assert.Throws<KeyFileException>(() => Open(owners)).Message, StringComparison.Ordinal);
        Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        Assert.Throws<KeyFileException>(() => Open(owners));
    }

    [Fact]
    public void A_running_server_does_not_take_over_keys_that_lack_a_tenant_it_knew()
    {
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        var ring = Open();
        File.Delete(_folder.File("keys.json"));
        var other = Store.Create(new KeyTerms("other", NewTenant: true, Scopes.Read, "till"));
        _time.Advance(Keyring.StaleMax);
        Assert.Throws<KeyFileException>(() => ring.Identify(other.Secret, out _));
        Assert.Throws<KeyFileException>(() => ring.Identify(key.Secret, out _));
    }

    [Fact]
    public void A_server_does_not_start_on_a_file_that_it_cannot_use()
    {
        File.WriteAllText(_folder.File("keys.json"), "{}");
        Assert.Throws<KeyFileException>(Open);
    }
}
