// `bitcache silo` and `bitcache silos`, and beside them every command of bitcache.

using Bitcache.Cli;
using Bitcache.Cluster;

using var stop = new StopSignals();
return await CommandLine.RunAsync(args, Console.Out, Console.Error, stop.Token, SiloCommand.Create(), SilosCommand.Create());
