using System.Diagnostics.CodeAnalysis;
using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Tests.Partitions;

/// <summary>A journal in memory that can be made to wait, to be full, or to fail: it exists only to make faults.</summary>
internal sealed class GatedJournal : IJournal
{
    private readonly List<byte[]> _records = [];
    private readonly ManualResetEventSlim _open = new(true);
    private long _durable = -1;

    public GatedJournal()
    {
    }

    /// <summary>One that holds records from the start on.</summary>
    public GatedJournal(IEnumerable<byte[]> records)
    {
        _records.AddRange(records);
        _durable = _records.Count - 1;
    }

    /// <summary>Set when an append has begun.</summary>
    public ManualResetEventSlim AppendBegun { get; } = new(false);
    /// <summary>Reads wait while it is not set.</summary>
    public ManualResetEventSlim ReadsOpen { get; } = new(true);
    public bool IsFull { get; set; }
    public bool IsDamaged { get; set; }
    public bool IsUnindexed { get; set; }
    public Exception? Failure { get; set; }
    public Exception? SealFailure { get; set; }
    public int Seals { get; private set; }
    public int Appends { get; private set; }

    /// <summary>The name of the thread that appended last.</summary>
    public string? AppendedBy { get; private set; }

    /// <summary>Sequences that each append brought.</summary>
    public List<int> Batches { get; } = [];

    /// <summary>Records that were read in order.</summary>
    public long RecordsRead { get; private set; }
    public long DurableSequence => Volatile.Read(ref _durable);
    public Hash256 ChainHash => default;

    public void Close() => _open.Reset();
    public void Open() => _open.Set();

    public bool TryReserve(int payloadBytes, int batches = 1) => !IsFull;

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        AppendBegun.Set();
        _open.Wait();
        if (Failure is not null) throw new JournalFailedException("planted", Failure);
        Assert.Equal(DurableSequence + 1, firstSequence);
        Appends++;
        AppendedBy = Thread.CurrentThread.Name;
        Batches.Add(sequences);
        while (!payload.IsEmpty)
        {
            var length = (int)new ByteReader(payload).U32();
            lock (_records) _records.Add(payload[..length].ToArray());
            payload = payload[length..];
        }
        Volatile.Write(ref _durable, firstSequence + sequences - 1);
    }

    public void Seal()
    {
        if (SealFailure is not null) throw new JournalFailedException("planted", SealFailure);
        Seals++;
    }

    /// <summary>Whether somebody else may take it over; <see cref="Takeover"/> is when that has happened.</summary>
    public bool IsShared { get; set; }
    public Exception? Takeover { get; set; }
    public int Confirmations { get; private set; }

    public void Confirm()
    {
        Confirmations++;
        if (Takeover is not null) throw Takeover;
    }

    public bool TryReadRecord(long sequence, [NotNullWhen(true)] out byte[]? record)
    {
        lock (_records) record = sequence <= DurableSequence ? _records[(int)sequence] : null;
        return record is not null;
    }

    public void ReadRecords(long first, long count, RecordReader reader)
    {
        ReadsOpen.Wait();
        if (IsDamaged) throw new JournalCorruptException("planted", 0, "a record", "another one");
        RecordsRead += count;
        for (var i = first; i < first + count; i++) reader(TryReadRecord(i, out var record) ? record : throw new ArgumentOutOfRangeException(nameof(count)));
    }

    public long? FindId(WalletId owner, OperationId id)
    {
        if (IsUnindexed) throw new IdsNotIndexedException(9);
        long? found = null;
        var sequence = 0;
        ReadRecords(0, DurableSequence + 1, record =>
        {
            if (EntryId.TryRead(record, out var there) && there == new EntryId(owner, id)) found = sequence;
            sequence++;
        });
        return found;
    }

    public void Dispose()
    {
        _open.Dispose();
        AppendBegun.Dispose();
        ReadsOpen.Dispose();
    }
}
