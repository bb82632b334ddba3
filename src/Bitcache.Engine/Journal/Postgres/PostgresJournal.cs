// A partition's journal in PostgreSQL. The frames are those of a file journal, with the same chain of hashes; the database
// makes them durable, and enforces what this process promises: a batch is appended only by the writer that opened the
// journal last, only behind the last one, and only once, all in the statement that inserts it.

using System.Security.Cryptography;
using Bitcache.Core;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>The journal of one partition. See <see cref="IJournal"/> for who may call what.</summary>
public sealed class PostgresJournal : IRecoveredJournal
{
    /// <summary>Checks and writes in one statement: a writer that was replaced, or that is not where the journal is, changes
    /// no row and inserts none.</summary>
    private const string AppendBatch =
        """
        WITH head AS (
            UPDATE bitcache.partitions SET next_sequence = next_sequence + $5, chain = $6
            WHERE partition = $1 AND writer_epoch = $2 AND next_sequence = $3 AND chain = $4
            RETURNING partition
        )
        INSERT INTO bitcache.batches (partition, first_sequence, sequences, payload_bytes, chunk_sequences, chunk_offsets, chunk_crcs, frame)
        SELECT partition, $3, $5, $7, $8, $9, $10, $11 FROM head
        """;

    private const string RaiseEpoch =
        $"""
        INSERT INTO bitcache.partitions AS head (partition, writer_epoch, next_sequence, chain) VALUES ($1, 1, 0, $2)
        ON CONFLICT (partition) DO UPDATE SET writer_epoch = head.writer_epoch + 1
        RETURNING {JournalHead.Columns}
        """;

    private const string HeadOf = $"SELECT {JournalHead.Columns} FROM bitcache.partitions WHERE partition = $1";

    private const string AskEpoch = "SELECT writer_epoch FROM bitcache.partitions WHERE partition = $1";

    private readonly ILogger _logger;
    private readonly BatchTable _batches;

    // Owned by the partition's thread.
    private readonly NpgsqlConnection _connection;
    private readonly AppendCommand _append;
    private readonly NpgsqlCommand _ask;
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _frame = new byte[64 << 10];
    private Hash256 _chain;
    private long _next;
    private int _reserved;
    /// <summary>Set before a statement is sent that may append, and cleared once its answer is there.</summary>
    private bool _inDoubt;

    // Shared with readers and with the upkeep.
    private readonly RunList _runs;
    private readonly IdLookup _ids;
    private long _durable;
    private volatile bool _failed;

    private PostgresJournal(JournalDatabase database, BatchTable batches, ILogger logger, NpgsqlConnection connection, JournalHead head, RecoveryReport report)
    {
        (_batches, _logger, _connection, Recovery) = (batches, logger, connection, report);
        (_next, _chain, _durable) = (head.NextSequence, head.ChainHash, head.NextSequence - 1);
        _append = new AppendCommand(connection, AppendBatch, batches.Partition, head.WriterEpoch);
        _ask = new NpgsqlCommand(AskEpoch, connection) { Parameters = { new NpgsqlParameter<int> { TypedValue = batches.Partition } } };
        _ask.Prepare();
        _runs = new RunList(database, batches);
        Upkeep = new RunUpkeep(database, batches, _runs, () => DurableSequence, logger);
        _ids = new IdLookup(batches, _runs, Upkeep.Wake);
    }

    /// <summary>What opening it found.</summary>
    public RecoveryReport Recovery { get; }

    /// <summary>What is done with old batches. Its thread runs once it is started.</summary>
    public RunUpkeep Upkeep { get; }

    public void StartUpkeep(Action<Exception> fatal) => Upkeep.Start(fatal);

    public long DurableSequence => Volatile.Read(ref _durable);

    public Hash256 ChainHash => _chain;

    /// <summary>What the database says of it as long as nobody takes it over. Only for the partition's thread.</summary>
    internal JournalHead Head => new(_batches.Partition, Recovery.WriterEpoch, _next, _chain);

    public bool IsShared => true;

    /// <summary>
    /// Takes a partition's journal over: raises the writer epoch, so that whoever had it appends nothing any more, verifies
    /// every batch from <paramref name="start"/> on, and replays them in order. All that is replayed is durable.
    /// </summary>
    /// <param name="accept">Called with the number of sequences when all is verified; throws to refuse the journal.</param>
    /// <param name="start">Where to begin to replay; null for the beginning. What stands before is not verified now, but for
    /// the last frame, and each chunk when it is read.</param>
    /// <exception cref="JournalCorruptException">It is damaged.</exception>
    /// <exception cref="Snapshots.SnapshotMismatchException">The journal is not the one that <paramref name="start"/> stands in.</exception>
    /// <exception cref="JournalRefusedException">The server cannot be reached, or would lose what it has committed.</exception>
    public static PostgresJournal Open(
        JournalDatabase database, int partition, ReplayBatch replay, ILogger logger, Action<long>? accept = null, JournalStart? start = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(partition, database.Settings.Partitions);
        var batches = new BatchTable(database, partition);
        NpgsqlConnection? connection = null;
        try
        {
            connection = database.ConnectWriter();
            var head = TakeOver(connection, partition);
            var recovery = new FrameRecovery(batches, start);
            recovery.Run(replay, head.NextSequence, head.WriterEpoch, head.ChainHash);
            accept?.Invoke(head.NextSequence);
            var report = new RecoveryReport(0, recovery.Frames, head.NextSequence, head.WriterEpoch, 0, null, null);
            logger.PostgresJournalOpened(batches.Name, report.Sequences, report.Frames, report.WriterEpoch);
            return new PostgresJournal(database, batches, logger, connection, head, report);
        }
        catch (NpgsqlException e)
        {
            connection?.Dispose();
            throw new JournalRefusedException($"{batches.Name}: {e.Message}", e);
        }
        catch
        {
            connection?.Dispose();
            throw;
        }
    }

    /// <summary>Verifies a partition's whole journal, up to the head that it has now, replays its batches in order, and changes
    /// nothing: whoever writes it goes on.</summary>
    /// <exception cref="JournalCorruptException">It is damaged.</exception>
    /// <exception cref="JournalUnavailableException">It cannot be read now.</exception>
    public static RecoveryReport Read(JournalDatabase database, int partition, ReplayBatch replay)
    {
        var batches = new BatchTable(database, partition);
        var recovery = new FrameRecovery(batches, null);
        try
        {
            var head = FindHead(database, partition);
            // Without a head, which whoever opens the journal first makes, there is no batch either.
            recovery.Run(replay, head?.NextSequence, head?.WriterEpoch ?? 0, head?.ChainHash ?? default(Hash256));
        }
        catch (NpgsqlException e)
        {
            throw new JournalUnavailableException(batches.Name, e);
        }
        return new RecoveryReport(0, recovery.Frames, recovery.NextSequence, recovery.WriterEpoch, 0, null, null);
    }

    public bool TryReserve(int payloadBytes, int batches = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(payloadBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadBytes, 2 * Limits.BatchBytesMax);
        if (_failed) throw AlreadyFailed();
        _reserved = payloadBytes;
        return true;
    }

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        if (_failed) throw AlreadyFailed();
        if (payload.Length == 0 || payload.Length > _reserved)
            throw new InvalidOperationException($"A batch of {payload.Length} bytes needs a reservation of its size; {_reserved} bytes are reserved.");
        if (firstSequence != _next) throw new ArgumentOutOfRangeException(nameof(firstSequence), firstSequence, $"The next sequence is {_next}.");
        if (!JournalRecord.Tile(payload, sequences))
            throw new ArgumentException($"The payload is not records that cover {sequences} sequences.", nameof(payload));
        _reserved = 0;
        var size = FrameHeader.FrameBytes(payload.Length);
        if (_frame.Length < size) _frame = GC.AllocateUninitializedArray<byte>((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)size));
        var frame = _frame.AsSpan(0, size);
        payload.CopyTo(frame[FrameHeader.Bytes..]);
        var header = new FrameHeader(FrameFlags.None, payload.Length, sequences, _next, _next - 1, Recovery.WriterEpoch, default, 0);
        var chain = FrameHeader.Seal(frame, header, _chain, _sha256);
        _append.Fill(_frame.AsMemory(0, size), header, _chain, chain);

        if (Ask(_append.Execute, $"Appending sequence {_next}") == 0) throw Fenced();
        // After this point the batch is durable, and readers may see it.
        (_chain, _next) = (chain, _next + sequences);
        Volatile.Write(ref _durable, _next - 1);
        Upkeep.Appended(size);
    }

    /// <summary>The database knows of itself which of its pages were written whole.</summary>
    public void Seal()
    {
        if (_failed) throw AlreadyFailed();
    }

    public void Confirm()
    {
        if (_failed) throw AlreadyFailed();
        if (Ask(() => (long?)_ask.ExecuteScalar(), "Asking who writes it") != Recovery.WriterEpoch) throw Fenced();
    }

    public void ReadRecords(long first, long count, RecordReader reader)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, DurableSequence + 1, nameof(count));
        if (_failed) throw AlreadyFailed();
        try
        {
            _batches.ReadRecords(first, first + count, reader);
        }
        catch (NpgsqlException e)
        {
            throw new JournalUnavailableException(_batches.Name, e);
        }
    }

    public long? FindId(WalletId owner, OperationId id)
    {
        if (_failed) throw AlreadyFailed();
        try
        {
            return _ids.Find(new EntryId(owner, id), DurableSequence + 1);
        }
        catch (NpgsqlException e)
        {
            throw new JournalUnavailableException(_batches.Name, e);
        }
    }

    public void Dispose()
    {
        Upkeep.Dispose();
        _append.Dispose();
        _ask.Dispose();
        _connection.Dispose();
        _sha256.Dispose();
    }

    private static JournalHead? FindHead(JournalDatabase database, int partition)
    {
        using var connection = database.Connect();
        using var command = new NpgsqlCommand(HeadOf, connection) { Parameters = { new NpgsqlParameter<int> { TypedValue = partition } } };
        using var row = command.ExecuteReader();
        return row.Read() ? JournalHead.Read(row) : null;
    }

    private static JournalHead TakeOver(NpgsqlConnection connection, int partition) => PostgresFailure.Retry(() =>
    {
        using var command = new NpgsqlCommand(RaiseEpoch, connection)
        {
            Parameters = { new NpgsqlParameter<int> { TypedValue = partition }, new NpgsqlParameter<byte[]> { TypedValue = default(Hash256).ToArray() } },
        };
        using var row = command.ExecuteReader();
        row.Read();
        return JournalHead.Read(row);
    });

    /// <summary>Whatever goes wrong once a statement was sent, but for what PostgreSQL says it has rolled back, leaves open what
    /// was done: nothing is ever sent after it.</summary>
    private T Ask<T>(Func<T> ask, string what)
    {
        _inDoubt = true;
        try
        {
            var answer = PostgresFailure.Retry(ask);
            _inDoubt = false;
            return answer;
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException or OperationCanceledException)
        {
            _logger.JournalFailed(_batches.Name, e);
            throw new JournalFailedException($"{what} in {_batches.Name} failed, and may or may not be done. The journal takes no further call: open it anew, that decides.", e);
        }
        finally
        {
            if (_inDoubt) _failed = true;
        }
    }

    private WriterFencedException Fenced()
    {
        _failed = true;
        _logger.WriterFenced(_batches.Name, Recovery.WriterEpoch);
        return new WriterFencedException($"Another process has taken over {_batches.Name}, where this one was writer epoch {Recovery.WriterEpoch}. Nothing was appended.");
    }

    private JournalFailedException AlreadyFailed() => new($"The journal of {_batches.Name} has failed and takes no further call.");
}
