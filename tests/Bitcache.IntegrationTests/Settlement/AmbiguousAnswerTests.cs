using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>The node executes, and its answer is lost: nothing is ever built anew, so nothing is paid twice.</summary>
[Trait("suite", "node")]
public sealed class AmbiguousAnswerTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    [Theory]
    // The turn that builds, signs and sends.
    [InlineData(1)]
    // The turn that replaces what was sent by what pays more.
    [InlineData(2)]
    public async Task A_lost_answer_at_any_call_pays_each_withdrawal_once(int attempts)
    {
        // The turn makes a fixed row of calls; each run loses the answer of another one.
        for (var lost = 0; ; lost++)
        {
            await using var proxy = new TcpProxy(regtest.Node.Endpoint.Port);
            using var rpc = new BitcoinRpc(new BitcoinRpcOptions(proxy.Endpoint, regtest.Node.Credentials, TimeSpan.FromSeconds(20)));
            // A wallet of its own: what is asked at the close of an epoch grows with the coins.
            var hot = $"lost-{attempts}-{lost}";
            await using var harness = await EngineHarness.StartAsync(regtest.Node, new BitcoinRpcNode(rpc, hot));
            await harness.TopUpAsync(new Sats(200_000));
            var wallet = await harness.FundedWalletAsync(new Sats(500_000));
            var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
            await harness.WithdrawAsync(wallet, address, new Sats(90_000));

            if (attempts == 1) proxy.LoseAnswer(proxy.Requests + lost);
            await harness.CloseEpochAsync();
            if (attempts == 2)
            {
                await harness.MineEmptyAsync(EngineHarness.Target - 1);
                proxy.LoseAnswer(proxy.Requests + lost);
                await harness.MineEmptyAsync(1);
            }
            var wasLost = proxy.AnswerLost.IsCompleted;

            await harness.TurnAsync();
            await harness.ReopenAsync();
            await harness.MineAsync(EngineHarness.ToFinal);
            await harness.TurnAsync();
            var family = await harness.FamilyAsync(1);
            Assert.True(family.State == FamilyState.Final, $"with answer {lost} lost the family is {family.State}");
            Assert.Equal(attempts, family.Attempts.Count);
            Assert.Equal(90_000_000, (await harness.TotalsAsync()).Withdrawn);
            var received = await regtest.Node.MinerAsync("getreceivedbyaddress", [address, 0], a => a.GetRawText(), EngineHarness.Cancel);
            Assert.Equal("0.00090000", received);
            await regtest.Node.Rpc.CallAsync(null, "unloadwallet", [hot, false], a => a.ValueKind, EngineHarness.Cancel);
            if (wasLost) continue;
            Assert.True(lost > 10, $"a turn that builds, signs and sends made only {lost} calls");
            return;
        }
    }
}
