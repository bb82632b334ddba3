// The tests, or one silo of theirs: `silo ...` runs TestSilo until it is told to end.

using Bitcache.Cluster.Tests;

return args is ["silo", .. var settings]
    ? await TestSilo.RunAsync(settings)
    : await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
