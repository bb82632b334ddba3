// How long the books of an epoch take: from balances to the tree of liabilities, and to its published file on the disk. Beside it,
// in the same run, what an auditor needs to read that file and check every node of it.

using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine;

namespace Bitcache.Benchmarks;

internal sealed record LiabilitiesBenchOptions(int Wallets, int Runs, string Folder);

internal static class LiabilitiesBench
{
    private const int RandomSeed = 1;
    private const int PieceBytes = 1 << 20;

    public static BenchResult Run(LiabilitiesBenchOptions options)
    {
        // Large tables have the pages that they have in a server.
        RuntimeHelpers.RunModuleConstructor(typeof(LedgerEngine).Module.ModuleHandle);
        using var folder = new ScratchFolder(options.Folder);
        var path = folder.Inside("liabilities.csv");
        var (seconds, trees, files, checks) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        long peak = 0;
        int leaves = 0;
        for (var run = 0; run < options.Runs; run++)
        {
            var (tree, file) = Build(options.Wallets, run + 1, path, out var root, out leaves);
            // As the server does behind each epoch.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
            trees.Add(tree);
            files.Add(file);
            seconds.Add(tree + file);
            // The auditor's part comes after, and has the memory of its own process.
            if (run == 0) peak = PeakBytes();
            var watch = Stopwatch.StartNew();
            if (Read(path)?.Root.Hash != root) throw new BenchFailedException("the file that was written does not hold");
            checks.Add(watch.Elapsed.TotalSeconds);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"run {run + 1} of {options.Runs}: {seconds[^1]:0.0} s, tree {trees[^1]:0.0}, file {files[^1]:0.0}; read and checked in {checks[^1]:0.0}"));
        }
        return new BenchResult(
            "liabilities", "seconds", seconds, new Dictionary<string, double>(),
            new Dictionary<string, object>
            {
                ["wallets"] = options.Wallets,
                ["leaves"] = leaves,
                ["treeSeconds"] = BenchResult.Median(trees),
                ["fileSeconds"] = BenchResult.Median(files),
                ["fileBytes"] = new FileInfo(path).Length,
                ["checkSeconds"] = BenchResult.Median(checks),
                ["peakBytes"] = peak,
            });
    }

    /// <returns>The seconds until the tree was there, and those until its file was.</returns>
    private static (double Tree, double File) Build(int wallets, long epoch, string path, out Hash256 root, out int leaves)
    {
        var accounts = Accounts(wallets);
        var watch = Stopwatch.StartNew();
        var tree = LiabilityTree.Build(new LiabilitySeed(RandomNumberGenerator.GetBytes(LiabilitySeed.Bytes)), epoch, 840_000, accounts);
        var built = watch.Elapsed.TotalSeconds;
        Write(path, tree.WriteCsv);
        (root, leaves) = (tree.Root, tree.Leaves);
        return (built, watch.Elapsed.TotalSeconds - built);
    }

    /// <summary>Random ids, and balances up to some ten thousand Bits, most of them small.</summary>
    private static LiabilityAccounts Accounts(int count)
    {
        var accounts = new LiabilityAccounts(count);
        var random = new Random(RandomSeed);
        Span<byte> id = stackalloc byte[WalletId.Bytes];
        for (var i = 0; i < count; i++)
        {
            random.NextBytes(id);
            accounts.Add(WalletId.Read(id), new Msat(1 + (long)Math.Exp(21 * random.NextDouble())));
        }
        return accounts;
    }

    private static void Write(string path, Action<ByteSink> write)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        write(piece => file.Write(piece));
    }

    private static PublishedLiabilities? Read(string path)
    {
        using var file = File.OpenRead(path);
        var reader = new LiabilityCsvReader();
        var piece = new byte[PieceBytes];
        while (file.Read(piece) is var count and > 0 && reader.Add(piece.AsSpan(0, count)))
        {
        }
        return reader.Finish();
    }

    /// <summary>The most memory that the process has had (proc(5), VmHWM).</summary>
    private static long PeakBytes()
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1_024;
    }
}
