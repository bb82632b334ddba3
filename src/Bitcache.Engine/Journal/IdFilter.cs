// What a closed segment knows about ids without being read: where an id may stand in it, and that it does not.

using System.Buffers;
using System.Buffers.Binary;
using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>What a filter is made of: records that nothing is added to any more, a closed segment of a file journal or a run of
/// batches in a database.</summary>
/// <param name="NextSequence">The one after its last.</param>
/// <param name="Bytes">What it takes; more than its keys would.</param>
/// <param name="ClosingHash">The chain hash of its last frame, which names all of it.</param>
internal readonly record struct IdRun(long FirstSequence, long NextSequence, long Bytes, Hash256 ClosingHash);

/// <summary>Reads from an offset of a filter until the bytes are filled or it ends; returns how many were read.</summary>
internal delegate int FilterRead(long offset, Span<byte> bytes);

/// <summary>
/// The id filter of one closed segment, in a file beside it. Integers are big-endian.
/// <code>
///  0  u32  magic "BCID"
///  4  u8   format version, 1
///  5  3    0
///  8  u32  keys n
/// 12  u32  0
/// 16  i64  the segment's first sequence
/// 24  32   chain hash of the segment's closing frame: a filter belongs to no other segment
/// 56  i64  earliest time of an id in the segment, Unix milliseconds; 0 without ids
/// 64  i64  latest
/// 72  u32  CRC-32C of the table
/// 76  u32  CRC-32C of bytes 0..76
/// 80       table, for each block of 1,024 keys (the last may be shorter): u64 first key, u32 CRC-32C of the block
/// ..       blocks: u64 key (IdHash), u32 sequence of the record less the first sequence; by rising key
/// </code>
/// The table is kept in memory, 12 bytes for 1,024 ids: 5.4 KiB for the 470,000 payments of a segment of 64 MiB. A
/// look-up reads one block, 12 KiB, and checks it. What it finds is only a candidate: the record itself decides.
/// <para>It is derived from the segment. A missing, damaged or foreign one is made again.</para>
/// </summary>
internal sealed class IdFilter
{
    internal const string Extension = ".ids";
    internal const int HeaderBytes = 80;
    internal const int TableEntryBytes = 12;
    internal const int BlockKeys = 1_024;
    internal const int KeyBytes = 12;
    private const uint Magic = 0x42434944;
    private const byte FormatVersion = 1;
    private const int TableCrcOffset = 72;
    private const int HeaderCrcOffset = 76;

    private readonly ulong[] _firstKeys;
    private readonly uint[] _crcs;
    private readonly int _keys;
    private readonly long _firstSequence;
    private readonly long _earliest;
    private readonly long _latest;
    private readonly IdHash _hash;

    private IdFilter(ReadOnlySpan<byte> header, ReadOnlySpan<byte> table, IdHash hash)
    {
        _hash = hash;
        _keys = BinaryPrimitives.ReadInt32BigEndian(header[8..]);
        _firstSequence = BinaryPrimitives.ReadInt64BigEndian(header[16..]);
        _earliest = BinaryPrimitives.ReadInt64BigEndian(header[56..]);
        _latest = BinaryPrimitives.ReadInt64BigEndian(header[64..]);
        (_firstKeys, _crcs) = (new ulong[Blocks(_keys)], new uint[Blocks(_keys)]);
        for (var i = 0; i < _crcs.Length; i++)
        {
            _firstKeys[i] = BinaryPrimitives.ReadUInt64BigEndian(table[(i * TableEntryBytes)..]);
            _crcs[i] = BinaryPrimitives.ReadUInt32BigEndian(table[((i * TableEntryBytes) + 8)..]);
        }
    }

    internal static int Blocks(int keys) => (keys + BlockKeys - 1) / BlockKeys;

    /// <summary>Bytes of a file with that many keys.</summary>
    internal static int FileBytes(int keys) => BlockOffset(keys, 0) + (keys * KeyBytes);

    private static int BlockOffset(int keys, int block) => HeaderBytes + (Blocks(keys) * TableEntryBytes) + (block * BlockKeys * KeyBytes);

    /// <summary>Puts header and table before the blocks, which stand in the file already.</summary>
    internal static void Finish(Span<byte> file, int keys, in IdRun segment, long earliest, long latest)
    {
        var table = file[HeaderBytes..BlockOffset(keys, 0)];
        for (var block = 0; block < Blocks(keys); block++)
        {
            var bytes = file[BlockOffset(keys, block)..Math.Min(BlockOffset(keys, block + 1), file.Length)];
            bytes[..8].CopyTo(table[(block * TableEntryBytes)..]);
            BinaryPrimitives.WriteUInt32BigEndian(table[((block * TableEntryBytes) + 8)..], Crc32C.Compute(bytes));
        }
        file[..HeaderBytes].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(file, Magic);
        file[4] = FormatVersion;
        BinaryPrimitives.WriteInt32BigEndian(file[8..], keys);
        BinaryPrimitives.WriteInt64BigEndian(file[16..], segment.FirstSequence);
        segment.ClosingHash.Write(file[24..]);
        BinaryPrimitives.WriteInt64BigEndian(file[56..], earliest);
        BinaryPrimitives.WriteInt64BigEndian(file[64..], latest);
        BinaryPrimitives.WriteUInt32BigEndian(file[TableCrcOffset..], Crc32C.Compute(table));
        BinaryPrimitives.WriteUInt32BigEndian(file[HeaderCrcOffset..], Crc32C.Compute(file[..HeaderCrcOffset]));
    }

    /// <summary>The filter in a file, if header and table are whole and are this segment's; null otherwise, and
    /// <paramref name="problem"/> says what stands there.</summary>
    internal static IdFilter? TryRead(FilterRead read, long fileBytes, in IdRun segment, int keyBits, out string problem)
    {
        var header = new byte[HeaderBytes];
        var length = read(0, header);
        var keys = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(8));
        var table = Array.Empty<byte>();
        problem = "";
        if (length < HeaderBytes || BinaryPrimitives.ReadUInt32BigEndian(header) != Magic) problem = "another file format";
        else if (BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(HeaderCrcOffset)) != Crc32C.Compute(header.AsSpan(0, HeaderCrcOffset))) problem = "a header with a wrong checksum";
        else if (header[4] != FormatVersion) problem = $"format version {header[4]}, which this version does not know";
        else if (BinaryPrimitives.ReadInt64BigEndian(header.AsSpan(16)) != segment.FirstSequence || Hash256.Read(header.AsSpan(24)) != segment.ClosingHash) problem = "the filter of another segment";
        else if (keys < 0 || keys > segment.Bytes / KeyBytes || fileBytes != FileBytes(keys)) problem = $"{keys} keys in {fileBytes} bytes";
        else if (read(HeaderBytes, table = new byte[Blocks(keys) * TableEntryBytes]) < table.Length
            || BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(TableCrcOffset)) != Crc32C.Compute(table)) problem = "a table with a wrong checksum";
        return problem.Length == 0 ? new IdFilter(header, table, new IdHash(segment.ClosingHash, keyBits)) : null;
    }

    /// <summary>Set when a block turned out to be damaged: the filter is no longer asked, and made again.</summary>
    internal bool IsDamaged { get => Volatile.Read(ref _damaged); set => Volatile.Write(ref _damaged, value); }
    private bool _damaged;

    /// <summary>Whether the segment holds ids from before and from after this time, or of it. Costs no read.</summary>
    internal bool Spans(UnixTime time) => _keys > 0 && time.Milliseconds >= _earliest && time.Milliseconds <= _latest;

    /// <summary>Collects the sequences at which the id may stand. One read, but for a key that stands where one block
    /// ends and the next begins.</summary>
    /// <returns>False if the filter is damaged.</returns>
    internal bool TryFind(FilterRead read, in EntryId identity, List<long> candidates)
    {
        var key = _hash.Key(identity);
        // Equal keys may begin in the block before the first one that begins with the key or above it.
        for (var block = Math.Max(FirstNotBelow(key) - 1, 0); block < _firstKeys.Length && _firstKeys[block] <= key; block++)
        {
            if (!TryFindIn(read, block, key, candidates)) return false;
        }
        return true;
    }

    private int FirstNotBelow(ulong key)
    {
        var (low, high) = (0, _firstKeys.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_firstKeys[middle] < key) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private bool TryFindIn(FilterRead read, int block, ulong key, List<long> candidates)
    {
        var length = Math.Min(BlockKeys, _keys - (block * BlockKeys)) * KeyBytes;
        var rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var bytes = rented.AsSpan(0, length);
            if (read(BlockOffset(_keys, block), bytes) < length || Crc32C.Compute(bytes) != _crcs[block]) return false;
            var (low, high) = (0, length / KeyBytes);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (KeyAt(bytes, middle) < key) low = middle + 1;
                else high = middle;
            }
            for (; low < length / KeyBytes && KeyAt(bytes, low) == key; low++)
                candidates.Add(_firstSequence + BinaryPrimitives.ReadUInt32BigEndian(bytes[((low * KeyBytes) + 8)..]));
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static ulong KeyAt(ReadOnlySpan<byte> block, int number) => BinaryPrimitives.ReadUInt64BigEndian(block[(number * KeyBytes)..]);
}
