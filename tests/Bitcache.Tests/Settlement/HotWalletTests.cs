using Bitcache.Core;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>A hot wallet that has run dry, while cold coins cover what is owed.</summary>
[Trait("suite", "core")]
public sealed class HotWalletTests : IDisposable
{
    private readonly PayoutScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public void A_dry_hot_wallet_is_said_and_the_owner_of_a_withdrawal_may_take_it_back_between_tries()
    {
        foreach (var coin in _scene.Node.Funding.Coins().ToArray()) _scene.MineOnly(1, _scene.Steal(coin.OutPoint));
        _scene.Withdraw();
        var payouts = _scene.Payouts;
        _scene.Run(payouts.OpenAsync(null, _scene.Run(payouts.FindDueAsync(cancel: TestContext.Current.CancellationToken))));
        for (var turn = 0; turn < Payouts.TurnsWithoutCoinsMax; turn++)
        {
            Drive();
            Assert.True(payouts.LacksCoins);
            Assert.Equal(FamilyState.Opened, _scene.Family(1).State);
        }
        Drive();
        Assert.True(payouts.LacksCoins);
        Assert.Equal(FamilyState.Abandoned, _scene.Family(1).State);
        var waiting = Assert.Single(_scene.Ask(ledger => ledger.DueWithdrawals()));
        _scene.TakeBack(waiting.Key);
        _scene.Run(payouts.OpenAsync(null, _scene.Run(payouts.FindDueAsync(cancel: TestContext.Current.CancellationToken))));
        Drive();
        Assert.False(payouts.LacksCoins);
        Assert.Empty(_scene.Ask(ledger => ledger.LiveFamilies()));

        void Drive() => _scene.Run(payouts.DriveAsync(_scene.Node.Chain.Tip.Height, mayPay: true, CancellationToken.None));
    }

    [Fact]
    public void A_withdrawal_to_the_hot_wallet_itself_does_not_leave_and_keeps_nobody_else_from_it()
    {
        var amount = new Sats(70_000);
        // Change that no transaction of ours has paid: the operator moved coins by hand.
        var (own, strangers) = (_scene.Request(amount, _scene.Node.Wallet.NewScript(change: true)), _scene.Request(amount));
        _scene.CloseEpoch();
        _scene.Turn();
        var paid = Assert.Single(_scene.Family(1).Withdrawals);
        Assert.Equal(strangers, _scene.Ask(ledger => ledger.FindWithdrawal(paid)!.Script));
        Assert.DoesNotContain(_scene.Newest(1).Outputs, output => own.Span.SequenceEqual(output.Script));

        // Each script is asked for once while it waits.
        var (payouts, asked) = (_scene.Payouts, 0);
        for (var i = 0; i < 2; i++)
        {
            var before = _scene.Calls;
            Assert.Empty(_scene.Run(payouts.FindDueAsync(cancel: TestContext.Current.CancellationToken)));
            Assert.Equal(1, payouts.ToOurselves);
            asked += _scene.Calls - before;
        }
        Assert.Equal(1, asked);
        _scene.TakeBack(Assert.Single(_scene.Ask(ledger => ledger.DueWithdrawals())).Key);
        Assert.Empty(_scene.Run(payouts.FindDueAsync(cancel: TestContext.Current.CancellationToken)));
        Assert.Equal(0, payouts.ToOurselves);
    }
}
