// What only a node can tell: which blocks are in the best chain, and what was spent when.

using System.Globalization;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

internal sealed class ChainAudit(AuditInputs inputs, IChainView chain, Pins pins, AuditSteps steps)
{
    /// <summary>Anchors and reserves are in the best chain, and nobody else has spent what only the next anchor may.</summary>
    /// <param name="cuts">When epochs were cut, from the entries; null without them.</param>
    public bool Check(IReadOnlyList<CheckedEpoch> epochs, IReadOnlyList<CheckedAnchor> anchors, IReadOnlyDictionary<long, UnixTime>? cuts)
    {
        var (anchored, closed) = (anchors.Where(a => !IsAhead(a.Height)).ToArray(), epochs.Where(e => !IsAhead(e.Statement.Height)).ToArray());
        if (anchored.Length < anchors.Count || closed.Length < epochs.Count)
            steps.NotChecked($"{anchors.Count - anchored.Length} anchors and {epochs.Count - closed.Length} epochs rest on blocks above {chain.TipHeight}, which the node did not have yet: audit again");
        return CheckAhead(anchors.Skip(anchored.Length), anchored.LastOrDefault()?.Height ?? 0) && CheckAnchors(anchored) && CheckBlocks(closed) && CheckAges(closed, cuts)
            && CheckNewestAnchor(anchored) && CheckReserves(closed) && CheckWithdrawals(closed) && CheckProofs(epochs);
    }

    /// <summary>A block that the node does have is at its own height and no other.</summary>
    /// <param name="from">No anchor is in a block below that of the one before.</param>
    private bool CheckAhead(IEnumerable<CheckedAnchor> ahead, uint from)
    {
        foreach (var anchor in ahead)
        {
            for (var height = Math.Max(from, chain.TipHeight - Math.Min(chain.TipHeight, Limits.UnshownAnchorBlocksMax)); height <= chain.TipHeight; height++)
            {
                if (chain.BlockAt(height) != anchor.Header.Hash) continue;
                return steps.Failed(AuditFault.BlockNotInChain, $"the anchor of epoch {anchor.Record.Epoch} is said to be at height {anchor.Height}, but its block {anchor.Header.Hash} is at {height}", AuditPaths.Of(anchor.Record.Epoch, AuditPaths.Timestamp));
            }
        }
        return true;
    }

    /// <summary>The operator's node may be some blocks ahead of the auditor's, or of what that said when the audit began.</summary>
    private bool IsAhead(uint height) => height > chain.TipHeight && height <= chain.TipHeight + Limits.BlocksAheadMax;

    private bool CheckAnchors(CheckedAnchor[] anchors)
    {
        foreach (var anchor in anchors)
        {
            if (chain.BlockAt(anchor.Height) == anchor.Header.Hash) continue;
            return steps.Failed(
                AuditFault.BlockNotInChain, $"the anchor of epoch {anchor.Record.Epoch} is said to be in block {anchor.Header.Hash} at height {anchor.Height}, but the best chain has {Name(chain.BlockAt(anchor.Height))} there",
                AuditPaths.Of(anchor.Record.Epoch, AuditPaths.Header));
        }
        return anchors.Length == 0 || steps.Passed($"the blocks of {anchors.Length} anchors are in the node's best chain");
    }

    /// <summary>A reorganisation may take an epoch's block; a later epoch then says what there is. The newest one must stand.</summary>
    private bool CheckBlocks(CheckedEpoch[] epochs)
    {
        foreach (var epoch in epochs)
        {
            var statement = epoch.Statement;
            if (chain.BlockAt(statement.Height) == statement.Block) continue;
            if (epoch != epochs[^1])
            {
                steps.NotChecked($"epoch {statement.Epoch} was closed by block {statement.Block} at height {statement.Height}, which is not in the best chain: a reorganisation took it, or it never was; epoch {epochs[^1].Statement.Epoch} was closed later");
                continue;
            }
            return steps.Failed(
                AuditFault.BlockNotInChain, $"epoch {statement.Epoch} was closed by block {statement.Block} at height {statement.Height}, but the best chain has {Name(chain.BlockAt(statement.Height))} there",
                AuditPaths.Of(statement.Epoch, AuditPaths.Close));
        }
        return epochs.Length == 0 || steps.Passed($"the newest of {epochs.Length} epochs was closed by block {epochs[^1].Statement.Height}, {chain.TipHeight - epochs[^1].Statement.Height} blocks ago");
    }

    /// <summary>An epoch is closed by the newest block there is. An older one would show coins that were spent since, and hide what
    /// was paid since. A statement may be later than its cut, by as long as the server was away: only the entries tell of the cut.</summary>
    private bool CheckAges(CheckedEpoch[] epochs, IReadOnlyDictionary<long, UnixTime>? cuts)
    {
        foreach (var epoch in epochs.Where(e => e.Reserves is not null))
        {
            var statement = epoch.Statement;
            if (chain.BlockAt(statement.Height) != statement.Block || chain.BlockAt(statement.Height + Limits.CutBlocksBehindMax) is not { } later) continue;
            var mined = chain.ReadBlock(later).Header.Time.Milliseconds + Limits.BlockTimeAheadMillisecondsMax;
            var behind = string.Create(
                CultureInfo.InvariantCulture, $"epoch {statement.Epoch} was closed by block {statement.Height}, when block {statement.Height + Limits.CutBlocksBehindMax} had been there for hours");
            if (cuts is not null && cuts.TryGetValue(statement.Epoch, out var cut) && mined < cut.Milliseconds)
                return steps.Failed(AuditFault.BlockStale, behind, AuditPaths.Of(statement.Epoch, AuditPaths.Close));
            if (cuts is null && mined < epoch.Stated.Milliseconds) steps.NotChecked($"{behind}, or was stated long after its end: the entries can tell (--entries)");
        }
        return true;
    }

    /// <summary>The next anchor may be in a block already and not be published yet, as what is shown was written a while ago; then
    /// the next audit finds it, or finds that the chain of anchors is broken. That excuses nobody for longer than a week.</summary>
    private bool CheckNewestAnchor(CheckedAnchor[] anchors)
    {
        if (anchors.Length == 0) return true;
        var newest = anchors[^1];
        if (chain.FindUnspent(newest.Output) is not null) return steps.Passed($"the output of the newest anchor, {newest.Output}, is unspent at block {chain.TipHeight}");
        var (spender, height) = Find(newest.Height, newest.Output);
        var path = AuditPaths.Of(newest.Record.Epoch, AuditPaths.Anchor);
        if (spender is null || !LooksLikeNext(spender, newest))
            return steps.Failed(AuditFault.AnchorOutputSpent, $"the output of the newest anchor, {newest.Output}, was spent by {(spender is null ? "a transaction in no block that the node shows" : $"transaction {spender.Txid}")}, which is no anchor: a second history, or the end of this one", path);
        if (chain.TipHeight - height < Limits.UnshownAnchorBlocksMax)
            return steps.NotChecked($"transaction {spender.Txid} in block {height} spends the output of the newest anchor and looks like the next one, which is not shown yet: audit again what is published then");
        return steps.Failed(AuditFault.AnchorOutputSpent, $"the output of the newest anchor, {newest.Output}, was spent by transaction {spender.Txid} in block {height}, {chain.TipHeight - height} blocks ago, which looks like an anchor and is not shown: a second history, or what is shown is as old as that", path);
    }

    private bool LooksLikeNext(BitcoinTransaction spender, CheckedAnchor newest) =>
        spender.Inputs[0].Spent == newest.Output && pins.CountAnchorOutputs(spender) == 1 && AnchorRecord.TryFindCommitment(spender, out _);

    /// <summary>What spends an output, and in which block; null if no block has it.</summary>
    private (BitcoinTransaction? Spender, uint Height) Find(uint from, OutPoint spent)
    {
        for (var height = from; height <= chain.TipHeight; height++)
        {
            inputs.Progress("blocks", height, chain.TipHeight);
            if (chain.BlockAt(height) is { } block && chain.ReadBlock(block).Transactions.FirstOrDefault(t => t.Inputs.Any(i => i.Spent == spent)) is { } spender) return (spender, height);
        }
        return (null, 0);
    }

    /// <summary>Coins of the newest epoch that was looked at. What is unspent now was so then; what is not must have been spent
    /// by a later block.</summary>
    private bool CheckReserves(CheckedEpoch[] epochs)
    {
        if (epochs.LastOrDefault(e => e.Reserves is not null) is not { Reserves: { } reserves }) return true;
        var path = AuditPaths.Of(reserves.Epoch, ReservesFile.Name);
        var later = new Dictionary<OutPoint, ReserveCoin>();
        foreach (var coin in reserves.Coins)
        {
            if (BlockHeader.TryParse(coin.Header.Span, out var header) && chain.BlockAt(coin.Height) != header.Hash)
                return steps.Failed(AuditFault.BlockNotInChain, $"coin {coin.Output} of epoch {reserves.Epoch} is said to be of block {header.Hash} at height {coin.Height}, which is not in the best chain", path);
            if (chain.FindUnspent(coin.Output) is null) later.Add(coin.Output, coin);
        }
        var spentSince = later.Count;
        for (var height = reserves.Height + 1; later.Count > 0 && height <= chain.TipHeight; height++)
        {
            inputs.Progress("blocks", height, chain.TipHeight);
            if (chain.BlockAt(height) is not { } block) break;
            foreach (var input in chain.ReadBlock(block).Transactions.SelectMany(t => t.Inputs)) later.Remove(input.Spent);
        }
        if (later.Count > 0)
        {
            var coin = later.Values.First();
            return steps.Failed(AuditFault.ReserveSpent, $"coin {coin.Output} of {coin.Amount.Value} sat is listed for epoch {reserves.Epoch}, but was spent by its block {reserves.Height} already: no later block spends it, and it is not there now", path);
        }
        return steps.Passed($"the {reserves.Coins.Count} coins of epoch {reserves.Epoch} were unspent at block {reserves.Height}; {spentSince} of them were spent since");
    }

    /// <summary>What the newest epoch that was looked at leaves out of what is owed was paid by a block up to its own.</summary>
    private bool CheckWithdrawals(CheckedEpoch[] epochs)
    {
        if (epochs.LastOrDefault(e => e.Reserves is not null) is not { Withdrawals.Count: > 0 } epoch) return true;
        var statement = epoch.Statement;
        var unpaid = epoch.Withdrawals.ToDictionary(w => w.Output);
        for (var below = 0u; unpaid.Count > 0 && below < Math.Min(Limits.PaidBlocksMax, statement.Height); below++)
        {
            inputs.Progress("blocks", below, Limits.PaidBlocksMax);
            if (chain.BlockAt(statement.Height - below) is not { } block) break;
            foreach (var transaction in chain.ReadBlock(block).Transactions)
            {
                for (var i = 0; i < transaction.Outputs.Count; i++)
                {
                    var output = new OutPoint(transaction.Txid, (uint)i);
                    if (!unpaid.TryGetValue(output, out var listed)) continue;
                    if (listed.Amount == transaction.Outputs[i].Value && listed.Script.Span.SequenceEqual(transaction.Outputs[i].Script)) unpaid.Remove(output);
                }
            }
        }
        if (unpaid.Count == 0) return steps.Passed($"the {epoch.Withdrawals.Count} withdrawals that epoch {statement.Epoch} leaves out were paid by block {statement.Height}");
        var one = unpaid.Values.First();
        return steps.Failed(
            AuditFault.WithdrawalUnpaid, $"output {one.Output} of {one.Amount.Value} sat is left out of what epoch {statement.Epoch} owes as if it had been paid, but no block up to {statement.Height} has it",
            AuditPaths.Of(statement.Epoch, WithdrawalsFile.Name));
    }

    /// <summary>What was found good here the node finds good, too; and it executes the scripts that were left to it.</summary>
    private bool CheckProofs(IReadOnlyList<CheckedEpoch> epochs)
    {
        var proofs = epochs.Select(e => e.Proof).OfType<ReservesProof>().ToArray();
        foreach (var proof in proofs)
        {
            inputs.Progress("proofs", proof.Reserves.Epoch, proofs[^1].Reserves.Epoch);
            if (chain.IsSigned(proof.ToTransaction(), proof.Spent)) continue;
            var path = AuditPaths.Of(proof.Reserves.Epoch, ReservesProof.FileName);
            return steps.Failed(AuditFault.ReserveSignatureFalse, $"{path}: the node does not find its signatures good", path);
        }
        return proofs.Length == 0 || steps.Passed($"the node finds the signatures of {proofs.Length} proofs of reserves good");
    }

    private static string Name(BlockHash? block) => block?.ToString() ?? "no block";
}
