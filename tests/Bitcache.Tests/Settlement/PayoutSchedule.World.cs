// What happens around settlement: blocks and branches, payees, a thief, cold coins that come and go.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

internal sealed partial class PayoutSchedule
{
    private readonly List<OutPoint> _coldCoins = [];
    // What is with the signer: a thief may see it, too.
    private BitcoinTransaction[] _unsigned = [];

    protected override void ChangeWorld()
    {
        switch (Draw.Next(18))
        {
            case < 4:
                _node.Mine();
                break;
            case 4:
                _node.Mine(_node.Chain.Tip, []);
                break;
            case < 8:
                Reorganise();
                break;
            case 8:
                if (Any(_node.Mempool.Transactions) is not { } evicted) break;
                _node.Evict(evicted.Txid);
                Met.Count(Evictions);
                break;
            case 9:
                _node.Restart();
                break;
            case 10 or 11:
                SpendPayout();
                break;
            case 12 or 13:
                if (_hasThief) Steal();
                break;
            case 14:
                // An older copy of the wallet.
                if (_hasThief && Any(Unconfirmed()) is { } forgotten) _node.Wallet.Forget(forgotten.Txid);
                break;
            case 15:
                _signer?.SendOne();
                break;
            case 16:
                if (_hasReserves) MoveCold();
                break;
            default:
                _node.Estimate = Draw.Next(3) == 0 ? null : new FeeRate(1_000 + Draw.Next(Draw.Next(4) == 0 ? 100_000 : 10_000));
                break;
        }
    }

    private void Reorganise()
    {
        var depth = 1 + Draw.Next(Draw.Next(10) > 0 ? 4 : _isDeep ? 20 : Common.FinalityDepth - 1);
        _node.Invalidate(_node.Chain.At(_node.Chain.Tip.Height + 1 - depth)!);
        Met.Count(Reorganisations);
        for (var i = 0; i <= depth; i++)
        {
            if (Draw.Next(2) == 0) _node.Mine();
            else _node.Mine(_node.Chain.Tip, []);
        }
    }

    /// <summary>A payee spends what is not in a block yet: then it cannot be replaced.</summary>
    private void SpendPayout()
    {
        if (Any(_node.Mempool.Transactions.Where(_node.Wallet.IsFromMe)) is not { } payout) return;
        var paid = payout.Outputs.Index().Where(o => o.Item.Value.Value > 10_000 && !_node.Wallet.IsMine(o.Item.Script)).ToArray();
        if (paid.Length == 0) return;
        var (index, output) = paid[Draw.Next(paid.Length)];
        _node.Send(FakeTransactions.Create(
            [new OutPoint(payout.Txid, (uint)index)], [new(output.Value - new Sats(200), FakeNode.ScriptOf(_node.NewStranger()))]));
    }

    /// <summary>Somebody else with the wallet's keys spends what one of our transactions spends, to another place in the wallet, so
    /// that there is something left to pay with.</summary>
    private void Steal()
    {
        if (Any(Unconfirmed().Concat(_unsigned)) is not { } victim) return;
        var coins = victim.Inputs.Select(i => i.Spent)
            .Where(o => _node.Chain.FindCoin(o) is { } coin && (_takesAnchors || !_anchorScript.Span.SequenceEqual(coin.Output.Script))).ToArray();
        if (coins.Length == 0) return;
        var coin = coins[Draw.Next(coins.Length)];
        var (value, fee) = (_node.Chain.FindCoin(coin)!.Value.Output.Value, new Sats(200 + Draw.Next(10_000)));
        if (value.Value < fee.Value + 1_000) fee = new Sats(200);
        var theft = FakeTransactions.Create([coin], [new(value - fee, _node.Wallet.NewScript(change: Draw.Next(2) == 0).Span.ToArray())]);
        _thefts.Add(theft.Txid);
        if (Draw.Next(2) == 0) _node.Send(theft);
        else _node.Mine(_node.Chain.Tip, [theft]);
    }

    /// <summary>Coins that are kept elsewhere come from outside, or go there.</summary>
    private void MoveCold()
    {
        var coins = _coldCoins.Where(c => _node.Chain.FindCoin(c) is not null).ToArray();
        if (coins.Length == 0 || Draw.Next(3) == 0)
        {
            PayToCold();
            return;
        }
        var coin = coins[Draw.Next(coins.Length)];
        _node.Send(FakeTransactions.Create(
            [coin], [new(_node.Chain.FindCoin(coin)!.Value.Output.Value - new Sats(500), FakeNode.ScriptOf(_node.NewStranger()))]));
    }

    private void PayToCold()
    {
        if (!_hasReserves) return;
        var payment = _node.Payment(_cold, new Sats(200_000), new Sats(1_000));
        Must.Hold(_node.Send(payment) is null, "A payment from outside is refused.");
        _coldCoins.Add(new OutPoint(payment.Txid, 0));
    }

    /// <summary>What the wallet spends in, and is in no block.</summary>
    private IEnumerable<BitcoinTransaction> Unconfirmed() => _node.Wallet.Known
        .Where(k => _node.Chain.BlockOf(k.Txid) is null && _node.Wallet.IsFromMe(k.Transaction)).Select(k => k.Transaction);

    private BitcoinTransaction? Any(IEnumerable<BitcoinTransaction> transactions)
    {
        var all = transactions.ToArray();
        return all.Length == 0 ? null : all[Draw.Next(all.Length)];
    }
}
