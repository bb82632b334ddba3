// `bitcache serve`: the single-node server as a process. Everything that is wrong with its settings is said at once, before
// anything is opened.

using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Engine;
using Bitcache.Engine.Journal;
using Bitcache.Server;
using Microsoft.Extensions.Logging;

namespace Bitcache.Cli.Commands;

internal static class ServeCommand
{
    public const string Name = "serve";

    /// <summary>For the command's own help.</summary>
    public const string ExitCodes =
        """
        Exit codes:
          0    stopped in good order
          1    could not start
          2    the settings cannot be used
          134  the journal failed; the next start finds out what became durable
        """;

    /// <summary>How the line begins that says where the server listens; from then on it answers.</summary>
    public const string ListeningLine = "listening on ";

    public static Command Create()
    {
        var command = new Command(Name, "Run the server until SIGTERM or Ctrl-C.");
        ServerOptions.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken stop)
    {
        var output = parsed.InvocationConfiguration.Output;
        var settings = ServerOptions.Load(parsed);
        using var logs = LoggerFactory.Create(ConfigureLogs);
        using var nodes = new NodeConnections(settings);
        try
        {
            await using var engine = await LedgerEngine.OpenAsync(
                settings.Engine, nodes.Node, nodes.Switch, TimeProvider.System, logs, Die, stop);
            output.WriteLine($"data folder {Path.GetFullPath(settings.Engine.DataFolder)}");
            for (var partition = 0; partition < engine.Partitions.Count; partition++)
            {
                if (engine.Partitions.Count > 1) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"partition {partition}"));
                if (engine.RecoveredFrom[partition] is { } snapshot) output.WriteLine($"state of {snapshot.NextSequence} entries loaded from {snapshot.Name}");
                output.WriteLine(Describe(engine.Recovery[partition]));
            }
            using var telemetry = Telemetry.Start(engine, settings.Telemetry, Environment.MachineName);
            await using var server = await BitcacheServer.StartAsync(settings, engine, TimeProvider.System, logs, stop);
            output.WriteLine($"{ListeningLine}{server.Address}");
            await WaitAsync(stop);
            output.WriteLine("stopping");
            await engine.EndTurnsAsync();
        }
        catch (Exception e) when (e is NodeUnavailableException or IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException(e.Message);
        }
        output.WriteLine("stopped: everything acknowledged is durable");
        return ExitCode.Done;
    }

    internal static void ConfigureLogs(ILoggingBuilder logging) => logging
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .AddSimpleConsole(console => (console.SingleLine, console.UseUtcTimestamp, console.TimestampFormat) = (true, true, "yyyy-MM-dd'T'HH:mm:ss.fff'Z' "))
        .AddFilter("Microsoft", LogLevel.Warning)
        // Were it on for anything, each request would get an activity and a scope, whether or not something is logged.
        .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None)
        // What keeps the server from starting is said once, by us.
        .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);

    internal static async Task WaitAsync(CancellationToken stop)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Register(stopped.SetResult);
        await stopped.Task;
    }

    private static string Describe(RecoveryReport recovery)
    {
        var text = string.Create(CultureInfo.InvariantCulture,
            $"journal: {recovery.Sequences} entries in {recovery.Frames} frames and {recovery.Segments} segments verified");
        // In a database there are no segments.
        if (recovery.Segments == 0 && recovery.Frames > 0) text = string.Create(CultureInfo.InvariantCulture, $"journal: {recovery.Sequences} entries, {recovery.Frames} batches of them verified");
        return recovery.TornBytes == 0
            ? text
            : string.Create(CultureInfo.InvariantCulture,
                $"{text}; {recovery.TornBytes} bytes of an unfinished write, never acknowledged, were cut off and kept in {recovery.TornFile}");
    }

    /// <summary>Memory may be ahead of what is durable: nothing may be answered or written any more.</summary>
    internal static void Die(string why, Exception cause) => Environment.FailFast($"bitcache stops at once: {why}: {cause.Message}", cause);
}
