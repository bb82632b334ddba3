using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>When a family is dead and when it is not, whatever the node says of its transactions; and what is said of it.</summary>
[Trait("suite", "core")]
public sealed class FamilyFateTests
{
    [Fact]
    public void A_family_dies_when_another_transaction_has_its_coin_for_good_and_its_withdrawal_is_paid_once()
    {
        using var scene = new PayoutScene();
        var script = scene.Withdraw();
        scene.Turn();
        var coin = scene.Newest(1).Inputs[0].Spent;
        var thief = scene.Steal(coin);
        scene.MineOnly(1, thief);
        for (var depth = 1; depth < PayoutScene.Final; depth++)
        {
            scene.Turn();
            Assert.Equal(FamilyState.Signed, scene.Family(1).State);
            Assert.Contains($"its input {coin} is spent in the chain", scene.Waiting(1), StringComparison.Ordinal);
            scene.Mine(1);
        }
        scene.Restart();
        scene.Turn();
        var dead = scene.Family(1);
        Assert.Equal((FamilyState.Dead, coin, thief.Txid), (dead.State, dead.Spend!.Output, dead.Spend.Spender));
        Assert.Equal(scene.Node.Chain.BlockOf(thief.Txid)!.Hash, dead.Spend.Block);
        scene.Turn();
        Assert.Equal(FamilyState.Signed, scene.Family(2).State);
        Assert.Equal(dead.Withdrawals, scene.Family(2).Withdrawals);
        Assert.Equal(PayoutScene.FeeCap.ToMsat(), scene.Ask(ledger => ledger.OperatorWallet.Held));
        scene.Mine(PayoutScene.Final);
        scene.Turn();
        Assert.Equal([FamilyState.Dead, FamilyState.Final], scene.Ask(ledger => ledger.Families().Select(f => f.State).ToArray()));
        Assert.Equal(1, scene.TimesPaid(script));
        Assert.Equal(70_000_000, scene.Totals.Withdrawn);
    }

    [Fact]
    public void Of_a_spend_that_the_node_has_too_much_to_tell_about_nothing_follows_and_nothing_else_waits_for_it()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        var attempt = scene.Newest(1);
        scene.MineOnly(PayoutScene.Final, scene.Steal(attempt.Inputs[0].Spent));
        // A wallet that never heard of the attempt knows no conflict of it, and its list is all there is to go by.
        scene.Node.Wallet.Forget(attempt.Txid);
        var (node, lists) = (scene.Seam, 0);
        scene.Seam = StoppedCall.Of(node, nameof(IBitcoinNode.ListTransactionsSinceAsync), _ =>
        {
            lists++;
            return Task.FromException<IReadOnlyList<Txid>?>(new NodeException(NodeFailure.Unknown, "too long") { IsAnswerTooLong = true });
        });
        scene.Turn();
        Assert.True(lists > 0);
        Assert.Equal(FamilyState.Signed, scene.Family(1).State);
        Assert.Contains("is spent in the chain", scene.Waiting(1), StringComparison.Ordinal);
        scene.Seam = node;
        scene.Turn();
        Assert.Equal(FamilyState.Dead, scene.Family(1).State);
    }

    [Fact]
    public void What_is_built_on_a_dead_anchor_dies_with_it_though_the_wallet_knows_neither()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        scene.Mine(1);
        scene.Turn();
        var script = scene.Withdraw();
        scene.Turn();
        var (anchor, next) = (scene.Newest(1), scene.Newest(2));
        Assert.Equal(anchor.Txid, next.Inputs[0].Spent.Txid);
        scene.Node.Invalidate(scene.Node.Chain.BlockOf(anchor.Txid)!);
        var thief = scene.Steal(anchor.Inputs[0].Spent);
        scene.MineOnly(PayoutScene.Final, thief);
        // The wallet is an older copy.
        scene.Node.Wallet.Forget(next.Txid);
        scene.Node.Wallet.Forget(anchor.Txid);
        scene.Turn();
        Assert.Equal((FamilyState.Dead, FamilyState.Dead), (scene.Family(1).State, scene.Family(2).State));
        Assert.Equal(scene.Family(1).Spend, scene.Family(2).Spend);
        scene.Turn();
        scene.Mine(PayoutScene.Final);
        scene.Turn();
        Assert.Equal(1, scene.TimesPaid(script));
        Assert.Equal(2 * 70_000_000, scene.Totals.Withdrawn);
    }

    [Fact]
    public void What_never_came_back_from_its_signer_dies_when_its_coin_is_gone_for_good()
    {
        using var scene = new PayoutScene(isSignedElsewhere: true);
        var script = scene.Withdraw();
        scene.Turn();
        var first = scene.Unsigned(1);
        scene.MineOnly(1, scene.Steal(first.Inputs[0].Spent));
        for (var depth = 1; depth < PayoutScene.Final; depth++)
        {
            scene.Turn();
            Assert.Equal((FamilyState.Opened, first.Txid), (scene.Family(1).State, scene.Family(1).Prepared!.Txid));
            scene.Mine(1);
        }
        scene.Restart();
        scene.Turn();
        Assert.Equal((FamilyState.Dead, first.Inputs[0].Spent), (scene.Family(1).State, scene.Family(1).Spend!.Output));
        scene.Turn();
        Assert.Equal(scene.Family(1).Withdrawals, scene.Family(2).Withdrawals);
        // Its signer sends what comes next by itself.
        Assert.Null(scene.Node.Send(scene.Unsigned(2)));
        scene.Mine(PayoutScene.Final);
        scene.Turn();
        Assert.Equal([FamilyState.Dead, FamilyState.Final], scene.Ask(ledger => ledger.Families().Select(f => f.State).ToArray()));
        Assert.Equal((1, 70_000_000), (scene.TimesPaid(script), scene.Totals.Withdrawn));
    }

    [Fact]
    public void What_lost_its_coin_before_its_signer_handed_it_back_dies_as_well()
    {
        using var scene = new PayoutScene(isSignedElsewhere: true);
        scene.Withdraw();
        scene.Turn();
        var unsigned = scene.Unsigned(1);
        var thief = scene.Steal(unsigned.Inputs[0].Spent);
        scene.MineOnly(PayoutScene.Final + 1, thief);
        Assert.Equal(SignedOutcome.Taken, scene.HandBack(unsigned));
        scene.Turn();
        Assert.Equal((FamilyState.Dead, thief.Txid), (scene.Family(1).State, scene.Family(1).Spend!.Spender));
        Assert.Equal(SignedOutcome.NotFound, scene.HandBack(unsigned));
    }

    [Fact]
    public void A_thief_that_leaves_the_chain_again_kills_nothing()
    {
        using var scene = new PayoutScene();
        var script = scene.Withdraw();
        scene.Turn();
        scene.MineOnly(PayoutScene.Final - 1, scene.Steal(scene.Newest(1).Inputs[0].Spent));
        scene.Turn();
        var first = scene.Node.Chain.At(scene.Node.Chain.Tip.Height - PayoutScene.Final + 2)!;
        scene.Node.Invalidate(first);
        scene.MineOnly(PayoutScene.Final + 1, scene.Newest(1));
        scene.Turn();
        Assert.Equal((FamilyState.Final, 1), (scene.Family(1).State, scene.TimesPaid(script)));
    }

    [Fact]
    public void What_the_mempool_has_or_the_wallet_does_not_know_kills_nothing()
    {
        using var scene = new PayoutScene();
        var script = scene.Withdraw();
        scene.Turn();
        var sent = scene.Newest(1);
        // So high a fee that no replacement passes it below the cap.
        var thief = scene.Steal(sent.Inputs[0].Spent, fee: 50_000);
        Assert.Null(scene.Node.Send(thief));
        scene.MineOnly(2 * PayoutScene.Final);
        scene.Turn();
        Assert.Equal(FamilyState.Signed, scene.Family(1).State);

        // An older copy of the wallet: "not found" is not "not paid".
        scene.Node.Evict(thief.Txid);
        foreach (var attempt in scene.Family(1).Attempts) scene.Node.Wallet.Forget(attempt.Txid);
        scene.Node.Wallet.Forget(thief.Txid);
        scene.Turn();
        Assert.Equal(FamilyState.Signed, scene.Family(1).State);
        scene.Mine(PayoutScene.Final);
        scene.Turn();
        Assert.Equal((FamilyState.Final, 1), (scene.Family(1).State, scene.TimesPaid(script)));
    }

    [Fact]
    public void A_family_that_the_wallet_never_heard_of_dies_by_a_final_spend_of_its_coin_all_the_same()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        var node = scene.Seam;
        scene.Seam = StoppedCall.Of(node, nameof(IBitcoinNode.SendRawTransactionAsync));
        Assert.Throws<NodeException>(scene.Turn);
        scene.Seam = node;
        var sent = scene.Newest(1);
        var thief = scene.Steal(sent.Inputs[0].Spent, to: FakeNode.AddressOf(scene.Node.Wallet.NewScript(change: true)));
        scene.MineOnly(PayoutScene.Final - 1, thief);
        scene.Turn();
        Assert.Null(scene.Node.Wallet.Find(sent.Txid));
        Assert.Equal(FamilyState.Signed, scene.Family(1).State);
        scene.Mine(1);
        scene.Turn();
        Assert.Equal((FamilyState.Dead, thief.Txid), (scene.Family(1).State, scene.Family(1).Spend!.Spender));
    }

    [Fact]
    public void What_was_built_on_an_attempt_that_lost_dies_when_the_one_that_won_is_final()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        var first = scene.Newest(1);
        scene.MineOnly(PayoutScene.Target);
        scene.Turn();
        var second = scene.Newest(1);
        Assert.NotEqual(first.Txid, second.Txid);
        scene.MineOnly(1, first);
        scene.Turn();
        var block = scene.Node.Chain.Tip;
        var script = scene.Withdraw();
        scene.Turn();
        var built = scene.Newest(2);
        Assert.Equal(first.Txid, built.Inputs[0].Spent.Txid);

        scene.Node.Invalidate(block);
        scene.MineOnly(1, second);
        for (var depth = 1; depth < PayoutScene.Final; depth++)
        {
            scene.Turn();
            Assert.Equal((FamilyState.Confirmed, FamilyState.Signed), (scene.Family(1).State, scene.Family(2).State));
            scene.MineOnly(1);
        }
        Assert.Contains("is of a transaction that is in no block", scene.Waiting(2), StringComparison.Ordinal);
        scene.Turn();
        var dead = scene.Family(2);
        Assert.Equal((FamilyState.Dead, second.Txid), (dead.State, dead.Spend!.Spender));
        Assert.Contains(dead.Spend.Output, first.Inputs.Select(i => i.Spent));
        scene.Turn();
        // The chain of anchors goes on from the one that won.
        Assert.Equal((second.Txid, 2L), (scene.Newest(3).Inputs[0].Spent.Txid, scene.Family(3).Anchor!.Epoch));
        scene.Mine(PayoutScene.Final);
        scene.Turn();
        Assert.Equal((FamilyState.Final, 1), (scene.Family(3).State, scene.TimesPaid(script)));
    }

    [Fact]
    public void A_coin_that_only_one_of_two_attempts_needs_kills_nothing()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        // A replacement that needs another coin: the first has nearly no change left.
        var family = scene.Family(1);
        var added = scene.Node.Funding.Coins().First(c => c.Confirmations > 0 && !scene.Newest(1).Inputs.Any(i => i.Spent == c.OutPoint)).OutPoint;
        var first = scene.Newest(1);
        var second = FakeTransactions.Create([.. first.Inputs.Select(i => i.Spent), added], first.Outputs);
        scene.Do(new SignAttempt(1, 2, second.Txid, family.FeeCap, new ByteString(FakeTransactions.Sign(second)), (uint)scene.Node.Chain.Tip.Height));
        scene.MineOnly(PayoutScene.Final + 1, scene.Steal(added));
        scene.Turn();
        Assert.Equal(FamilyState.Signed, scene.Family(1).State);
        scene.MineOnly(1, first);
        scene.Turn();
        Assert.Equal((FamilyState.Confirmed, 1), (scene.Family(1).State, scene.Family(1).Confirmation!.Attempt));
    }

    [Fact]
    public void A_strangers_spend_of_the_anchors_output_is_an_alarm_and_once_final_the_end_of_settlement()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        scene.Mine(1);
        scene.Turn();
        Assert.Null(scene.LastTurn.AnchorAlarm);
        var tip = AnchorOutputOf(scene, 1);
        // The output is small: a coin beside it pays the fee.
        var coin = scene.Node.Funding.Coins().First(c => c.Confirmations > 0 && c.OutPoint != tip);
        var thief = FakeTransactions.Create([tip, coin.OutPoint], [new(coin.Output.Value - new Sats(20_000), FakeNode.ScriptOf(scene.Node.NewStranger()))]);
        Assert.Null(scene.Node.Send(thief));
        scene.Turn();
        Assert.Contains($"{thief.Txid}, which is not ours, spends the anchor's output {tip} and waits in the mempool", scene.LastTurn.AnchorAlarm!, StringComparison.Ordinal);
        // Whoever waits may be replaced: settlement goes on.
        Assert.Null(scene.Ask(ledger => ledger.SettlementStop));
        scene.MineOnly(1, thief);
        for (var depth = 1; depth < PayoutScene.Final; depth++)
        {
            scene.Turn();
            Assert.Contains($"is {depth} of {PayoutScene.Final} blocks deep", scene.LastTurn.AnchorAlarm!, StringComparison.Ordinal);
            Assert.Null(scene.Ask(ledger => ledger.SettlementStop));
            scene.Mine(1);
        }
        scene.Turn();
        Assert.Equal((tip, thief.Txid), (scene.Ask(ledger => ledger.SettlementStop)!.Output, scene.Ask(ledger => ledger.SettlementStop)!.Spender));
        scene.Restart();
        var families = scene.Ask(ledger => ledger.Families().Count);
        var script = scene.Withdraw();
        for (var i = 0; i < 3; i++)
        {
            scene.Mine(1);
            scene.Turn();
        }
        Assert.Equal((families, 0, 1), (scene.Ask(ledger => ledger.Families().Count), scene.TimesPaid(script), scene.Ask(ledger => ledger.QueuedWithdrawals)));
        // What was on its way comes to its end.
        Assert.Equal(FamilyState.Final, scene.Family(1).State);
    }

    [Fact]
    public void An_anchor_that_lost_to_a_stranger_dies_and_the_withdrawals_in_it_wait()
    {
        using var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        scene.Mine(1);
        scene.Turn();
        scene.Withdraw();
        scene.Turn();
        var tip = AnchorOutputOf(scene, 1);
        Assert.Equal(tip, scene.Newest(2).Inputs[0].Spent);
        var coin = scene.Node.Funding.Coins().First(c => c.Confirmations > 0 && !scene.Newest(2).Inputs.Any(i => i.Spent == c.OutPoint));
        scene.MineOnly(PayoutScene.Final, FakeTransactions.Create([tip, coin.OutPoint], [new(coin.Output.Value, FakeNode.ScriptOf(scene.Node.NewStranger()))]));
        scene.Turn();
        scene.Turn();
        Assert.NotNull(scene.Ask(ledger => ledger.SettlementStop));
        Assert.Equal((FamilyState.Dead, 2, 1), (scene.Family(2).State, scene.Ask(ledger => ledger.Families().Count), scene.Ask(ledger => ledger.QueuedWithdrawals)));
    }

    private static OutPoint AnchorOutputOf(PayoutScene scene, long number)
    {
        var script = scene.Ask(ledger => ledger.Genesis!.AnchorScript);
        var transaction = AnchorChain.ConfirmedTransaction(scene.Family(number));
        return new OutPoint(transaction.Txid, (uint)transaction.Outputs.Index().Single(o => script.Span.SequenceEqual(o.Item.Script)).Index);
    }
}
