using System.Buffers.Binary;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Snapshots;

/// <summary>Reads one snapshot file from its beginning to its end and checks every byte of it. The same reader verifies
/// a file that was just written and recovers from an old one. Owned by one caller.</summary>
internal sealed class SnapshotReader : IDisposable
{
    internal const int BufferBytes = SnapshotHeader.PieceHeadBytes + Limits.StatePieceBytesMax;

    private readonly IFile _file;
    private readonly string _path;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _offset = SnapshotHeader.Bytes;
    private bool _ended;

    /// <exception cref="SnapshotDamagedException">It does not begin as a snapshot does.</exception>
    internal SnapshotReader(IFile file, string path)
    {
        (_file, _path) = (file, path);
        var head = new byte[SnapshotHeader.Bytes];
        if (!SnapshotHeader.TryRead(head.AsSpan(0, file.Read(0, head)), out var header, out var problem)) throw Damaged(0, problem);
        Header = header;
        // What the header leaves unused must be as it was written.
        if (!header.ToBytes().AsSpan().SequenceEqual(head)) throw Damaged(0, "a header with other bytes than zeros where zeros belong");
    }

    internal SnapshotHeader Header { get; }

    /// <summary>Once the end was reached.</summary>
    internal Hash256 StateHash { get; private set; }

    /// <summary>Once the end was reached: how long the file is.</summary>
    internal long Length => _offset;

    /// <summary>Reads all that is left, and keeps nothing of it.</summary>
    /// <exception cref="SnapshotDamagedException">It is not what was written.</exception>
    internal void Verify(Action<int> pace)
    {
        var buffer = new byte[BufferBytes];
        while (Next(buffer) is { IsEmpty: false } piece) pace(piece.Length);
    }

    /// <summary>The next piece, in the caller's buffer of <see cref="BufferBytes"/>; empty when everything was read and
    /// found to be what was written.</summary>
    /// <exception cref="SnapshotDamagedException">It is not.</exception>
    internal ReadOnlyMemory<byte> Next(byte[] buffer)
    {
        if (_ended) return default;
        var read = buffer.AsSpan(0, _file.Read(_offset, buffer.AsSpan(0, BufferBytes)));
        if (read.Length < SnapshotHeader.PieceHeadBytes) throw Damaged(_offset, "it ends in the middle");
        var length = BinaryPrimitives.ReadInt32BigEndian(read);
        var size = length == 0 ? SnapshotHeader.TrailerBytes : SnapshotHeader.PieceHeadBytes + length;
        if (length < 0 || size > read.Length) throw Damaged(_offset, $"a piece of {length} bytes");
        var piece = read[..size];
        if (SnapshotWriter.Checksum(piece) != BinaryPrimitives.ReadUInt32BigEndian(piece[4..])) throw Damaged(_offset, "a piece with a wrong checksum");
        _offset += size;
        if (length == 0)
        {
            End(piece[SnapshotHeader.PieceHeadBytes..]);
            return default;
        }
        _hash.AppendData(piece[SnapshotHeader.PieceHeadBytes..]);
        return buffer.AsMemory(SnapshotHeader.PieceHeadBytes, length);
    }

    public void Dispose() => _hash.Dispose();

    private void End(ReadOnlySpan<byte> trailer)
    {
        _ended = true;
        StateHash = Hash256.Read(_hash.GetHashAndReset());
        if (Hash256.Read(trailer) != StateHash) throw Damaged(_offset, "pieces with another hash than the file says");
        if (Hash256.Read(trailer[Hash256.Bytes..]) != Header.Digest(StateHash)) throw Damaged(_offset, "a header that belongs to other pieces");
        if (_file.Length != _offset) throw Damaged(_offset, "bytes behind its end");
    }

    private SnapshotDamagedException Damaged(long offset, string problem) => new(_path, offset, problem);
}
