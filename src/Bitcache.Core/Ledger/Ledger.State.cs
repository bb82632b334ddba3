// The whole state at one moment: hashed, held for a snapshot, and brought back from one. There is one list of what the
// state is made of, and one form of it: the state hash is the hash of what a snapshot holds.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private IStateTable[]? _stateTables;
    private LedgerCapture? _capture;

    /// <summary>All that the ledger remembers. What is kept anywhere else can be derived from it.</summary>
    private IStateTable[] StateTables => _stateTables ??=
    [
        new HeadTable(this), _wallets, _ids, new IdWindow.ForEverTable(_ids), _addresses, _deposits, _withdrawals, _families, _epochs,
        _holds, _refunds, _spending, _fees, _strangers, _legs,
    ];

    /// <summary>SHA-256 over the whole state: two machines that applied the same entries have the same. Costs a walk over
    /// everything.</summary>
    public Hash256 StateHash() => View(hold: false).Write(static _ => { });

    /// <summary>Holds the state as it is now, without copying it: what is changed from now on is copied first. One at a
    /// time; it costs less than a millisecond, whatever the ledger holds.</summary>
    public LedgerCapture Capture()
    {
        Assert(_capture is null, "one capture at a time");
        return _capture = View(hold: true);
    }

    /// <summary>Nobody reads the capture any more.</summary>
    public void Release(LedgerCapture capture)
    {
        Assert(_capture == capture, "a capture is given back once, to the ledger that it is of");
        foreach (var table in StateTables) table.Release();
        _capture = null;
    }

    /// <summary>A ledger with the state that a capture wrote.</summary>
    /// <param name="next">Gives the pieces.</param>
    /// <exception cref="FormatException">The pieces are not a ledger's state.</exception>
    public static Ledger Load(int partition, ulong secret, StatePieceReader next)
    {
        var ledger = new Ledger(partition, secret);
        var reader = new StateReader(next);
        try
        {
            foreach (var table in ledger.StateTables) table.Read(reader);
            reader.Finish();
            ledger.Complete();
        }
        catch (Exception e) when (e is ArgumentException or OverflowException or KeyNotFoundException or LedgerInvariantException)
        {
            throw new FormatException($"rows that no ledger has: {e.Message}", e);
        }
        return ledger;
    }

    private LedgerCapture View(bool hold) => new(partition, NextSequence, Time, [.. StateTables.Select(table => table.View(hold))]);

    /// <summary>Derives what is not kept.</summary>
    private void Complete()
    {
        _ids.Resume(Floor);
        _operator = Genesis is null ? -1 : _wallets.Find(Genesis.Operator);
        Assert(Genesis is null || _operator >= 0, "the operator has a wallet");
        SettlementStop = FindStop(_families.All);
        foreach (var address in _addresses.Values) Count(address);
        foreach (var withdrawal in _withdrawals.Values)
        {
            if (withdrawal.IsOpen) CountOpen(withdrawal.Key.Wallet, 1);
            if (withdrawal.State == WithdrawalState.Queued) Queue(withdrawal);
            if (withdrawal.State == WithdrawalState.AwaitingApproval) Await(withdrawal);
            if (withdrawal.State == WithdrawalState.Sent) _uncharged.Add(withdrawal.Key);
        }
        foreach (var family in _families.All)
        {
            foreach (var (_, raw) in family.Transactions) NoteChange(family, raw);
            _change.UnionWith(family.Change);
        }
        LastStatedEpoch = _epochs.LastOrDefault(epoch => epoch.Statement is not null);
        for (var place = 0; place < _deposits.Count; place++) Index(_deposits.At(place), place);
        for (var number = 1; number <= _spending.Count; number++) _wallets[_spending.Peek(number).Wallet].Spending = number;
        CheckEveryBalance();
    }
}
