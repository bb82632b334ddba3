using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Commands applied together: one frame in the journal, one sync. Owned by the owner thread while it is
/// filled and by the sync thread from then until it is handed back.</summary>
/// <param name="bytes">Its size; it is full when the largest record may no longer fit.</param>
internal sealed class Batch(int bytes)
{
    private readonly byte[] _payload = new byte[bytes];
    private int _length;

    public List<WorkItem> Items { get; } = [];
    public UnixTime Time { get; private set; }
    public bool ClockTrusted { get; private set; }
    /// <summary>What was durable when the batch was begun.</summary>
    public long DurableSequence { get; private set; }
    public long FirstSequence { get; private set; }
    public int Entries { get; private set; }

    public ReadOnlySpan<byte> Payload => _payload.AsSpan(0, _length);
    public Span<byte> Free => _payload.AsSpan(_length, Limits.RecordBytesMax);
    public bool IsFull => Items.Count >= Limits.BatchEntriesMax || _length > bytes - Limits.RecordBytesMax;

    public void Begin(UnixTime time, bool clockTrusted, long durableSequence)
    {
        Items.Clear();
        (_length, Entries, FirstSequence) = (0, 0, -1);
        (Time, ClockTrusted, DurableSequence) = (time, clockTrusted, durableSequence);
    }

    public void Take(in ApplyResult result)
    {
        if (Entries++ == 0) FirstSequence = result.Sequence;
        _length += result.BytesWritten;
    }
}
