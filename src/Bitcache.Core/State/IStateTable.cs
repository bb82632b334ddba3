// What a table must do to be part of the state: of the state hash, of a snapshot, and of a ledger that is built from
// one. A new table implements these two, and takes its place in Ledger.StateTables; there is nothing else to do.

namespace Bitcache.Core;

/// <summary>A table of the ledger. Owned by the partition's thread.</summary>
internal interface IStateTable
{
    /// <summary>The rows as they are now.</summary>
    /// <param name="hold">Whether they are held as they are until <see cref="Release"/>, to be read by another thread
    /// while this one goes on; otherwise they are good until the next change. At most one view is held at a time.
    /// Must cost next to nothing: no row is copied.</param>
    IStateRows View(bool hold);

    /// <summary>Nobody reads the view that was held any more.</summary>
    void Release();

    /// <summary>Fills an empty table with what <see cref="IStateRows.Write"/> wrote.</summary>
    /// <exception cref="FormatException">That is not what stands there.</exception>
    void Read(StateReader reader);
}

/// <summary>The rows of a table at one moment.</summary>
internal interface IStateRows
{
    /// <summary>Writes all rows, the same on every machine that applied the same entries.</summary>
    void Write(StateWriter writer);
}
