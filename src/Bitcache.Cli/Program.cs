using System.CommandLine;
using Bitcache.Cli;

var root = new RootCommand("Bitcache: an off-chain ledger for Bitcoin micropayments that settles on the chain.");
foreach (var command in LauncherCommands.All()) root.Add(command);
return await root.Parse(args).InvokeAsync();
