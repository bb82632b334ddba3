using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

/// <summary>Where a <see cref="MerkleLog"/> keeps its hashes: one row for each tile level. A tile (C2SP tlog-tiles) is the
/// slice of 256 hashes that starts at a multiple of 256. What was written is readable when Write returns; whether it is
/// durable, or still right later, is of no concern: the log verifies what it reads.</summary>
public interface IHashStore
{
    /// <summary>Puts hashes into a level, beginning at <paramref name="start"/>, over what may be there.</summary>
    void Write(int level, long start, ReadOnlySpan<Hash256> hashes);

    /// <summary>Fills <paramref name="hashes"/> from a level, beginning at <paramref name="start"/>. False if they cannot be
    /// read; no hashes always can.</summary>
    bool TryRead(int level, long start, Span<Hash256> hashes);
}

/// <summary>A hash store in memory: for tests, and for an auditor who builds a tree from entries.</summary>
public sealed class MemoryHashStore : IHashStore
{
    private readonly List<List<Hash256>> _levels = [];

    /// <summary>Hashes at a level; 0 for a level that was never written to.</summary>
    public long Count(int level) => level < _levels.Count ? _levels[level].Count : 0;

    public void Write(int level, long start, ReadOnlySpan<Hash256> hashes)
    {
        while (_levels.Count <= level) _levels.Add([]);
        var row = _levels[level];
        CollectionsMarshal.SetCount(row, Math.Max(row.Count, (int)start + hashes.Length));
        hashes.CopyTo(CollectionsMarshal.AsSpan(row)[(int)start..]);
    }

    public bool TryRead(int level, long start, Span<Hash256> hashes)
    {
        if (hashes.IsEmpty) return true;
        if (start + hashes.Length > Count(level)) return false;
        CollectionsMarshal.AsSpan(_levels[level]).Slice((int)start, hashes.Length).CopyTo(hashes);
        return true;
    }
}
