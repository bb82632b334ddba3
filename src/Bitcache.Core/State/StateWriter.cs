// The state as one stream of bytes: what the state hash is taken over and, cut into pieces, what a snapshot holds.

using System.Buffers;
using System.Security.Cryptography;

namespace Bitcache.Core;

/// <summary>Takes the next piece of the stream, at most <see cref="Limits.StatePieceBytesMax"/> bytes; they are valid only
/// during the call. No row is cut in two.</summary>
public delegate void StatePieceWriter(ReadOnlySpan<byte> piece);

/// <summary>Collects rows into pieces and hashes them.</summary>
internal sealed class StateWriter(StatePieceWriter write) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _piece = ArrayPool<byte>.Shared.Rent(Limits.StatePieceBytesMax);
    private int _length;

    /// <summary>Bytes that a row may take now without another piece being begun.</summary>
    public int Free => Limits.StatePieceBytesMax - _length;

    /// <summary>Begins a part of the state. Its number and how many rows follow are part of what is hashed, so that no two
    /// states read alike.</summary>
    public void Section(StateSection section, long rows)
    {
        var head = Begin(sizeof(ushort) + sizeof(long));
        head.U16((int)section);
        head.I64(rows);
        End(head);
    }

    /// <summary>A place for a row of at most so many bytes; <see cref="End"/> takes what was written there.</summary>
    public ByteWriter Begin(int bytesMax)
    {
        if (Free < bytesMax) Flush();
        return new ByteWriter(_piece.AsSpan(_length, Free));
    }

    public void End(in ByteWriter row) => _length += row.Position;

    /// <summary>SHA-256 over everything that was written. Nothing can be written after it.</summary>
    public Hash256 Finish()
    {
        Flush();
        return Hash256.Read(_hash.GetHashAndReset());
    }

    public void Dispose()
    {
        _hash.Dispose();
        ArrayPool<byte>.Shared.Return(_piece);
    }

    private void Flush()
    {
        if (_length == 0) return;
        var piece = _piece.AsSpan(0, _length);
        _hash.AppendData(piece);
        write(piece);
        _length = 0;
    }
}
