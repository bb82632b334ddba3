// Replaying a journal: every entry is decided again and held against what was written then, in the shortest way that
// proves it. Of a plain transfer, which nearly every entry is, the record itself is checked: its links and balances
// must be those that the tables give. Of other payments the record is written again and compared, byte by byte. The
// rest goes the way of commands.

using System.Buffers.Binary;

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Records that are looked at together.</summary>
    private const int ReplayRunMax = 1_024;
    /// <summary>Bytes of records that are asked for before their turn.</summary>
    private const int FetchedAhead = 2_048;

    /// <summary>Replays the records of one batch, one after the other.</summary>
    /// <param name="scratch">Room for <see cref="Limits.RecordBytesMax"/> bytes.</param>
    /// <exception cref="LedgerInvariantException">An entry does not follow from the state before it.</exception>
    /// <exception cref="FormatException">The bytes are not records.</exception>
    public void ReplayBatch(ReadOnlySpan<byte> records, Span<byte> scratch)
    {
        Span<int> ends = stackalloc int[ReplayRunMax];
        while (!records.IsEmpty)
        {
            var run = ends[..FindEnds(records, ends)];
            ReplayRun(records, run, scratch);
            records = records[run[^1]..];
        }
    }

    /// <summary>Finds where each of the first records ends; returns how many these are.</summary>
    private static int FindEnds(ReadOnlySpan<byte> records, Span<int> ends)
    {
        var (count, end) = (0, 0);
        while (count < ends.Length && end < records.Length)
        {
            var length = records.Length - end < Entry.RecordHeaderBytes ? 0 : BinaryPrimitives.ReadUInt32BigEndian(records[end..]);
            if (length < Entry.RecordHeaderBytes || length > records.Length - end) throw new FormatException("a record's length does not match its bytes");
            ends[count++] = end += (int)length;
            // Another core has verified these bytes: they are far away.
            if (end + FetchedAhead < records.Length) Prefetch.Lines(in records[end + FetchedAhead], TransferBytes.HeadBytes + TransferBytes.TailBytes);
        }
        return count;
    }

    private void ReplayRun(ReadOnlySpan<byte> records, ReadOnlySpan<int> ends, Span<byte> scratch)
    {
        Span<Upcoming> upcoming = stackalloc Upcoming[CellsAhead];
        for (var i = 0; i < Math.Min(CellsAhead, ends.Length); i++) upcoming[i] = PrefetchCells(RecordAt(records, ends, i));
        for (var i = 0; i < Math.Min(RowsAhead, ends.Length); i++) PrefetchRows(ref upcoming[i], RecordAt(records, ends, i));
        for (var i = 0; i < ends.Length; i++)
        {
            var (_, _, payer, payee) = upcoming[i % CellsAhead];
            if (i + CellsAhead < ends.Length) upcoming[i % CellsAhead] = PrefetchCells(RecordAt(records, ends, i + CellsAhead));
            if (i + RowsAhead < ends.Length) PrefetchRows(ref upcoming[(i + RowsAhead) % CellsAhead], RecordAt(records, ends, i + RowsAhead));
            var record = RecordAt(records, ends, i);
            if (!TransferRecord.TryRead(record, partition, out var transfer) || !TryReplay(transfer, payer, payee))
                ReplayOther(record, payer, payee, scratch);
        }
    }

    private static ReadOnlySpan<byte> RecordAt(ReadOnlySpan<byte> records, ReadOnlySpan<int> ends, int at) =>
        records[(at == 0 ? 0 : ends[at - 1])..ends[at]];

    // The wallets of most payments stand where a transfer's do. Elsewhere other memory is fetched, which harms nothing.
    private Upcoming PrefetchCells(ReadOnlySpan<byte> record) => TransferRecord.HasWallets(record)
        ? PrefetchCells(TransferRecord.PayerOf(record), TransferRecord.PayeeOf(record))
        : default;

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
