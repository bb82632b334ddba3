using Bitcache.Core.Audit;
using Spectre.Console;

namespace Bitcache.Cli.Audit;

/// <summary>How far an audit is, on a terminal: a bar for each kind of thing that is being looked at.</summary>
internal static class AuditBars
{
    private static readonly Dictionary<string, string> Names = new()
    {
        ["tiles"] = "tiles of the log",
        ["epoch"] = "trees of liabilities",
        ["anchors"] = "anchors",
        ["receipts"] = "receipts",
        ["entries"] = "entries",
        ["blocks"] = "blocks of the chain",
    };

    /// <summary>Runs an audit under bars, which are gone when it ends.</summary>
    public static async Task<T> RunAsync<T>(TextWriter error, Func<AuditProgress, Task<T>> run)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        return await console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context => run(Follow(context)));
    }

    /// <summary>Called by the audit's thread alone.</summary>
    private static AuditProgress Follow(ProgressContext context)
    {
        var bars = new Dictionary<string, ProgressTask>();
        return (what, done, all) =>
        {
            if (!bars.TryGetValue(what, out var bar)) bars.Add(what, bar = context.AddTask(Names.GetValueOrDefault(what, what), maxValue: Math.Max(1, all)));
            (bar.MaxValue, bar.Value) = (Math.Max(1, all), done);
        };
    }
}
