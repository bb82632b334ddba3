using System.Diagnostics;
using System.Globalization;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.IntegrationTests.Settlement;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>A real node that announces its blocks by ZeroMQ. The engine of these tests polls every ten minutes: whatever it sees
/// in time, it was woken for.</summary>
[Trait("suite", "node")]
public sealed class BlockAnnouncementTests(RegtestFixture regtest, ITestOutputHelper output) : IClassFixture<RegtestFixture>
{
    private readonly string _publisher = string.Create(CultureInfo.InvariantCulture, $"tcp://127.0.0.1:{RegtestNode.FreePort()}");

    [Fact]
    public async Task A_deposit_is_credited_a_moment_after_its_block_also_after_the_node_was_restarted()
    {
        await RestartAsync();
        var nodes = new NodeSwitch([new NodeEndpoint("it", regtest.Node.Rpc, RegtestNode.ServerWallet) { Announcements = new Uri(_publisher) }]);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, new BitcoinRpcNode(nodes), nodes: nodes);
        var wallet = await harness.CreateWalletAsync();
        await CreditAsync(harness, wallet, new Sats(50_000));
        await RestartAsync();
        await CreditAsync(harness, wallet, new Sats(60_000));
    }

    private async Task CreditAsync(EngineHarness harness, WalletId wallet, Sats amount)
    {
        var before = (await harness.WalletAsync(wallet)).Available;
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), amount, EngineHarness.Cancel);
        await regtest.Node.MineAsync(EngineHarness.ToCredit - 1, EngineHarness.Cancel);
        var watch = Stopwatch.StartNew();
        await regtest.Node.MineAsync(1, EngineHarness.Cancel);
        while ((await harness.WalletAsync(wallet)).Available == before) EngineHarness.Cancel.ThrowIfCancellationRequested();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"credited {watch.ElapsedMilliseconds} ms after the block was asked for"));
        Assert.Equal(before + amount.ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.True(watch.Elapsed < TimeSpan.FromMinutes(1));
    }

    private async Task RestartAsync()
    {
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await regtest.Node.RestartAsync(EngineHarness.Cancel, $"-zmqpubhashblock={_publisher}");
    }
}
