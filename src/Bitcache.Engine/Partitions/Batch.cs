using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Engine.Partitions;

/// <summary>Fills a span with salts; the system's generator unless a simulation gives its own.</summary>
public delegate void SaltSource(Span<UInt128> salts);

/// <summary>Commands applied together: one frame in the journal, one sync. Owned by the owner thread while it is
/// filled and by the sync thread from then until it is handed back.</summary>
/// <param name="bounds">Its size; it is full when the largest record may no longer fit.</param>
/// <param name="journal">What it will be appended to.</param>
/// <param name="drawSalts">Fills a span with fresh salts.</param>
internal sealed class Batch(PartitionBounds bounds, IJournal journal, SaltSource drawSalts)
{
    private readonly byte[] _payload = new byte[bounds.BatchBytes];
    private readonly UInt128[] _salts = new UInt128[bounds.BatchEntries];
    private int _saltsLeft;
    private int _length;

    public List<WorkItem> Items { get; } = [];
    /// <summary>Credits for other partitions that may leave once the batch is durable.</summary>
    public List<Leg> Legs { get; } = [];
    /// <summary>How many wallets there were at its end.</summary>
    public int Wallets { get; set; }
    /// <summary>The state after the batch, where a snapshot of it is to be written; null as a rule.</summary>
    public LedgerCapture? Capture { get; set; }
    public UnixTime Time { get; private set; }
    public bool ClockTrusted { get; private set; }
    public long FirstSequence { get; private set; }
    /// <summary>Sequences taken: a split takes several.</summary>
    public int Entries { get; private set; }

    public ReadOnlySpan<byte> Payload => _payload.AsSpan(0, _length);
    public Span<byte> Free => _payload.AsSpan(_length, bounds.RecordBytes);
    /// <summary>Room for records of payments, which are far smaller than the largest.</summary>
    public Span<byte> Space => _payload.AsSpan(_length);
    public int EntriesFree => bounds.BatchEntries - Entries;
    public bool IsFull => Entries >= bounds.BatchEntries || Items.Count >= bounds.BatchEntries || _length > bounds.BatchBytes - bounds.RecordBytes;

    public void Begin(UnixTime time, bool clockTrusted)
    {
        Items.Clear();
        Legs.Clear();
        Capture = null;
        (_length, Entries, FirstSequence) = (0, 0, -1);
        (Time, ClockTrusted) = (time, clockTrusted);
    }

    /// <summary>Whether an entry is on the disk now. The batch may have been begun long before: while it is filled the one
    /// before it becomes durable and is answered, and a retry of what that one holds comes into this one.</summary>
    public bool IsDurable(long sequence) => sequence <= journal.DurableSequence;

    /// <summary>Salts that nothing had before.</summary>
    public ReadOnlySpan<UInt128> Salts(int count)
    {
        if (_saltsLeft < count)
        {
            drawSalts(_salts);
            _saltsLeft = _salts.Length;
        }
        _saltsLeft -= count;
        return _salts.AsSpan(_saltsLeft, count);
    }

    /// <summary>Takes what payments left, and marks those whose id is that of a payment still on its way to the disk.</summary>
    public void Take(Span<PaymentResult> results, int bytesWritten)
    {
        foreach (ref var result in results)
        {
            if (result.IsJournaled)
            {
                if (Entries++ == 0) FirstSequence = result.Sequence;
            }
            else if (result.Outcome == Outcome.Known && !IsDurable(result.Sequence))
            {
                result = new PaymentResult(Outcome.IdInFlight, 0, 0);
            }
        }
        _length += bytesWritten;
    }

    /// <summary>Applies a command at the batch's time, and takes the entry that it leaves, if any.</summary>
    /// <param name="term">Under which the settlement sends it; of no account to other commands.</param>
    public ApplyResult Apply(Ledger ledger, Command command, uint tenant = Ledger.OperatorTenant, long term = 0)
    {
        var result = ledger.Apply(command, NewContext(tenant) with { Term = term }, Free);
        Take(result);
        return result;
    }

    /// <summary>What comes to a command that is applied in this batch.</summary>
    public ApplyContext NewContext(uint tenant) => new(Time, tenant, Salts(1)[0], ClockTrusted);

    /// <summary>Takes the entry that a command left in <see cref="Free"/>, if it left one.</summary>
    public void Take(in ApplyResult result)
    {
        if (!result.IsJournaled) return;
        if (Entries == 0) FirstSequence = result.Sequence;
        Entries += result.Sequences;
        _length += result.BytesWritten;
    }
}
