namespace Bitcache.Core;

/// <summary>Everything that a ledger remembers, as it was at one moment. May be read by any thread, once, until it is
/// given back with <see cref="Ledger.Release(LedgerCapture)"/>.</summary>
public sealed class LedgerCapture
{
    private readonly IStateRows[] _tables;

    internal LedgerCapture(int partition, long nextSequence, UnixTime time, IStateRows[] tables) =>
        (Partition, NextSequence, Time, _tables) = (partition, nextSequence, time, tables);

    public int Partition { get; }

    /// <summary>How many entries were applied: those before this sequence.</summary>
    public long NextSequence { get; }

    /// <summary>The newest journaled time.</summary>
    public UnixTime Time { get; }

    /// <summary>Writes the state piece by piece, in the order and bytes that are the same on every machine.</summary>
    /// <returns>The state hash: SHA-256 over all pieces.</returns>
    public Hash256 Write(StatePieceWriter write)
    {
        using var writer = new StateWriter(write);
        foreach (var table in _tables) table.Write(writer);
        return writer.Finish();
    }
}
