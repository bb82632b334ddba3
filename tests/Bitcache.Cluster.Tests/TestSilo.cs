// One silo over a CountingLedger, in this process or as a process of its own.

using System.Globalization;
using System.Net;
using Bitcache.Cli.Demo;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bitcache.Cluster.Tests;

internal sealed class TestSilo : IAsyncDisposable
{
    public const string Ready = "silo is ready";

    private TestSilo(IHost host, CountingLedger ledger) => (Host, Ledger) = (host, ledger);

    public IHost Host { get; }
    public CountingLedger Ledger { get; }
    public IGrainFactory Grains => Host.Services.GetRequiredService<IGrainFactory>();

    public static ClusterSettings Settings(string database, string silo, int partitions) =>
        new("test", database, silo, IPAddress.Loopback, RegtestNode.FreePort(), RegtestNode.FreePort(), partitions);

    public static async Task<TestSilo> StartAsync(ClusterSettings settings, CancellationToken cancel)
    {
        var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(settings.Database) { MaxPoolSize = 8 });
        await CountingLedger.CreateTablesAsync(source, settings.Partitions);
        var ledger = new CountingLedger(source);
        var logs = LoggerFactory.Create(builder => builder.AddProvider(new ConsoleLines()).SetMinimumLevel(LogLevel.Warning).AddFilter("Bitcache", LogLevel.Information));
        var host = await SiloHost.BuildAsync(settings, ledger, ledger, logs, cancel);
        await host.StartAsync(cancel);
        return new TestSilo(host, ledger);
    }

    /// <summary>A silo as this process; ends gracefully when its input ends.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var (database, name) = (arguments[0], arguments[1]);
        int Number(int at) => int.Parse(arguments[at], CultureInfo.InvariantCulture);
        await using var silo = await StartAsync(new ClusterSettings("test", database, name, IPAddress.Loopback, Number(2), Number(3), Number(4)), CancellationToken.None);
        Console.WriteLine(Ready);
        while (await Console.In.ReadLineAsync() is not null)
        {
        }
        await silo.Host.StopAsync();
        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        await Host.StopAsync();
        Host.Dispose();
        await Ledger.DisposeAsync();
        // Orleans' providers keep theirs in the pools of the process.
        NpgsqlConnection.ClearAllPools();
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
