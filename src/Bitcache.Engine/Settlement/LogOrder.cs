// The order of the log over several partitions: cut after cut and, within a cut, partition after partition, each
// partition's statements as its journal has them. The cuts stand in the first partition's journal; here they are listed
// so that a place in the log is found by halving. With one partition a statement's place is its sequence.
//
//   file     one row after another, integers big-endian
//   row  0  i64  statements in the log at this cut
//        8  i64  sequence of the cut's entry
//       16  i64  for each partition, the last of its statements that the cut covers
//       ..  u32  CRC-32C of the row
//
// The file is derived and never synced. What is missing or damaged at its end is read from the journal again; a row
// that is damaged later stops the process, and the next start makes the whole file anew.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Is given the statements of the log; the bytes are good during the call only.</summary>
internal delegate void StatementReader(ReadOnlySpan<byte> statement);

/// <summary>Statements that follow one another in the log and in the journal of one partition.</summary>
internal readonly record struct LogRun(Partition Partition, long First, long Count)
{
    /// <summary>Reads them, on the caller's thread: of a split some may be elsewhere in the log.</summary>
    public void Read(StatementReader reader)
    {
        var (first, end) = (First, First + Count);
        Partition.ReadRecords(First, Count, record =>
        {
            if (Entry.CountOf(record) == 1)
            {
                reader(Entry.StatementOf(record));
                return;
            }
            var (sequence, sequences) = Entry.SequencesOf(record);
            for (var at = Math.Max(first, sequence); at < Math.Min(end, sequence + sequences); at++) reader(Entry.StatementOf(record, at));
        });
    }
}

/// <summary>Where each statement stands in the log. Owned by <see cref="LogKeeper"/>, under its lock.</summary>
internal sealed class LogOrder : IDisposable
{
    private const string FileName = "cuts";
    private const int ScanAtOnce = 65_536;
    private readonly PartitionSet _partitions;
    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly int _rowBytes;
    private readonly LeafHasher _leaves = new(MerkleLog.TileWidth);
    private IFile? _file;
    private long _rows;
    private Row _last;

    /// <summary>One cut. <see cref="Through"/> is shared: nobody changes it.</summary>
    private readonly record struct Row(long Size, long Sequence, long[] Through);

    public LogOrder(PartitionSet partitions, IFileSystem files, string folder)
    {
        (_partitions, _files, _folder) = (partitions, files, folder);
        _rowBytes = ((2 + partitions.Count) * sizeof(long)) + sizeof(uint);
        _last = Nothing;
    }

    private bool IsOnePartition => _partitions.Count == 1;

    private Row Nothing => new(0, -1, [.. Enumerable.Repeat(-1L, _partitions.Count)]);

    /// <summary>How many statements a cut covers.</summary>
    public static long SizeOf(LogCut cut) => cut.Through.Sum(through => through + 1);

    /// <summary>Lists every cut up to the newest, from the file and then from the journal.</summary>
    /// <param name="newest">The newest journaled cut, or null before the first.</param>
    /// <param name="cancel">Ends the search. The next one goes on from there.</param>
    public void Follow(LogCut? newest, CancellationToken cancel = default)
    {
        if (IsOnePartition || newest is null) return;
        if (_file is null) Open();
        if (_rows > newest.Round || (_rows == newest.Round && _last.Size != SizeOf(newest))) Clear();
        while (_rows < newest.Round)
        {
            cancel.ThrowIfCancellationRequested();
            var before = _last.Sequence;
            var from = _last.Sequence + 1;
            var count = Math.Min(ScanAtOnce, _partitions.First.DurableSequence + 1 - from);
            if (count <= 0) throw new LedgerInvariantException("a cut of the log is not in the journal");
            _partitions.First.ReadRecords(from, count, Take);
            // Nothing but the search itself went on: remember how far it came, in memory.
            if (_last.Sequence == before) _last = _last with { Sequence = from + count - 1 };
        }
    }

    /// <summary>Lists a cut that has just become durable; false if one before it is not listed, and must be looked for.</summary>
    public bool TryAdd(LogCut cut, long sequence)
    {
        if (IsOnePartition) return true;
        if (_file is null || cut.Round != _rows + 1) return false;
        Append(new Row(SizeOf(cut), sequence, [.. cut.Through]));
        return true;
    }

    /// <summary>Where a statement stands in the log; null while no cut covers it.</summary>
    public long? IndexOf(int partition, long sequence)
    {
        if (IsOnePartition) return sequence;
        if (sequence > _last.Through[partition]) return null;
        var (before, cut, _) = Around(row => row.Through[partition] >= sequence);
        return StartOf(before, cut, partition) + sequence - before.Through[partition] - 1;
    }

    /// <summary>How many statements the first cut covers that covers these of each partition; null while none does. With one
    /// partition, where any size is one of the log's, the size right behind them, whether or not it is cut.</summary>
    public long? SizeCovering(IReadOnlyList<long> through)
    {
        if (IsOnePartition) return through[0] + 1;
        bool Covers(Row row) => row.Through.Zip(through).All(pair => pair.First >= pair.Second);
        return Covers(_last) ? Around(Covers).Cut.Size : null;
    }

    /// <summary>Hashes statements of the log, which must be covered by the cuts that are listed. What is returned stands until the
    /// next call.</summary>
    public ReadOnlySpan<Hash256> ReadLeaves(long first, int count)
    {
        // Some are left where a read has failed.
        _leaves.Finish();
        foreach (var run in Find(first, count)) run.Read(_leaves.Add);
        return _leaves.Finish();
    }

    /// <summary>Where statements of the log stand, in its order; they must be covered by the cuts that are listed.</summary>
    public IReadOnlyList<LogRun> Find(long first, int count)
    {
        if (IsOnePartition) return [new LogRun(_partitions.First, first, count)];
        var (runs, left) = (new List<LogRun>(), count);
        for (var (before, cut, number) = Around(row => row.Size > first); ; (before, cut, number) = (cut, Read(number + 1), number + 1))
        {
            for (var partition = 0; partition < _partitions.Count; partition++)
            {
                var start = StartOf(before, cut, partition);
                var from = Math.Max(first, start);
                var end = Math.Min(first + count, start + cut.Through[partition] - before.Through[partition]);
                if (from >= end) continue;
                runs.Add(new LogRun(_partitions[partition], before.Through[partition] + 1 + from - start, end - from));
                left -= (int)(end - from);
            }
            if (left == 0) return runs;
        }
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>Where a partition's part of a cut begins in the log.</summary>
    private static long StartOf(in Row before, in Row cut, int partition)
    {
        var start = before.Size;
        for (var earlier = 0; earlier < partition; earlier++) start += cut.Through[earlier] - before.Through[earlier];
        return start;
    }

    /// <summary>The first cut for which something holds, the one before it, and the number of its row. What holds for a cut
    /// holds for those after it, the newest among them.</summary>
    private (Row Before, Row Cut, long Number) Around(Func<Row, bool> holds)
    {
        var (low, high) = (0L, _rows - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (holds(Read(middle))) high = middle;
            else low = middle + 1;
        }
        return (low == 0 ? Nothing : Read(low - 1), Read(low), low);
    }

    private void Take(ReadOnlySpan<byte> record)
    {
        if (!Entry.IsLogCut(record)) return;
        var entry = Entry.Read(record);
        var cut = (LogCut)entry.Command;
        Append(new Row(SizeOf(cut), entry.Sequence, [.. cut.Through]));
    }

    private void Append(in Row row)
    {
        var bytes = new byte[_rowBytes];
        var writer = new ByteWriter(bytes);
        writer.I64(row.Size);
        writer.I64(row.Sequence);
        foreach (var through in row.Through) writer.I64(through);
        writer.U32(Checksum(bytes));
        _file!.Write(_rows * _rowBytes, bytes);
        (_rows, _last) = (_rows + 1, row);
    }

    private Row Read(long number)
    {
        if (number == _rows - 1 && _last.Size > 0) return _last;
        return TryRead(number) ?? throw new LedgerInvariantException($"row {number} of {Path.Combine(_folder, FileName)} is damaged: it is made anew at the next start");
    }

    private Row? TryRead(long number)
    {
        var bytes = new byte[_rowBytes];
        if (_file!.Read(number * _rowBytes, bytes) != bytes.Length) return null;
        var reader = new ByteReader(bytes);
        var (size, sequence) = (reader.I64(), reader.I64());
        var through = new long[_partitions.Count];
        for (var i = 0; i < through.Length; i++) through[i] = reader.I64();
        return reader.U32() == Checksum(bytes) && size == through.Sum(t => t + 1) ? new Row(size, sequence, through) : null;
    }

    /// <summary>Takes from the file what is whole and rises from row to row.</summary>
    private void Open()
    {
        var path = Path.Combine(_folder, FileName);
        _files.CreateFolder(_folder);
        _file = _files.List(_folder).Contains(FileName) ? _files.Open(path) : _files.Create(path);
        (_rows, _last) = (0, Nothing);
        while (TryRead(_rows) is { } row && row.Size > _last.Size && row.Sequence > _last.Sequence) (_rows, _last) = (_rows + 1, row);
    }

    private void Clear() => (_rows, _last) = (0, Nothing);

    private static uint Checksum(ReadOnlySpan<byte> row) => Crc32C.Compute(row[..^sizeof(uint)]);
}
