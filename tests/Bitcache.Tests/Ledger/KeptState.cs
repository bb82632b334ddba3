using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>A ledger's state in memory, in pieces as a snapshot holds them.</summary>
internal sealed record KeptState(Hash256 Hash, IReadOnlyList<byte[]> Pieces)
{
    /// <summary>Holds the state and writes it at once.</summary>
    public static KeptState Of(Ledger ledger)
    {
        var capture = ledger.Capture();
        var kept = Of(capture);
        ledger.Release(capture);
        return kept;
    }

    public static KeptState Of(LedgerCapture capture)
    {
        var pieces = new List<byte[]>();
        return new KeptState(capture.Write(piece => pieces.Add(piece.ToArray())), pieces);
    }

    public Ledger Load(int partition = 0)
    {
        var next = 0;
        // With a secret of its own: what is remembered must not depend on it.
        return Ledger.Load(partition, 0x5ec7e7, () => next < Pieces.Count ? Pieces[next++] : default);
    }
}
