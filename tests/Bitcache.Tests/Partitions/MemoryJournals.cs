using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Tests.Partitions;

/// <summary>The journals of all partitions as processes share them: the newest writer alone appends. What a fault does to an append
/// the simulation says.</summary>
internal sealed class MemoryJournals(int partitions)
{
    internal readonly record struct Frame(byte[] Payload, long First, int Sequences)
    {
        public long End => First + Sequences;
    }

    private readonly List<Frame>[] _frames = [.. Enumerable.Range(0, partitions).Select(_ => new List<Frame>())];
    private readonly long[] _epochs = new long[partitions];

    /// <summary>Drawn before each append: whether it fails before it is done, or after; null for neither.</summary>
    public Func<bool?> Fault { get; set; } = () => null;

    /// <summary>Called with each frame that is durable.</summary>
    public Action<int, Frame> Appended { get; set; } = (_, _) => { };

    public IReadOnlyList<Frame> Of(int partition) => _frames[partition];
    public long EpochOf(int partition) => _epochs[partition];
    public long EndOf(int partition) => _frames[partition].Count == 0 ? 0 : _frames[partition][^1].End;

    /// <summary>Takes a journal over.</summary>
    public IJournal Open(int partition) => new Writer(this, partition, ++_epochs[partition]);

    public void ReadRecords(int partition, long first, long count, RecordReader reader)
    {
        foreach (var frame in _frames[partition].Where(frame => frame.End > first && frame.First < first + count))
        {
            for (ReadOnlySpan<byte> rest = frame.Payload; !rest.IsEmpty;)
            {
                var record = rest[..(int)new ByteReader(rest).U32()];
                var (start, covered) = Entry.SequencesOf(record);
                if (start + covered > first && start < first + count) reader(record);
                rest = rest[record.Length..];
            }
        }
    }

    private sealed class Writer(MemoryJournals journals, int partition, long epoch) : IJournal
    {
        private bool _hasFailed;

        public long DurableSequence { get; private set; } = journals.EndOf(partition) - 1;
        public Hash256 ChainHash => default;
        public bool IsShared => true;
        public bool TryReserve(int payloadBytes, int batches = 1) => true;

        public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
        {
            Check();
            var fault = journals.Fault();
            _hasFailed = fault is not null;
            if (fault == false) throw new JournalFailedException("before it was done");
            var frame = new Frame(payload.ToArray(), firstSequence, sequences);
            Must.Hold(firstSequence == journals.EndOf(partition), "A batch is not where the journal ends.");
            journals._frames[partition].Add(frame);
            journals.Appended(partition, frame);
            if (fault == true) throw new JournalFailedException("after it was done");
            DurableSequence = frame.End - 1;
        }

        public void Seal()
        {
        }

        public void Confirm() => Check();
        public void ReadRecords(long first, long count, RecordReader reader) => journals.ReadRecords(partition, first, count, reader);
        public long? FindId(WalletId owner, OperationId id) => null;

        public void Dispose()
        {
        }

        private void Check()
        {
            if (_hasFailed) throw new JournalFailedException("it has failed");
            if (journals.EpochOf(partition) != epoch) throw new WriterFencedException("another process writes it");
        }
    }
}
