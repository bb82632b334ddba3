using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Crashes;

/// <summary>F9: the running server under kill -9, with clients that remember what they were told.</summary>
[Trait("suite", "faults")]
public sealed class KillTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Funds = new(50_000_000);
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 500 : 20;

    [Fact]
    public async Task Killed_at_any_moment_every_acknowledged_payment_is_there_and_none_twice()
    {
        await using var server = new ServerProcess(regtest.Node);
        using var clients = new PayingClients(server);
        using var log = new PublishedLog(server);
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);
        for (var round = 0; round < Rounds; round++)
        {
            var paying = clients.PayUntilItEndsAsync(server, clients: 16);
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5, 500)), ServerProcess.Cancel);
            await server.KillAsync();
            await paying;
            await server.StartAsync();
            await clients.CheckAsync(server);
            await log.FollowAsync(server);
        }
        Assert.True(log.Size > 100, $"the published log has {log.Size} entries");
        Assert.True(clients.Acknowledged > 100, $"only {clients.Acknowledged} payments were acknowledged");
    }
}
