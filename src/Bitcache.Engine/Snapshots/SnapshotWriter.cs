using System.Buffers.Binary;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;

namespace Bitcache.Engine.Snapshots;

/// <summary>Writes one snapshot file. Owned by one caller.</summary>
/// <param name="file">New and empty.</param>
/// <param name="pace">Called after each write with its bytes: waits as long as others are to have the disk, or throws to
/// give up.</param>
internal sealed class SnapshotWriter(IFile file, Action<int> pace)
{
    /// <summary>Space is taken ahead, so that a full disk is noticed before it is written to: as much again as there is.</summary>
    private const int AheadBytesMin = 64 << 10;
    private const int AheadBytesMax = 64 << 20;
    /// <summary>Synced in parts: one sync of gigabytes would hold up the journal's.</summary>
    private const int UnsyncedBytesMax = 8 << 20;

    private readonly byte[] _piece = new byte[SnapshotHeader.PieceHeadBytes + Limits.StatePieceBytesMax];
    private long _length;
    private long _allocated;
    private long _synced;

    /// <summary>Writes and syncs the state; returns its hash.</summary>
    /// <exception cref="NoSpaceException">The disk is full.</exception>
    internal Hash256 Write(LedgerCapture capture, in SnapshotHeader header, long expectedBytes)
    {
        Allocate(expectedBytes);
        Append(header.ToBytes());
        var stateHash = capture.Write(WritePiece);
        stateHash.Write(_piece.AsSpan(SnapshotHeader.PieceHeadBytes));
        header.Digest(stateHash).Write(_piece.AsSpan(SnapshotHeader.PieceHeadBytes + Hash256.Bytes));
        Append(Seal(payloadBytes: 0, SnapshotHeader.TrailerBytes));
        file.Truncate(_length);
        file.SyncData();
        return stateHash;
    }

    private void WritePiece(ReadOnlySpan<byte> payload)
    {
        payload.CopyTo(_piece.AsSpan(SnapshotHeader.PieceHeadBytes));
        Append(Seal(payload.Length, SnapshotHeader.PieceHeadBytes + payload.Length));
    }

    private ReadOnlySpan<byte> Seal(int payloadBytes, int pieceBytes)
    {
        BinaryPrimitives.WriteInt32BigEndian(_piece, payloadBytes);
        BinaryPrimitives.WriteUInt32BigEndian(_piece.AsSpan(4), Checksum(_piece.AsSpan(0, pieceBytes)));
        return _piece.AsSpan(0, pieceBytes);
    }

    internal static uint Checksum(ReadOnlySpan<byte> piece) =>
        Crc32C.Append(Crc32C.Compute(piece[..4]), piece[SnapshotHeader.PieceHeadBytes..]);

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _allocated) Allocate(_length + bytes.Length + Math.Clamp(_length, AheadBytesMin, AheadBytesMax));
        file.Write(_length, bytes);
        _length += bytes.Length;
        if (_length - _synced >= UnsyncedBytesMax)
        {
            file.SyncData();
            _synced = _length;
        }
        pace(bytes.Length);
    }

    private void Allocate(long length)
    {
        file.Preallocate(length);
        _allocated = length;
    }
}
