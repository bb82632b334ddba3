// Drives families of transactions from opened to final. A family is built, checked, signed, made durable, and only
// then sent; the same bytes are sent again until they confirm. After an ambiguous answer nothing is built anew:
// all attempts of a family share an input, so at most one can ever confirm.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Owned by the settlement loop; everything that must not be lost is in the ledger.</summary>
public sealed class Payouts(Partition partition, IBitcoinNode node, EngineSettings settings, ILogger log)
{
    private const int AnchorWithdrawalsMax = 60;

    private readonly PayoutBuilder _builder = new(node, settings);
    // Halved when an anchor came out too large, so that the next one carries fewer withdrawals.
    private int _anchorWithdrawals = AnchorWithdrawalsMax;

    /// <summary>Why something is waiting, by family number; for health. Replaced at every tick.</summary>
    public IReadOnlyDictionary<long, string> Waiting { get; private set; } = new Dictionary<long, string>();

    /// <summary>Whether the operator's wallet holds too little to open the next family.</summary>
    public bool OperatorFundsLow { get; private set; }

    /// <summary>Binds what is due to new families: the anchor with the first withdrawals, the rest without.</summary>
    /// <param name="anchor">The terms of the next anchor, or null when none is due or one is still unconfirmed.</param>
    /// <param name="due">Withdrawals that leave now, oldest first.</param>
    public async Task OpenAsync(AnchorTerms? anchor, IReadOnlyList<Withdrawal> due)
    {
        OperatorFundsLow = false;
        var left = due.ToList();
        while (anchor is not null || left.Count > 0)
        {
            var carried = TakeDistinct(left, anchor is null ? Limits.FamilyWithdrawalsMax : _anchorWithdrawals);
            var number = await partition.QueryAsync(ledger => ledger.NextFamily);
            var answer = await partition.SubmitAsync(
                new OpenFamily(number, new Sats(settings.FeeCapSat), anchor, [.. carried.Select(w => w.Key)]));
            if (answer.Outcome != Outcome.Accepted)
            {
                OperatorFundsLow = answer.Outcome == Outcome.OperatorFundsLow;
                return;
            }
            log.FamilyOpened(number, carried.Count, anchor?.Epoch);
            anchor = null;
        }
    }

    /// <summary>Takes every live family as far as it goes now.</summary>
    public async Task DriveAsync(CancellationToken cancel)
    {
        var waiting = new Dictionary<long, string>();
        foreach (var live in await partition.QueryAsync(ledger => ledger.LiveFamilies()))
        {
            var (family, before) = (live, FamilyState.None);
            while (family.IsLive && family.State != before)
            {
                before = family.State;
                waiting[family.Number] = await StepAsync(family, cancel);
                family = await partition.QueryAsync(ledger => ledger.FindFamily(family.Number));
            }
            if (!family.IsLive) waiting.Remove(family.Number);
        }
        Waiting = waiting;
    }

    /// <summary>Locks every coin that ordinary funding must leave alone. The node forgets locks when it restarts.</summary>
    public async Task LockCoinsAsync(CancellationToken cancel)
    {
        var (families, anchorScript) = await partition.QueryAsync(ledger => (ledger.Families(), ledger.Genesis!.AnchorScript));
        var keep = InputsOf(families.Where(f => f.IsLive));
        if (AnchorChain.Tip(families, anchorScript) is { } tip) keep.Add(tip.OutPoint);
        await node.UnlockAllAsync(cancel);
        foreach (var outPoint in keep)
        {
            try
            {
                await node.LockUnspentAsync([outPoint], cancel);
            }
            catch (NodeException e) when (e.Failure == NodeFailure.Rejected && e.Code == RpcError.InvalidParameter)
            {
                // Spent already, by the family itself as a rule: nothing else can fund from it either.
            }
        }
    }

    /// <summary>One step of a live family; says what it waits for if it waits.</summary>
    private Task<string> StepAsync(Family family, CancellationToken cancel) => family.State switch
    {
        FamilyState.Opened => BuildAsync(family, cancel),
        FamilyState.Signed => SendAsync(family, cancel),
        FamilyState.Confirmed => FollowAsync(family, cancel),
        FamilyState.None or FamilyState.Final or FamilyState.Abandoned =>
            throw new LedgerInvariantException($"family {family.Number} is {family.State} and live"),
    };

    private async Task<string> BuildAsync(Family family, CancellationToken cancel)
    {
        await LockCoinsAsync(cancel);
        var order = await partition.QueryAsync(ledger => ToOrder(ledger, family));
        var result = await _builder.BuildAsync(order, cancel);
        if (result.Attempt is { } attempt)
        {
            await partition.SubmitAsync(attempt);
            log.AttemptSigned(family.Number, attempt.Attempt, attempt.Txid, attempt.Fee);
            if (family.Anchor is not null) _anchorWithdrawals = AnchorWithdrawalsMax;
            return "signed";
        }
        log.BuildRefused(family.Number, result.Refusal, result.Detail);
        // What was locked for this build is free again at the next one.
        if (result.Refusal == BuildRefusal.TooLarge && family.Withdrawals.Count > 0)
        {
            _anchorWithdrawals = family.Withdrawals.Count / 2;
            await partition.SubmitAsync(new AbandonFamily(family.Number));
        }
        return result.Detail;
    }

    private static BuildOrder ToOrder(Ledger ledger, Family family)
    {
        var families = ledger.Families();
        var genesis = ledger.Genesis!;
        var tip = AnchorChain.Tip(families, genesis.AnchorScript);
        return new BuildOrder(
            family, [.. family.Withdrawals.Select(k => ledger.FindWithdrawal(k)!)], genesis.Origin, genesis.AnchorScript,
            family.Anchor is null ? null : tip, InputsOf(families.Where(f => f.IsLive && f.Number != family.Number)), tip?.OutPoint);
    }

    /// <summary>Sends the newest attempt, or notices that one of them is in a block.</summary>
    private async Task<string> SendAsync(Family family, CancellationToken cancel)
    {
        foreach (var attempt in family.Attempts)
        {
            if (await ConfirmAsync(family, attempt, cancel)) return "in a block";
        }
        var newest = family.Attempts[^1];
        var result = await node.SendRawTransactionAsync(newest.Transaction.Span.ToArray(), cancel);
        if (result.Outcome is BroadcastOutcome.Accepted or BroadcastOutcome.AlreadyInChain) return $"{newest.Txid} waits for a block";
        log.BroadcastRefused(newest.Txid, result.Outcome, result.Message ?? "");
        return $"the node does not take {newest.Txid} now: {result.Message}";
    }

    /// <summary>Journals that an attempt is in a block, with the proof of it.</summary>
    private async Task<bool> ConfirmAsync(Family family, Attempt attempt, CancellationToken cancel)
    {
        var seen = await node.GetTransactionAsync(attempt.Txid, cancel);
        if (seen is not { Confirmations: >= 1, Block: { } block, Height: { } height }) return false;
        var header = await node.GetBlockHeaderAsync(block, cancel);
        var txids = await node.GetBlockTxidsAsync(block, cancel);
        if (header is null || txids is null) return false;
        var proof = BlockProof.Build(txids, attempt.Txid);
        if (!BlockHeader.TryParse(header, out var parsed) || parsed.Hash != block || !proof.Verify(parsed.MerkleRoot))
            throw new NodeException(NodeFailure.Unknown, $"the node's block {block} does not hold {attempt.Txid} where it says");
        var answer = await partition.SubmitAsync(new ConfirmFamily(
            family.Number, attempt.Number, (uint)height, block, new ByteString(header), (uint)proof.Position, proof.Siblings));
        if (answer.Outcome == Outcome.Accepted) log.FamilyConfirmed(family.Number, attempt.Txid, height);
        return true;
    }

    /// <summary>Counts confirmations: final, moved to another block, or gone from the chain.</summary>
    private async Task<string> FollowAsync(Family family, CancellationToken cancel)
    {
        var attempt = family.Attempts[family.Confirmation!.Attempt - 1];
        var seen = await node.GetTransactionAsync(attempt.Txid, cancel);
        var confirmations = seen?.Confirmations ?? 0;
        if (confirmations < 1)
        {
            log.FamilyUnconfirmed(family.Number, attempt.Txid);
            await partition.SubmitAsync(new UnconfirmFamily(family.Number));
            return "left the chain";
        }
        if (seen!.Block != family.Confirmation.Block && !await ConfirmAsync(family, attempt, cancel)) return "its block is not known yet";
        if (confirmations < settings.FinalityDepth) return $"{confirmations} of {settings.FinalityDepth} confirmations";
        await partition.SubmitAsync(new FinishFamily(family.Number));
        log.FamilyFinished(family.Number, attempt.Txid, attempt.Fee);
        return "final";
    }

    /// <summary>Takes withdrawals to distinct scripts off the list: a transaction pays each script once, so that
    /// every output belongs to one withdrawal.</summary>
    private static List<Withdrawal> TakeDistinct(List<Withdrawal> left, int most)
    {
        var scripts = new HashSet<ByteString>();
        var taken = new List<Withdrawal>();
        foreach (var withdrawal in left)
        {
            if (taken.Count < most && scripts.Add(withdrawal.Script)) taken.Add(withdrawal);
        }
        left.RemoveAll(taken.Contains);
        return taken;
    }

    private static HashSet<OutPoint> InputsOf(IEnumerable<Family> families) =>
        [.. families.SelectMany(f => f.Attempts).SelectMany(a => AnchorChain.Parse(a).Inputs).Select(i => i.Spent)];
}
