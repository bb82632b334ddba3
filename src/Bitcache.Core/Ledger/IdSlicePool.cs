using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>Memory of dropped slices for the next ones: with the window full, ids come and go by the million a second
/// and the collector has nothing to do. Owned by the partition's thread.</summary>
internal sealed class IdSlicePool
{
    private const int SlabChunks = 32;
    private readonly SlabPool<UsedId> _chunks = new(IdSlice.ChunkIds, SlabChunks);
    private long _idsInUse;

    public CellPool Cells { get; } = new();

    /// <summary>Memory that was taken and not given back.</summary>
    public long BytesInUse => (_idsInUse * Unsafe.SizeOf<UsedId>()) + Cells.BytesInUse;

    /// <summary>A chunk for so many ids, of any content.</summary>
    public SlabPage<UsedId> TakeChunk(int ids)
    {
        _idsInUse += ids;
        // Smaller ones are the collector's affair.
        return ids == IdSlice.ChunkIds ? _chunks.Take() : new SlabPage<UsedId>(ids);
    }

    public void Return(SlabPage<UsedId> chunk)
    {
        _idsInUse -= chunk.Length;
        if (chunk.Length == IdSlice.ChunkIds) _chunks.Return(chunk);
    }

    /// <summary>Takes ahead what slices may need more than they have now without more ids in all of them: chunks that are not
    /// full, and cells where the next ones have more ids, or more than was expected of them.</summary>
    /// <param name="expected">The most ids that were expected of a slice.</param>
    public void Reserve(int expected)
    {
        // What smaller ones take is the collector's affair.
        if (expected < IdSlice.ChunkIds) return;
        _chunks.Reserve(SlabChunks / 2, SlabChunks);
        Cells.Reserve(SlotIndex.PagesFor(expected) / 2, 2 * SlotIndex.PagesFor(expected));
    }

    /// <summary>From now on no chunk that is given back is used again: somebody may still read it.</summary>
    public void Hold() => _chunks.Hold();

    /// <summary>Nobody does any more.</summary>
    public void Release() => _chunks.Release();
}
