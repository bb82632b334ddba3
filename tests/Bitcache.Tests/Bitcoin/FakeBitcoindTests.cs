using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Bitcoin.Scripts;

namespace Bitcache.Tests.Bitcoin;

/// <summary>The simulated node by itself. That a real one answers the same is shown where there is one.</summary>
[Trait("suite", "core")]
public sealed class FakeBitcoindTests
{
    private static readonly FeeRate Rate = new(2_000);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    public static TheoryData<string> Scripts => [.. NodeScripts.Names];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task A_script_finds_what_it_expects_and_the_same_again(string script)
    {
        using var stage = new FakeStage(seed: 1);
        await NodeScripts.RunAsync(script, stage);
        using var again = new FakeStage(seed: 1);
        await NodeScripts.RunAsync(script, again);
        Assert.NotEmpty(stage.Trace);
        Assert.Equal(stage.Trace, again.Trace);
    }

    [Fact]
    public async Task Nothing_is_done_with_a_node_that_is_not_ready()
    {
        var node = NewNode();
        var fake = new FakeBitcoind(node);
        using var rpc = fake.Connect();
        var gate = new NodeGate(Seam(rpc), "regtest", BitcoinNetwork.Regtest.GenesisBlock());
        async Task IsAsync(GateReason reason, Action<bool> set)
        {
            set(true);
            Assert.Equal(reason, (await gate.CheckAsync(0, Cancel)).Reason);
            set(false);
            Assert.Equal(GateReason.Open, (await gate.CheckAsync(0, Cancel)).Reason);
        }

        await IsAsync(GateReason.Unreachable, on => fake.IsDown = on);
        await IsAsync(GateReason.WarmingUp, on => fake.IsWarmingUp = on);
        await IsAsync(GateReason.Busy, on => fake.IsBusy = on);
        await IsAsync(GateReason.InitialBlockDownload, on => node.IsDownloading = on);
        await IsAsync(GateReason.Syncing, on => node.HeadersAhead = on ? 2 : 0);
        await IsAsync(GateReason.WalletScanning, on => node.Wallet.IsScanning = on);
        await IsAsync(GateReason.NoAnswer, on => node.IsWalletLoaded = !on);
        Assert.Equal(GateReason.BehindCursor, (await gate.CheckAsync(1, Cancel)).Reason);
        node.Mine();
        Assert.Equal(GateReason.Open, (await gate.CheckAsync(1, Cancel)).Reason);
    }

    [Theory]
    [InlineData(nameof(NodeFault.Unreachable), NodeFailure.Unreachable, false)]
    [InlineData(nameof(NodeFault.Busy), NodeFailure.Busy, false)]
    [InlineData(nameof(NodeFault.WarmingUp), NodeFailure.WarmingUp, false)]
    [InlineData(nameof(NodeFault.CutBefore), NodeFailure.Unknown, false)]
    [InlineData(nameof(NodeFault.CutAfter), NodeFailure.Unknown, true)]
    [InlineData(nameof(NodeFault.Malformed), NodeFailure.Unknown, true)]
    [InlineData(nameof(NodeFault.OutOfRange), NodeFailure.Unknown, true)]
    [InlineData(nameof(NodeFault.Late), NodeFailure.Unknown, false)]
    public async Task A_call_fails_in_its_way_and_is_executed_or_not(string name, NodeFailure failure, bool executed)
    {
        var fault = Enum.Parse<NodeFault>(name);
        for (var seed = 0; seed < 20; seed++)
        {
            var node = NewNode();
            var faults = new NodeFaults(seed, 1, fault) { IsOn = false };
            var fake = new FakeBitcoind(node, faults);
            using var rpc = fake.Connect();
            var seam = Seam(rpc);
            await FundAsync(node, seam);
            faults.IsOn = true;
            // Locks what it spends: that tells whether it was executed.
            var failed = await Assert.ThrowsAsync<NodeException>(() => seam.WalletCreateFundedPsbtAsync([], [new PayOutput(node.NewStranger(), new Sats(20_000))], Rate, Cancel));
            faults.IsOn = false;
            Assert.Equal((failure, executed ? 1 : 0), (failed.Failure, node.Wallet.Locked.Count));
            fake.ExecuteLate();
            Assert.Equal(executed || fault == NodeFault.Late ? 1 : 0, node.Wallet.Locked.Count);
            Assert.Equal(1, faults.Made[fault]);
        }
    }

    [Fact]
    public async Task A_late_call_is_executed_before_one_that_comes_after_it()
    {
        var node = NewNode();
        var faults = new NodeFaults(1, 1, NodeFault.Late) { IsOn = false };
        var fake = new FakeBitcoind(node, faults);
        using var rpc = fake.Connect();
        var seam = Seam(rpc);
        await FundAsync(node, seam);
        faults.IsOn = true;
        await Assert.ThrowsAsync<NodeException>(() => seam.WalletCreateFundedPsbtAsync([], [new PayOutput(node.NewStranger(), new Sats(20_000))], Rate, Cancel));
        faults.IsOn = false;
        Assert.Empty(node.Wallet.Locked);
        for (var calls = 0; node.Wallet.Locked.Count == 0; calls++)
        {
            Assert.True(calls < 10);
            await seam.GetBlockchainInfoAsync(Cancel);
        }
    }

    [Fact]
    public async Task Of_two_branches_with_as_many_blocks_the_first_stays()
    {
        var node = NewNode();
        using var rpc = new FakeBitcoind(node).Connect();
        var seam = Seam(rpc);
        var first = node.Mine();
        var second = node.Mine(first.Previous!, []);
        Assert.Equal(first.Hash, (await seam.GetBlockchainInfoAsync(Cancel)).BestBlock);
        Assert.Equal(-1, (await seam.GetBlockInfoAsync(second.Hash, Cancel))!.Confirmations);
        var third = node.Mine(second, []);
        Assert.Equal(third.Hash, (await seam.GetBlockchainInfoAsync(Cancel)).BestBlock);
        Assert.Equal(-1, (await seam.GetBlockInfoAsync(first.Hash, Cancel))!.Confirmations);
        Assert.Equal(second.Hash, await seam.GetBlockHashAsync(second.Height, Cancel));
        var header = (await seam.GetBlockHeaderAsync(third.Hash, Cancel))!;
        Assert.True(BlockHeader.TryParse(header, out var parsed) && parsed.MeetsTarget(BitcoinNetwork.Regtest));
        Assert.Equal(parsed.MerkleRoot, BlockProof.MerkleRoot((await seam.GetBlockTxidsAsync(third.Hash, Cancel))!));
    }

    [Fact]
    public async Task What_is_not_locked_may_be_spent_and_change_stands_anywhere()
    {
        var (spentOther, changeMoved) = (0, 0);
        for (var seed = 0; seed < 40; seed++)
        {
            var node = NewNode(seed);
            using var rpc = new FakeBitcoind(node).Connect();
            var seam = Seam(rpc);
            await FundAsync(node, seam);
            await FundAsync(node, seam);
            var precious = (await seam.ListUnspentAsync(1, Cancel))[0].Output;
            var funded = await seam.WalletCreateFundedPsbtAsync([], [new PayOutput(node.NewStranger(), new Sats(20_000))], Rate, Cancel);
            var psbt = await seam.DecodePsbtAsync(funded.Psbt, Cancel);
            if (psbt.Inputs.Any(i => i.Output == precious)) spentOther++;
            Assert.Equal(BroadcastOutcome.Accepted, (await seam.SendRawTransactionAsync((await seam.WalletProcessPsbtAsync(funded.Psbt, Cancel)).Transaction!, Cancel)).Outcome);
            var bumped = await seam.DecodePsbtAsync((await seam.PsbtBumpFeeAsync(psbt.Txid, new FeeRate(8_000), Cancel)).Psbt, Cancel);
            Assert.Equal(psbt.Inputs.Select(i => i.Output), bumped.Inputs.Select(i => i.Output));
            Assert.Contains(bumped.Outputs, o => o.Amount == new Sats(20_000));
            if (psbt.Outputs[0].Amount == new Sats(20_000) != (bumped.Outputs[0].Amount == new Sats(20_000))) changeMoved++;
        }
        Assert.InRange(spentOther, 5, 35);
        Assert.InRange(changeMoved, 5, 35);
    }

    [Fact]
    public async Task A_wallet_says_whether_it_is_there_and_whether_it_may_sign()
    {
        var node = NewNode();
        using var rpc = new FakeBitcoind(node).Connect();
        var seam = Seam(rpc);
        node.IsWalletLoaded = false;
        Assert.False(await new BitcoinRpcNode(rpc, "another").LoadWalletAsync(Cancel));
        Assert.True(await seam.LoadWalletAsync(Cancel));
        Assert.True(await seam.LoadWalletAsync(Cancel));
        await FundAsync(node, seam);
        var funded = await seam.WalletCreateFundedPsbtAsync([], [new PayOutput(node.NewStranger(), new Sats(20_000))], Rate, Cancel);
        node.Wallet.IsLocked = true;
        Assert.True((await seam.GetWalletInfoAsync(Cancel)).Locked);
        Assert.Equal(NodeFailure.WalletLocked, (await Assert.ThrowsAsync<NodeException>(() => seam.WalletProcessPsbtAsync(funded.Psbt, Cancel))).Failure);
        Assert.Null(await seam.EstimateSmartFeeAsync(6, Cancel));
        node.Estimate = new FeeRate(12_345);
        Assert.Equal(new FeeRate(12_345), await seam.EstimateSmartFeeAsync(6, Cancel));
    }

    private static FakeNode NewNode(int seed = 1) => new(seed, "wallet") { IsWalletLoaded = true };

    private static BitcoinRpcNode Seam(BitcoinRpc rpc) => new(rpc, "wallet");

    private static async Task FundAsync(FakeNode node, BitcoinRpcNode seam)
    {
        Assert.Null(node.Send(node.Payment(await seam.GetNewAddressAsync(Cancel), new Sats(100_000), new Sats(1_000))));
        node.Mine();
    }
}
