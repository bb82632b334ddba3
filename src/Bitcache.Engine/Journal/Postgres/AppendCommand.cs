using Bitcache.Core;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>The prepared statement that appends a batch, and its parameters. Owned by the partition's thread.</summary>
internal sealed class AppendCommand : IDisposable
{
    private readonly NpgsqlCommand _command;
    private readonly NpgsqlParameter<long> _first = new();
    private readonly NpgsqlParameter<ReadOnlyMemory<byte>> _previous = new();
    private readonly NpgsqlParameter<int> _sequences = new();
    private readonly NpgsqlParameter<ReadOnlyMemory<byte>> _chain = new();
    private readonly NpgsqlParameter<int> _payloadBytes = new();
    private readonly NpgsqlParameter<long[]> _chunkSequences = new() { TypedValue = [] };
    private readonly NpgsqlParameter<int[]> _chunkOffsets = new() { TypedValue = [] };
    private readonly NpgsqlParameter<int[]> _chunkCrcs = new() { TypedValue = [] };
    private readonly NpgsqlParameter<ReadOnlyMemory<byte>> _frame = new();

    internal AppendCommand(NpgsqlConnection connection, string sql, int partition, long writerEpoch)
    {
#pragma warning disable CA2100 // A constant of the journal.
        _command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        _command.Parameters.AddRange((NpgsqlParameter[])
        [
            new NpgsqlParameter<int> { TypedValue = partition }, new NpgsqlParameter<long> { TypedValue = writerEpoch },
            _first, _previous, _sequences, _chain, _payloadBytes, _chunkSequences, _chunkOffsets, _chunkCrcs, _frame,
        ]);
        _command.Prepare();
    }

    /// <param name="frame">Sealed; it stays as it is until <see cref="Execute"/> has returned.</param>
    /// <param name="previous">The chain hash of the frame before.</param>
    /// <param name="chain">That of this one.</param>
    internal void Fill(ReadOnlyMemory<byte> frame, in FrameHeader header, in Hash256 previous, in Hash256 chain)
    {
        var index = new SegmentIndex("", header.FirstSequence);
        index.Add(frame.Span, 0, header);
        index.CopyChunks(out var sequences, out var offsets, out var crcs);
        (_first.TypedValue, _sequences.TypedValue, _payloadBytes.TypedValue) = (header.FirstSequence, header.Sequences, header.PayloadBytes);
        (_previous.TypedValue, _chain.TypedValue, _frame.TypedValue) = (previous.ToArray(), chain.ToArray(), frame);
        (_chunkSequences.TypedValue, _chunkOffsets.TypedValue, _chunkCrcs.TypedValue) = (sequences, offsets, crcs);
    }

    /// <summary>Returns how many rows were inserted: 1, or 0 if the journal is not where it was, or is another's.</summary>
    internal int Execute() => _command.ExecuteNonQuery();

    public void Dispose() => _command.Dispose();
}
