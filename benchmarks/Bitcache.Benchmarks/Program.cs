// `./bitcache bench NAME [--json] [...]`: every figure in benchmarks/RESULTS.md comes from here.

using System.CommandLine;
using Bitcache.Benchmarks;

var json = new Option<bool>("--json") { Description = "End with one line holding one JSON object", Recursive = true };
var runs = new Option<int>("--runs") { Description = "Runs; the value is their median", DefaultValueFactory = _ => 5, Recursive = true };
var seconds = new Option<int>("--seconds") { Description = "Length of one run", DefaultValueFactory = _ => 10, Recursive = true };
var folder = new Option<string>("--folder") { Description = "Where to write; the disk that is measured", DefaultValueFactory = _ => Path.GetTempPath(), Recursive = true };

var wallets = new Option<int>("--wallets") { Description = "Wallets, paid at random", DefaultValueFactory = _ => 1_000_000 };
var window = new Option<int>("--window") { Description = "Client ids that are remembered", DefaultValueFactory = _ => Bitcache.Core.Limits.WindowIdsMax };
var blockPayments = new Option<int>("--block") { Description = "Payments that arrive together", DefaultValueFactory = _ => 4_096 };
var blocks = new Option<int>("--blocks") { Description = "Blocks waiting for their answer", DefaultValueFactory = _ => 6 };
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

var root = new RootCommand("Bitcache benchmarks. Figures are of this machine, beside floors and peers measured in the same run.")
{
    json, runs, seconds, folder, engine,
};
return await root.Parse(args).InvokeAsync();
