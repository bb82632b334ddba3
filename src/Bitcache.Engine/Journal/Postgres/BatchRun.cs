using Bitcache.Core;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>Consecutive batches that have an id filter together; or those behind the last such run, which grow.</summary>
internal sealed class BatchRun(long firstSequence, long nextSequence, long bytes, in Hash256 closingHash) : RecordRun(firstSequence)
{
    private readonly Hash256 _closingHash = closingHash;

    internal override long NextSequence => nextSequence;

    /// <summary>What its filter is made of.</summary>
    internal IdRun Run => new(FirstSequence, nextSequence, bytes, _closingHash);

    /// <summary>Whether its batches were moved. Owned by the upkeep.</summary>
    internal bool IsArchived { get; set; }
}

/// <summary>The runs of one partition as this process knows them, and the reading of their filters. Written by the upkeep,
/// read by whoever looks for an id.</summary>
internal sealed class RunList(JournalDatabase database, BatchTable batches)
{
    private const string Rows =
        "SELECT first_sequence, next_sequence, bytes, closing_chain, is_archived FROM bitcache.runs WHERE partition = $1 AND first_sequence >= $2 ORDER BY first_sequence";

    private const string FilterPart = "SELECT substring(filter FROM $3::integer FOR $4::integer) FROM bitcache.runs WHERE partition = $1 AND first_sequence = $2";
    private const string FilterLength = "SELECT octet_length(filter) FROM bitcache.runs WHERE partition = $1 AND first_sequence = $2";

    private readonly Lock _lock = new();
    private volatile BatchRun[] _closed = [];
    private volatile BatchRun _open = new(0, long.MaxValue, 0, default);
    private volatile bool _isLoaded;

    /// <summary>Those that are complete, oldest first.</summary>
    internal BatchRun[] Closed => _closed;

    /// <summary>Where the next run begins.</summary>
    internal long OpenFrom => _open.FirstSequence;

    /// <summary>All of them; the last one grows.</summary>
    internal RecordRun[] ToArray()
    {
        // What is complete is known once the upkeep has read it; before that the whole journal is one that grows, and
        // nobody may read it all to find an id.
        if (!_isLoaded) throw new IdsNotIndexedException(Limits.SegmentsScannedMax + 1);
        lock (_lock) return [.. _closed, _open];
    }

    /// <summary>Reads which runs there are behind those that are known.</summary>
    internal void Load()
    {
        var found = new List<BatchRun>();
        using (var connection = database.Connect())
        {
            using var command = BatchTable.Command(Rows, connection, batches.Partition, OpenFrom);
            using var rows = command.ExecuteReader();
            while (rows.Read())
            {
                found.Add(new BatchRun(rows.GetInt64(0), rows.GetInt64(1), rows.GetInt64(2), Hash256.Read(rows.GetFieldValue<byte[]>(3))) { IsArchived = rows.GetBoolean(4) });
            }
        }
        foreach (var run in found) Add(run);
        _isLoaded = true;
    }

    internal void Add(BatchRun run)
    {
        if (run.FirstSequence != OpenFrom) throw FrameRow.Damaged(batches.Name, OpenFrom, $"a run of batches from sequence {run.FirstSequence}");
        lock (_lock)
        {
            (_closed, _open) = ([.. _closed, run], new BatchRun(run.NextSequence, long.MaxValue, 0, default));
        }
    }

    /// <summary>The filter that stands in a run's row, if it is good.</summary>
    internal IdFilter? ReadFilter(BatchRun run, out string problem)
    {
        using var connection = database.Connect();
        using var command = BatchTable.Command(FilterLength, connection, batches.Partition, run.FirstSequence);
        var length = (int?)command.ExecuteScalar() ?? 0;
        return IdFilter.TryRead((offset, bytes) => Read(connection, run, offset, bytes), length, run.Run, database.Settings.IdKeyBits, out problem);
    }

    /// <inheritdoc cref="IdFilter.TryFind"/>
    internal bool TryFind(BatchRun run, IdFilter filter, in EntryId identity, List<long> candidates)
    {
        using var connection = database.Connect();
        return filter.TryFind((offset, bytes) => Read(connection, run, offset, bytes), identity, candidates);
    }

    private int Read(NpgsqlConnection connection, BatchRun run, long offset, Span<byte> bytes)
    {
        using var command = BatchTable.Command(FilterPart, connection, batches.Partition, run.FirstSequence, offset + 1, bytes.Length);
        if (command.ExecuteScalar() is not byte[] part) return 0;
        part.CopyTo(bytes);
        return part.Length;
    }
}

/// <summary>The search in runs of batches.</summary>
/// <param name="repair">Has filters made that are missing or damaged.</param>
internal sealed class IdLookup(BatchTable batches, RunList runs, Action repair) : IdSearch(Limits.NewestIdsMax)
{
    protected override RecordRun[] Runs() => runs.ToArray();

    protected override bool TryReadFilter(RecordRun run, IdFilter filter, in EntryId identity, List<long> candidates) =>
        runs.TryFind((BatchRun)run, filter, identity, candidates);

    protected override byte[] ReadRecord(long sequence) => batches.ReadRecord(sequence);
    protected override long ReadIds(long first, long end, IdReader reader, Func<bool> goOn) => batches.ReadIds(first, end, reader, goOn);
    protected override void Repair() => repair();
}
