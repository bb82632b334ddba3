// Replaying a journal: every entry is decided again, and what that writes is held against what was written then.
// Runs of payments, which most entries are, go the way that payments go.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private const int ReplayRunMax = 512;
    // Made when a replay begins: most ledgers of a test never replay anything.
    private ReplayRun? _replay;

    /// <summary>A run of payments, their salts, and what came of them.</summary>
    private sealed class ReplayRun
    {
        public readonly Payment[] Payments = new Payment[ReplayRunMax];
        public readonly UInt128[] Salts = new UInt128[ReplayRunMax];
        public readonly PaymentResult[] Results = new PaymentResult[ReplayRunMax];
    }

    /// <summary>Replays the records of one batch, one after the other.</summary>
    /// <param name="scratch">Room for <see cref="Limits.RecordBytesMax"/> bytes.</param>
    /// <exception cref="LedgerInvariantException">An entry does not follow from the state before it.</exception>
    /// <exception cref="FormatException">The bytes are not records.</exception>
    public void ReplayBatch(ReadOnlySpan<byte> records, Span<byte> scratch)
    {
        while (!records.IsEmpty)
        {
            var length = ReplayPayments(records, scratch);
            if (length == 0)
            {
                var stated = new ByteReader(records).U32();
                if (stated > records.Length) throw new FormatException($"a record of {stated} bytes, of which {records.Length} are there");
                length = (int)stated;
                Replay(records[..length], scratch);
            }
            records = records[length..];
        }
    }

    /// <summary>Replays the payments that the records begin with, as long as tenant and time stay the same. Returns how
    /// many bytes they take.</summary>
    private int ReplayPayments(ReadOnlySpan<byte> records, Span<byte> scratch)
    {
        var run = _replay ??= new ReplayRun();
        var (count, end) = (0, 0);
        ApplyContext context = default;
        while (count < ReplayRunMax && end < records.Length
            && Entry.TryReadPayment(records[end..], out run.Payments[count], out var own, out var length)
            && (count == 0 || (own.Tenant == context.Tenant && own.Time == context.Time)))
        {
            context = own;
            run.Salts[count++] = own.Salt;
            end += length;
        }
        if (count == 0) return 0;
        var applied = Apply(run.Payments.AsSpan(0, count), context, run.Salts, run.Results, scratch, out var bytes);
        if (applied != count || !scratch[..bytes].SequenceEqual(records[..end]))
            throw new LedgerInvariantException($"the entries {NextSequence - applied} to {NextSequence - 1} do not follow from the entries before them");
        return end;
    }
}
