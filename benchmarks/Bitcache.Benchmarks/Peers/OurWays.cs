using Bitcache.Benchmarks.Http;
using Bitcache.Benchmarks.Load;

namespace Bitcache.Benchmarks.Peers;

/// <summary>Bitcache over HTTP, 8,192 payments a request.</summary>
internal sealed class OurBatches(OurServer server, int connections) : Contender
{
    public override string Name => "batch";

    protected override async Task<Paid> PayAsync(TimeSpan duration, CancellationToken cancel)
    {
        using var load = new LoadGenerator(server.EndPoint, connections, server.Batches(HttpBench.PaymentsPerBatch));
        var result = await load.RunAsync(duration, null, cancel);
        return new Paid(result.Payments, result.Elapsed);
    }
}

/// <summary>Bitcache over HTTP, one payment a request.</summary>
internal sealed class OurSingles(OurServer server, int connections) : Contender
{
    public override string Name => "single";

    protected override async Task<Paid> PayAsync(TimeSpan duration, CancellationToken cancel)
    {
        using var load = new LoadGenerator(server.EndPoint, connections, server.SinglePayments());
        var result = await load.RunAsync(duration, null, cancel);
        return new Paid(result.Payments, result.Elapsed);
    }
}
