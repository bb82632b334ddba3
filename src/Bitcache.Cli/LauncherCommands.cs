namespace Bitcache.Cli;

/// <summary>Commands that the launcher ./bitcache carries out by itself, from a source folder. They stand here so
/// that the one help lists them.</summary>
internal static class LauncherCommands
{
    public static IEnumerable<Command> All()
    {
        // The launcher says where its source folder is; a published program has none.
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("BITCACHE_ROOT"))) return [];
        return
        [
            Launched("test", "Run the whole test suite with its real peers; --help tells more"),
            Launched("bench", "Measure; without a name the benchmarks are listed"),
        ];
    }

    private static Command Launched(string name, string description)
    {
        var command = new Command(name, description);
        command.SetAction(parsed =>
        {
            parsed.InvocationConfiguration.Error.WriteLine($"Run this from the source folder: ./bitcache {name}");
            return ExitCode.Usage;
        });
        return command;
    }
}
