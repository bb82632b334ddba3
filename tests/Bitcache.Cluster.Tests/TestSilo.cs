// One silo over the ledger in a PostgreSQL of the tests, in this process or as a process of its own.

using System.Globalization;
using System.Net;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bitcache.Cluster.Tests;

internal sealed class TestSilo : IAsyncDisposable
{
    public const string Ready = "silo is ready";

    private readonly ILoggerFactory _logs;

    private TestSilo(IHost host, JoinedLedger ledger, CountingSettlement settlement, ILoggerFactory logs) =>
        (Host, Ledger, Settlement, _logs) = (host, ledger, settlement, logs);

    public IHost Host { get; }
    public JoinedLedger Ledger { get; }
    public CountingSettlement Settlement { get; }
    public IGrainFactory Grains => Host.Services.GetRequiredService<IGrainFactory>();

    public static ClusterSettings Settings(string database, string silo, int partitions) =>
        new("test", database, silo, IPAddress.Loopback, RegtestNode.FreePort(), partitions);

    public static async Task<TestSilo> StartAsync(ClusterSettings settings, CancellationToken cancel, bool canSettle = true)
    {
        var logs = LoggerFactory.Create(builder => builder.AddProvider(new ConsoleLines()).SetMinimumLevel(LogLevel.Warning).AddFilter("Bitcache", LogLevel.Information));
        var host = await SiloHost.BuildAsync(settings, logs, cancel);
        var ledger = await JoinedLedger.OpenAsync(
            settings.Database, settings.Partitions, host.Services.GetRequiredService<IPartitionOwner>(), logs.CreateLogger("Bitcache.Engine"), End);
        var settlement = new CountingSettlement(canSettle, settings.SiloPort);
        host.Services.GetRequiredService<SiloLedger>().Fill(ledger.Set, ledger.Shared, settlement);
        await host.StartAsync(cancel);
        return new TestSilo(host, ledger, settlement, logs);
    }

    /// <summary>A silo as this process. It makes the payments that it is told by its input, and says what came of each; it ends
    /// gracefully when its input ends.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var (database, name) = (arguments[0], arguments[1]);
        int Number(int at) => int.Parse(arguments[at], CultureInfo.InvariantCulture);
        await using var silo = await StartAsync(new ClusterSettings("test", database, name, IPAddress.Loopback, Number(2), Number(4)) { GatewayPort = Number(3) }, CancellationToken.None);
        Say(Ready);
        var paying = new List<Task>();
        while (await Console.In.ReadLineAsync() is { } line)
        {
            paying.RemoveAll(payment => payment.IsCompletedSuccessfully);
            paying.Add(Task.Run(async () => Say(await PayAsync(silo.Ledger, line.Split(' ')))));
        }
        await Task.WhenAll(paying);
        await silo.Host.StopAsync();
        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        await Host.StopAsync();
        Host.Dispose();
        await Ledger.DisposeAsync();
        _logs.Dispose();
        // Orleans' providers keep theirs in the pools of the process.
        NpgsqlConnection.ClearAllPools();
    }

    /// <param name="words">A number that the answer begins with, the id, the payer and the payee.</param>
    private static async Task<string> PayAsync(JoinedLedger ledger, string[] words)
    {
        var isWhole = OperationId.TryParse(words[1], out var id) & WalletId.TryParse(words[2], out var payer) & WalletId.TryParse(words[3], out var payee);
        if (!isWhole) throw new FormatException(string.Join(' ', words));
        try
        {
            var answer = await ledger.PayAsync(id, payer, payee);
            return string.Create(CultureInfo.InvariantCulture, $"{words[0]} {answer.Outcome} {answer.Sequence} {answer.IsRetry}");
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            return $"{words[0]} {e.GetType().Name}";
        }
    }

    private static void Say(string line)
    {
        // One line at a time: the console's writer is shared, and locks.
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    private static void End(string why, Exception cause)
    {
        Console.Error.WriteLine($"{why}: {cause}");
        Environment.Exit(3);
    }

    /// <summary>Each message in a line of its own, on the standard error.</summary>
    private sealed class ConsoleLines : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {logLevel} {formatter(state, exception)} {exception?.Message}"));
    }
}
