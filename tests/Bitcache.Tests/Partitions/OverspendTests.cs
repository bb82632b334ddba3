using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Api;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>F16: 64 threads spend three wallets empty, over a partition with its own threads and a journal on a real disk.
/// Afterwards the journal is replayed through the model: every outcome and balance in it must be the model's.</summary>
[Trait("suite", "faults")]
public sealed class OverspendTests
{
    private const int Threads = 64;
    private const int PaymentsOfEach = 40;
    private const uint Tenant = 1;
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 200 : 10;

    private static readonly WalletId[] Wallets = [new(1_001), new(1_002), new(1_003)];

    [Fact]
    public async Task Sixty_four_threads_cannot_spend_more_than_there_is()
    {
        for (var round = 0; round < Rounds; round++)
        {
            using var folder = new TemporaryFolder();
            var answered = await PayAsync(folder.Path, round);
            Assert.True(answered[Outcome.Accepted] > 0 && answered[Outcome.InsufficientFunds] > 0, string.Join(", ", answered));
            Replay(folder.Path, answered);
        }
    }

    private static async Task<Dictionary<Outcome, int>> PayAsync(string folder, int round)
    {
        var ledger = new Ledger(0);
        var journal = FileJournal.Open(new LinuxFileSystem(), folder, new FileJournalSettings { SegmentBytes = 16 << 20 }, _ => { }, NullLogger.Instance);
        await using var partition = new OwnedPartition(
            ledger, journal, new BatchClock(TimeProvider.System, null), NullLogger.Instance, (why, cause) => throw new InvalidOperationException(why, cause));
        partition.Start();
        await partition.SubmitAsync(Traffic.Genesis);
        foreach (var wallet in Wallets)
        {
            var script = new ByteString([0x51, 0x20, .. new byte[31], (byte)Array.IndexOf(Wallets, wallet)]);
            await partition.SubmitAsync(new CreateWallet(ClientIds.Next(TimeProvider.System), Tenant, wallet), Tenant);
            await partition.SubmitAsync(new AssignAddress(ClientIds.Next(TimeProvider.System), wallet, AddressPurpose.Deposit, script), Tenant);
            await partition.SubmitAsync(new ChangeDeposit(new OutPoint(default, (uint)wallet.Value), DepositState.Credited, false, script, new Sats(1), default, 1));
        }
        var answered = new Dictionary<Outcome, int>();
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
            () => Spend(partition, new Random((round * Threads) + thread), answered),
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        return answered;
    }

    /// <summary>One client, which has a thread of its own and waits for each answer on it.</summary>
    private static void Spend(Partition partition, Random random, Dictionary<Outcome, int> answered)
    {
        for (var i = 0; i < PaymentsOfEach; i++)
        {
            var from = random.Next(Wallets.Length);
            var payment = new Payment
            {
                Kind = PaymentKind.Transfer,
                Id = ClientIds.Next(TimeProvider.System),
                Payer = Wallets[from],
                Payee = Wallets[(from + 1 + random.Next(Wallets.Length - 1)) % Wallets.Length],
                Amount = new Msat(1 + random.Next(900)),
            };
            var outcome = partition.SubmitAsync(payment, Tenant).AsTask().GetAwaiter().GetResult().Outcome;
            lock (answered) answered[outcome] = answered.GetValueOrDefault(outcome) + 1;
        }
    }

    private static void Replay(string folder, Dictionary<Outcome, int> answered)
    {
        var oracle = new Oracle(_ => { });
        var replayed = new Ledger(0);
        var scratch = new byte[Limits.RecordBytesMax];
        var outcomes = new Dictionary<Outcome, int>();
        using var journal = FileJournal.Open(new LinuxFileSystem(), folder, new FileJournalSettings { SegmentBytes = 16 << 20 }, batch =>
        {
            replayed.ReplayBatch(batch.Payload, scratch);
            for (var at = 0; JournalRecord.TryReadHeader(batch.Payload[at..], out var length, out _); at += length)
            {
                var record = batch.Payload.Slice(at, length).ToArray();
                oracle.Take(record);
                if (Entry.Read(record) is { Command: Transfer, Outcome: var outcome }) outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
            }
        }, NullLogger.Instance);
        Comparison.Require(replayed, oracle.Latest);
        Assert.Equal(answered.OrderBy(a => a.Key), outcomes.OrderBy(o => o.Key));
        Assert.Equal(Wallets.Length * Limits.MsatPerSat, Wallets.Sum(w => oracle.Latest.Wallets[w].Available));
        Assert.All(Wallets, w => Assert.True(oracle.Latest.Wallets[w].Available >= 0));
    }
}
