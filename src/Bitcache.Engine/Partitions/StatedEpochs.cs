using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Until which epoch books are closed. Only the first partition's journal says so; the other partitions of a process, which
/// keep balances for whoever closes them, learn it here. Used by any thread.</summary>
internal sealed class StatedEpochs
{
    private long _newest;

    /// <summary>Looks at what a partition knows, and gives back there what nobody will read any more. Called by whoever has the ledger.</summary>
    public void Exchange(Ledger ledger)
    {
        if (ledger.LastStatedEpoch is { } stated && stated.Number > Interlocked.Read(ref _newest)) Interlocked.Exchange(ref _newest, stated.Number);
        if (ledger.HasBalances) ledger.ReleaseThrough(Interlocked.Read(ref _newest));
    }
}
