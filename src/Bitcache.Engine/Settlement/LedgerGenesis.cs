// The beginning of a ledger: one entry, the same in every partition.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

internal static class LedgerGenesis
{
    /// <summary>Begins a new ledger. The first partition's genesis entry says what it is; the others have the same, and those
    /// that lack it because the process ended in between, get it now.</summary>
    /// <exception cref="NodeUnavailableException">A new ledger, and no node to give the script that its anchors will pay.</exception>
    /// <exception cref="HistoryMismatchException">The partitions do not belong together.</exception>
    public static async Task EnsureAsync(
        EngineSettings settings, PartitionSet partitions, IBitcoinNode node, LedgerKeys keys, ILogger logger, CancellationToken cancel)
    {
        if (await FindAsync(partitions.First) is null) await BeginAsync(settings, partitions, node, keys, logger, cancel);
        // Of two processes that begin a ledger in the same moment, one did.
        var (genesis, cut) = await partitions.First.QueryAsync(ledger => (ledger.Genesis!, ledger.LastLogCut));
        for (var number = 1; number < partitions.Count; number++)
        {
            var known = await FindAsync(partitions[number]);
            if (known is null && cut is not null)
                throw new HistoryMismatchException($"Partition {number} in {settings.DataFolder} has no journal, and entries of it were signed for.");
            if (known is null) await partitions[number].SubmitAsync(genesis);
            else if (known.Operator != genesis.Operator) throw new HistoryMismatchException($"Partition {number} in {settings.DataFolder} is one of another ledger.");
        }
    }

    private static Task<Genesis?> FindAsync(Partition partition) => partition.QueryAsync(ledger => ledger.Genesis);

    private static async Task BeginAsync(
        EngineSettings settings, PartitionSet partitions, IBitcoinNode node, LedgerKeys keys, ILogger logger, CancellationToken cancel)
    {
        await EnsureWalletAsync(node, cancel);
        var script = await FreshScriptAsync(node, settings.Network, cancel);
        await partitions.First.SubmitAsync(new Genesis(
            settings.Origin, (byte)settings.Network, settings.Partitions, ClientIds.NextWallet(0, settings.Partitions), script, keys.Fingerprints));
        logger.LedgerBegun(settings.Origin, settings.Network, script);
    }

    /// <summary>Only a new ledger may make a new wallet: later, a missing one is an alarm.</summary>
    private static async Task EnsureWalletAsync(IBitcoinNode node, CancellationToken cancel)
    {
        try
        {
            if (!await node.LoadWalletAsync(cancel)) await node.CreateWalletAsync(cancel);
        }
        catch (NodeException e)
        {
            throw new NodeUnavailableException(e.Message);
        }
    }

    private static async Task<ByteString> FreshScriptAsync(IBitcoinNode node, BitcoinNetwork network, CancellationToken cancel)
    {
        try
        {
            var address = await node.GetNewAddressAsync(cancel);
            return BitcoinAddress.TryParse(address, network, out var script, out var refusal)
                ? new ByteString(script)
                : throw new NodeUnavailableException($"it gave the address {address}, which is not one of {network}: {refusal}");
        }
        catch (NodeException e)
        {
            throw new NodeUnavailableException(e.Message);
        }
    }
}
