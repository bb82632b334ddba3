namespace Bitcache.Core.Audit;

/// <summary>A family that was under way at a cut: what may have been in a block, and what the ledger had not booked.</summary>
internal sealed record CutFamily(IReadOnlyList<ReplayTransaction> Transactions, IReadOnlyList<(WithdrawalKey Key, ReplayWithdrawal Withdrawal)> Withdrawals);

/// <summary>What everybody had right behind an epoch's cut, as it follows from the entries.</summary>
/// <param name="LastCut">The place in the log of the last partition's cut.</param>
/// <param name="Time">Of that cut.</param>
/// <param name="Balances">In msat; of the operator's accounts, in whichever partition, and suspense apart.</param>
internal sealed record CutBalances(
    long Epoch, long LastCut, UnixTime Time, int Partitions, IReadOnlyList<(WalletId Wallet, long Value)> Balances, WalletId Operator, long Operators, long Suspense,
    IReadOnlyList<CutFamily> Families);

// The balances at a cut.
internal sealed partial class StatementReplay
{
    private CutBalances TakeBalances()
    {
        long inside = _suspense, owed = 0, operators = 0;
        var balances = new List<(WalletId, long)>(_accounts.All.Length);
        foreach (ref readonly var account in _accounts.All)
        {
            if (account.InFlight < 0) throw new ImpossibleEntryException($"{account.Wallet} received {-account.InFlight} msat from other partitions that none of them had sent");
            if (!account.Exists && account.InFlight > 0) throw new ImpossibleEntryException($"{account.InFlight} msat were sent to {account.Wallet}, which was not made");
            var value = account.Available + account.Held + account.Frozen + account.InFlight;
            if (account.Wallet == _accounts.Operator) operators += value;
            else if (value > 0) balances.Add((account.Wallet, value));
            inside += value;
            owed += account.Owed;
        }
        var fromBitcoin = _deposited - _reversed - _withdrawn - _miningFees;
        if (inside - owed != fromBitcoin)
            throw new ImpossibleEntryException($"at the cut of epoch {_complete} there are {inside} msat inside, {owed} msat of them receivable, and {fromBitcoin} msat came from Bitcoin", AuditFault.NotConserved);
        var families = _families.Values.Select(f => new CutFamily([.. f.Transactions], [.. f.Withdrawals.Select(key => (key, _withdrawals[key]))])).ToArray();
        return new CutBalances(_complete, _lastCut, _lastCutTime, _accounts.Partitions, balances, _accounts.Operator, operators, _suspense, families);
    }
}
