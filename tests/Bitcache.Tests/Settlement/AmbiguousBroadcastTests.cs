using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>A broadcast that is answered with missing or spent inputs (-25), or with outputs in the chain (-27): whatever is
/// behind it, it is found out by questions, and nothing is built anew.</summary>
[Trait("suite", "core")]
public sealed class AmbiguousBroadcastTests
{
    private const string Words = "bad-txns-inputs-missingorspent (-25)";

    [Fact]
    public void It_may_be_in_a_block_that_came_meanwhile()
    {
        using var scene = Sent(out var attempt);
        Answer(scene, BroadcastOutcome.Ambiguous, () => scene.MineOnly(1, attempt));
        Assert.Equal(FamilyState.Confirmed, AssertUntouched(scene).State);
    }

    [Fact]
    public void A_stranger_may_wait_with_its_coin()
    {
        using var scene = Sent(out var attempt);
        var thief = scene.Steal(attempt.Inputs[0].Spent);
        Assert.Null(scene.Node.Send(thief));
        Answer(scene, BroadcastOutcome.Ambiguous);
        AssertUntouched(scene);
        Assert.Equal(
            $"the node does not take {attempt.Txid} now: {Words}; {thief.Txid}, which is not ours, waits and spends {attempt.Inputs[0].Spent}. "
            + $"The family is dead once that is {PayoutScene.Final} blocks deep", scene.Waiting(1));
    }

    [Fact]
    public void It_may_wait_itself()
    {
        using var scene = Sent(out var attempt);
        Answer(scene, BroadcastOutcome.Ambiguous);
        AssertUntouched(scene);
        Assert.Equal($"the node does not take {attempt.Txid} now: {Words}; {attempt.Txid} of the same family waits", scene.Waiting(1));
    }

    [Fact]
    public void There_may_be_nothing_that_explains_it()
    {
        using var scene = Sent(out var attempt);
        scene.Node.Evict(attempt.Txid);
        Answer(scene, BroadcastOutcome.Ambiguous);
        AssertUntouched(scene);
        Assert.Equal($"the node does not take {attempt.Txid} now: {Words}", scene.Waiting(1));
        scene.Turn();
        Assert.NotNull(scene.Node.Mempool.Find(attempt.Txid));
    }

    [Fact]
    public void What_is_in_the_chain_is_counted_once_the_wallet_knows_it()
    {
        using var scene = Sent(out var attempt);
        var node = scene.Seam;
        scene.MineOnly(1, attempt);
        // The wallet hears of a block a moment later than the node.
        scene.Seam = StoppedCall.Of(node, nameof(IBitcoinNode.GetTransactionAsync), _ => Task.FromResult<WalletTransaction?>(null));
        scene.Turn();
        Assert.Equal((FamilyState.Signed, $"{attempt.Txid} waits for a block"), (AssertUntouched(scene).State, scene.Waiting(1)));
        scene.Seam = node;
        scene.Turn();
        Assert.Equal(FamilyState.Confirmed, AssertUntouched(scene).State);
    }

    private static PayoutScene Sent(out BitcoinTransaction attempt)
    {
        var scene = new PayoutScene();
        scene.Withdraw();
        scene.Turn();
        attempt = scene.Newest(1);
        return scene;
    }

    /// <summary>Takes a turn in which every broadcast is answered in one way.</summary>
    private static void Answer(PayoutScene scene, BroadcastOutcome outcome, Action? meanwhile = null)
    {
        var node = scene.Seam;
        scene.Seam = StoppedCall.Of(node, nameof(IBitcoinNode.SendRawTransactionAsync), _ =>
        {
            meanwhile?.Invoke();
            meanwhile = null;
            return Task.FromResult(new BroadcastResult(outcome, Words));
        });
        scene.Turn();
        scene.Seam = node;
    }

    private static Family AssertUntouched(PayoutScene scene)
    {
        Assert.Equal(1, scene.Ask(ledger => ledger.Families().Count));
        var family = scene.Family(1);
        Assert.Single(family.Attempts);
        return family;
    }
}
