namespace Bitcache.Core.Audit;

/// <summary>A row that is found by a key.</summary>
internal interface IReplayRow<TKey>
{
    TKey Key { get; }
}

/// <summary>Rows by key, in the order in which they were added; none is removed. They lie in pages that stay where they are, so that a
/// table of millions never takes twice its memory to grow. Belongs to one replay.</summary>
internal sealed class ReplayTable<TKey, TRow> where TKey : struct, IEquatable<TKey> where TRow : struct, IReplayRow<TKey>
{
    private readonly PagedTable<TRow> _rows = new();
    private readonly SlotIndex _index = new();

    public int Count => _rows.Count;

    /// <summary>A row to read or to write; adding others does not move it.</summary>
    public ref TRow this[int slot] => ref _rows[slot];

    /// <summary>Where a key's row is; negative if there is none.</summary>
    public int Find(in TKey key)
    {
        var hash = HashOf(key);
        var page = _index.PageOf(hash);
        for (var slot = page.First(hash, out var cursor); slot >= 0; slot = page.Next(hash, ref cursor))
        {
            if (_rows.Peek(slot).Key.Equals(key)) return slot;
        }
        return -1;
    }

    /// <summary>Adds a row whose key is not there.</summary>
    public int Add(in TRow row)
    {
        var slot = _rows.Add(row);
        _index.Add(HashOf(row.Key), slot);
        return slot;
    }

    /// <summary>The runtime's hashes are keyed anew in each process: nobody can choose keys that meet in one cell.</summary>
    private static uint HashOf(in TKey key) => unchecked((uint)key.GetHashCode());
}
