// How many payments one partition makes durable in a second, with everything on but HTTP: queue, ledger, journal,
// sync, answers. The floor is the disk alone: the same bytes, written and synced in batches of the same size.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

internal sealed record EngineBenchOptions(int Wallets, int InFlight, TimeSpan Duration, int Runs, string Folder);

internal static class EngineBench
{
    private const int Senders = 16;
    private static readonly Msat Start = new(1_000_000_000);

    public static async Task<BenchResult> RunAsync(EngineBenchOptions options)
    {
        var rates = new List<double>();
        var floors = new List<double>();
        long bytesPerEntry = 0, batches = 0, entries = 0;
        for (var run = 0; run < options.Runs; run++)
        {
            var folder = Path.Combine(options.Folder, $"bitcache-bench-{Environment.ProcessId}-{run}");
            Directory.CreateDirectory(folder);
            try
            {
                var measured = await MeasureAsync(options, folder);
                rates.Add(measured.Rate);
                floors.Add(measured.Rate / Floor(folder, measured.BytesPerEntry, measured.EntriesPerBatch, options.Duration / 4));
                (bytesPerEntry, entries, batches) = (measured.BytesPerEntry, entries + measured.Entries, batches + measured.Batches);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
            await Console.Error.WriteLineAsync($"run {run + 1} of {options.Runs}: {rates[^1]:N0}/s, {floors[^1]:0.00} of the floor");
        }
        return new BenchResult(
            "engine", "durable transfers/s", rates,
            new Dictionary<string, double> { ["floor"] = BenchResult.Median(floors) },
            new Dictionary<string, object>
            {
                ["wallets"] = options.Wallets,
                ["inFlight"] = options.InFlight,
                ["bytesPerEntry"] = bytesPerEntry,
                ["entriesPerBatch"] = entries / Math.Max(1, batches),
                ["replayedEqual"] = true,
            });
    }

    private sealed record Measured(double Rate, long Entries, long Batches, long BytesPerEntry, int EntriesPerBatch);

    private static async Task<Measured> MeasureAsync(EngineBenchOptions options, string folder)
    {
        var counted = new CountingJournal(Open(folder, _ => { }));
        var ledger = new Ledger(0);
        var partition = new Partition(ledger, counted, new BatchClock(TimeProvider.System, null), NullLogger.Instance, Fail);
        partition.Start();
        Hash256 state;
        double rate;
        long paid;
        await using (partition)
        {
            var wallets = await FillAsync(partition, options.Wallets);
            var (entriesBefore, batchesBefore, bytesBefore) = (counted.Entries, counted.Batches, counted.Bytes);
            var watch = Stopwatch.StartNew();
            var perSender = options.InFlight / Senders;
            var sent = await Task.WhenAll(Enumerable.Range(0, Senders).Select(s => Task.Run(
                () => SendAsync(partition, wallets, perSender, options.Duration, new Random(s)))));
            paid = sent.Sum();
            rate = paid / watch.Elapsed.TotalSeconds;
            state = await partition.QueryAsync(l => l.StateHash());
            counted.Since(entriesBefore, batchesBefore, bytesBefore);
        }
        CheckReplay(folder, state);
        return new Measured(
            rate, counted.Entries, counted.Batches, counted.Bytes / Math.Max(1, counted.Entries), (int)(counted.Entries / Math.Max(1, counted.Batches)));
    }

    private static async Task<long> SendAsync(Partition partition, WalletId[] wallets, int window, TimeSpan duration, Random random)
    {
        var until = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var pending = new Queue<Task<Answer>>(window);
        long paid = 0;
        while (Stopwatch.GetTimestamp() < until)
        {
            if (pending.Count == window) paid += (await pending.Dequeue()).Outcome == Outcome.Accepted ? 1 : 0;
            var payer = random.Next(wallets.Length);
            var payee = (payer + 1 + random.Next(wallets.Length - 1)) % wallets.Length;
            pending.Enqueue(partition.SubmitAsync(
                new Transfer(ClientIds.Next(TimeProvider.System), wallets[payer], wallets[payee], new Msat(1 + random.Next(1000)), 0, ByteString.Empty)));
        }
        foreach (var task in pending) paid += (await task).Outcome == Outcome.Accepted ? 1 : 0;
        return paid;
    }

    private static async Task<WalletId[]> FillAsync(Partition partition, int count)
    {
        var owner = ClientIds.NextWallet();
        await partition.SubmitAsync(new Genesis("bench.example/log", 3, 1, owner, new ByteString([0x51]), []));
        var wallets = new WalletId[count];
        for (var first = 0; first < count; first += Limits.BatchEntriesMax)
        {
            var answers = await Task.WhenAll(Enumerable.Range(first, Math.Min(Limits.BatchEntriesMax, count - first)).Select(_ =>
                partition.SubmitAsync(new CreateWallet(ClientIds.Next(TimeProvider.System), 0, ClientIds.NextWallet()))));
            for (var i = 0; i < answers.Length; i++) wallets[first + i] = answers[i].Owner!.Value.Id;
        }
        // One large deposit to the operator, spread over the wallets.
        var script = new ByteString([0x00, 0x14, .. new byte[20]]);
        await partition.SubmitAsync(new AssignAddress(ClientIds.Next(TimeProvider.System), owner, AddressPurpose.OperatorTopUp, script));
        var deposit = new Sats((Start.Value / Limits.MsatPerSat) * count);
        await partition.SubmitAsync(new ChangeDeposit(
            new OutPoint(default, 0), DepositState.Credited, Suspense: false, script, deposit, default, 1));
        for (var first = 0; first < count; first += Limits.BatchEntriesMax)
        {
            await Task.WhenAll(Enumerable.Range(first, Math.Min(Limits.BatchEntriesMax, count - first)).Select(i =>
                partition.SubmitAsync(new Transfer(ClientIds.Next(TimeProvider.System), owner, wallets[i], Start, 0, ByteString.Empty))));
        }
        return wallets;
    }

    private static FileJournal Open(string folder, ReplayBatch replay) =>
        FileJournal.Open(new LinuxFileSystem(), folder, new FileJournalSettings { SegmentBytes = 256 << 20 }, replay, NullLogger.Instance);

    /// <summary>What is on the disk rebuilds what was in memory, or the figure counts for nothing.</summary>
    private static void CheckReplay(string folder, Hash256 state)
    {
        var ledger = new Ledger(0);
        var scratch = new byte[Limits.RecordBytesMax];
        using var journal = Open(folder, batch => ledger.ReplayBatch(batch.Payload, scratch));
        if (ledger.StateHash() != state) throw new InvalidOperationException("the journal does not replay to the state that was in memory");
    }

    /// <summary>Entries a second if there were nothing but the disk.</summary>
    private static double Floor(string folder, long bytesPerEntry, int entriesPerBatch, TimeSpan duration)
    {
        var files = new LinuxFileSystem();
        using var file = files.Create(Path.Combine(folder, "floor"));
        const long Length = 1L << 30;
        file.Preallocate(Length);
        var batch = new byte[Math.Max(1, entriesPerBatch) * bytesPerEntry];
        Random.Shared.NextBytes(batch);
        var watch = Stopwatch.StartNew();
        long offset = 0, entries = 0;
        while (watch.Elapsed < duration)
        {
            if (offset + batch.Length > Length) offset = 0;
            file.Write(offset, batch);
            file.SyncData();
            offset += batch.Length;
            entries += entriesPerBatch;
        }
        return entries / watch.Elapsed.TotalSeconds;
    }

    private static void Fail(string why, Exception cause) => Environment.FailFast(why, cause);
}
