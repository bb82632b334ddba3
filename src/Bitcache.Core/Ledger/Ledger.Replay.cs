// Replaying a journal: every entry is decided again and held against what was written then, in the shortest way that
// proves it. Of a plain transfer, which nearly every entry is, the record itself is checked: its links and balances
// must be those that the tables give. Of other payments the record is written again and compared, byte by byte. The
// rest goes the way of commands.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>So many records before its turn a record's bytes are asked for.</summary>
    private const int RecordsAhead = 16;

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
        Span<(int Payer, int Payee)> upcoming = stackalloc (int, int)[RowsAhead];
        for (var i = 0; i < Math.Min(RowsAhead, sights.Length); i++) upcoming[i] = PrefetchRows(RecordAt(records, sights, i), sights[i]);
        for (var i = 0; i < sights.Length; i++)
        {
            // Another core has prepared these bytes: they are far away.
            if (i + RecordsAhead < sights.Length && sights[i + RecordsAhead].End is var end && end < records.Length)
                Prefetch.Lines(in records[end], TransferBytes.HeadBytes + TransferBytes.TailBytes);
            var (payer, payee) = upcoming[i % RowsAhead];
            if (i + RowsAhead < sights.Length) upcoming[i % RowsAhead] = PrefetchRows(RecordAt(records, sights, i + RowsAhead), sights[i + RowsAhead]);
            var record = RecordAt(records, sights, i);
            if (!TransferRecord.TryRead(record, partition, out var transfer) || !TryReplay(transfer, payer, payee, sights[i]))
                ReplayOther(record, payer, payee, scratch);
        }
    }

    /// <summary>On any thread: begins to look for a record's wallets, and asks for the memory that <see cref="Guess"/> reads.</summary>
    internal PreparedBatch.Sight BeginGuess(ReadOnlySpan<byte> record, int end)
    {
        var (payer, payee) = (_wallets.Hash(TransferRecord.PayerOf(record)), _wallets.Hash(TransferRecord.PayeeOf(record)));
        _wallets.PrefetchGuess(payer);
        _wallets.PrefetchGuess(payee);
        return PreparedBatch.Sight.Of(end, payer, payee);
    }

    /// <summary>On any thread: where its wallets most probably are. Those that are made only now are not found, and looked up in
    /// their turn.</summary>
    internal PreparedBatch.Sight Guess(ReadOnlySpan<byte> record, in PreparedBatch.Sight sight)
    {
        var (payer, payee) = (_wallets.Guess(sight.PayerHash), _wallets.Guess(sight.PayeeHash));
        return new PreparedBatch.Sight(sight.End, payer, payee, _ids.Hash(payer, TransferRecord.IdOf(record)));
    }

    private static ReadOnlySpan<byte> RecordAt(ReadOnlySpan<byte> records, ReadOnlySpan<PreparedBatch.Sight> sights, int at) =>
        records[(at == 0 ? 0 : sights[at - 1].End)..sights[at].End];

    // The wallets of most payments stand where a transfer's do. Elsewhere other memory is fetched, which harms nothing.
    private (int Payer, int Payee) PrefetchRows(ReadOnlySpan<byte> record, in PreparedBatch.Sight sight)
    {
        if (!TransferRecord.HasWallets(record)) return (-1, -1);
        var payer = _wallets.PrefetchRow(TransferRecord.PayerOf(record), sight.Payer);
        var payee = _wallets.PrefetchRow(TransferRecord.PayeeOf(record), sight.Payee);
        if (payer >= 0) _ids.PrefetchCell(sight.IdHash, TransferRecord.IdOf(record));
        return (payer, payee);
    }

    /// <summary>Replays a transfer to which neither a fee nor a limit applies, as <see cref="ApplyTransfer"/> would apply it.
    /// False, with nothing changed, if it would not succeed or not leave this record: then the general way tells why.</summary>
    /// <param name="payer">The slot that is most probably the payer's, or -1.</param>
    /// <param name="payee">The same of the payee.</param>
    private bool TryReplay(in TransferRecord transfer, int payer, int payee, in PreparedBatch.Sight sight)
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
        var idHash = payer == sight.Payer ? sight.IdHash : _ids.Hash(payer, transfer.Id);
        if (!_ids.TryAdd(idHash, payer, transfer.Id, NextSequence)) return false;

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
