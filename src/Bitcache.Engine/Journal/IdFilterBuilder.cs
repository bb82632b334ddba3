using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>Makes the bytes of a segment's <see cref="IdFilter"/> from its records. Owned by one caller; its arrays
/// are rented, so that a filter for each segment leaves nothing to the garbage collector.</summary>
internal sealed class IdFilterBuilder : IDisposable
{
    /// <summary>Keys are hashes, so they fall evenly into as many ranges as one likes; in one of this size they are
    /// quickly sorted, and it stays in the cache.</summary>
    private const int KeysInRange = 64;

    private readonly byte[] _file;
    private readonly int _fileBytes;

    /// <param name="readIds">Gives the ids of a run of sequences while it may go on; what is read is checked against what was
    /// verified before.</param>
    /// <param name="segment">What is read.</param>
    /// <param name="keyBits">As in <see cref="FileJournalSettings.IdKeyBits"/>.</param>
    /// <param name="cancel">Ends it early, between two chunks.</param>
    /// <exception cref="JournalCorruptException">The segment is damaged.</exception>
    internal IdFilterBuilder(IdScan readIds, in IdRun segment, int keyBits, CancellationToken cancel)
    {
        var hash = new IdHash(segment.ClosingHash, keyBits);
        var first = segment.FirstSequence;
        // A record with an id is longer than its key.
        var max = (int)Math.Min(segment.NextSequence - first, segment.Bytes / IdFilter.KeyBytes);
        var (keys, offsets) = (ArrayPool<ulong>.Shared.Rent(max), ArrayPool<uint>.Shared.Rent(max));
        var (earliest, latest, count) = (long.MaxValue, 0L, 0);
        try
        {
            readIds(first, segment.NextSequence, (in EntryId identity, long sequence) =>
            {
                var time = identity.Id.Time.Milliseconds;
                (earliest, latest) = (Math.Min(earliest, time), Math.Max(latest, time));
                (keys[count], offsets[count]) = (hash.Key(identity), (uint)(sequence - first));
                count++;
            }, () => !cancel.IsCancellationRequested);
            cancel.ThrowIfCancellationRequested();
            _fileBytes = IdFilter.FileBytes(count);
            _file = ArrayPool<byte>.Shared.Rent(_fileBytes);
            WriteSorted(keys.AsSpan(0, count), offsets.AsSpan(0, count), _file.AsSpan(0, _fileBytes)[^(count * IdFilter.KeyBytes)..]);
            IdFilter.Finish(_file.AsSpan(0, _fileBytes), count, segment, count == 0 ? 0 : earliest, latest);
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(keys);
            ArrayPool<uint>.Shared.Return(offsets);
        }
    }

    internal ReadOnlySpan<byte> File => _file.AsSpan(0, _fileBytes);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_file);

    /// <summary>Sorts by key: one pass that puts each key into its range, then each range for itself.</summary>
    private static void WriteSorted(ReadOnlySpan<ulong> keys, ReadOnlySpan<uint> offsets, Span<byte> blocks)
    {
        var bits = Math.Max(BitOperations.Log2((uint)keys.Length | 1) - BitOperations.Log2(KeysInRange), 0);
        var ends = new int[(1 << bits) + 1];
        foreach (var key in keys) ends[RangeOf(key, bits) + 1]++;
        for (var range = 1; range < ends.Length; range++) ends[range] += ends[range - 1];

        var (sorted, places) = (ArrayPool<ulong>.Shared.Rent(keys.Length), ArrayPool<uint>.Shared.Rent(keys.Length));
        for (var i = 0; i < keys.Length; i++)
        {
            var at = ends[RangeOf(keys[i], bits)]++;
            (sorted[at], places[at]) = (keys[i], offsets[i]);
        }
        // Each range's start has moved to its end.
        for (var (range, from) = (0, 0); range < 1 << bits; from = ends[range++])
            sorted.AsSpan(from, ends[range] - from).Sort(places.AsSpan(from, ends[range] - from));
        for (var i = 0; i < keys.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(blocks[(i * IdFilter.KeyBytes)..], sorted[i]);
            BinaryPrimitives.WriteUInt32BigEndian(blocks[((i * IdFilter.KeyBytes) + 8)..], places[i]);
        }
        ArrayPool<ulong>.Shared.Return(sorted);
        ArrayPool<uint>.Shared.Return(places);
    }

    private static int RangeOf(ulong key, int bits) => bits == 0 ? 0 : (int)(key >> (64 - bits));
}
