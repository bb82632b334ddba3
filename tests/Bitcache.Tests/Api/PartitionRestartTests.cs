// A ledger of three partitions that is started again: with credits on their way, with other settings, and with a journal
// that is not the one that the others know.

using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Engine;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class PartitionRestartTests : IAsyncLifetime
{
    private readonly ApiFixture _api = new() { Partitions = 3 };
    private string _payer = "";
    private string _payee = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private PartitionSet Set => _api.Engine.Partitions;

    public async ValueTask InitializeAsync()
    {
        await _api.InitializeAsync();
        (_payer, _payee) = (await _api.NewWalletInAsync(0, _api.Shop, 10), await _api.NewWalletInAsync(1, _api.Shop, 10));
    }

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    /// <summary>The payee's partition is held while three payments are made: one credit is in its queue when the server
    /// stops, two were not yet sent.</summary>
    [Fact]
    public async Task What_was_on_its_way_when_the_server_stopped_arrives_after_the_next_start()
    {
        // The loop's first turn is over, and the next is minutes away: none waits for the partition that is held.
        while ((await _api.Engine.HealthAsync()).Chain == ChainHealth.Unknown) Cancel.ThrowIfCancellationRequested();
        var payer = ApiFixture.Parse(_payer);
        var tenant = (await Set.HomeOf(payer).QueryAsync(ledger => ledger.FindWallet(payer)))!.Value.Tenant;
        using var gate = new ManualResetEventSlim();
        using var held = new ManualResetEventSlim();
        var blocked = Set[1].QueryAsync(_ =>
        {
            held.Set();
            gate.Wait(Cancel);
            return 0;
        });
        held.Wait(Cancel);
        var payments = Enumerable.Range(1, 3).Select(i => new Payment
        {
            Kind = PaymentKind.Transfer,
            Id = ClientIds.Next(TimeProvider.System),
            Payer = payer,
            Payee = ApiFixture.Parse(_payee),
            Amount = new Msat(100 * i),
            Facts = PayeeFacts.Exists,
        }).ToArray();
        foreach (var payment in payments) Assert.Equal(Outcome.Accepted, (await Set[0].SubmitAsync(payment, tenant)).Outcome);
        Assert.Equal(3, Set.LegsInFlight);

        var stopped = _api.StopAsync();
        // The held one is let go once all of them take nothing more: the last is told so last.
        while (await Record.ExceptionAsync(() => Set[2].QueryAsync(_ => 0)) is null) Cancel.ThrowIfCancellationRequested();
        gate.Set();
        await stopped;
        await blocked;
        await _api.InitializeAsync();
        await _api.ArriveAsync();
        Assert.Equal((9_400, 10_600), (await _api.AvailableAsync(_api.Shop, _payer), await _api.AvailableAsync(_api.Shop, _payee)));
        foreach (var payment in payments)
        {
            var again = await _api.TransferAsync(_api.Shop, payment.Id.ToString(), _payer, _payee, payment.Amount.Value);
            Assert.Equal(200, again.Status);
        }
        await _api.ArriveAsync();
        Assert.Equal((9_400, 10_600), (await _api.AvailableAsync(_api.Shop, _payer), await _api.AvailableAsync(_api.Shop, _payee)));
        await _api.RestartAsync();
        Assert.Equal(0, Set.LegsInFlight);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Another_number_of_partitions_is_refused_and_nothing_is_changed(int partitions)
    {
        await _api.StopAsync();
        var before = Image(_api.DataFolder);
        _api.Partitions = partitions;
        var refusal = await Assert.ThrowsAsync<SettingsException>(async () => await _api.InitializeAsync());
        Assert.Contains("3 partitions for ever", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(before, Image(_api.DataFolder));
        _api.Partitions = 3;
        await _api.InitializeAsync();
        Assert.Equal(10_000, await _api.AvailableAsync(_api.Shop, _payer));
    }

    /// <summary>Whoever loses a journal learns it, whichever partition's it is, and whether or not money was sent to it.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    public async Task A_partition_without_its_journal_is_refused(int partition, bool withPayments)
    {
        if (withPayments) await PayBothWaysAsync();
        await _api.Engine.SettleAsync(Cancel);
        await _api.StopAsync();
        var (journal, aside) = (Path.Combine(_api.DataFolder, "journal", $"p000{partition}"), Path.Combine(_api.DataFolder, "aside"));
        Directory.Move(journal, aside);
        var refusal = await Assert.ThrowsAsync<HistoryMismatchException>(async () => await _api.InitializeAsync());
        Assert.DoesNotContain("are not those", refusal.Message, StringComparison.Ordinal);
        // With what was lost found again it goes on.
        if (Directory.Exists(journal)) Directory.Delete(journal, recursive: true);
        Directory.Move(aside, journal);
        await _api.InitializeAsync();
        Assert.Equal(20_000, await _api.AvailableAsync(_api.Shop, _payer) + await _api.AvailableAsync(_api.Shop, _payee));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_partition_with_an_older_journal_is_refused(int partition)
    {
        await PayBothWaysAsync();
        await _api.StopAsync();
        var (journal, old) = (Path.Combine(_api.DataFolder, "journal", $"p000{partition}"), Path.Combine(_api.DataFolder, "old"));
        Copy(journal, old);
        await _api.InitializeAsync();
        await PayBothWaysAsync();
        await _api.StopAsync();
        var aside = Path.Combine(_api.DataFolder, "aside");
        Directory.Move(journal, aside);
        Directory.Move(old, journal);
        await Assert.ThrowsAsync<HistoryMismatchException>(async () => await _api.InitializeAsync());
        Directory.Delete(journal, recursive: true);
        Directory.Move(aside, journal);
        await _api.InitializeAsync();
        await _api.ArriveAsync();
        Assert.Equal(20_000, await _api.AvailableAsync(_api.Shop, _payer) + await _api.AvailableAsync(_api.Shop, _payee));
    }

    [Fact]
    public async Task A_start_that_is_refused_for_its_key_leaves_no_file_open()
    {
        await _api.StopAsync();
        var keys = Path.Combine(_api.DataFolder, "keys");
        Directory.Move(keys, keys + ".aside");
        await Assert.ThrowsAsync<SettingsException>(async () => await _api.InitializeAsync());
        Assert.DoesNotContain(Directory.GetFiles("/proc/self/fd").Select(fd => new FileInfo(fd).LinkTarget), file => file?.StartsWith(_api.DataFolder, StringComparison.Ordinal) == true);
        Directory.Delete(keys, recursive: true);
        Directory.Move(keys + ".aside", keys);
        await _api.InitializeAsync();
    }

    private async Task PayBothWaysAsync()
    {
        Assert.Equal(201, (await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), _payer, _payee, 7)).Status);
        Assert.Equal(201, (await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), _payee, _payer, 3)).Status);
        await _api.ArriveAsync();
    }

    /// <summary>Every file but the lock, by its bytes.</summary>
    private static SortedDictionary<string, string> Image(string folder) => new(Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(
        path => path, path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)))), StringComparer.Ordinal);

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var path in Directory.GetFiles(from)) File.Copy(path, Path.Combine(to, Path.GetFileName(path)));
    }
}
