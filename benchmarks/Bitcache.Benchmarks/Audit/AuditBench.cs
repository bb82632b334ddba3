// How long `bitcache audit` takes, and how much memory: everything that a ledger of millions of entries published, with the
// entries; and then one epoch more. Beside it, in the same run, what nobody can do without: reading the same files and hashing
// their bytes once.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Bitcache.Benchmarks.Audit;

/// <param name="Deposits">Wallets with a deposit of their own.</param>
/// <param name="Epochs">Of the first audit; the second has one more.</param>
internal sealed record AuditBenchOptions(long Entries, int Wallets, int Deposits, int Epochs, long EpochPayments, int Runs, string Folder);

internal static class AuditBench
{
    private const int PieceBytes = 1 << 20;

    public static Task<BenchResult> RunAsync(AuditBenchOptions options, CancellationToken cancel) => LedgerBook.InFolderAsync(options.Folder, async folder =>
    {
        var watch = Stopwatch.StartNew();
        await using var book = await AuditBook.CreateAsync(Path.Combine(folder, "ledger"), options.Wallets, options.Deposits);
        Tell($"{await book.CountAsync():N0} entries made the wallets, {watch.Elapsed.TotalSeconds:0} s");
        for (var epoch = 1; epoch <= options.Epochs; epoch++)
            await book.LiveEpochAsync(Math.Max(0, (options.Entries - await book.CountAsync()) / (options.Epochs - epoch + 1)));
        var paths = new AuditedPaths(Path.Combine(folder, "export"), Path.Combine(folder, "auditor"), Path.Combine(folder, "audit.state"));
        await book.ExportAsync(paths.Open, paths.Auditors);
        var entries = await book.CountAsync();
        Tell($"{entries:N0} entries and {options.Epochs} epochs are published, {watch.Elapsed.TotalSeconds:0} s");

        var (full, open, floors) = (new List<AuditRun>(), new List<AuditRun>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            floors.Add(Floor(paths.Open, paths.Auditors));
            paths.Forget();
            open.Add(await AuditProcess.RunAsync(paths, withEntries: false, cancel));
            paths.Forget();
            full.Add(await AuditProcess.RunAsync(paths, withEntries: true, cancel));
            Tell($"run {run + 1} of {options.Runs}: {full[^1].Seconds:0.0} s with the entries, {full[^1].ProcessorSeconds:0.0} s of processors, {full[^1].PeakBytes / 1e6:N0} MB; {open[^1].Seconds:0.0} s without, {open[^1].PeakBytes / 1e6:N0} MB; floor {floors[^1]:0.0} s");
        }
        paths.Keep();
        await book.LiveEpochAsync(options.EpochPayments);
        await book.ExportAsync(paths.Open, paths.Auditors);
        var next = new List<AuditRun>();
        for (var run = 0; run < options.Runs; run++)
        {
            paths.Restore();
            next.Add(await AuditProcess.RunAsync(paths, withEntries: true, cancel));
            Tell($"one epoch more, run {run + 1} of {options.Runs}: {next[^1].Seconds:0.0} s, {next[^1].ProcessorSeconds:0.0} s of processors, {next[^1].PeakBytes / 1e6:N0} MB");
        }
        double Median(List<AuditRun> of) => BenchResult.Median([.. of.Select(r => r.Seconds)]);
        double Processor(List<AuditRun> of) => BenchResult.Median([.. of.Select(r => r.ProcessorSeconds)]);
        return new BenchResult(
            "audit", "seconds with the entries", [.. full.Select(r => r.Seconds)],
            new Dictionary<string, double> { ["floorSeconds"] = BenchResult.Median([.. full.Zip(floors, (run, floor) => run.Seconds / floor)]) },
            new Dictionary<string, object>
            {
                ["entries"] = entries,
                ["wallets"] = options.Wallets,
                ["deposits"] = options.Deposits,
                ["epochs"] = options.Epochs,
                ["publishedBytes"] = BytesIn(paths.Open),
                ["auditorBytes"] = BytesIn(paths.Auditors),
                ["floorSeconds"] = BenchResult.Median(floors),
                ["processorSeconds"] = Processor(full),
                ["peakBytes"] = full.Max(r => r.PeakBytes),
                ["publicSeconds"] = Median(open),
                ["publicProcessorSeconds"] = Processor(open),
                ["publicPeakBytes"] = open.Max(r => r.PeakBytes),
                ["epochPayments"] = options.EpochPayments,
                ["nextEpochSeconds"] = Median(next),
                ["nextEpochProcessorSeconds"] = Processor(next),
                ["nextEpochPeakBytes"] = next.Max(r => r.PeakBytes),
                ["stateBytes"] = paths.StateBytes(),
            });
    });

    /// <summary>Seconds to read the files of both folders and hash each byte once, on one processor.</summary>
    private static double Floor(params IReadOnlyList<string> folders)
    {
        var watch = Stopwatch.StartNew();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[PieceBytes];
        foreach (var path in folders.SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)))
        {
            using var file = File.OpenRead(path);
            while (file.Read(piece) is var count and > 0) hash.AppendData(piece, 0, count);
        }
        return watch.Elapsed.TotalSeconds;
    }

    private static long BytesIn(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Sum(path => new FileInfo(path).Length);

    private static void Tell(FormattableString line) => Console.Error.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
