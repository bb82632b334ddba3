namespace Bitcache.Core.Audit;

// A replay as it is kept between two audits. The same replay gives the same bytes.
internal sealed partial class StatementReplay
{
    private const int HeadBytesMax = (8 * sizeof(long)) + sizeof(ushort) + (Limits.KeysMax * Hash256.Bytes) + sizeof(ushort) + (Limits.PartitionsMax * 2 * sizeof(long)) + sizeof(ushort) + (Limits.KeyRotationsMax * (1 + 255));
    private const int HoldBytes = WalletId.Bytes + OperationId.Bytes + sizeof(long);
    private const int DepositBytesMax = OutPointBytes + WalletId.Bytes + 2 + ReplayAddress.RowBytesMax + sizeof(long) + 5 + Hash256.Bytes + 4 + (2 * sizeof(long));
    private const int OutPointBytes = Hash256.Bytes + sizeof(uint);
    private const int WithdrawalBytesMax = WalletId.Bytes + OperationId.Bytes + 2 + ReplayAddress.RowBytesMax + (2 * sizeof(long));
    private const int FamilyBytes = 2 + (2 * sizeof(long)) + 1 + 8 + Hash256.Bytes + 8;
    private const int TransactionBytes = 8 + Hash256.Bytes + sizeof(long);
    private const int KeyBytes = WalletId.Bytes + OperationId.Bytes;
    private const int AheadBytesMax = sizeof(long) + 4 + Limits.StatementBytesMax;

    /// <summary>Writes everything that an entry further on may meet.</summary>
    public void Write(StateWriter writer)
    {
        WriteHead(writer);
        _accounts.Write(writer);
        writer.Section(StateSection.ReplayHolds, _holds.Count);
        foreach (var ((payer, id), left) in _holds.OrderBy(h => h.Key.Payer).ThenBy(h => h.Key.Id.Value))
        {
            var row = writer.Begin(HoldBytes);
            row.Wallet(payer);
            row.Id(id);
            row.I64(left);
            writer.End(row);
        }
        _addresses.Write(writer);
        WriteDeposits(writer);
        WriteWithdrawals(writer);
        writer.Section(StateSection.ReplayAhead, _ahead.Count);
        foreach (var (index, statement) in _ahead)
        {
            var row = writer.Begin(AheadBytesMax);
            row.I64(index);
            row.Long(statement);
            writer.End(row);
        }
    }

    /// <summary>Goes on from what <see cref="Write"/> wrote; this one has not applied anything.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public void Read(StateReader reader)
    {
        ReadHead(reader);
        _accounts.Read(reader, _next.Length);
        for (var left = reader.Rows(StateSection.ReplayHolds); left > 0; left--)
        {
            var row = reader.Begin();
            _holds.Add((row.Wallet(), row.Id()), row.I64());
            reader.End(row);
        }
        _addresses.Read(reader);
        ReadDeposits(reader);
        ReadWithdrawals(reader);
        for (var left = reader.Rows(StateSection.ReplayAhead); left > 0; left--)
        {
            var row = reader.Begin();
            _ahead.Enqueue((row.I64(), row.Long(Limits.StatementBytesMax).Span.ToArray()));
            reader.End(row);
        }
    }

    private void WriteHead(StateWriter writer)
    {
        writer.Section(StateSection.ReplayHead, 1);
        var row = writer.Begin(HeadBytesMax);
        foreach (var number in (ReadOnlySpan<long>)[_complete, _lastCut, _lastCutTime.Milliseconds, _suspense, _deposited, _reversed, _withdrawn, _miningFees]) row.I64(number);
        row.U16(_next.Length);
        foreach (var next in _next) row.I64(next);
        foreach (var epoch in _epochs) row.I64(epoch);
        row.U16(FirstKeys.Count);
        foreach (var key in FirstKeys) row.Hash(key);
        row.U16(Keys.Count);
        foreach (var key in Keys) row.Short(key.Span);
        writer.End(row);
    }

    private void ReadHead(StateReader reader)
    {
        if (reader.Section(StateSection.ReplayHead) != 1) throw new FormatException("a replay has one head");
        var row = reader.Begin();
        (_complete, _lastCut, _lastCutTime, _suspense, _deposited, _reversed, _withdrawn, _miningFees) = (row.I64(), row.I64(), row.Time(), row.I64(), row.I64(), row.I64(), row.I64(), row.I64());
        var partitions = row.Items(row.U16(), 2 * sizeof(long), Limits.PartitionsMax);
        (_next, _epochs) = (new long[partitions], new long[partitions]);
        foreach (ref var next in _next.AsSpan()) next = row.I64();
        foreach (ref var epoch in _epochs.AsSpan()) epoch = row.I64();
        var first = new Hash256[row.Items(row.U16(), Hash256.Bytes, Limits.KeysMax)];
        foreach (ref var key in first.AsSpan()) key = row.Hash();
        FirstKeys = first;
        for (var left = row.Items(row.U16(), 1, Limits.KeyRotationsMax); left > 0; left--) Keys.Add(row.Short());
        reader.End(row);
    }

    private void WriteDeposits(StateWriter writer)
    {
        writer.Section(StateSection.ReplayDeposits, _deposits.Count);
        foreach (var deposit in _deposits.Values.OrderBy(d => d.Output.Txid.Hash.High).ThenBy(d => d.Output.Txid.Hash.Low).ThenBy(d => d.Output.Index))
        {
            var row = writer.Begin(DepositBytesMax);
            WriteOutput(ref row, deposit.Output);
            row.Wallet(deposit.Wallet);
            row.U16(deposit.Partition);
            row.Short(deposit.Script.Span);
            row.Amount(deposit.Amount);
            row.U8((byte)deposit.State);
            foreach (var flag in (ReadOnlySpan<bool>)[deposit.IsBooked, deposit.IsSuspense, deposit.IsAssigned, deposit.IsByWord]) row.Flag(flag);
            row.Hash(deposit.Block.Hash);
            row.U32(deposit.Height);
            row.I64(deposit.FrozenPart);
            row.I64(deposit.OwedPart);
            writer.End(row);
        }
        writer.Section(StateSection.ReplayEnded, _ended.Count);
        for (var slot = 0; slot < _ended.Count; slot++)
        {
            var row = writer.Begin(OutPointBytes);
            WriteOutput(ref row, _ended[slot].Key);
            writer.End(row);
        }
    }

    private void ReadDeposits(StateReader reader)
    {
        for (var left = reader.Rows(StateSection.ReplayDeposits); left > 0; left--)
        {
            var row = reader.Begin();
            var deposit = new ReplayDeposit(ReadOutput(ref row), row.Wallet(), row.U16(), row.Short(Limits.ScriptBytesMax), row.Sats())
            {
                State = row.U8<DepositState>(),
                IsBooked = row.Flag(),
                IsSuspense = row.Flag(),
                IsAssigned = row.Flag(),
                IsByWord = row.Flag(),
                Block = new BlockHash(row.Hash()),
                Height = row.U32(),
                FrozenPart = row.I64(),
                OwedPart = row.I64(),
            };
            _deposits.Add(deposit.Output, deposit);
            reader.End(row);
        }
        for (var left = reader.Rows(StateSection.ReplayEnded); left > 0; left--)
        {
            var row = reader.Begin();
            _ended.Add(new EndedDeposit(ReadOutput(ref row)));
            reader.End(row);
        }
    }

    private void WriteWithdrawals(StateWriter writer)
    {
        writer.Section(StateSection.ReplayWithdrawals, _withdrawals.Count);
        foreach (var (key, withdrawal) in _withdrawals.OrderBy(w => w.Key.Wallet).ThenBy(w => w.Key.Id.Value)) WriteWithdrawal(writer, key, withdrawal);
        writer.Section(StateSection.ReplayFamilies, _families.Count);
        foreach (var ((partition, number), family) in _families.OrderBy(f => f.Key))
        {
            var row = writer.Begin(FamilyBytes);
            row.U16(partition);
            row.I64(number);
            row.Amount(family.FeeCap);
            row.Flag(family.Confirmed is not null);
            var confirmed = family.Confirmed ?? new ReplayConfirmation(0, 0, default);
            row.U32((uint)confirmed.Attempt);
            row.U32(confirmed.Height);
            row.Hash(confirmed.Block.Hash);
            row.U32((uint)family.Transactions.Count);
            row.U32((uint)family.Withdrawals.Count);
            writer.End(row);
            foreach (var transaction in family.Transactions) WriteTransaction(writer, transaction);
            foreach (var key in family.Withdrawals)
            {
                row = writer.Begin(KeyBytes);
                row.Wallet(key.Wallet);
                row.Id(key.Id);
                writer.End(row);
            }
        }
    }

    private void ReadWithdrawals(StateReader reader)
    {
        for (var left = reader.Rows(StateSection.ReplayWithdrawals); left > 0; left--)
        {
            var (key, withdrawal) = ReadWithdrawal(reader);
            _withdrawals.Add(key, withdrawal);
        }
        for (var left = reader.Rows(StateSection.ReplayFamilies); left > 0; left--)
        {
            var row = reader.Begin();
            var (partition, number, cap, isConfirmed) = (row.U16(), row.I64(), row.Sats(), row.Flag());
            var confirmed = new ReplayConfirmation((int)row.U32(), row.U32(), new BlockHash(row.Hash()));
            var (transactions, count) = (row.U32(), row.U32());
            reader.End(row);
            var signed = new List<ReplayTransaction>();
            for (; transactions > 0; transactions--) signed.Add(ReadTransaction(reader));
            var keys = new List<WithdrawalKey>();
            for (; count > 0; count--)
            {
                row = reader.Begin();
                keys.Add(new WithdrawalKey(row.Wallet(), row.Id()));
                reader.End(row);
            }
            var family = new ReplayFamily(partition, cap, keys) { Confirmed = isConfirmed ? confirmed : null };
            family.Transactions.AddRange(signed);
            _families.Add((partition, number), family);
            _bound.UnionWith(keys);
        }
    }

    internal static void WriteWithdrawal(StateWriter writer, WithdrawalKey key, ReplayWithdrawal withdrawal)
    {
        var row = writer.Begin(WithdrawalBytesMax);
        row.Wallet(key.Wallet);
        row.Id(key.Id);
        row.U16(withdrawal.Partition);
        row.Short(withdrawal.Script.Span);
        row.Amount(withdrawal.Amount);
        row.Amount(withdrawal.Fee);
        writer.End(row);
    }

    internal static (WithdrawalKey Key, ReplayWithdrawal Withdrawal) ReadWithdrawal(StateReader reader)
    {
        var row = reader.Begin();
        var read = (new WithdrawalKey(row.Wallet(), row.Id()), new ReplayWithdrawal(row.U16(), row.Short(), row.Sats(), row.Sats()));
        reader.End(row);
        return read;
    }

    internal static void WriteTransaction(StateWriter writer, ReplayTransaction transaction)
    {
        var row = writer.Begin(TransactionBytes);
        row.U32((uint)transaction.Attempt);
        row.U32((uint)transaction.Child);
        row.Hash(transaction.Txid.Hash);
        row.Amount(transaction.Fee);
        writer.End(row);
    }

    internal static ReplayTransaction ReadTransaction(StateReader reader)
    {
        var row = reader.Begin();
        var read = new ReplayTransaction((int)row.U32(), (int)row.U32(), new Txid(row.Hash()), row.Sats());
        reader.End(row);
        return read;
    }

    private static void WriteOutput(ref ByteWriter row, OutPoint output)
    {
        row.Hash(output.Txid.Hash);
        row.U32(output.Index);
    }

    private static OutPoint ReadOutput(ref ByteReader row) => new(new Txid(row.Hash()), row.U32());
}
