using System.Reflection;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>What is with a signer elsewhere may be sent at any moment, or never: the ledger counts with both.</summary>
[Trait("suite", "core")]
public sealed class ExternalSignerTests : IDisposable
{
    private readonly PayoutScene _scene = new(change: settings => settings with { ExternalSigner = true });

    public void Dispose() => _scene.Dispose();

    [Fact]
    public void What_a_signer_sends_by_itself_is_among_the_reserves_until_it_is_noticed()
    {
        HandOut();
        var before = _scene.Reserves;
        Assert.False(before.AreShort);
        Assert.Null(_scene.Node.Send(_scene.Unsigned(1)));
        Assert.Equal((before.There, before.Owed), (_scene.Reserves.There, _scene.Reserves.Owed));
        _scene.Turn();
        Assert.Equal(FamilyState.Signed, _scene.Family(1).State);
        Assert.Equal((before.There, before.Owed), (_scene.Reserves.There, _scene.Reserves.Owed));
    }

    [Fact]
    public void The_change_of_a_replacement_that_a_signer_sends_by_itself_counts_once()
    {
        _scene.Withdraw();
        _scene.Turn();
        Assert.Equal(FamilyState.Signed, _scene.Family(1).State);
        var before = _scene.Reserves;
        _scene.Node.Wallet.HasKeys = false;
        _scene.MineOnly(PayoutScene.Target);
        _scene.Turn();
        Assert.Equal(before.There, _scene.Reserves.There);
        Assert.Null(_scene.Node.Send(_scene.Unsigned(1)));
        Assert.Equal(before.There, _scene.Reserves.There);
    }

    [Fact]
    public void While_withdrawals_are_stopped_nothing_that_pays_one_is_handed_out_or_taken_back()
    {
        HandOut();
        var signed = _scene.Unsigned(1);
        _scene.Do(new StopWithdrawals(default, true));
        Assert.Empty(_scene.Run(_scene.Signing.ListAsync()));
        Assert.Equal(SignedOutcome.Stopped, _scene.HandBack(signed));
        _scene.Turn();
        Assert.Null(_scene.Node.Mempool.Find(signed.Txid));
        Assert.Equal(SignedOutcome.NotFound, _scene.Run(_scene.Signing.TakeAsync(default, FakePsbt.Write(signed, isSigned: true), CancellationToken.None)));
        _scene.Do(new StopWithdrawals(default, false));
        Assert.Single(_scene.Run(_scene.Signing.ListAsync()));
        Assert.Equal(SignedOutcome.Taken, _scene.HandBack(signed));
        _scene.Turn();
        Assert.NotNull(_scene.Node.Mempool.Find(signed.Txid));
    }

    [Fact]
    public void While_withdrawals_are_stopped_an_anchor_alone_is_signed_and_what_a_signer_sends_by_itself_is_noticed()
    {
        HandOut();
        _scene.Do(new StopWithdrawals(default, true));
        Assert.Null(_scene.Node.Send(_scene.Unsigned(1)));
        _scene.Turn();
        Assert.Equal(FamilyState.Signed, _scene.Family(1).State);
        _scene.Mine(1);
        _scene.Turn();
        _scene.CloseEpoch();
        _scene.Turn();
        var anchor = Assert.Single(_scene.Run(_scene.Signing.ListAsync()));
        Assert.Equal((2, 0), (anchor.Family.Number, anchor.Family.Withdrawals.Count));
        Assert.Equal(SignedOutcome.Taken, _scene.HandBack(_scene.Unsigned(2)));
    }

    [Fact]
    public void What_is_signed_for_other_coins_is_not_taken_and_keeps_nothing_else_out()
    {
        HandOut();
        var (seam, unsigned) = (_scene.Seam, _scene.Unsigned(1));
        _scene.Seam = DoubtingNode.Over(seam);
        Assert.Equal(SignedOutcome.NotSigned, Take());
        _scene.Seam = seam;
        Assert.Equal(SignedOutcome.Taken, Take());

        SignedOutcome Take() => _scene.Run(_scene.Signing.TakeAsync(unsigned.Txid, FakePsbt.Write(unsigned, isSigned: true), CancellationToken.None));
    }

    /// <summary>Has a withdrawal wait at its signer.</summary>
    private void HandOut()
    {
        _scene.Node.Wallet.HasKeys = false;
        _scene.Withdraw();
        _scene.Turn();
        Assert.Equal(FamilyState.Opened, _scene.Family(1).State);
    }
}

/// <summary>A node that finds every signature bad.</summary>
public class DoubtingNode : DispatchProxy
{
    private IBitcoinNode? _node;

    public static IBitcoinNode Over(IBitcoinNode node)
    {
        var seam = Create<IBitcoinNode, DoubtingNode>();
        ((DoubtingNode)(object)seam)._node = node;
        return seam;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod!.Name == nameof(IBitcoinNode.IsSignedAsync) ? Task.FromResult(false) : targetMethod.Invoke(_node, args);
}
