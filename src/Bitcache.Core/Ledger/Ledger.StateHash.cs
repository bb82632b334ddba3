// One hash over everything that the ledger remembers: two machines that replayed the same entries have the same.

using System.Security.Cryptography;

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>SHA-256 over the whole state in one fixed order. Costs a walk over everything.</summary>
    public Hash256 StateHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> field = stackalloc byte[256];
        var head = new ByteWriter(field);
        head.I64(NextSequence);
        head.Time(Time);
        head.Time(Floor);
        head.I64(_totals.Inside);
        head.I64(_totals.FromBitcoin);
        head.I64(_totals.Suspense);
        head.I64(LastContentSequence);
        hash.AppendData(field[..head.Position]);
        foreach (ref readonly var wallet in _wallets.All)
        {
            var w = new ByteWriter(field);
            w.Wallet(wallet.Id);
            w.U32(wallet.Tenant);
            w.Amount(wallet.Available);
            w.Amount(wallet.Held);
            w.Amount(wallet.Frozen);
            w.Amount(wallet.Owed);
            w.Amount(wallet.OwedPending);
            w.I64(wallet.LastSequence);
            hash.AppendData(field[..w.Position]);
        }
        foreach (var (owner, id, sequence, forEver) in _ids.InOrder())
        {
            var w = new ByteWriter(field);
            w.Wallet(owner);
            w.Id(id);
            w.I64(sequence);
            w.U8(forEver ? (byte)1 : (byte)0);
            hash.AppendData(field[..w.Position]);
        }
        foreach (var address in _addresses.Values.OrderBy(a => a.Sequence))
        {
            var w = new ByteWriter(field);
            w.I64(address.Sequence);
            w.Wallet(address.Wallet);
            w.U8((byte)address.Purpose);
            w.Short(address.Script.Span);
            hash.AppendData(field[..w.Position]);
        }
        foreach (var deposit in _deposits.Values.OrderBy(d => d.OutPoint.Txid.Hash.High).ThenBy(d => d.OutPoint.Txid.Hash.Low).ThenBy(d => d.OutPoint.Index))
            Append(hash, field, deposit);
        foreach (var withdrawal in _withdrawals.Values.OrderBy(w => w.Sequence))
        {
            var w = new ByteWriter(field);
            w.I64(withdrawal.Sequence);
            w.U8((byte)withdrawal.State);
            w.I64(withdrawal.Family);
            w.Amount(withdrawal.Amount);
            hash.AppendData(field[..w.Position]);
        }
        foreach (var family in _families) Append(hash, field, family);
        foreach (var cursor in _cursors.Append(_cursor ?? new ChainCursor(0, default)))
        {
            var w = new ByteWriter(field);
            w.U32(cursor.Height);
            w.Hash(cursor.Block.Hash);
            hash.AppendData(field[..w.Position]);
        }
        foreach (var epoch in _epochs)
        {
            var w = new ByteWriter(field);
            w.I64(epoch.Number);
            w.Time(epoch.Closed);
            w.I64(epoch.TreeSize);
            hash.AppendData(field[..w.Position]);
        }
        if (LastLogCut is { } cut)
        {
            var w = new ByteWriter(field);
            w.I64(cut.Round);
            w.I64(cut.Through[partition]);
            hash.AppendData(field[..w.Position]);
        }
        return Hash256.Read(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, Span<byte> field, Deposit deposit)
    {
        var w = new ByteWriter(field);
        w.Hash(deposit.OutPoint.Txid.Hash);
        w.U32(deposit.OutPoint.Index);
        w.Short(deposit.Script.Span);
        w.Amount(deposit.Amount);
        w.U8((byte)deposit.State);
        w.U8((byte)((deposit.Suspense ? 1 : 0) | (deposit.Booked ? 2 : 0)));
        w.Hash(deposit.Block.Hash);
        w.U32(deposit.Height);
        w.Amount(deposit.FrozenPart);
        w.Amount(deposit.OwedPart);
        hash.AppendData(field[..w.Position]);
    }

    private static void Append(IncrementalHash hash, Span<byte> field, Family family)
    {
        var w = new ByteWriter(field);
        w.I64(family.Number);
        w.Amount(family.FeeCap);
        w.U8((byte)family.State);
        w.U32((uint)family.Withdrawals.Count);
        w.I64(family.Anchor?.Epoch ?? 0);
        w.Hash(family.Anchor?.Root ?? default);
        w.Hash(family.Confirmation?.Block.Hash ?? default);
        w.U32((uint)(family.Confirmation?.Attempt ?? 0));
        hash.AppendData(field[..w.Position]);
        foreach (var attempt in family.Attempts) hash.AppendData(attempt.Transaction.Span);
    }
}
