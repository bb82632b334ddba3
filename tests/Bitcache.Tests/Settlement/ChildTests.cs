using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>Children that pay for what cannot be replaced, on the simulated node.</summary>
[Trait("suite", "core")]
public sealed class ChildTests
{
    [Fact]
    public void What_its_payee_spends_already_gets_a_child_that_pays_for_it_and_is_bumped_by_its_child_alone()
    {
        using var scene = new PayoutScene();
        var script = SendAndSpend(scene);
        var parent = scene.Family(1).Attempts[0];
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        var family = scene.Family(1);
        var child = Assert.Single(family.Children);
        // To change: a fresh address to be paid to might be one that was derived and given to somebody.
        Assert.True(scene.Node.Wallet.Keys.Find(new ByteString(AnchorChain.Parse(child.Transaction).Outputs[0].Script))!.Value.Change);
        Assert.Equal((1, 1), (family.Attempts.Count, family.ParentAttempt));
        var spent = Assert.Single(AnchorChain.Parse(child.Transaction).Inputs).Spent;
        var change = AnchorChain.Parse(parent).Outputs[(int)spent.Index];
        Assert.Equal((parent.Txid, true), (spent.Txid, scene.Node.Wallet.IsChange(change.Script)));
        Assert.Equal(change.Value - child.Fee, Assert.Single(AnchorChain.Parse(child.Transaction).Outputs).Value);
        Assert.True(RateOf(family, child) >= parent.Fee.Value * 1_000 / scene.Newest(1).VirtualBytes * 5 / 4);
        Assert.NotNull(scene.Node.Mempool.Find(child.Txid));

        scene.Node.Estimate = new FeeRate(30_000);
        scene.Turn();
        Assert.Single(scene.Family(1).Children);
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        family = scene.Family(1);
        Assert.Equal((1, 2), (family.Attempts.Count, family.Children.Count));
        Assert.InRange(RateOf(family, family.Children[1]), 30_000, 30_010);
        Assert.Equal(spent, AnchorChain.Parse(family.Children[1].Transaction).Inputs[0].Spent);
        Assert.Null(scene.Node.Mempool.Find(child.Txid));
        Assert.NotNull(scene.Node.Mempool.Find(family.Children[1].Txid));

        scene.Restart();
        scene.Mine(PayoutScene.Final);
        scene.Turn();
        Finish(scene, parent.Fee + family.Children[1].Fee);
        Assert.Equal(1, scene.TimesPaid(script));
    }

    [Fact]
    public void A_family_is_not_final_before_it_is_known_which_child_is()
    {
        using var scene = new PayoutScene();
        SendAndSpend(scene);
        var parent = scene.Newest(1);
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        var child = Assert.Single(scene.Family(1).Children);
        scene.MineOnly(PayoutScene.Final + 1, parent);
        scene.Turn();
        // Its fee may still have to be paid; of one that is in a block nothing else is.
        var family = scene.Family(1);
        Assert.Equal((FamilyState.Confirmed, 2), (family.State, family.Children.Count));
        Assert.Contains("pays for it", scene.Waiting(1), StringComparison.Ordinal);
        scene.MineOnly(1, AnchorChain.Parse(child.Transaction));
        scene.Turn();
        Assert.Contains($"its child {child.Txid} has 1 of {PayoutScene.Final} confirmations", scene.Waiting(1), StringComparison.Ordinal);
        scene.MineOnly(PayoutScene.Final - 1);
        scene.Turn();
        Finish(scene, scene.Family(1).Attempts[0].Fee + child.Fee);
        Assert.Equal(1, scene.Family(1).FinalChild);
    }

    [Fact]
    public void A_child_of_an_attempt_that_does_not_confirm_costs_nothing()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        var first = scene.Newest(1);
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        Assert.Equal(2, scene.Family(1).Attempts.Count);
        SpendPayout(scene);
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        Assert.Equal((2, 1), (scene.Family(1).ParentAttempt, scene.Family(1).Children.Count));
        scene.MineOnly(PayoutScene.Final, first);
        scene.Turn();
        Finish(scene, scene.Family(1).Attempts[0].Fee);
        Assert.Equal(0, scene.Family(1).FinalChild);
    }

    [Theory]
    [InlineData(true)]
    // The wallet is an older copy, which never heard of the child, and so knows no conflict of it.
    [InlineData(false)]
    public void A_change_that_a_stranger_took_for_good_costs_no_child_and_the_family_is_final(bool isKnown)
    {
        using var scene = new PayoutScene();
        SendAndSpend(scene);
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        var family = scene.Family(1);
        var change = AnchorChain.Parse(Assert.Single(family.Children).Transaction).Inputs[0].Spent;
        scene.MineOnly(1, scene.Newest(1), scene.Steal(change));
        if (!isKnown) scene.Node.Wallet.Forget(family.Children[0].Txid);
        for (var depth = 1; depth < PayoutScene.Final; depth++)
        {
            scene.Turn();
            Assert.Equal(FamilyState.Confirmed, scene.Family(1).State);
            scene.Mine(1);
        }
        scene.Turn();
        Finish(scene, family.Attempts[0].Fee);
    }

    [Fact]
    public void At_its_cap_it_waits_and_says_so()
    {
        using var scene = new PayoutScene(feeCap: 1_500);
        SendAndSpend(scene);
        for (var i = 0; i < 5; i++)
        {
            scene.MineOnly(PayoutScene.Target);
            scene.Turn();
        }
        var family = scene.Family(1);
        Assert.NotEmpty(family.Children);
        Assert.All(family.Children, c => Assert.True(family.Attempts[0].Fee + c.Fee <= family.FeeCap));
        Assert.EndsWith("a child would pass what is left of the 1500 sat held for it, or feeRateMax", scene.Waiting(1), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_in_the_mempool_gets_no_child()
    {
        using var scene = new PayoutScene();
        SendAndSpend(scene);
        // Somebody has used the wallet by hand: it says "descendants" although neither waits any more.
        scene.MineOnly(PayoutScene.Target);
        var node = scene.Seam;
        scene.Seam = StoppedCall.Of(node, nameof(IBitcoinNode.GetMempoolEntryAsync), _ => Task.FromResult<MempoolEntry?>(null));
        scene.Turn();
        Assert.Empty(scene.Family(1).Children);
        Assert.Contains("it is not in the node's mempool, where a child could pay for it", scene.Waiting(1), StringComparison.Ordinal);
    }

    /// <summary>A withdrawal on its way, of which its payee has spent already.</summary>
    private static ByteString SendAndSpend(PayoutScene scene)
    {
        var script = scene.Withdraw();
        scene.Turn();
        SpendPayout(scene);
        return script;
    }

    private static void SpendPayout(PayoutScene scene)
    {
        var payout = scene.Newest(1);
        var script = scene.Ask(ledger => ledger.FindWithdrawal(ledger.FindFamily(1).Withdrawals[0])!.Script);
        var index = payout.Outputs.Index().Single(o => script.Span.SequenceEqual(o.Item.Script)).Index;
        Assert.Null(scene.Node.Send(FakeTransactions.Create(
            [new OutPoint(payout.Txid, (uint)index)], [new(payout.Outputs[index].Value - new Sats(200), FakeNode.ScriptOf(scene.Node.NewStranger()))])));
    }

    /// <summary>What a child and its parent pay together, in satoshis per 1,000 virtual bytes.</summary>
    private static long RateOf(Family family, Child child)
    {
        var parent = family.Attempts[family.ParentAttempt - 1];
        return (parent.Fee + child.Fee).Value * 1_000 / (AnchorChain.Parse(parent).VirtualBytes + AnchorChain.Parse(child.Transaction).VirtualBytes);
    }

    private static void Finish(PayoutScene scene, Sats fee)
    {
        var family = scene.Family(1);
        Assert.Equal((FamilyState.Final, fee, fee.ToMsat().Value), (family.State, family.FeePaid, scene.Totals.MiningFees));
        Assert.Equal(new Sats(200_000) - fee, scene.Ask(ledger => ledger.OperatorWallet.Available + ledger.OperatorWallet.Held).RoundDownToSats());
    }
}
