// Deposits: every output to one of our addresses is booked at most once, with enough confirmations, and taken back
// when it leaves the chain. The node's wallet lists what changed since the cursor; everything that a reorganisation
// could still change is asked for again at every look, because a list of changes can leave things out.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Looks at the chain when told to. Owned by the settlement loop; what it knows is in the ledger.</summary>
public sealed class DepositWatcher(PartitionSet partitions, IBitcoinNode node, EngineSettings settings, ILogger log)
{
    /// <summary>How often one look starts over because a block arrived meanwhile.</summary>
    private const int LooksMax = 5;

    /// <summary>What a look found out about one output.</summary>
    private sealed record Sighting(
        OutPoint OutPoint, ByteString Script, Sats Amount, int Confirmations, BlockHash Block, uint Height, bool Coinbase);

    /// <summary>Looks until the best block did not change meanwhile, then moves the cursor.</summary>
    /// <exception cref="NodeException">Nothing is lost: the next look starts where this one did.</exception>
    /// <exception cref="CursorLostException">The node knows none of the blocks that were looked at before.</exception>
    public async Task LookAsync(CancellationToken cancel)
    {
        for (var i = 0; i < LooksMax; i++)
        {
            var best = (await node.GetBlockchainInfoAsync(cancel)).BestBlock;
            var next = await LookOnceAsync(cancel);
            if ((await node.GetBlockchainInfoAsync(cancel)).BestBlock != best) continue;
            // Every change was journaled before this is.
            if (await node.GetBlockInfoAsync(next, cancel) is { } block)
                await partitions.First.SubmitAsync(new MoveCursor((uint)block.Height, block.Hash));
            return;
        }
    }

    private async Task<BlockHash> LookOnceAsync(CancellationToken cancel)
    {
        var (cursor, ring) = await partitions.First.QueryAsync(ledger => (ledger.Cursor, ledger.CursorRing()));
        var open = (await partitions.QueryAllAsync(ledger => ledger.OpenDeposits())).SelectMany(deposits => deposits);
        var changes = await ListAsync(cursor, ring, cancel);
        var arrived = changes.Entries.Select(ToSighting).OfType<Sighting>().ToArray();
        var ours = await FindOursAsync([.. arrived.Select(s => s.OutPoint.Txid).Distinct()]);
        var sightings = new Dictionary<OutPoint, Sighting>();
        foreach (var sighting in arrived.Where(s => !ours.Contains(s.OutPoint.Txid))) sightings[sighting.OutPoint] = sighting;
        foreach (var deposit in open)
        {
            if (!sightings.ContainsKey(deposit.OutPoint)) sightings[deposit.OutPoint] = await AskAsync(deposit, cancel);
        }
        // A script belongs to one wallet, and its deposits are booked where that lives.
        var known = await partitions.QueryAllAsync(ledger => sightings.Values
            .Where(s => ledger.FindAddress(s.Script) is not null)
            .Select(s => (Sighting: s, Deposit: ledger.FindDeposit(s.OutPoint)))
            .ToArray());
        // Side by side, so that they share syncs; they touch different outputs.
        await Task.WhenAll(known.SelectMany((found, number) => found.Select(k => ApplyAsync(partitions[number], k.Sighting, k.Deposit))));
        return changes.LastBlock;
    }

    /// <summary>Which of these transactions were signed for families: what they pay to our own scripts is no deposit.</summary>
    private async Task<HashSet<Txid>> FindOursAsync(Txid[] transactions)
    {
        var found = await partitions.QueryAllAsync(ledger => Array.FindAll(transactions, ledger.IsOwn));
        return [.. found.SelectMany(f => f)];
    }

    /// <summary>The list since the cursor, or since the newest earlier block that the node still knows.</summary>
    private async Task<WalletChanges> ListAsync(ChainCursor? cursor, IReadOnlyList<ChainCursor> ring, CancellationToken cancel)
    {
        if (cursor is null) return await node.ListSinceBlockAsync(null, settings.FinalityDepth, cancel) ?? throw new CursorLostException(0);
        foreach (var earlier in ring.Append(cursor).Reverse())
        {
            if (await node.ListSinceBlockAsync(earlier.Block, settings.FinalityDepth, cancel) is { } changes) return changes;
            log.CursorUnknown(earlier.Height, earlier.Block);
        }
        throw new CursorLostException(cursor.Height);
    }

    private Sighting? ToSighting(WalletEntry entry)
    {
        if (entry.Category is not (WalletEntryCategory.Receive or WalletEntryCategory.Immature or WalletEntryCategory.Generate)) return null;
        if (entry.Confirmations < 1 || entry.Block is not { } block || entry.Height is not { } height || entry.Address is null) return null;
        return BitcoinAddress.TryParse(entry.Address, settings.Network, out var script, out _)
            ? new Sighting(entry.Output, new ByteString(script), entry.Amount, entry.Confirmations, block, (uint)height,
                entry.Category != WalletEntryCategory.Receive)
            : null;
    }

    private async Task<Sighting> AskAsync(Deposit deposit, CancellationToken cancel)
    {
        var transaction = await node.GetTransactionAsync(deposit.OutPoint.Txid, cancel);
        if (transaction is null) log.DepositForgotten(deposit.OutPoint);
        // A transaction that the node forgot is treated as one that left the chain, never as one that is final.
        var confirmations = transaction?.Confirmations ?? 0;
        var onChain = confirmations >= 1 && transaction?.Block is not null;
        return new Sighting(
            deposit.OutPoint, deposit.Script, deposit.Amount, confirmations,
            onChain ? transaction!.Block!.Value : deposit.Block, onChain ? (uint)transaction!.Height!.Value : deposit.Height,
            Coinbase: deposit.IsWaitingCoinbase);
    }

    private async Task ApplyAsync(Partition partition, Sighting seen, Deposit? deposit)
    {
        var state = deposit?.State ?? DepositState.None;
        var tooSmall = seen.Amount.Value < settings.DepositMinimumSat;
        var suspense = deposit is { Booked: true } ? deposit.Suspense : seen.Coinbase;
        foreach (var to in Steps(seen, state))
        {
            var change = new ChangeDeposit(
                seen.OutPoint, to, suspense || (tooSmall && to == DepositState.Credited && deposit is not { Booked: true }),
                seen.Script, seen.Amount, seen.Block, seen.Height);
            var answer = await partition.SubmitAsync(change);
            if (answer.Outcome != Outcome.Accepted) continue;
            suspense = change.Suspense;
            log.DepositChanged(seen.OutPoint, seen.Amount, to, seen.Confirmations);
        }
    }

    /// <summary>The states that a deposit goes through now, given where it is and how deep its transaction.</summary>
    private IEnumerable<DepositState> Steps(Sighting seen, DepositState state)
    {
        var toCredit = settings.ConfirmationsFor(seen.Amount, seen.Coinbase);
        if (seen.Confirmations >= toCredit)
        {
            if (state != DepositState.Credited) yield return DepositState.Credited;
            if (seen.Confirmations >= Math.Max(settings.FinalityDepth, toCredit)) yield return DepositState.Final;
        }
        else if (seen.Confirmations >= 1)
        {
            // One that was credited stays so, even if it is now in another block with fewer confirmations.
            if (state is not (DepositState.Credited or DepositState.Frozen)) yield return DepositState.Seen;
        }
        else if (seen.Confirmations <= -settings.FinalityDepth)
        {
            yield return DepositState.Reversed;
        }
        else if (state == DepositState.Credited || (state == DepositState.Seen && seen.Confirmations < 0))
        {
            yield return DepositState.Frozen;
        }
    }
}

/// <summary>None of the remembered blocks is known to the node: it is on another chain, or behind by more than
/// the ring holds. Nothing more is credited until an operator has looked.</summary>
public sealed class CursorLostException(uint height) : Exception(
    $"the node knows none of the {Limits.CursorRingMax} newest blocks that were looked at, up to height {height}: it follows another chain "
    + "or lost its data. Deposits stop until it is the right node again");
