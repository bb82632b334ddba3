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
/// <param name="listedAtOnce">How many entries of the wallet's history are asked for in one call.</param>
public sealed class DepositWatcher(
    SettlementTerm term, IBitcoinNode node, EngineSettings settings, ILogger log, int listedAtOnce = Limits.WalletEntriesAtOnceMax)
{
    /// <summary>How often one look starts over because a block arrived meanwhile.</summary>
    private const int LooksMax = 5;

    private const int AppliedAtOnce = Limits.BatchEntriesMax;

    private readonly OutputCheck _check = new(node);
    private readonly WalletHistory _history = new(node, listedAtOnce);

    // The newest block and the cursor behind a look in which the node knew all that it was asked for. Until one of them is
    // another there is nothing new to see, and the list, which may be long, is not asked for.
    private (BlockHash Best, ChainCursor? Cursor)? _seen;

    // What the wallet did not know even when it had been rescanned. A new process asks it once more.
    private HashSet<OutPoint> _missing = [];

    /// <summary>What a look found out about one output.</summary>
    /// <param name="Forgotten">The node's wallet does not know it any more.</param>
    private sealed record Sighting(
        OutPoint OutPoint, ByteString Script, Sats Amount, int Confirmations, BlockHash Block, uint Height, bool Coinbase, bool Forgotten = false);

    /// <summary>The newest block of the last look that was over: everything in it and below it was seen.</summary>
    public BlockHash? LookedAt { get; private set; }

    /// <summary>The node may be another one, or one that was restarted: the next look does not rest on what the last one saw.</summary>
    public void LookAnew() => _seen = null;

    /// <inheritdoc cref="LookAsync(uint?, CancellationToken)"/>
    public Task<bool> LookAsync(CancellationToken cancel) => LookAsync(null, cancel);

    /// <summary>Looks until the best block did not change meanwhile, then moves the cursor.</summary>
    /// <param name="from">A block from which everything is looked at again, now that the wallet was rescanned from there; null to go
    /// on where the last look ended.</param>
    /// <param name="cancel">Ends the look; the next one starts where this one did.</param>
    /// <returns>False if it is not over: blocks kept arriving, or the wallet has to be rescanned first, as the ledger knows now.</returns>
    /// <exception cref="NodeException">Nothing is lost: the next look starts where this one did.</exception>
    /// <exception cref="CursorLostException">The node knows none of the blocks that were looked at before.</exception>
    /// <exception cref="AddressSharedException">An output is two partitions' (an address was given away twice): nothing is booked, and
    /// settlement must stop.</exception>
    public async Task<bool> LookAsync(uint? from, CancellationToken cancel)
    {
        for (var i = 0; i < LooksMax; i++)
        {
            var best = (await node.GetBlockchainInfoAsync(cancel)).BestBlock;
            var (cursor, ring) = await term.Partitions.First.QueryAsync(ledger => (ledger.Cursor, ledger.CursorRing()));
            if (from is null && _seen == (best, cursor)) return true;
            var (next, isWhole) = await LookOnceAsync(from, best, cursor, ring, cancel);
            if (next is null) return false;
            if ((await node.GetBlockchainInfoAsync(cancel)).BestBlock != best) continue;
            if (await node.GetBlockInfoAsync(next.Value, cancel) is not { } block) continue;
            // Every change was journaled before this is.
            cursor = new ChainCursor((uint)block.Height, block.Hash);
            await term.SubmitAsync(new MoveCursor(cursor.Height, cursor.Block));
            _seen = isWhole ? (best, cursor) : null;
            LookedAt = best;
            return true;
        }
        return false;
    }

    /// <returns>The block to look from next time, and whether the node knew all that it was asked for; no block if the wallet forgot
    /// something that was in one, and was not rescanned since.</returns>
    private async Task<(BlockHash? Next, bool IsWhole)> LookOnceAsync(
        uint? from, BlockHash best, ChainCursor? cursor, IReadOnlyList<ChainCursor> ring, CancellationToken cancel)
    {
        var open = new Dictionary<OutPoint, Deposit>();
        foreach (var deposit in (await term.Partitions.QueryAllAsync(ledger => ledger.OpenDeposits())).SelectMany(deposits => deposits))
        {
            if (!open.TryAdd(deposit.OutPoint, deposit)) throw new AddressSharedException($"{deposit.OutPoint} was booked in two partitions");
        }
        var next = from < cursor?.Height ? await BookHistoryAsync(from.Value, open, best, cancel) : await BookChangesAsync(open, best, cursor, ring, cancel);
        var unlisted = new List<Sighting>();
        var isWhole = true;
        // One transaction may hold a thousand of them, and its answer is as long: it is asked for once.
        foreach (var deposits in open.Values.GroupBy(d => d.OutPoint.Txid))
        {
            var transaction = await node.GetTransactionAsync(deposits.Key, cancel);
            isWhole &= transaction is not null;
            unlisted.AddRange(deposits.Select(deposit => ToSighting(deposit, transaction)));
        }
        var newest = cursor?.Height ?? 0;
        var forgotten = unlisted.Where(s => s.Forgotten).Select(s => open[s.OutPoint]).Where(d => IsWorthRescan(d, newest)).ToArray();
        var mustRescan = from is null && await MustRescanAsync(forgotten, newest);
        if (!mustRescan) _missing = [.. forgotten.Select(d => d.OutPoint)];
        await BookAsync(unlisted, cancel);
        return mustRescan ? (null, false) : (next, isWhole);
    }

    /// <summary>Books what the node lists since the cursor.</summary>
    /// <param name="open">Takes away what is listed.</param>
    /// <returns>The block to look from next time.</returns>
    private async Task<BlockHash> BookChangesAsync(
        Dictionary<OutPoint, Deposit> open, BlockHash best, ChainCursor? cursor, IReadOnlyList<ChainCursor> ring, CancellationToken cancel)
    {
        try
        {
            var changes = await ListAsync(cursor, ring, cancel);
            await BookListedAsync(changes.Entries, from: 0, open, cancel);
            return changes.LastBlock;
        }
        catch (NodeException e) when (e.IsAnswerTooLong)
        {
            log.ListTooLong(e.Message);
            return await BookHistoryAsync(from: 0, open, best, cancel);
        }
    }

    /// <summary>Books all that the wallet knows of a block and those above it: in pages, for nobody knows how much it is.</summary>
    private async Task<BlockHash> BookHistoryAsync(uint from, Dictionary<OutPoint, Deposit> open, BlockHash best, CancellationToken cancel)
    {
        await foreach (var page in _history.PagesAsync(cancel)) await BookListedAsync(page, from, open, cancel);
        var changes = await node.ListSinceBlockAsync(best, settings.FinalityDepth, cancel)
            ?? throw new NodeException(NodeFailure.Unknown, $"the chain has no block {best} any more");
        return changes.LastBlock;
    }

    private async Task BookListedAsync(IReadOnlyList<WalletEntry> entries, uint from, Dictionary<OutPoint, Deposit> open, CancellationToken cancel)
    {
        var arrived = entries.Select(ToSighting).OfType<Sighting>().Where(s => s.Height >= from).ToArray();
        var ours = await FindOursAsync([.. arrived.Select(s => s.OutPoint.Txid).Distinct()]);
        // Told twice, it is one.
        var sightings = arrived.Where(s => !ours.Contains(s.OutPoint.Txid)).DistinctBy(s => s.OutPoint).ToArray();
        await BookAsync(sightings, cancel);
        foreach (var sighting in sightings) open.Remove(sighting.OutPoint);
    }

    private async Task BookAsync(IReadOnlyCollection<Sighting> sightings, CancellationToken cancel)
    {
        if (sightings.Count == 0) return;
        // A script belongs to one wallet, and its deposits are booked where that lives.
        var known = await term.Partitions.QueryAllAsync(ledger => sightings
            .Where(s => ledger.FindAddress(s.Script) is not null)
            .Select(s => (Sighting: s, Deposit: ledger.FindDeposit(s.OutPoint)))
            .ToArray());
        var twice = known.SelectMany(found => found).CountBy(k => k.Sighting.OutPoint).FirstOrDefault(count => count.Value > 1).Key;
        // Credited in both it would be money out of nothing; and which of them was told of the address, nobody knows here.
        if (twice != default) throw new AddressSharedException($"the address that {twice} pays was given to wallets in two partitions");
        await _check.RequireAsync(
            known.SelectMany(found => found).Where(k => k.Deposit is null).Select(k => new ClaimedOutput(k.Sighting.OutPoint, k.Sighting.Script, k.Sighting.Amount, k.Sighting.Block)),
            cancel);
        // Side by side, so that they share syncs; they touch different outputs. No more than leave room in the queue for others.
        foreach (var some in known.SelectMany((found, number) => found.Select(k => (Home: term.Partitions[number], k.Sighting, k.Deposit))).Chunk(AppliedAtOnce))
            await Task.WhenAll(some.Select(k => ApplyAsync(k.Home, k.Sighting, k.Deposit)));
    }

    /// <summary>What has been set aside for longer than the ring reaches back was double-spent, and no rescan finds it.</summary>
    private static bool IsWorthRescan(Deposit deposit, uint newest) =>
        deposit.State != DepositState.Frozen || HeightOf(deposit, newest) + Limits.CursorRingMax > newest;

    /// <summary>Where it was last; for one that waits for a block, where the next one is looked for.</summary>
    private static uint HeightOf(Deposit deposit, uint newest) => deposit.Height > 0 ? deposit.Height : newest;

    /// <summary>Wallets do not forget by themselves: this one is a copy from before it knew, or another node's, or a reorganisation
    /// took what it knew. What it forgot is set aside at once; rescanned, it may know again.</summary>
    private async Task<bool> MustRescanAsync(Deposit[] forgotten, uint newest)
    {
        if (forgotten.Where(d => !_missing.Contains(d.OutPoint)).Min(d => (uint?)HeightOf(d, newest)) is not { } lowest) return false;
        await term.SubmitAsync(new MarkRescan(lowest - Math.Min(lowest, (uint)settings.FinalityDepth), Done: false));
        return true;
    }

    /// <summary>Which of these transactions were signed for families: what they pay to our own scripts is no deposit.</summary>
    private async Task<HashSet<Txid>> FindOursAsync(Txid[] transactions)
    {
        var found = await term.Partitions.QueryAllAsync(ledger => Array.FindAll(transactions, ledger.IsOwn));
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

    /// <summary>A deposit that is not in the list, by its transaction; null for one that the node does not know.</summary>
    private static Sighting ToSighting(Deposit deposit, WalletTransaction? transaction)
    {
        // A transaction that the node forgot is treated as one that left the chain, never as one that is final.
        var confirmations = transaction?.Confirmations ?? 0;
        var (block, height) = (deposit.Block, deposit.Height);
        if (confirmations >= 1) (block, height) = (transaction!.Block!.Value, (uint)transaction.Height!.Value);
        else if (deposit.State == DepositState.Seen) (block, height) = (default, 0);
        return new Sighting(deposit.OutPoint, deposit.Script, deposit.Amount, confirmations, block, height, deposit.IsWaitingCoinbase, Forgotten: transaction is null);
    }

    /// <exception cref="NodeException">The node says something else of an output than it did before: an output never changes.</exception>
    private async Task ApplyAsync(Partition partition, Sighting seen, Deposit? deposit)
    {
        if (deposit is not null && (deposit.Amount, deposit.Script) != (seen.Amount, seen.Script))
            throw new NodeException(NodeFailure.Unknown, $"the node says that {seen.OutPoint} pays {seen.Amount} and another script or amount than it said before, {deposit.Amount}");
        var tooSmall = seen.Amount.Value < settings.DepositMinimumSat;
        var suspense = deposit is { Booked: true } ? deposit.Suspense : seen.Coinbase;
        foreach (var to in Steps(seen, deposit?.State ?? DepositState.None, deposit is { Booked: true }))
        {
            var change = new ChangeDeposit(
                seen.OutPoint, to, suspense || (tooSmall && to == DepositState.Credited && deposit is not { Booked: true }),
                seen.Script, seen.Amount, seen.Block, seen.Height);
            var answer = await term.SubmitAsync(partition, change);
            if (answer.Outcome != Outcome.Accepted) continue;
            suspense = change.Suspense;
            if (seen.Forgotten) log.DepositForgotten(seen.OutPoint);
            log.DepositChanged(seen.OutPoint, seen.Amount, to, seen.Confirmations);
        }
    }

    /// <summary>The states that a deposit goes through now, given where it is and how deep its transaction.</summary>
    private IEnumerable<DepositState> Steps(Sighting seen, DepositState state, bool isBooked)
    {
        // These two are for ever.
        if (state is DepositState.Final or DepositState.Reversed) yield break;
        var toCredit = settings.ConfirmationsFor(seen.Amount, seen.Coinbase);
        if (seen.Confirmations >= toCredit)
        {
            if (state != DepositState.Credited) yield return DepositState.Credited;
            if (seen.Confirmations >= Math.Max(settings.FinalityDepth, toCredit)) yield return DepositState.Final;
        }
        else if (seen.Confirmations >= 1)
        {
            // One that was credited stays so, even if it is now in another block with fewer confirmations.
            if (!isBooked) yield return DepositState.Seen;
        }
        else if (seen.Confirmations <= -settings.FinalityDepth)
        {
            yield return DepositState.Reversed;
        }
        else if (state == DepositState.Credited || (state == DepositState.Seen && seen.Confirmations < 0))
        {
            yield return DepositState.Frozen;
        }
        else if (state == DepositState.Seen)
        {
            // It waits for a block again.
            yield return DepositState.Seen;
        }
    }
}

/// <summary>None of the remembered blocks is known to the node: it is on another chain, or behind by more than
/// the ring holds. Nothing more is credited until an operator has looked.</summary>
public sealed class CursorLostException(uint height) : Exception(
    $"the node knows none of the {Limits.CursorRingMax} newest blocks that were looked at, up to height {height}: it follows another chain "
    + "or lost its data. Deposits stop until it is the right node again");

/// <summary>An address is two wallets', in two partitions: whatever is credited for what pays it would be credited twice. The rule is
/// the settlement's alone, so that it ends, and partitions go on.</summary>
public sealed class AddressSharedException(string found) : Exception(found);
