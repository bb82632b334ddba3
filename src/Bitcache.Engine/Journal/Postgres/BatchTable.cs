// Reading batches from the database, for as many callers at once as there are connections.

using System.Data;
using Bitcache.Core;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>The batches of one partition, archived ones included. Every read is one statement: it sees each batch in one
/// place, wherever it is being moved to.</summary>
internal sealed class BatchTable(JournalDatabase database, int partition)
{
    /// <summary>The chunk that holds a sequence, found in the row and cut out of the frame by the server.</summary>
    private const string ChunkOf =
        """
        SELECT chunk_sequences[k], chunk_offsets[k], chunk_crcs[k], payload_bytes,
            substring(frame FROM chunk_offsets[k] + 1 FOR coalesce(chunk_offsets[k + 1], octet_length(frame)) - chunk_offsets[k])
        FROM (
            SELECT *, width_bucket($2, chunk_sequences) AS k FROM bitcache.all_batches
            WHERE partition = $1 AND first_sequence <= $2 ORDER BY first_sequence DESC LIMIT 1
        ) AS batch
        """;

    /// <summary>For fewer sequences a statement that reads whole batches is not worth it.</summary>
    private const int WholeSequencesMin = 8;

    private const string Frames =
        """
        SELECT first_sequence, sequences, octet_length(frame), frame FROM bitcache.all_batches
        WHERE partition = $1 AND first_sequence >= $2 AND first_sequence < $3 ORDER BY first_sequence LIMIT $4
        """;

    private const string HeaderOf =
        """
        SELECT first_sequence + sequences, substring(frame FROM 1 FOR 80) FROM bitcache.all_batches
        WHERE partition = $1 AND first_sequence <= $2 ORDER BY first_sequence DESC LIMIT 1
        """;

    /// <summary>Batches that one statement reads where its reader may stop.</summary>
    private const int FramesAtOnce = 64;

    /// <summary>For messages: where what is damaged stands.</summary>
    internal string Name { get; } = $"partition {partition} in {database.Name}";

    internal int Partition => partition;

    /// <summary>Gives the durable records that cover a run of sequences to a reader.</summary>
    internal void ReadRecords(long first, long end, RecordReader reader)
    {
        for (var next = first; next < end;)
        {
            next = ReadChunk(next, end, reader, out var isLast);
            // Where a batch ends, whole ones may follow.
            if (isLast && end - next >= WholeSequencesMin) next = ReadBatches(next, end, reader);
        }
    }

    /// <summary>The record that covers a durable sequence.</summary>
    internal byte[] ReadRecord(long sequence)
    {
        byte[]? found = null;
        ReadChunk(sequence, sequence + 1, record => found = record.ToArray(), out _);
        return found!;
    }

    /// <summary>Gives the ids of a run of whole batches to a reader, each with its record's sequence.</summary>
    /// <param name="goOn">Asked after some of them.</param>
    /// <returns>The sequence to go on with, at which a batch begins.</returns>
    internal long ReadIds(long first, long end, IdReader reader, Func<bool> goOn)
    {
        var next = first;
        while (next < end && goOn())
        {
            ReadFrames(next, end, frame =>
            {
                var header = frame.Verify(Name, next, 0);
                EachRecord(frame.Payload(header), record =>
                {
                    if (EntryId.TryRead(record, out var identity)) reader(identity, next);
                    JournalRecord.TryReadHeader(record, out _, out var covers);
                    next += covers;
                });
            }, FramesAtOnce);
        }
        return next;
    }

    /// <summary>Streams the frames whose first sequence lies in a range, in order.</summary>
    internal void ReadFrames(long first, long end, FrameReader reader, int framesMax = int.MaxValue)
    {
        using var connection = database.Connect();
        using var command = Command(Frames, connection, partition, first, end, framesMax);
        command.CommandTimeout = 0;
        using var rows = command.ExecuteReader(CommandBehavior.SequentialAccess);
        var buffer = Array.Empty<byte>();
        while (rows.Read())
        {
            var (sequence, sequences, length) = (rows.GetInt64(0), rows.GetInt32(1), rows.GetInt32(2));
            if (buffer.Length < length) buffer = GC.AllocateUninitializedArray<byte>((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length));
            for (var at = 0; at < length;) at += (int)rows.GetBytes(3, at, buffer, at, length - at);
            reader(new FrameRow(sequence, sequences, buffer.AsSpan(0, length)));
        }
    }

    /// <summary>The header of the frame that holds a sequence, and the sequence after its last.</summary>
    internal (FrameHeader Header, long NextSequence) ReadHeader(long sequence)
    {
        using var connection = database.Connect();
        using var command = Command(HeaderOf, connection, partition, sequence);
        using var row = command.ExecuteReader(CommandBehavior.SingleRow);
        if (!row.Read() || !FrameHeader.TryRead(row.GetFieldValue<byte[]>(1), out var header)) throw FrameRow.Damaged(Name, sequence, "no row with a frame header");
        return (header, row.GetInt64(0));
    }

    /// <summary>Reads one chunk; returns the sequence to go on with.</summary>
    /// <param name="isLast">Whether its batch ends with it.</param>
    private long ReadChunk(long sequence, long end, RecordReader reader, out bool isLast)
    {
        using var connection = database.Connect();
        using var command = Command(ChunkOf, connection, partition, sequence);
        using var row = command.ExecuteReader(CommandBehavior.SingleRow);
        if (!row.Read() || row.IsDBNull(0)) throw FrameRow.Damaged(Name, sequence, "no row");
        var (offset, chunk) = (row.GetInt32(1), row.GetFieldValue<byte[]>(4));
        var payloadBytes = row.GetInt32(3);
        var payloadLeft = offset == 0 ? 0 : FrameHeader.Bytes + payloadBytes - offset;
        isLast = offset + chunk.Length == FrameHeader.FrameBytes(payloadBytes);
        var place = new SegmentIndex.Place(Name, row.GetInt64(0), offset, chunk.Length, payloadLeft, unchecked((uint)row.GetInt32(2)));
        return SegmentIndex.ReadRecords(chunk, place, sequence, end, reader);
    }

    /// <summary>Reads the batches that lie in the range whole; returns the sequence to go on with.</summary>
    private long ReadBatches(long first, long end, RecordReader reader)
    {
        var next = first;
        ReadFrames(first, end, frame =>
        {
            var header = frame.Verify(Name, next, 0);
            if (next + header.Sequences > end) return;
            EachRecord(frame.Payload(header), reader);
            next += header.Sequences;
        });
        return next;
    }

    private static void EachRecord(ReadOnlySpan<byte> payload, RecordReader reader)
    {
        while (JournalRecord.TryReadHeader(payload, out var length, out _))
        {
            reader(payload[..length]);
            payload = payload[length..];
        }
    }

    /// <param name="sql">One of the constants above; its first parameter is the partition.</param>
    internal static NpgsqlCommand Command(string sql, NpgsqlConnection connection, int partition, params ReadOnlySpan<long> numbers)
    {
#pragma warning disable CA2100 // No text of anybody's is part of it.
        var command = new NpgsqlCommand(sql, connection) { Parameters = { new NpgsqlParameter<int> { TypedValue = partition } } };
#pragma warning restore CA2100
        foreach (var number in numbers) command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = number });
        return command;
    }
}
