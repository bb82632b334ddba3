using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

/// <summary>Where a <see cref="MerkleLog"/> keeps its hashes: one growing row for each tile level. A tile
/// (C2SP tlog-tiles) is the slice of 256 hashes that starts at a multiple of 256. What was appended is readable
/// when Append returns; whether it is durable is between the store and its owner.</summary>
public interface IHashStore
{
    /// <summary>Hashes at a level; 0 for a level that was never appended to.</summary>
    long Count(int level);

    /// <summary>Adds hashes at the end of a level.</summary>
    void Append(int level, ReadOnlySpan<Hash256> hashes);

    /// <summary>Fills <paramref name="hashes"/> from a level, beginning at <paramref name="start"/>; the caller
    /// asks only for what was appended.</summary>
    void Read(int level, long start, Span<Hash256> hashes);
}

/// <summary>A hash store in memory: for tests, and for an auditor who builds a tree from entries.</summary>
public sealed class MemoryHashStore : IHashStore
{
    private readonly List<List<Hash256>> _levels = [];

    public long Count(int level) => level < _levels.Count ? _levels[level].Count : 0;

    public void Append(int level, ReadOnlySpan<Hash256> hashes)
    {
        while (_levels.Count <= level) _levels.Add([]);
        _levels[level].AddRange(hashes);
    }

    public void Read(int level, long start, Span<Hash256> hashes) =>
        CollectionsMarshal.AsSpan(_levels[level]).Slice((int)start, hashes.Length).CopyTo(hashes);
}
