using Bitcache.Engine.Files;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>
/// What is done with old batches, off the payment path: as soon as there are enough of them they are a run with an id filter,
/// and old runs are moved to the archive's table. None of it is needed for what was promised: where the database does not
/// answer, the next turn tries again. Damage alone ends the process.
/// <para>One thread takes the turns. Another process may take them at the same time, one that was replaced and does not know
/// it yet: what both do they do once.</para>
/// </summary>
public sealed class RunUpkeep : IDisposable
{
    private const string Sizes =
        "SELECT sequences, payload_bytes FROM bitcache.all_batches WHERE partition = $1 AND first_sequence >= $2 AND first_sequence < $3 ORDER BY first_sequence LIMIT $4";

    private const string InsertRun =
        """
        INSERT INTO bitcache.runs (partition, first_sequence, next_sequence, bytes, closing_chain, filter) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """;

    private const string ReplaceFilter = "UPDATE bitcache.runs SET filter = $3 WHERE partition = $1 AND first_sequence = $2";

    /// <summary>In one statement, so that a reader sees each batch in one of the two tables.</summary>
    private const string MoveRun =
        """
        WITH moved AS (
            DELETE FROM bitcache.batches WHERE partition = $1 AND first_sequence >= $2 AND first_sequence < $3 RETURNING *
        ), noted AS (
            UPDATE bitcache.runs SET is_archived = true WHERE partition = $1 AND first_sequence = $2
        )
        INSERT INTO bitcache.archived_batches SELECT * FROM moved
        """;

    private const int SizesAtOnce = 4_096;

    /// <summary>How long after a failure the next turn is taken.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly JournalDatabase _database;
    private readonly BatchTable _batches;
    private readonly RunList _runs;
    private readonly Func<long> _durable;
    private readonly ILogger _logger;
    private readonly AutoResetEvent _wake = new(false);
    private readonly CancellationTokenSource _stop = new();
    private Thread? _thread;
    private long _bytes;
    // Owned by whoever takes the turns.
    private bool _isLoaded;

    internal RunUpkeep(JournalDatabase database, BatchTable batches, RunList runs, Func<long> durable, ILogger logger) =>
        (_database, _batches, _runs, _durable, _logger, _bytes) = (database, batches, runs, durable, logger, database.Settings.RunBytes);

    /// <summary>Starts the thread.</summary>
    /// <param name="fatal">Told when the process must end.</param>
    public void Start(Action<Exception> fatal)
    {
        _thread = new Thread(() => Run(fatal)) { Name = $"partition {_batches.Partition} upkeep" };
        _thread.Start();
    }

    /// <summary>There may be something to do.</summary>
    internal void Wake() => _wake.Set();

    /// <summary>So many bytes were appended. Only for the partition's thread.</summary>
    internal void Appended(int bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) >= _database.Settings.RunBytes) Wake();
    }

    /// <summary>Ends the thread; what it was doing is begun again by the next start.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
        _stop.Dispose();
    }

    private void Run(Action<Exception> fatal)
    {
        Libc.GiveWay();
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                if (!TryTakeTurn()) WaitHandle.WaitAny([_wake, _stop.Token.WaitHandle], Patience);
            }
        }
        catch (OperationCanceledException)
        {
        }
#pragma warning disable CA1031 // Damage, or a mistake of ours: either way nobody may rely on what this thread did.
        catch (Exception e)
        {
            fatal(e);
        }
#pragma warning restore CA1031
    }

    private bool TryTakeTurn()
    {
        try
        {
            return TakeTurn();
        }
        catch (NpgsqlException e)
        {
            _logger.RunUpkeepFailed(_batches.Name, e.Message);
            return false;
        }
    }

    /// <summary>Does one thing: finds which runs there are, sees to a filter, closes a run, or moves one; false if there is
    /// nothing to do now.</summary>
    /// <exception cref="JournalCorruptException">A batch is damaged.</exception>
    internal bool TakeTurn()
    {
        if (!_isLoaded)
        {
            _runs.Load();
            return _isLoaded = true;
        }
        return TryFilter() || TryClose() || TryArchive();
    }

    /// <summary>Finds or makes the newest filter that is missing: the newest are asked for most.</summary>
    private bool TryFilter()
    {
        if (Array.FindLast(_runs.Closed, run => run.Filter is not { IsDamaged: false }) is not { } run) return false;
        var wasDamaged = run.Filter is not null;
        run.Filter = wasDamaged ? null : _runs.ReadFilter(run, out _);
        if (run.Filter is not null) return true;
        _logger.FilterRefused($"of sequence {run.FirstSequence} in {_batches.Name}", wasDamaged ? "a damaged block" : "another filter, or a damaged one");
        Write(ReplaceFilter, run, withRun: false);
        run.Filter = _runs.ReadFilter(run, out var problem) ?? throw new JournalRefusedException($"{_batches.Name}: a filter reads otherwise than it was written: {problem}");
        return true;
    }

    /// <summary>Makes a run of the batches behind the last one, once there are enough of them.</summary>
    private bool TryClose()
    {
        if (Interlocked.Read(ref _bytes) < _database.Settings.RunBytes || FindEnd() is not { } found) return false;
        var (closing, _) = _batches.ReadHeader(found.NextSequence - 1);
        var run = new BatchRun(_runs.OpenFrom, found.NextSequence, found.Bytes, closing.ChainHash);
        // If another process was first, its run may end elsewhere: what the table says holds.
        _isLoaded = Write(InsertRun, run, withRun: true) > 0;
        if (!_isLoaded) return true;
        run.Filter = _runs.ReadFilter(run, out _);
        _runs.Add(run);
        _logger.RunClosed(_batches.Name, run.FirstSequence, run.NextSequence, found.Bytes);
        return true;
    }

    /// <summary>Where the next run ends; null if it is not long enough yet, and what there is of it is remembered.</summary>
    private (long NextSequence, long Bytes)? FindEnd()
    {
        Interlocked.Exchange(ref _bytes, 0);
        var (next, bytes, end) = (_runs.OpenFrom, 0L, _durable() + 1);
        using var connection = _database.Connect();
        while (next < end && bytes < _database.Settings.RunBytes)
        {
            using var command = BatchTable.Command(Sizes, connection, _batches.Partition, next, end, SizesAtOnce);
            using var rows = command.ExecuteReader();
            while (rows.Read() && bytes < _database.Settings.RunBytes)
            {
                next += rows.GetInt32(0);
                bytes += rows.GetInt32(1);
            }
        }
        // Behind a run there may be the next one.
        Interlocked.Add(ref _bytes, bytes);
        return bytes < _database.Settings.RunBytes ? null : (next, bytes);
    }

    private int Write(string sql, BatchRun run, bool withRun)
    {
        using var builder = new IdFilterBuilder(_batches.ReadIds, run.Run, _database.Settings.IdKeyBits, _stop.Token);
        using var connection = _database.Connect();
        using var command = BatchTable.Command(sql, connection, _batches.Partition, withRun ? [run.FirstSequence, run.NextSequence, run.Run.Bytes] : [run.FirstSequence]);
        if (withRun) command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = run.Run.ClosingHash.ToArray() });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = builder.File.ToArray(), NpgsqlDbType = NpgsqlDbType.Bytea });
        return command.ExecuteNonQuery();
    }

    /// <summary>Moves the oldest run that is to be moved.</summary>
    private bool TryArchive()
    {
        if (_database.Settings.ArchiveAfterRuns is not { } kept || _runs.Closed.Length <= kept) return false;
        if (Array.Find(_runs.Closed[..^kept], run => !run.IsArchived) is not { } run) return false;
        using var connection = _database.Connect();
        using var command = BatchTable.Command(MoveRun, connection, _batches.Partition, run.FirstSequence, run.NextSequence);
        command.CommandTimeout = 0;
        command.ExecuteNonQuery();
        run.IsArchived = true;
        _logger.RunArchived(_batches.Name, run.FirstSequence, run.NextSequence);
        return true;
    }
}
