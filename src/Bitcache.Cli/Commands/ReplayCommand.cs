// `bitcache replay`: the ledger rebuilt from its first entry, without the server, and held against its snapshots.

using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Bitcache.Server.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Cli.Commands;

internal static class ReplayCommand
{
    private const long ProgressEntries = 5_000_000;

    private static readonly Option<DirectoryInfo> Data = new("--data") { Description = "A data folder whose journal is in files. The server must not run.", HelpName = "folder" };
    private static readonly Option<DirectoryInfo> Archive = new("--archive") { Description = "The archive's folder, if the settings name one.", HelpName = "folder" };
    private static readonly Option<FileInfo> Config = new("--config") { Description = "Instead of them, the server's settings file, wherever its journal is.", HelpName = "file" };
    private static readonly Option<bool> AsJson = new("--json") { Description = "End with one line holding one JSON object." };

    public static Command Create()
    {
        var command = new Command("replay", "Rebuild the ledger from its first entry and compare it with every snapshot. Changes nothing. Exit code 0 only if all agree.")
        {
            Data, Archive, Config, AsJson,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(Data) is null == result.GetResult(Config) is null) result.AddError("Give --data, or --config.");
            else if (result.GetResult(Config) is not null && result.GetResult(Archive) is not null) result.AddError("--archive goes with --data.");
        });
        command.SetAction(Run);
        return command;
    }

    private static Task<int> Run(ParseResult parsed, CancellationToken cancel)
    {
        var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        var json = parsed.GetValue(AsJson);
        var watch = Stopwatch.StartNew();
        var reports = new List<ReplayReport>();
        string? difference = null;
        var next = ProgressEntries;
        void Tell(long entries)
        {
            cancel.ThrowIfCancellationRequested();
            if (entries < next) return;
            error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{entries:N0} entries after {watch.Elapsed.TotalSeconds:0} s"));
            next += ProgressEntries;
        }

        try
        {
            var replayed = parsed.GetValue(Config) is { } config
                ? LedgerReplay.Run(SettingsFile.Load(config.FullName, []).Engine, NullLogger.Instance, Tell)
                : ReplayFolder(parsed.GetRequiredValue(Data).FullName, parsed.GetValue(Archive)?.FullName, Tell);
            foreach (var report in replayed)
            {
                reports.Add(report);
                next = ProgressEntries;
            }
        }
        catch (Exception e) when (e is ReplayDifferenceException or LedgerInvariantException or FormatException or JournalCorruptException or SnapshotMismatchException)
        {
            difference = e.Message;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(e.Message);
        }
        foreach (var report in reports) Write(report, output);
        output.WriteLine(difference is null
            ? string.Create(CultureInfo.InvariantCulture, $"everything agrees, after {watch.Elapsed.TotalSeconds:0.0} s")
            : $"DIFFERENCE: {difference}");
        if (json) output.WriteLine(ToJson(reports, difference, watch.Elapsed));
        return Task.FromResult(difference is null ? ExitCode.Done : ExitCode.Failed);
    }

    /// <summary>Without the settings: whatever partitions are there.</summary>
    private static IEnumerable<ReplayReport> ReplayFolder(string data, string? archive, Action<long> progress)
    {
        var files = new LinuxFileSystem();
        var journals = Path.Combine(data, "journal");
        if (!Directory.Exists(journals)) throw new CommandFailedException($"there is no journal in {data}");
        using var held = DataFolderLock.Take(files, data, archive);
        for (var partition = 0; Directory.Exists(Path.Combine(journals, string.Create(CultureInfo.InvariantCulture, $"p{partition:D4}"))); partition++)
            yield return LedgerReplay.Run(files, data, new FileJournalSettings { Partition = partition, ArchiveFolder = archive }, NullLogger.Instance, progress);
    }

    private static void Write(ReplayReport report, TextWriter output)
    {
        var segments = report.Segments == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" in {report.Segments} segments");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"partition {report.Partition}: {report.Entries} entries{segments}, {report.Wallets} wallets, up to {report.Time}"));
        output.WriteLine($"state hash {report.StateHash}");
        if (report.TornBytes > 0) output.WriteLine($"{report.TornBytes} bytes of an unfinished write at the end, never acknowledged, are not part of it");
        foreach (var snapshot in report.Snapshots) output.WriteLine($"ok  {snapshot.FileName} holds the state after {snapshot.NextSequence} entries");
    }

    private static string ToJson(List<ReplayReport> reports, string? difference, TimeSpan took)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteBoolean("holds", difference is null);
            json.WriteString("difference", difference);
            json.WriteNumber("seconds", Math.Round(took.TotalSeconds, 3));
            json.WriteStartArray("partitions");
            foreach (var report in reports) Write(report, json);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(ReplayReport report, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("partition", report.Partition);
        json.WriteNumber("entries", report.Entries);
        json.WriteNumber("wallets", report.Wallets);
        json.WriteString("stateHash", report.StateHash.ToString());
        json.WriteStartArray("snapshots");
        foreach (var snapshot in report.Snapshots)
        {
            json.WriteStartObject();
            json.WriteString("file", snapshot.FileName);
            json.WriteNumber("entries", snapshot.NextSequence);
            json.WriteString("stateHash", snapshot.StateHash.ToString());
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
