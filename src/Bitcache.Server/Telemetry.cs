// What the process measures of itself, sent to an OpenTelemetry collector. Nothing is measured that nobody asked for: without the
// setting there is no provider, and instruments without a listener cost nothing.

using System.Diagnostics.Metrics;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Bitcache.Server;

/// <summary>Disposed of before the engine.</summary>
public sealed class Telemetry : IDisposable
{
    private const string Name = "Bitcache";
    private const int PeriodMilliseconds = 10_000;

    /// <summary>Of what it rests on: the runtime, the web server, the driver of PostgreSQL, and Orleans in a silo.</summary>
    private static readonly string[] Others = ["System.Runtime", "Microsoft.AspNetCore.Server.Kestrel", "Npgsql", "Microsoft.Orleans"];

    private readonly Meter _meter = new(Name);
    private readonly MeterProvider _provider;

    private Telemetry(LedgerEngine engine, Uri collector, string instance)
    {
        var partitions = engine.Partitions;
        // OpenTelemetry's own rules for names; see docs/settings.md.
        _meter.CreateObservableCounter("bitcache.partition.entries", () => Each(partitions, partition => partition.DurableSequence + 1), "{entry}", "Entries that are durable, as far as this process knows");
        _meter.CreateObservableUpDownCounter("bitcache.partition.queued", () => Each(partitions, partition => partition.QueuedItems), "{item}", "What waits to be applied here");
        _meter.CreateObservableGauge("bitcache.partition.written", () => Each(partitions, partition => partition is SharedPartition { IsOwned: false } ? 0 : 1), description: "1 where this process writes the partition");
        _meter.CreateObservableUpDownCounter("bitcache.legs.in_flight", () => partitions.LegsInFlight, "{leg}", "Credits that are on their way between partitions");
        _meter.CreateObservableGauge("bitcache.storage.full", () => partitions.IsStorageFull ? 1 : 0, description: "1 while there is no room for entries");
        _meter.CreateObservableGauge("bitcache.settlement.here", () => engine.Settles ? 1 : 0, description: "1 while this process settles");
        _provider = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.Clear().AddService(Name, serviceInstanceId: instance))
            .AddMeter([Name, .. Others])
            .AddOtlpExporter((exporter, reader) =>
            {
                (exporter.Endpoint, exporter.Protocol) = (new Uri(collector, "v1/metrics"), OtlpExportProtocol.HttpProtobuf);
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = PeriodMilliseconds;
            })
            .Build();
    }

    /// <param name="collector">OTLP over HTTP, without a path; null to measure nothing.</param>
    /// <param name="instance">What tells this process from others of the same ledger.</param>
    public static Telemetry? Start(LedgerEngine engine, Uri? collector, string instance) => collector is null ? null : new Telemetry(engine, collector, instance);

    /// <summary>Sends what there is, and no more.</summary>
    public void Dispose()
    {
        _provider.Dispose();
        _meter.Dispose();
    }

    private static IEnumerable<Measurement<long>> Each(PartitionSet partitions, Func<Partition, long> measure) =>
        partitions.All.Select(partition => new Measurement<long>(measure(partition), new KeyValuePair<string, object?>("bitcache.partition", partition.Number)));
}
