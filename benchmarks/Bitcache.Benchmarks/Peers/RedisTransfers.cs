using Bitcache.Benchmarks.Load;

namespace Bitcache.Benchmarks.Peers;

/// <summary>Redis, with pipelines of script calls on several connections.</summary>
internal sealed class RedisTransfers(RedisServer server, int wallets, int connections, int pipeline) : Contender
{
    public override string Name => "redis";

    protected override async Task<Paid> PayAsync(TimeSpan duration, CancellationToken cancel)
    {
        using var load = new LoadGenerator(server.EndPoint, connections, new PipelinedTransfers(server.TransferScript, wallets, pipeline));
        var result = await load.RunAsync(duration, null, cancel);
        return new Paid(result.Payments, result.Elapsed);
    }
}
