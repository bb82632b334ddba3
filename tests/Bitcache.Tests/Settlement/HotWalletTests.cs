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
        _scene.Run(payouts.OpenAsync(null, _scene.Run(payouts.FindDueAsync())));
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
        _scene.Run(payouts.OpenAsync(null, _scene.Run(payouts.FindDueAsync())));
        Drive();
        Assert.False(payouts.LacksCoins);
        Assert.Empty(_scene.Ask(ledger => ledger.LiveFamilies()));

        void Drive() => _scene.Run(payouts.DriveAsync(_scene.Node.Chain.Tip.Height, mayPay: true, CancellationToken.None));
    }
}
