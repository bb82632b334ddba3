// `bitcache migrate`: moves a ledger's journals from files into PostgreSQL, or back, while its server is stopped.

using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Bitcache.Engine;
using Bitcache.Server.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Cli.Commands;

internal static class MigrateCommand
{
    private const long ProgressEntries = 5_000_000;

    private static readonly Option<FileInfo> From = new("--from") { Description = "The settings file that the server ran with. The server must not run.", Required = true, HelpName = "file" };
    private static readonly Option<FileInfo> To = new("--to") { Description = "The one that it will run with: the same ledger and data folder, with another journal.", Required = true, HelpName = "file" };

    public static Command Create()
    {
        var command = new Command("migrate", "Move the journal from the data folder into PostgreSQL, or back. The copy must come to the same state; the old journal is kept. May be interrupted and started again.")
        {
            From, To,
        };
        command.SetAction(Run);
        return command;
    }

    private static Task<int> Run(ParseResult parsed, CancellationToken cancel)
    {
        var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        var (from, to) = (Load(parsed.GetRequiredValue(From)), Load(parsed.GetRequiredValue(To)));
        var watch = Stopwatch.StartNew();
        var told = new Dictionary<(string What, int Partition), long>();
        try
        {
            var report = JournalMigration.Run(from, to, NullLogger.Instance, (what, partition, entries) =>
            {
                cancel.ThrowIfCancellationRequested();
                if (entries < told.GetValueOrDefault((what, partition)) + ProgressEntries) return;
                told[(what, partition)] = entries;
                error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"partition {partition}: {entries:N0} entries {what} after {watch.Elapsed.TotalSeconds:0} s"));
            });
            foreach (var moved in report.Partitions)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"partition {moved.Partition}: {moved.Entries} entries"));
                output.WriteLine($"state hash {moved.StateHash}, of the original and of the copy");
            }
            output.WriteLine($"the old journal is kept in {report.PutAside}: remove it when you need it no more");
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"moved after {watch.Elapsed.TotalSeconds:0.0} s: start the server with {parsed.GetRequiredValue(To).FullName}, and only with that"));
            return Task.FromResult(ExitCode.Done);
        }
        catch (Exception e) when (e is MigrationRefusedException or IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(e.Message);
        }
    }

    private static EngineSettings Load(FileInfo file) => SettingsFile.Load(file.FullName, []).Engine;
}
