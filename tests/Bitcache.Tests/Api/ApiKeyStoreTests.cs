using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class ApiKeyStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly LinuxFileSystem _files = new();

    private ApiKeyStore Store => new(_files, _folder.Path, BitcoinNetwork.Regtest, _time);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tenants_have_numbers_of_their_own_and_are_found_again_by_name()
    {
        var shop = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read | Scopes.Pay, "till 1"));
        var other = Store.Create(new KeyTerms("other", NewTenant: true, Scopes.Read, "reports"));
        var again = Store.Create(new KeyTerms("shop", NewTenant: false, Scopes.Withdraw, "treasury"));
        var admin = Store.Create(new KeyTerms("operator", NewTenant: false, Scopes.Admin, "console"));
        Assert.Equal((shop.Record.Tenant, 0u), (again.Record.Tenant, admin.Record.Tenant));
        Assert.Equal(3, new[] { shop, other, admin }.DistinctBy(k => k.Record.Tenant).Count());
        Assert.Equal(["operator", "shop", "other"], Store.List().Tenants.Select(t => t.Name));
        Assert.Equal(["read", "pay"], shop.Record.Scopes);
    }

    [Fact]
    public void Keys_that_are_made_again_after_the_file_was_lost_do_not_give_a_tenant_to_another()
    {
        var shop = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        File.Delete(_folder.File("keys.json"));
        var other = Store.Create(new KeyTerms("other", NewTenant: true, Scopes.Read, "till"));
        Assert.NotEqual(shop.Record.Tenant, other.Record.Tenant);
    }

    [Fact]
    public void The_file_holds_no_secret_and_only_its_owner_may_read_it()
    {
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        var text = File.ReadAllText(_folder.File("keys.json"));
        Assert.DoesNotContain(key.Secret, text, StringComparison.Ordinal);
        Assert.Contains(ApiKey.Hash(key.Secret).ToString(), text, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File("keys.json")));
    }

    [Fact]
    public void A_revoked_key_stays_in_the_list_with_the_time_of_its_first_revocation()
    {
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        var revoked = Store.Revoke(key.Record.Id);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(revoked.Revoked, Store.Revoke(key.Record.Id).Revoked);
        Assert.Equal(revoked.Revoked, Assert.Single(Store.List().Keys).Revoked);
    }

    [Theory]
    [InlineData("shop", false, Scopes.Read, "till", "there is no tenant 'shop': known are operator; --new-tenant makes one")]
    [InlineData("operator", true, Scopes.Read, "till", "there is a tenant 'operator' already")]
    [InlineData("shop", true, Scopes.Read | Scopes.Admin, "till", "tenant 'operator' only")]
    [InlineData("shop", true, Scopes.Audit, "till", "tenant 'operator' only")]
    [InlineData("shop", true, Scopes.None, "till", "at least one scope")]
    [InlineData("", true, Scopes.Read, "till", "the tenant's name")]
    [InlineData("shop", true, Scopes.Read, "", "the label")]
    [InlineData("shop", true, Scopes.Read, "two\nlines", "the label")]
    public void Bad_terms_are_refused_in_words_and_leave_no_file(string tenant, bool isNew, Scopes scopes, string label, string words)
    {
        var refusal = Assert.Throws<KeyFileException>(() => Store.Create(new KeyTerms(tenant, isNew, scopes, label)));
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("keys.json")));
    }

    [Fact]
    public void A_key_that_is_not_there_cannot_be_revoked() => Assert.Throws<KeyFileException>(() => Store.Revoke("0badc0de"));

    [Fact]
    public void Two_at_once_do_not_lose_a_key()
    {
        using var other = _files.TryLock(_folder.File("keys.json.lock"));
        Assert.NotNull(other);
        var refusal = Assert.Throws<KeyFileException>(() => Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till")));
        Assert.Contains("another process", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_crash_left_of_a_new_file_is_no_obstacle()
    {
        File.WriteAllText(_folder.File("keys.json.new"), "{ half a fi");
        Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till"));
        Assert.Single(Store.List().Keys);
    }

    [Fact]
    public void A_key_that_stands_in_it_twice_is_found_in_whatever_letters_its_hash_is_written()
    {
        var key = Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till")).Record;
        var file = Store.List();
        File.WriteAllBytes(_folder.File("keys.json"), (file with { Keys = [key, key with { Id = "0badc0de", Sha256 = key.Sha256.ToUpperInvariant() }] }).Write());
        Assert.Contains("twice", Assert.Throws<KeyFileException>(Store.List).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"version":2,"tenants":[],"keys":[]}""", "version 2")]
    [InlineData("""{"version":1,"tenants":[],"keys":[],"more":1}""", "more")]
    [InlineData("""{"version":1,"tenants":[{"number":1,"name":"a"},{"number":1,"name":"b"}],"keys":[]}""", "one number")]
    [InlineData("""{"version":1,"tenants":[],"keys":[]}""", "lacks the operator")]
    [InlineData("""{"version":1,"tenants":[{"number":1,"name":"a"}],"keys":[]}""", "lacks the operator")]
    [InlineData("""{"version":1,"tenants":[null],"keys":[]}""", "holds null")]
    [InlineData("""{"version":1,"tenants":[{"number":0,"name":"a"}],"keys":[null]}""", "holds null")]
    [InlineData("null", "null")]
    [InlineData("{", "")]
    public void A_file_that_is_not_ours_is_refused_and_left_alone(string text, string words)
    {
        File.WriteAllText(_folder.File("keys.json"), text);
        var refusal = Assert.Throws<KeyFileException>(() => Store.Create(new KeyTerms("shop", NewTenant: true, Scopes.Read, "till")));
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(_folder.File("keys.json")));
    }
}
