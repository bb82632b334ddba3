// `bitcache silo`: one of the servers of a cluster, as a process.

using System.Security.Cryptography;
using Bitcache.Cli;
using Bitcache.Cli.Commands;
using Bitcache.Engine;
using Bitcache.Server.Settings;
using Microsoft.Extensions.Logging;
using Npgsql;
using Command = System.CommandLine.Command;

namespace Bitcache.Cluster;

internal static class SiloCommand
{
    private const string Name = "silo";

    public static Command Create()
    {
        var command = new Command(Name, "Run one of the servers of a cluster until SIGTERM or Ctrl-C.");
        ServerOptions.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            var output = parsed.InvocationConfiguration.Output;
            await RunAsync(ServerOptions.Load(parsed), output, stop);
            await output.WriteLineAsync("stopped: everything acknowledged is durable");
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task RunAsync(ServerSettings settings, TextWriter output, CancellationToken stop)
    {
        if (settings.Silo is null) throw new SettingsException(["cluster and silo must be given: these are the settings of a single server, which is started with bitcache serve"]);
        using var logs = LoggerFactory.Create(logging => ServeCommand.ConfigureLogs(logging.AddFilter("Orleans", LogLevel.Warning)));
        try
        {
            await using var silo = await RunningSilo.StartAsync(settings, output, TimeProvider.System, logs, ServeCommand.Die, stop);
            await output.WriteLineAsync($"{ServeCommand.ListeningLine}{silo.Address}");
            await ServeCommand.WaitAsync(stop);
            await output.WriteLineAsync("stopping");
        }
        catch (Exception e) when (e is ClusterRefusedException or NpgsqlException or IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException(e.Message);
        }
    }
}
