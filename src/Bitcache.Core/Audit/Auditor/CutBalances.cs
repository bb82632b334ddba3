namespace Bitcache.Core.Audit;

/// <summary>A family that was under way at a cut: what may have been in a block, and what the ledger had not booked.</summary>
internal sealed record CutFamily(IReadOnlyList<ReplayTransaction> Transactions, IReadOnlyList<(WithdrawalKey Key, ReplayWithdrawal Withdrawal)> Withdrawals);

/// <summary>What everybody had right behind an epoch's cut, as it follows from the entries.</summary>
/// <param name="LastCut">The place in the log of the last partition's cut.</param>
/// <param name="Time">Of that cut.</param>
/// <param name="Balances">In msat; of the operator's accounts, in whichever partition, and suspense apart.</param>
internal sealed record CutBalances(
    long Epoch, long LastCut, UnixTime Time, int Partitions, IReadOnlyList<(WalletId Wallet, long Value)> Balances, WalletId Operator, long Operators, long Suspense,
    IReadOnlyList<CutFamily> Families)
{
    private const int HeadBytes = (5 * sizeof(long)) + sizeof(ushort) + WalletId.Bytes + sizeof(uint);
    private const int RowBytes = WalletId.Bytes + sizeof(long);

    /// <summary>Keeps a cut about which nothing is stated yet.</summary>
    public void Write(StateWriter writer)
    {
        writer.Section(StateSection.ReplayCut, Balances.Count);
        var head = writer.Begin(HeadBytes);
        foreach (var number in (ReadOnlySpan<long>)[Epoch, LastCut, Time.Milliseconds, Operators, Suspense]) head.I64(number);
        head.U16(Partitions);
        head.Wallet(Operator);
        head.U32((uint)Families.Count);
        writer.End(head);
        foreach (var (wallet, value) in Balances)
        {
            var row = writer.Begin(RowBytes);
            row.Wallet(wallet);
            row.I64(value);
            writer.End(row);
        }
        foreach (var family in Families)
        {
            var row = writer.Begin(2 * sizeof(uint));
            row.U32((uint)family.Transactions.Count);
            row.U32((uint)family.Withdrawals.Count);
            writer.End(row);
            foreach (var transaction in family.Transactions) StatementReplay.WriteTransaction(writer, transaction);
            foreach (var (key, withdrawal) in family.Withdrawals) StatementReplay.WriteWithdrawal(writer, key, withdrawal);
        }
    }

    public static CutBalances Read(StateReader reader)
    {
        var count = reader.Rows(StateSection.ReplayCut);
        var head = reader.Begin();
        var (epoch, lastCut, time, operators, suspense, partitions, operatorWallet, families) = (head.I64(), head.I64(), head.Time(), head.I64(), head.I64(), head.U16(), head.Wallet(), head.U32());
        reader.End(head);
        var balances = new List<(WalletId, long)>();
        for (; count > 0; count--)
        {
            var row = reader.Begin();
            balances.Add((row.Wallet(), row.I64()));
            reader.End(row);
        }
        var under = new List<CutFamily>();
        for (; families > 0; families--)
        {
            var row = reader.Begin();
            var (transactions, withdrawals) = (row.U32(), row.U32());
            reader.End(row);
            var (signed, due) = (new List<ReplayTransaction>(), new List<(WithdrawalKey, ReplayWithdrawal)>());
            for (; transactions > 0; transactions--) signed.Add(StatementReplay.ReadTransaction(reader));
            for (; withdrawals > 0; withdrawals--) due.Add(StatementReplay.ReadWithdrawal(reader));
            under.Add(new CutFamily(signed, due));
        }
        return new CutBalances(epoch, lastCut, time, partitions, balances, operatorWallet, operators, suspense, under);
    }
}

// The balances at a cut.
internal sealed partial class StatementReplay
{
    private CutBalances TakeBalances()
    {
        long inside = _suspense, owed = 0, operators = 0;
        var balances = new List<(WalletId, long)>(_accounts.Count);
        for (var place = 0; place < _accounts.Count; place++)
        {
            ref readonly var account = ref _accounts.At(place);
            if (account.InFlight < 0) throw new ImpossibleEntryException($"{account.Wallet} received {-account.InFlight} msat from other partitions that none of them had sent");
            if (!account.Exists && account.InFlight > 0) throw new ImpossibleEntryException($"{account.InFlight} msat were sent to {account.Wallet}, which was not made");
            var value = account.Value;
            if (account.Wallet == _accounts.Operator) operators += value;
            else if (value > 0) balances.Add((account.Wallet, value));
            inside += value;
            owed += account.Owed;
        }
        var fromBitcoin = _deposited - _reversed - _withdrawn - _miningFees;
        if (inside - owed != fromBitcoin)
            throw new ImpossibleEntryException($"at the cut of epoch {_complete} there are {inside} msat inside, {owed} msat of them receivable, and {fromBitcoin} msat came from Bitcoin", AuditFault.NotConserved);
        var families = _families.Values.Select(f => new CutFamily([.. f.Transactions], [.. f.Withdrawals.Select(key => (key, Withdrawal(key)))])).ToArray();
        return new CutBalances(_complete, _lastCut, _lastCutTime, _accounts.Partitions, balances, _accounts.Operator, operators, _suspense, families);
    }
}
