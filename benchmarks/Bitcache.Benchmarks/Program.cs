// `./bitcache bench NAME [--json] [...]`: every figure in benchmarks/RESULTS.md comes from here.

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net.Sockets;
using Bitcache.Benchmarks;
using Bitcache.Benchmarks.Audit;
using Bitcache.Benchmarks.Http;
using Bitcache.Benchmarks.Micro;
using Bitcache.Benchmarks.Peers;
using Bitcache.Cli;
using Bitcache.Cli.Demo;
using Npgsql;

var json = new Option<bool>("--json") { Description = "End with one line holding one JSON object", Recursive = true };
var runs = new Option<int>("--runs") { Description = "Runs; the value is their median", DefaultValueFactory = _ => 5, Recursive = true };
var seconds = new Option<int>("--seconds") { Description = "Length of one run", DefaultValueFactory = _ => 10, Recursive = true };
var folder = new Option<string>("--folder") { Description = "Where to write; the disk that is measured", DefaultValueFactory = _ => Path.GetTempPath(), Recursive = true };

var wallets = new Option<int>("--wallets") { Description = "Wallets, paid at random", DefaultValueFactory = _ => 1_000_000 };
var window = new Option<int>("--window")
{
    Description = "Client ids that are remembered, such as 16000000 or 64M (of 2^20)",
    DefaultValueFactory = _ => Bitcache.Core.Limits.WindowIdsMax,
    CustomParser = ParseCount,
};
var blockPayments = new Option<int>("--block") { Description = "Payments that arrive together", DefaultValueFactory = _ => 4_096 };
var blocks = new Option<int>("--blocks") { Description = "Blocks waiting for their answer", DefaultValueFactory = _ => 4 };
var engine = new Command("engine", "Durable transfers a second through one partition, beside the floors of disk and memory")
{
    wallets, window, blockPayments, blocks,
};
engine.SetAction(async (parsed, _) =>
{
    var result = await EngineBench.RunAsync(new EngineBenchOptions(
        parsed.GetValue(wallets), parsed.GetValue(window), parsed.GetValue(blockPayments), parsed.GetValue(blocks),
        TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(runs), parsed.GetValue(folder)!));
    result.Print(parsed.GetValue(json));
});

var httpWallets = new Option<int>("--wallets") { Description = "Wallets, paid at random", DefaultValueFactory = _ => 100_000 };
var connections = new Option<int>("--connections") { Description = "HTTP connections, each with one request under way", DefaultValueFactory = _ => 256 };
var batchConnections = new Option<int>("--batch-connections") { Description = "HTTP connections that send batches", DefaultValueFactory = _ => 3 };
var mode = new Option<string>("--mode")
{
    Description = "single: one payment a request; batch: 8,192 as fixed records",
    DefaultValueFactory = _ => HttpBench.Single,
};
mode.AcceptOnlyFromAmong(HttpBench.Single, HttpBench.Batch);
var http = new Command("http", "Payments a second over HTTP; single ones beside an empty endpoint in the same process setup")
{
    mode, httpWallets, connections, batchConnections,
};
http.SetAction(async (parsed, stop) =>
{
    var result = parsed.GetValue(mode) == HttpBench.Batch
        ? await HttpBench.RunBatchAsync(HttpOptions(parsed), stop)
        : await HttpBench.RunSingleAsync(HttpOptions(parsed), stop);
    result.Print(parsed.GetValue(json));
});

var peers = new Command("peers", "The same payments on PostgreSQL, on Redis and on Bitcache over HTTP, in turn") { httpWallets, connections, batchConnections };
peers.SetAction(async (parsed, stop) =>
{
    var result = await PeersBench.RunAsync(HttpOptions(parsed), stop);
    result.Print(parsed.GetValue(json));
});

var postgresBlocks = new Option<int>("--blocks") { Description = "Blocks waiting for their answer", DefaultValueFactory = _ => 6 };
var postgres = new Command("postgres", "Durable transfers a second through one partition with its journal in PostgreSQL, beside a double-entry function on the same server")
{
    httpWallets, blockPayments, postgresBlocks,
};
postgres.SetAction(async (parsed, stop) =>
{
    var result = await PostgresBench.RunAsync(new PostgresBenchOptions(
        parsed.GetValue(httpWallets), parsed.GetValue(blockPayments), parsed.GetValue(postgresBlocks),
        TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(runs), parsed.GetValue(folder)!), stop);
    result.Print(parsed.GetValue(json));
});

var micro = new Command("micro", "Codec, index and hash, each alone");
micro.SetAction((parsed, _) =>
{
    MicroBench.Run(parsed.GetValue(runs), parsed.GetValue(folder)!).Print(parsed.GetValue(json));
    return Task.CompletedTask;
});

var entries = new Option<long>("--entries") { Description = "Transfers in the journal that is replayed", DefaultValueFactory = _ => 20_000_000 };
var snapshotWallets = new Option<int>("--snapshot-wallets") { Description = "Wallets of the ledger that is opened from a snapshot; 0 for no such run", DefaultValueFactory = _ => 5_000_000 };
var recovery = new Command("recovery", "Entries a second replayed from a journal, and the seconds to open a large ledger from its snapshot")
{
    wallets, entries, snapshotWallets, window,
};
recovery.SetAction(async (parsed, _) =>
{
    var result = await RecoveryBench.RunAsync(new RecoveryBenchOptions(
        parsed.GetValue(wallets), parsed.GetValue(entries), parsed.GetValue(snapshotWallets), parsed.GetValue(window),
        parsed.GetValue(runs), parsed.GetValue(folder)!));
    result.Print(parsed.GetValue(json));
});

var hotEntries = new Option<int>("--entries") { Description = "Payments that the hot wallet has received", DefaultValueFactory = _ => 5_000_000 };
var historyWallets = new Option<int>("--wallets") { Description = "Wallets that pay it", DefaultValueFactory = _ => 10_000 };
var history = new Command("history", "Pages of history a second: of a wallet with millions of entries, beside one with a few and beside the floor")
{
    historyWallets, hotEntries,
};
history.SetAction(async (parsed, _) =>
{
    var result = await HistoryBench.RunAsync(new HistoryBenchOptions(
        parsed.GetValue(historyWallets), parsed.GetValue(hotEntries), TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(runs), parsed.GetValue(folder)!));
    result.Print(parsed.GetValue(json));
});

var pace = new Option<int>("--mebibytes-per-second") { Description = "How fast a snapshot is written; 0 for as fast as it can be", DefaultValueFactory = _ => (int)(new Bitcache.Engine.Snapshots.SnapshotSettings().BytesPerSecond >> 20) };
var snapshot = new Command("snapshot", "Throughput while a snapshot is written, as a part of that without one")
{
    wallets, window, blockPayments, blocks, pace,
};
snapshot.SetAction(async (parsed, _) =>
{
    var result = await SnapshotBench.RunAsync(new SnapshotBenchOptions(
        parsed.GetValue(wallets), parsed.GetValue(window), parsed.GetValue(blockPayments), parsed.GetValue(blocks),
        parsed.GetValue(pace), parsed.GetValue(runs), parsed.GetValue(folder)!));
    result.Print(parsed.GetValue(json));
});

var seal = new Command("seal", "Leaves a second hashed into the log on one core; and what that leaves of payments at half of full speed")
{
    wallets, window, blockPayments, blocks,
};
seal.SetAction(async (parsed, _) =>
{
    var result = await SealBench.RunAsync(new SealBenchOptions(
        parsed.GetValue(wallets), parsed.GetValue(window), parsed.GetValue(blockPayments), parsed.GetValue(blocks),
        TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(runs), parsed.GetValue(folder)!));
    result.Print(parsed.GetValue(json));
});

var deposits = new Option<int>("--deposits") { Description = "Deposits in one block", DefaultValueFactory = _ => 3_000 };
var outputs = new Option<int>("--outputs") { Description = "Deposits that one transaction makes", DefaultValueFactory = _ => 1 };
var addresses = new Option<int>("--addresses") { Description = "Addresses that are asked for, 1,000 at once; 0 for no such run", DefaultValueFactory = _ => 100_000 };
var bitcoin = new Command("bitcoin", "Seconds until a block full of deposits is credited, on a real regtest node; and addresses a second")
{
    deposits, outputs, addresses,
};
bitcoin.SetAction(async (parsed, stop) =>
{
    var result = await BitcoinBench.RunAsync(new BitcoinBenchOptions(
        parsed.GetValue(deposits), parsed.GetValue(outputs), parsed.GetValue(addresses), parsed.GetValue(runs), parsed.GetValue(folder)!), stop);
    result.Print(parsed.GetValue(json));
});

var liabilityWallets = new Option<int>("--wallets") { Description = "Wallets that are owed something", DefaultValueFactory = _ => 5_000_000 };
var liabilities = new Command("liabilities", "Seconds from the balances of an epoch to the tree of liabilities and its published file")
{
    liabilityWallets,
};
liabilities.SetAction((parsed, _) =>
{
    LiabilitiesBench.Run(new LiabilitiesBenchOptions(parsed.GetValue(liabilityWallets), parsed.GetValue(runs), parsed.GetValue(folder)!)).Print(parsed.GetValue(json));
    return Task.CompletedTask;
});

var auditEntries = new Option<long>("--entries") { Description = "Entries of the log that is audited", DefaultValueFactory = _ => 10_000_000 };
var auditDeposits = new Option<int?>("--deposits") { Description = "Wallets with a deposit of their own; all, if nothing is said" };
var auditEpochs = new Option<int>("--epochs") { Description = "Epochs that the first audit finds", DefaultValueFactory = _ => 3 };
var epochPayments = new Option<long>("--epoch-payments") { Description = "Payments of the epoch that comes after it", DefaultValueFactory = _ => 200_000 };
var audit = new Command("audit", "Seconds and memory of an audit with the entries of a large ledger, and of the next one, an epoch later")
{
    auditEntries, wallets, auditDeposits, auditEpochs, epochPayments,
};
audit.SetAction(async (parsed, stop) =>
{
    var result = await AuditBench.RunAsync(new AuditBenchOptions(
        parsed.GetValue(auditEntries), parsed.GetValue(wallets), parsed.GetValue(auditDeposits) ?? parsed.GetValue(wallets), parsed.GetValue(auditEpochs),
        parsed.GetValue(epochPayments), parsed.GetValue(runs), parsed.GetValue(folder)!), stop);
    result.Print(parsed.GetValue(json));
});

var partitions = new Option<int>("--partitions") { Description = "Partitions, which the silos share", DefaultValueFactory = _ => 8 };
var clusterWallets = new Option<int>("--wallets") { Description = "Wallets, paid at random", DefaultValueFactory = _ => 10_000 };
var clusterConnections = new Option<int>("--connections") { Description = "HTTP connections to each silo that pay one by one", DefaultValueFactory = _ => 64 };
var clusterBatchConnections = new Option<int>("--batch-connections") { Description = "HTTP connections to each silo that send batches", DefaultValueFactory = _ => 3 };
var cluster = new Command("cluster", "Payments a second through two silos over one PostgreSQL, over HTTP at both: in batches, and one by one")
{
    partitions, clusterWallets, clusterConnections, clusterBatchConnections,
};
cluster.SetAction(async (parsed, stop) =>
{
    // The launcher builds it: it is not in this solution.
    var program = Environment.GetEnvironmentVariable("BITCACHE_SILO") ?? throw new BenchFailedException("BITCACHE_SILO does not name the program bitcache-silo: run ./bitcache bench cluster");
    var result = await ClusterBench.RunAsync(new ClusterBenchOptions(
        program, parsed.GetValue(partitions), parsed.GetValue(clusterWallets), parsed.GetValue(clusterConnections), parsed.GetValue(clusterBatchConnections),
        TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(runs)), stop);
    result.Print(parsed.GetValue(json));
});

var copiedWallets = new Option<int>("--wallets") { Description = "Wallets", DefaultValueFactory = _ => 5_000_000 };
var copies = new Command("copies", "Memory of a silo's copy of a large ledger, and the seconds to load it and to take all its partitions over") { partitions, copiedWallets };
copies.SetAction(async (parsed, stop) =>
{
    var result = await CopiesBench.RunAsync(new CopiesBenchOptions(
        parsed.GetValue(partitions), parsed.GetValue(copiedWallets), parsed.GetValue(runs), parsed.GetValue(folder)!), stop);
    result.Print(parsed.GetValue(json));
});

var root = new RootCommand("Bitcache benchmarks. Figures are of this machine, beside floors and peers measured in the same run.")
{
    json, runs, seconds, folder, engine, http, peers, postgres, recovery, history, snapshot, seal, bitcoin, liabilities, audit, cluster, copies, micro, EmptyEndpoint.Create(),
};
using var signals = new StopSignals();
// Signals are ours: the library would end a benchmark before it has removed what it started.
var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
try
{
    return await root.Parse(args).InvokeAsync(invocation, signals.Token);
}
catch (Exception e) when (
    e is BenchFailedException or DemoFailedException or HttpRequestException or ChildProcessException or NpgsqlException or IOException or SocketException or OperationCanceledException)
{
    // Ctrl-C reaches the servers as well, so that their ends may be noticed before it.
    if (signals.Token.IsCancellationRequested) return ExitCode.Interrupted;
    await Console.Error.WriteLineAsync($"bitcache: {e.Message}");
    return ExitCode.Failed;
}

static int ParseCount(ArgumentResult result)
{
    var text = result.Tokens[0].Value;
    var isMillions = text.EndsWith('M');
    if (int.TryParse(isMillions ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= (isMillions ? 1_024 : int.MaxValue))
        return isMillions ? count << 20 : count;
    result.AddError($"'{text}' is no count such as 16000000 or 64M.");
    return 0;
}

HttpBenchOptions HttpOptions(ParseResult parsed) => new(
    parsed.GetValue(httpWallets), parsed.GetValue(connections), parsed.GetValue(batchConnections), TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(runs),
    parsed.GetValue(folder)!);
