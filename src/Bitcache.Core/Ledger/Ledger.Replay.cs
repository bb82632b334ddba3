// Replaying a journal: every entry is decided again and held against what was written then, in the shortest way that
// proves it. Of a plain transfer, which nearly every entry is, the record itself is checked: its links and balances
// must be those that the tables give. Of other payments the record is written again and compared, byte by byte. The
// rest goes the way of commands.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Replays the records of one batch, one after the other.</summary>
    /// <param name="scratch">Room for <see cref="Limits.RecordBytesMax"/> bytes.</param>
    /// <exception cref="LedgerInvariantException">An entry does not follow from the state before it.</exception>
    /// <exception cref="FormatException">The bytes are not records.</exception>
    public void ReplayBatch(ReadOnlySpan<byte> records, Span<byte> scratch)
    {
        if (records.IsEmpty) return;
        var batch = new PreparedBatch();
        batch.Fill(records, this);
        ReplayBatch(batch, scratch);
    }

    /// <summary>The same, of a batch that was prepared for this ledger.</summary>
    /// <exception cref="LedgerInvariantException">An entry does not follow from the state before it.</exception>
    /// <exception cref="FormatException">A record is not an entry.</exception>
    public void ReplayBatch(PreparedBatch batch, Span<byte> scratch)
    {
        var records = batch.Records;
        var sights = batch.Sights;
        Span<Upcoming> upcoming = stackalloc Upcoming[CellsAhead];
        for (var i = 0; i < Math.Min(CellsAhead, sights.Length); i++) upcoming[i] = PrefetchCells(records, sights, i);
        for (var i = 0; i < Math.Min(RowsAhead, sights.Length); i++) PrefetchRows(ref upcoming[i], RecordAt(records, sights, i));
        for (var i = 0; i < sights.Length; i++)
        {
            var (_, _, payer, payee) = upcoming[i % CellsAhead];
            if (i + CellsAhead < sights.Length) upcoming[i % CellsAhead] = PrefetchCells(records, sights, i + CellsAhead);
            if (i + RowsAhead < sights.Length) PrefetchRows(ref upcoming[(i + RowsAhead) % CellsAhead], RecordAt(records, sights, i + RowsAhead));
            var record = RecordAt(records, sights, i);
            if (!TransferRecord.TryRead(record, partition, out var transfer) || !TryReplay(transfer, payer, payee))
                ReplayOther(record, payer, payee, scratch);
        }
    }

    /// <summary>A wallet's hash for this ledger. Reads only what never changes, on any thread.</summary>
    internal uint HashOf(WalletId wallet) => _wallets.Hash(wallet);

    private static ReadOnlySpan<byte> RecordAt(ReadOnlySpan<byte> records, ReadOnlySpan<PreparedBatch.Sight> sights, int at) =>
        records[(at == 0 ? 0 : sights[at - 1].End)..sights[at].End];

    // The wallets of most payments stand where a transfer's do. Elsewhere other memory is fetched, which harms nothing.
    private Upcoming PrefetchCells(ReadOnlySpan<byte> records, ReadOnlySpan<PreparedBatch.Sight> sights, int at)
    {
        var (end, payer, payee) = sights[at];
        // Another core has prepared these bytes: they are far away.
        if (end < records.Length) Prefetch.Lines(in records[end], TransferBytes.HeadBytes + TransferBytes.TailBytes);
        return PrefetchCells(payer, payee);
    }

    private void PrefetchRows(ref Upcoming upcoming, ReadOnlySpan<byte> record)
    {
        if (TransferRecord.HasWallets(record)) PrefetchRows(ref upcoming, TransferRecord.IdOf(record));
    }

    /// <summary>Replays a transfer to which neither a fee nor a limit applies, as <see cref="ApplyTransfer"/> would apply it.
    /// False, with nothing changed, if it would not succeed or not leave this record: then the general way tells why.</summary>
    /// <param name="payer">The slot that is most probably the payer's, or -1.</param>
    /// <param name="payee">The same of the payee.</param>
    private bool TryReplay(in TransferRecord transfer, int payer, int payee)
    {
        if (Genesis is null || _fees.Count > 0 || payer < 0 || payee < 0 || payer == payee) return false;
        ref var from = ref _wallets[payer];
        ref var to = ref _wallets[payee];
        if (from.Id != transfer.Payer || to.Id != transfer.Payee) return false;
        if (transfer.Sequence != NextSequence || transfer.Milliseconds < Time.Milliseconds || transfer.Id.Time < Floor) return false;
        if (from.Tenant != transfer.Tenant || from.Spending > 0 || CheckState(from) != Outcome.None || to.Arrears > 0) return false;
        if (transfer.Amount <= 0 || transfer.Amount > from.Available.Value) return false;
        if (transfer.PayerPrevious != from.LastSequence || transfer.PayerAvailable != from.Available.Value - transfer.Amount) return false;
        if (transfer.PayeePrevious != to.LastSequence || transfer.PayeeAvailable != to.Available.Value + transfer.Amount) return false;
        if (!_ids.TryAdd(payer, transfer.Id, NextSequence)) return false;

        // After this point the record is proven.
        var amount = new Msat(transfer.Amount);
        Debit(ref from, amount);
        Credit(ref to, amount);
        from.LastSequence = to.LastSequence = TakeSequence(EntryType.Transfer, new UnixTime(transfer.Milliseconds));
        return true;
    }

    private void ReplayOther(ReadOnlySpan<byte> record, int payer, int payee, Span<byte> scratch)
    {
        if (!Entry.TryReadPayment(record, out var payment, out var context))
        {
            Replay(record, scratch);
            return;
        }
        PaymentResult result = default;
        Apply(payment, _wallets.Find(payment.Payer, payer), _wallets.Find(payment.Payee, payee), context, scratch, ref result);
        RequireSame(record, scratch[..result.BytesWritten], result.Outcome, result.Sequence);
    }

    private static void RequireSame(ReadOnlySpan<byte> record, ReadOnlySpan<byte> replayed, Outcome outcome, long sequence)
    {
        if (record.SequenceEqual(replayed)) return;
        var entry = Entry.Read(record);
        throw new LedgerInvariantException(
            $"entry {entry.Sequence} ({entry.Type}) does not follow from the entries before it: replay gave {outcome} at {sequence}");
    }
}
