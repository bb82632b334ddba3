// What must hold after every turn, and in the end; and what the schedule has met.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

internal sealed partial class PayoutSchedule
{
    // Every transaction that ever was durable here.
    private readonly HashSet<Txid> _durable = [];
    // Families of which something was out before the turn.
    private HashSet<long> _begun = [];
    private bool _isStopped;
    // What may be on its way while withdrawals are stopped: what was when they were.
    private HashSet<Txid> _mayGoOn = [];

    private void Check()
    {
        CheckedTotals();
        var families = Books.Ask(ledger => ledger.Families().ToArray());
        _durable.UnionWith(families.SelectMany(f => f.Txids));
        foreach (var known in _node.Wallet.Known.Where(k => _node.Wallet.IsFromMe(k.Transaction)))
            Must.Hold(_durable.Contains(known.Txid) || _thefts.Contains(known.Txid), $"P10: the node has {known.Txid}, which is not durable here.");
        var paid = PaidByTheChain();
        var givenBack = GivenBack();
        foreach (var (key, script) in _withdrawals)
        {
            Must.Hold(paid.GetValueOrDefault(script) <= 1, $"P10: withdrawal {key} is paid {paid.GetValueOrDefault(script)} times.");
            Must.Hold(!givenBack.Contains(key) || !paid.ContainsKey(script), $"P10: withdrawal {key} is paid and given back.");
        }
        Must.Hold(
            Books.Ask(ledger => _withdrawals.Keys.Select(k => ledger.FindWithdrawal(k)!).All(w => w.Charge <= w.Fee)), "A withdrawal is charged more than was held.");
        CheckAnchors();
        CheckBrakes(families);
        _signer?.Give(families);
        _unsigned = [.. families.Select(f => f.Prepared).OfType<Preparation>().Select(p => FakePsbt.Read(Convert.ToBase64String(p.Psbt.Span)))];
    }

    private void NoteStop(bool stopped)
    {
        _isStopped = stopped;
        if (!stopped) return;
        Met.Count(Stops);
        _mayGoOn = OutgoingOf(Books.Ask(ledger => ledger.Families().ToArray()));
    }

    /// <summary>All but what pays nobody but the anchor.</summary>
    private static HashSet<Txid> OutgoingOf(IEnumerable<Family> families) =>
        [.. families.Where(f => f.Anchor is null || f.Withdrawals.Count > 0).SelectMany(f => f.Txids)];

    /// <summary>While withdrawals are stopped nothing is signed or handed out but anchors; while reserves are short no withdrawal is,
    /// but what replaces one that may be on its way.</summary>
    private void CheckBrakes(Family[] families)
    {
        if (_isStopped)
        {
            Must.Hold(OutgoingOf(families).IsSubsetOf(_mayGoOn), "Something leaves while withdrawals are stopped.");
            if (Books.Ask(ledger => ledger.QueuedWithdrawals > 0)) Met.Count(HeldBack);
        }
        var begun = families.Where(f => f.Withdrawals.Count > 0 && f.Txids.Any()).Select(f => f.Number).ToHashSet();
        if (_turn is { AreReservesShort: true })
        {
            Must.Hold(begun.IsSubsetOf(_begun), "A withdrawal leaves while reserves are short.");
            Met.Count(Shortages);
            if (Books.Ask(ledger => ledger.QueuedWithdrawals > 0)) Met.Count(ShortWithWork);
        }
        _begun = begun;
    }

    private HashSet<WithdrawalKey> GivenBack() =>
        Books.Ask(ledger => _withdrawals.Keys.Where(k => ledger.FindWithdrawal(k)!.State == WithdrawalState.Expired).ToHashSet());

    /// <summary>How often the best chain pays each script.</summary>
    private Dictionary<ByteString, int> PaidByTheChain() =>
        InTheChain().SelectMany(t => t.Outputs).CountBy(o => new ByteString(o.Script)).ToDictionary();

    /// <summary>Everything in the best chain but what miners get.</summary>
    private IEnumerable<BitcoinTransaction> InTheChain()
    {
        for (var height = 1; _node.Chain.At(height) is { } block; height++)
        {
            foreach (var transaction in block.Transactions.Skip(1)) yield return transaction;
        }
    }

    /// <summary>Whoever follows the chain from the first anchor finds one history: every other one spends the output of the one before it.</summary>
    private void CheckAnchors()
    {
        OutPoint? tip = null;
        foreach (var transaction in InTheChain())
        {
            var outputs = transaction.Outputs.Index().Where(o => _anchorScript.Span.SequenceEqual(o.Item.Script)).ToArray();
            if (outputs.Length == 0) continue;
            Must.Hold(outputs.Length == 1 && (tip is null || transaction.Inputs[0].Spent == tip), $"{transaction.Txid} begins another history.");
            tip = new OutPoint(transaction.Txid, (uint)outputs[0].Index);
        }
    }

    /// <summary>What the users were charged and what the operator bore are the fees of what confirmed.</summary>
    private void CheckFees()
    {
        var (charged, fees, spent, left) = Books.Ask(ledger => (
            _withdrawals.Keys.Sum(k => ledger.FindWithdrawal(k)!.Charge.ToMsat().Value),
            ledger.Families().Where(f => f.State == FamilyState.Final).Sum(f => f.FeePaid.ToMsat().Value),
            ledger.Totals.MiningFees, ledger.OperatorWallet));
        Must.Hold(fees == spent, $"P6: {spent} msat of mining fees are booked, {fees} were paid.");
        if (left.Owes || left.Frozen > Msat.Zero || left.Held > Msat.Zero) return;
        Must.Hold(charged <= fees, $"{charged} msat were charged for mining that cost {fees}.");
        var toppedUp = Books.Ask(ledger => ledger.DepositsOf(_operator).Where(d => d.Booked && d.State != DepositState.Reversed).Sum(d => d.Amount.ToMsat().Value));
        Must.Hold(left.Available.Value == toppedUp + charged - fees, $"P6: the operator has {left.Available}, after {toppedUp} msat came in, {charged} from users, and mining cost {fees}.");
    }

    private void CountWhatWasMet()
    {
        var (families, charged, stop) = Books.Ask(ledger => (
            ledger.Families().ToArray(), _withdrawals.Keys.Count(k => ledger.FindWithdrawal(k)!.Charge > Sats.Zero), ledger.SettlementStop));
        Met.Count(Withdrawals, _withdrawals.Count);
        Met.Count(Expired, GivenBack().Count);
        Met.Count(Charged, charged);
        Met.Count(Families, families.Count(f => f.State == FamilyState.Final));
        Met.Count(Anchors, families.Count(f => f is { State: FamilyState.Final, Anchor: not null }));
        Met.Count(Replacements, families.Sum(f => Math.Max(0, f.Attempts.Count - 1)));
        Met.Count(Children, families.Count(f => f.FinalChild > 0));
        Met.Count(Thefts, _thefts.Count);
        Met.Count(Deaths, families.Count(f => f.State == FamilyState.Dead));
        Met.Count(DeathsUnsigned, families.Count(f => f is { State: FamilyState.Dead, Attempts.Count: 0 }));
        Met.Count(Consolidations, families.Count(f => f is { State: FamilyState.Final, IsConsolidation: true }));
        Met.Count(SettlementStops, stop is null ? 0 : 1);
    }
}
