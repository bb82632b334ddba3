// One hash over everything that the ledger remembers: two machines that replayed the same entries have the same.

using System.Security.Cryptography;

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private delegate void FieldWriter<T>(ref ByteWriter writer, T item);

    /// <summary>SHA-256 over the whole state in one fixed order. Costs a walk over everything.</summary>
    public Hash256 StateHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var field = new byte[Limits.StatementBytesMax];
        var head = new ByteWriter(field);
        WriteHead(ref head);
        hash.AppendData(field.AsSpan(0, head.Position));
        for (var slot = 0; slot < _wallets.Count; slot++)
        {
            var writer = new ByteWriter(field);
            WriteWallet(ref writer, _wallets.Peek(slot));
            hash.AppendData(field.AsSpan(0, writer.Position));
        }
        AppendAll(hash, field, _ids.InOrder(), WriteUsedId);
        AppendAll(hash, field, _ids.ForEver(), WriteUsedId);
        AppendAll(hash, field, _addresses.Values.OrderBy(a => a.Sequence), static (ref w, a) =>
        {
            w.I64(a.Sequence);
            w.Wallet(a.Wallet);
            w.U8((byte)a.Purpose);
            w.Short(a.Script.Span);
        });
        AppendAll(hash, field, InOrder(_deposits.Values), WriteDeposit);
        AppendAll(hash, field, _withdrawals.Values.OrderBy(w => w.Sequence), WriteWithdrawal);
        AppendAll(hash, field, _queued, static (ref w, key) => w.Id(key.Id));
        foreach (var family in _families) Append(hash, field, family);
        AppendAll(hash, field, _cursors.Append(_cursor ?? new ChainCursor(0, default)), static (ref w, c) =>
        {
            w.U32(c.Height);
            w.Hash(c.Block.Hash);
        });
        AppendAll(hash, field, _epochs, static (ref w, e) =>
        {
            w.I64(e.Number);
            w.Time(e.Closed);
            w.I64(e.TreeSize);
        });
        AppendPayments(hash, field);
        return Hash256.Read(hash.GetHashAndReset());
    }

    private static IEnumerable<Deposit> InOrder(IEnumerable<Deposit> deposits) =>
        deposits.OrderBy(d => d.OutPoint.Txid.Hash.High).ThenBy(d => d.OutPoint.Txid.Hash.Low).ThenBy(d => d.OutPoint.Index);

    private void WriteHead(ref ByteWriter writer)
    {
        Genesis?.WriteBody(ref writer);
        LastLogCut?.WriteBody(ref writer);
        writer.I64(NextSequence);
        writer.Time(Time);
        writer.Time(Floor);
        writer.I64(LastContentSequence);
        writer.I64(_totals.Suspense);
        writer.I64(_totals.Deposited);
        writer.I64(_totals.ToppedUp);
        writer.I64(_totals.Reversed);
        writer.I64(_totals.Withdrawn);
        writer.I64(_totals.MiningFees);
        // How many of each follow, so that no two states read alike.
        foreach (var count in (ReadOnlySpan<int>)[
            _wallets.Count, _ids.Count, _ids.ForEverCount, _addresses.Count, _deposits.Count, _withdrawals.Count, _queued.Count, _families.Count,
            _cursors.Count, _epochs.Count, _holds.Count, _refunds.Count, _spending.Count, _fees.Count]) writer.U32((uint)count);
    }

    private static void WriteWallet(ref ByteWriter writer, in Wallet wallet)
    {
        writer.Wallet(wallet.Id);
        writer.U32(wallet.Tenant);
        writer.U8((byte)wallet.Freezes);
        writer.Amount(wallet.Available);
        writer.Amount(wallet.Held);
        writer.Amount(wallet.Frozen);
        writer.Amount(wallet.Owed);
        writer.Amount(wallet.OwedPending);
        writer.I64(wallet.LastSequence);
    }

    private static void WriteUsedId(ref ByteWriter writer, UsedId used)
    {
        writer.Id(used.Id);
        writer.I64(used.Owner);
        writer.I64(used.Sequence);
    }

    private static void WriteDeposit(ref ByteWriter writer, Deposit deposit)
    {
        writer.Hash(deposit.OutPoint.Txid.Hash);
        writer.U32(deposit.OutPoint.Index);
        writer.Short(deposit.Script.Span);
        writer.Amount(deposit.Amount);
        writer.U8((byte)deposit.State);
        writer.Flag(deposit.Suspense);
        writer.Flag(deposit.Booked);
        writer.Hash(deposit.Block.Hash);
        writer.U32(deposit.Height);
        writer.Amount(deposit.FrozenPart);
        writer.Amount(deposit.OwedPart);
    }

    private static void WriteWithdrawal(ref ByteWriter writer, Withdrawal withdrawal)
    {
        writer.I64(withdrawal.Sequence);
        writer.Wallet(withdrawal.Key.Wallet);
        writer.Id(withdrawal.Key.Id);
        writer.Short(withdrawal.Script.Span);
        writer.Amount(withdrawal.Amount);
        writer.Time(withdrawal.Requested);
        writer.U8((byte)withdrawal.State);
        writer.I64(withdrawal.Family);
        writer.Wallet(withdrawal.Payee);
    }

    private static void Append(IncrementalHash hash, byte[] field, Family family)
    {
        var writer = new ByteWriter(field);
        new OpenFamily(family.Number, family.FeeCap, family.Anchor, family.Withdrawals).WriteBody(ref writer);
        writer.Time(family.Opened);
        writer.U8((byte)family.State);
        writer.U32((uint)family.Attempts.Count);
        writer.Flag(family.Confirmation is not null);
        if (family.Confirmation is { } c)
        {
            var confirm = new ConfirmFamily(family.Number, c.Attempt, c.Height, c.Block, c.Header, c.Position, c.Siblings);
            confirm.WriteBody(ref writer);
            confirm.WritePrivate(ref writer);
        }
        hash.AppendData(field.AsSpan(0, writer.Position));
        foreach (var attempt in family.Attempts)
        {
            writer = new ByteWriter(field);
            writer.Hash(attempt.Txid.Hash);
            writer.Amount(attempt.Fee);
            writer.U32((uint)attempt.Transaction.Length);
            hash.AppendData(field.AsSpan(0, writer.Position));
            hash.AppendData(attempt.Transaction.Span);
        }
    }

    private static void AppendAll<T>(IncrementalHash hash, byte[] field, IEnumerable<T> items, FieldWriter<T> write)
    {
        foreach (var item in items)
        {
            var writer = new ByteWriter(field);
            write(ref writer, item);
            hash.AppendData(field.AsSpan(0, writer.Position));
        }
    }
}
