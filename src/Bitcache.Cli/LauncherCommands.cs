namespace Bitcache.Cli;

/// <summary>Commands that the launcher ./bitcache carries out by itself, from a source folder. They stand here so
/// that the one help lists them.</summary>
internal static class LauncherCommands
{
    /// <param name="own">Those that this program carries out after all.</param>
    public static IEnumerable<Command> All(IReadOnlyList<Command> own)
    {
        // The launcher says where its source folder is; a published program has none.
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("BITCACHE_ROOT"))) return [];
        Command[] launched =
        [
            Launched("silo", "Run one of the servers of a cluster until SIGTERM or Ctrl-C"),
            Launched("silos", "Run two silos over a PostgreSQL and a Bitcoin node of their own, for trying out"),
            Launched("test", "Run the whole test suite with its real peers; --help tells more"),
            Launched("bench", "Measure; without a name the benchmarks are listed"),
        ];
        return launched.Where(command => own.All(other => other.Name != command.Name));
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
