// What a page of history costs: of a wallet with millions of entries and of one with a few, at the end and at the
// beginning of a long history, and while a hot wallet is paid 100,000 times a second. Beside it, in the same run, the
// floor: the same entries read one by one.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Benchmarks;

/// <param name="Entries">Payments that the hot wallet has received when pages are read.</param>
internal sealed record HistoryBenchOptions(int Wallets, int Entries, TimeSpan Length, int Runs, string Folder);

internal static class HistoryBench
{
    private const int PageLines = 50;
    private const int YoungEntries = 60;
    private const int HotPaymentsPerSecond = 100_000;
    private const int BlockPayments = 1_000;
    private static readonly TimeSpan BlockEvery = TimeSpan.FromSeconds((double)BlockPayments / HotPaymentsPerSecond);

    public static Task<BenchResult> RunAsync(HistoryBenchOptions options) => LedgerBook.InFolderAsync(options.Folder, folder => RunAsync(options, folder));

    private static async Task<BenchResult> RunAsync(HistoryBenchOptions options, string folder)
    {
        var book = LedgerBook.Open(folder);
        await using var partition = LedgerBook.Start(book, Limits.WindowIdsMax);
        var wallets = await EngineLoad.FillAsync(partition, options.Wallets);
        var (hot, young) = (wallets[0], wallets[1]);
        var payers = new Payers(wallets[2..]);
        long early = 0;
        for (var paid = 0; paid < options.Entries; paid += Limits.BlockPaymentsMax)
        {
            await PayAsync(partition, payers, hot, Limits.BlockPaymentsMax);
            if (early == 0) early = await NewestAsync(partition, hot);
        }
        await PayAsync(partition, payers, young, YoungEntries);

        var parts = new Dictionary<string, List<double>>();
        var (rates, floors) = (new List<double>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            async Task<double> PagesAsync(string name, Func<Task> page)
            {
                var rate = await MeasureAsync(page, options.Length / 5);
                if (!parts.TryGetValue(name, out var of)) parts.Add(name, of = []);
                of.Add(1e6 / rate);
                return rate;
            }
            var newest = (await History.ReadAsync(partition, hot, null, PageLines))!.Lines.Select(line => line.Entry.Sequence).ToArray();
            var floor = await MeasureAsync(() => ReadOneByOne(partition, newest), options.Length / 5);
            await PagesAsync("youngMicroseconds", () => PageAsync(partition, young, null));
            await PagesAsync("hotOldestMicroseconds", () => PageAsync(partition, hot, early));
            var rate = await PagesAsync("hotNewestMicroseconds", () => PageAsync(partition, hot, null));
            using var stop = new CancellationTokenSource();
            var paying = PaySteadilyAsync(partition, payers, hot, stop.Token);
            await PagesAsync("whilePaidMicroseconds", () => PageAsync(partition, hot, null));
            await stop.CancelAsync();
            var paid = await paying;
            if (!parts.TryGetValue("paymentsPerSecondWhileRead", out var rateOf)) parts.Add("paymentsPerSecondWhileRead", rateOf = []);
            rateOf.Add(paid);
            rates.Add(rate);
            floors.Add(rate / floor);
            await Console.Error.WriteLineAsync($"run {run + 1} of {options.Runs}: {rate:N0} pages/s of the hot wallet, {rate / floor:0.00} of the floor; {paid:N0} payments/s into it meanwhile");
        }
        var details = new Dictionary<string, object> { ["wallets"] = options.Wallets, ["hotEntries"] = options.Entries, ["linesOfAPage"] = PageLines };
        foreach (var (name, of) in parts) details[name] = BenchResult.Median(of);
        details["oldToYoung"] = BenchResult.Median(parts["hotNewestMicroseconds"]) / BenchResult.Median(parts["youngMicroseconds"]);
        return new BenchResult("history", "pages/s", rates, new Dictionary<string, double> { ["floor"] = BenchResult.Median(floors) }, details);
    }

    private static async Task PageAsync(Partition partition, WalletId wallet, long? before)
    {
        var page = await History.ReadAsync(partition, wallet, before, PageLines);
        if (page is not { Lines.Count: PageLines }) throw new BenchFailedException("a page is not whole");
    }

    private static Task ReadOneByOne(Partition partition, long[] sequences)
    {
        foreach (var sequence in sequences) partition.ReadEntry(sequence);
        return Task.CompletedTask;
    }

    private static Task<long> NewestAsync(Partition partition, WalletId wallet) =>
        partition.QueryAsync(ledger => ledger.FindWallet(wallet)!.Value.LastSequence);

    /// <summary>How often in a second.</summary>
    private static async Task<double> MeasureAsync(Func<Task> once, TimeSpan length)
    {
        // What is compiled and cached is not measured.
        for (var warm = Stopwatch.StartNew(); warm.Elapsed < length / 4;) await once();
        var (watch, done) = (Stopwatch.StartNew(), 0L);
        for (; watch.Elapsed < length; done++) await once();
        return done / watch.Elapsed.TotalSeconds;
    }

    /// <summary>Pays at the rate until it is stopped; returns the rate that was kept.</summary>
    private static async Task<double> PaySteadilyAsync(Partition partition, Payers payers, WalletId payee, CancellationToken stop)
    {
        // On a thread of its own from the first block on.
        await Task.Yield();
        var (watch, blocks) = (Stopwatch.StartNew(), 0L);
        while (!stop.IsCancellationRequested)
        {
            await PayAsync(partition, payers, payee, BlockPayments);
            var ahead = (++blocks * BlockEvery) - watch.Elapsed;
            if (ahead > TimeSpan.Zero) await Task.Delay(ahead, CancellationToken.None);
        }
        return blocks * BlockPayments / watch.Elapsed.TotalSeconds;
    }

    private static async Task PayAsync(Partition partition, Payers payers, WalletId payee, int count)
    {
        var block = new PaymentBlock(count) { Count = count };
        for (var i = 0; i < count; i++)
        {
            block.Payments[i] = new Payment
            {
                Kind = PaymentKind.Transfer,
                Id = ClientIds.Next(TimeProvider.System),
                Payer = payers.Next(),
                Payee = payee,
                Amount = new Msat(1),
            };
        }
        await partition.SubmitAsync(block);
        foreach (ref readonly var result in block.Results)
        {
            if (result.Outcome != Outcome.Accepted) throw new BenchFailedException($"a payment was answered {result.Outcome}");
        }
    }

    private sealed class Payers(WalletId[] wallets)
    {
        private readonly Xoshiro _random = new(1);

        public WalletId Next() => wallets[(int)(_random.Next() % (uint)wallets.Length)];
    }
}
