// Drives families of transactions from opened to final. A family is built, checked, signed, made durable, and only
// then sent; the same bytes are sent again until they confirm, or pay too little to, and are replaced by ones that pay
// more; what cannot be replaced gets a child that pays for it (Payouts.Children.cs). After an ambiguous answer nothing is
// built anew: all attempts of a family share an input, so at most one can ever confirm, and only when that input is spent
// for good by something else the family is dead (Payouts.Deaths.cs).

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>The families of one partition: they pay its wallets' withdrawals, and the first partition's carry the anchors.
/// Owned by the settlement loop; everything that must not be lost is in the ledger.</summary>
/// <param name="term">Over all partitions: the node's wallet is one, and no family may use another's coins.</param>
/// <param name="partition">The one whose families these are.</param>
public sealed partial class Payouts(SettlementTerm term, Partition partition, IBitcoinNode node, EngineSettings settings, ILogger log)
{
    /// <summary>Too few coins are waited for this many turns before the withdrawals are tried in smaller families, or in the same
    /// again: in between their owners may take them back.</summary>
    internal const int TurnsWithoutCoinsMax = 30;
    /// <summary>The most families that one turn archives.</summary>
    private const int ArchivedAtOnceMax = 100;
    /// <summary>How often a family is opened without what was taken back just then.</summary>
    private const int OpenTriesMax = 3;

    private readonly PayoutBuilder _builder = new(node, settings);
    private readonly SpendFinder _spends = new(node, settings.FinalityDepth, async transaction =>
        (await term.Partitions.QueryAllAsync(ledger => ledger.FindLoss(transaction))).FirstOrDefault(loss => loss is not null));
    private readonly OwnScripts _own = new(node, settings.Network);
    private readonly Dictionary<long, int> _turnsWithoutCoins = [];
    private readonly HashSet<long> _withoutCoins = [];
    // Replacements that were refused, and why: by family, each with the height at which it is not tried again.
    private readonly Dictionary<long, (int Height, string Why)> _notReplaced = [];
    // Coins of the node's wallet that it is not to use for our transactions: it was, and they were refused for it.
    private readonly HashSet<OutPoint> _unusable = [];
    private readonly FamilyRoom _room = new(settings.WithdrawalLimits.TransactionSat);

    /// <summary>Why something is waiting, by family number; for health. Replaced at every tick.</summary>
    public IReadOnlyDictionary<long, string> Waiting { get; private set; } = new Dictionary<long, string>();

    /// <summary>Whether the operator's wallet holds too little to open the next family.</summary>
    public bool OperatorFundsLow { get; private set; }

    /// <summary>Whether the node's wallet had too few confirmed coins for a family at the last turn.</summary>
    public bool LacksCoins { get; private set; }

    /// <summary>Withdrawals that would pay the hot wallet itself, and therefore do not leave.</summary>
    public int ToOurselves { get; private set; }

    /// <summary>Withdrawals that may leave now, oldest first: see <see cref="BatchPolicy"/>.</summary>
    /// <param name="rate">What mining costs, where it counts.</param>
    /// <param name="turns">Of the scripts to which something is on its way; null where nobody looked.</param>
    /// <param name="cancel">Ends the wait for the node.</param>
    /// <exception cref="NodeException">The node's.</exception>
    public async Task<Withdrawal[]> FindDueAsync(FeeRate? rate = null, ScriptTurns? turns = null, CancellationToken cancel = default)
    {
        var (due, closed) = await partition.QueryAsync(ledger => (ledger.DueWithdrawals(), ledger.LastEpoch?.Entries ?? 0));
        var own = await _own.FindAsync(due.Select(w => w.Script), cancel);
        ToOurselves = due.Count(w => own.Contains(w.Script));
        if (due.Count == 0) return [];
        var (now, isTrusted) = await partition.TimeAsync();
        return BatchPolicy.Leaving([.. due.Where(w => !(w.Deadline <= now) && !own.Contains(w.Script))], new BatchMoment(closed, isTrusted ? now : null, rate), settings, turns);
    }

    /// <summary>Binds what is due to new families: the anchor with the first withdrawals, the rest without.</summary>
    /// <param name="anchor">The terms of the next anchor, or null when none is due or one is still unconfirmed.</param>
    /// <param name="due">Withdrawals that leave now, oldest first. Several to one script leave in as many families.</param>
    public async Task OpenAsync(AnchorTerms? anchor, IReadOnlyList<Withdrawal> due)
    {
        OperatorFundsLow = false;
        var parts = new Queue<IReadOnlyList<Withdrawal>>(ScriptTurns.Part(due));
        var left = new Queue<Withdrawal>();
        while (anchor is not null || left.Count > 0 || parts.Count > 0)
        {
            if (left.Count == 0 && parts.TryDequeue(out var part)) left = new Queue<Withdrawal>(part);
            var carried = _room.Take(left, anchor is not null);
            var (number, bound, outcome) = await OpenAsync(anchor, [.. carried.Select(w => w.Key)]);
            if (outcome == Outcome.None) continue;
            if (outcome != Outcome.Accepted)
            {
                OperatorFundsLow = outcome == Outcome.OperatorFundsLow;
                return;
            }
            log.FamilyOpened(number, bound, anchor?.Epoch);
            anchor = null;
        }
    }

    /// <summary>Opens one family. What was taken back since somebody looked, has passed its deadline, or belongs to a wallet that
    /// may not pay now, stays out of it, and keeps nobody else's withdrawal from leaving.</summary>
    /// <returns>Its number, how many it pays, and the ledger's answer; none where nothing is left to open it for.</returns>
    private async Task<(long Number, int Withdrawals, Outcome Outcome)> OpenAsync(AnchorTerms? anchor, WithdrawalKey[] withdrawals)
    {
        for (var tries = 1; ; tries++)
        {
            var number = await partition.QueryAsync(ledger => ledger.NextFamily);
            var outcome = (await term.SubmitAsync(partition, new OpenFamily(number, new Sats(settings.FeeCapSat), anchor, withdrawals))).Outcome;
            if (outcome is not (Outcome.WithdrawalNotQueued or Outcome.DeadlineOutOfRange or Outcome.WalletFrozen or Outcome.WalletOwes) || tries == OpenTriesMax)
                return (number, withdrawals.Length, outcome);
            var waiting = await partition.QueryAsync(ledger => ledger.DueWithdrawals());
            var (now, _) = await partition.TimeAsync();
            var due = waiting.Where(w => !(w.Deadline <= now)).Select(w => w.Key).ToHashSet();
            withdrawals = Array.FindAll(withdrawals, due.Contains);
            if (withdrawals.Length == 0 && anchor is null) return (number, 0, Outcome.None);
        }
    }

    /// <summary>Takes every live family as far as it goes now.</summary>
    /// <param name="height">Of the node's newest block.</param>
    /// <param name="mayPay">False while reserves are short: no withdrawal is built then.</param>
    /// <param name="cancel">Ends the turn.</param>
    public async Task DriveAsync(int height, bool mayPay, CancellationToken cancel)
    {
        var waiting = new Dictionary<long, string>();
        _withoutCoins.Clear();
        foreach (var live in await partition.QueryAsync(ledger => ledger.LiveFamilies()))
        {
            var (family, before) = (live, FamilyState.None);
            while (family.IsLive && family.State != before)
            {
                before = family.State;
                waiting[family.Number] = await StepAsync(family, height, mayPay, cancel);
                family = await partition.QueryAsync(ledger => ledger.FindFamily(family.Number));
            }
            if (!family.IsLive) waiting.Remove(family.Number);
        }
        Waiting = waiting;
        LacksCoins = _withoutCoins.Count > 0;
        // What was noted of a family goes with it.
        foreach (var ended in _turnsWithoutCoins.Keys.Union(_notReplaced.Keys).Union(_unsignedAt.Keys).Except(waiting.Keys).ToArray())
        {
            _unsignedAt.Remove(ended);
            _turnsWithoutCoins.Remove(ended);
            _notReplaced.Remove(ended);
        }
    }

    /// <summary>What needs no node: gives up families of which nothing was signed and that hold a withdrawal past its deadline,
    /// so that it goes back, books the charges that a process which ended left open, and archives families that ended.</summary>
    public async Task KeepBooksAsync()
    {
        var opened = await partition.QueryAsync(ledger =>
            ledger.LiveFamilies().Where(f => f is { State: FamilyState.Opened, Prepared: null }).Select(f => (f.Number, Deadline: ledger.DeadlineOf(f))).ToArray());
        var now = opened.Any(f => f.Deadline is not null) ? (await partition.TimeAsync()).Now : default;
        foreach (var (number, _) in opened.Where(f => f.Deadline <= now)) await term.SubmitAsync(partition, new AbandonFamily(number));
        await ChargeAsync();
        // Of what a ledger of before has of them, some at every turn.
        var ended = await partition.QueryAsync(ledger => ledger.FamiliesToArchive(ArchivedAtOnceMax));
        await Task.WhenAll(ended.Select(family => term.SubmitAsync(partition, family)));
    }

    private async Task ChargeAsync()
    {
        var keys = await partition.QueryAsync(ledger => ledger.UnchargedWithdrawals());
        await Task.WhenAll(keys.Select(key => term.SubmitAsync(partition, new ChargeWithdrawal(key))));
    }

    /// <summary>Locks every coin that ordinary funding must leave alone. The node forgets locks when it restarts.</summary>
    public async Task LockCoinsAsync(CancellationToken cancel)
    {
        var (live, tip) = await EverywhereAsync();
        var keep = InputsOf(live.Where(f => f.State is FamilyState.Opened or FamilyState.Signed || f.Children.Count > 0));
        if (tip is not null) keep.Add(tip.Value.OutPoint);
        keep.UnionWith(_unusable);
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
                _unusable.Remove(outPoint);
            }
        }
    }

    /// <summary>The next build is without these coins: the operator must move them.</summary>
    private void Avoid(IReadOnlyList<OutPoint> coins)
    {
        foreach (var coin in coins.Where(_unusable.Add)) log.CoinUnusable(coin);
    }

    /// <summary>One step of a live family; says what it waits for if it waits.</summary>
    private async Task<string> StepAsync(Family family, int height, bool mayPay, CancellationToken cancel)
    {
        try
        {
            if (await NoticeAsync(family, height, cancel)) return "signed elsewhere";
            return family.State switch
            {
                FamilyState.Opened when family.Prepared is not null => await AwaitSignerAsync(family, height, cancel),
                FamilyState.Opened => await BuildAsync(family, height, mayPay, cancel),
                FamilyState.Signed => await SendAsync(family, height, cancel),
                FamilyState.Confirmed => await FollowAsync(family, height, cancel),
                FamilyState.None or FamilyState.Final or FamilyState.Abandoned or FamilyState.Dead =>
                    throw new LedgerInvariantException($"family {family.Number} is {family.State} and live"),
            };
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected)
        {
            // What the node refuses of one family is no reason to leave the others.
            log.StepRejected(family.Number, e.Message);
            return e.Message;
        }
    }

    private async Task<string> BuildAsync(Family family, int height, bool mayPay, CancellationToken cancel)
    {
        if (await term.Partitions.First.QueryAsync(ledger => ledger.SettlementStop is not null))
        {
            await term.SubmitAsync(partition, new AbandonFamily(family.Number));
            return "settlement is stopped";
        }
        var (stopped, waits, deadline) = await partition.QueryAsync(ledger =>
            (ledger.CheckPayers(family) != Outcome.None, ledger.WaitsForAnchor(family), ledger.DeadlineOf(family)));
        if (waits) return "the anchor before it is not in a block";
        var (now, _) = await partition.TimeAsync();
        if (stopped || deadline <= now || (!mayPay && family.Withdrawals.Count > 0))
        {
            await term.SubmitAsync(partition, new AbandonFamily(family.Number));
            return "a wallet in it is frozen, a deposit under it was taken back, a deadline is over, withdrawals are stopped, or reserves are short: its withdrawals wait";
        }
        if (IsCountedNoMore(family, now))
        {
            await term.SubmitAsync(partition, new AbandonFamily(family.Number));
            return "it was opened too long ago for the limits on what leaves: its withdrawals are chosen anew";
        }
        await LockCoinsAsync(cancel);
        var order = await ToOrderAsync(family, height);
        var result = await _builder.BuildAsync(order, cancel);
        if (result.Attempt is { } attempt)
        {
            var answer = await term.SubmitAsync(partition, attempt);
            if (answer.Outcome != Outcome.Accepted) return $"not signed now: {answer.Outcome}";
            log.AttemptSigned(family.Number, attempt.Attempt, attempt.Txid, attempt.Fee);
            _room.Grow(family.Anchor is not null);
            return "signed";
        }
        if (result.Prepared is { } unsigned) return await HandOutAsync(unsigned);
        // What was locked for this build is free again at the next one.
        log.BuildRefused(family.Number, result.Refusal, result.Detail);
        Avoid(result.Unusable);
        await SplitAsync(order, result);
        return result.Detail;
    }

    /// <summary>Limits count what a family pays from the moment on at which it was opened. One that waits for as long as the
    /// shortest of them looks back would leave beside what was let through in its place.</summary>
    private bool IsCountedNoMore(Family family, UnixTime now) => settings.WithdrawalLimits.HasWindow && family.Withdrawals.Count > 0
        && now.Milliseconds - family.Opened.Milliseconds >= OutflowLimits.Hour;

    /// <summary>Gives up a family that cannot be built as it is, so that its withdrawals are tried in smaller ones, or
    /// under a higher fee cap. Nothing of it was signed.</summary>
    private async Task SplitAsync(BuildOrder order, BuildResult result)
    {
        var family = order.Family;
        var turns = _turnsWithoutCoins[family.Number] = _turnsWithoutCoins.GetValueOrDefault(family.Number) + 1;
        var smallest = family.Withdrawals.Count <= (family.Anchor is null ? 1 : 0);
        if (result.Refusal == BuildRefusal.TooFewCoins && !family.IsConsolidation) _withoutCoins.Add(family.Number);
        var giveUp = result.Refusal switch
        {
            BuildRefusal.TooLarge => !smallest,
            BuildRefusal.FeeAboveCap => !smallest || settings.FeeCapSat > family.FeeCap.Value,
            BuildRefusal.TooFewCoins => family.Withdrawals.Count > 0 && turns > TurnsWithoutCoinsMax,
            BuildRefusal.NotAsAsked or BuildRefusal.None => false,
        };
        // Nobody waits for it; it is tried again when there is reason to.
        if (!giveUp && !family.IsConsolidation) return;
        if (!smallest) _room.Shrink(order.Withdrawals, family.Anchor is not null, result.Excess);
        await term.SubmitAsync(partition, new AbandonFamily(family.Number));
    }

    private async Task<BuildOrder> ToOrderAsync(Family family, int height)
    {
        var (live, tip) = await EverywhereAsync();
        var (genesis, withdrawals) = await partition.QueryAsync(ledger =>
            (ledger.Genesis!, family.Withdrawals.Select(k => ledger.FindWithdrawal(k)!).ToArray()));
        // Only a live family of which something is signed has inputs; its own, a further attempt spends again.
        var taken = InputsOf(live);
        taken.ExceptWith(InputsOf([family]));
        return new BuildOrder(
            family, withdrawals, genesis.Origin, genesis.AnchorScript, family.Anchor is null ? null : tip, taken, tip?.OutPoint, height);
    }

    /// <summary>The live families of all partitions, and the output that only the next anchor may spend.</summary>
    private async Task<(IReadOnlyList<Family> Live, (OutPoint OutPoint, Sats Value)? Tip)> EverywhereAsync()
    {
        var live = await term.Partitions.QueryAllAsync(ledger => ledger.LiveFamilies());
        var (newest, anchorScript) = await term.Partitions.First.QueryAsync(ledger => (ledger.NewestConfirmedAnchor, ledger.Genesis!.AnchorScript));
        return ([.. live.SelectMany(f => f)], AnchorChain.Tip(newest, anchorScript));
    }

    /// <summary>Sends the newest attempt, or notices that one of them is in a block. One that has not confirmed in the time
    /// that its fee was meant for, or pays too little for the node, is replaced.</summary>
    private async Task<string> SendAsync(Family family, int height, CancellationToken cancel)
    {
        var deepestConflict = 0;
        foreach (var attempt in family.Attempts)
        {
            var seen = await node.GetTransactionAsync(attempt.Txid, cancel);
            if (await ConfirmAsync(family, attempt, seen, cancel)) return "in a block";
            deepestConflict = Math.Min(deepestConflict, seen?.Confirmations ?? 0);
        }
        if (deepestConflict <= -settings.FinalityDepth && await BuryAsync(family, cancel)) return "dead";
        if (family.Children.Count > 0) return await SendWithChildAsync(family, height, cancel);
        var newest = family.Attempts[^1];
        var isOverdue = IsOverdue(newest.Height, height);
        if ((isOverdue || family.Attempts.Count > 1) && await FindBuiltOnAsync(family) is { } needed)
        {
            var (sent, words) = await SendAsync(needed, cancel);
            if (!IsTaken(sent)) return await ExplainAsync(family, needed, sent, words, cancel);
            words += "; it is not replaced, for another transaction spends its outputs";
            return isOverdue && sent.Outcome == BroadcastOutcome.Accepted ? $"{words}; {await PayByChildAsync(family, needed, height, cancel)}" : words;
        }
        var (result, said) = await SendAsync(newest, cancel);
        if (family.Prepared is { } replacement) return $"{said}; {Unsigned(replacement)}";
        // Of one that is in the chain already the wallet will hear.
        var mayPayMore = result.IsFeeTooLow || (isOverdue && result.Outcome == BroadcastOutcome.Accepted);
        // Nobody waits for a consolidation: what is overdue pays no more than what one is worth.
        var most = family.IsConsolidation && !result.IsFeeTooLow ? Consolidation.RateMax(settings) : (FeeRate?)null;
        return mayPayMore ? $"{said}; {await ReplaceAsync(family, most, height, cancel)}" : await ExplainAsync(family, newest, result, said, cancel);
    }

    private bool IsOverdue(uint signed, int height) => height - (long)signed >= settings.FeeTargetBlocks;

    private Task<(BroadcastResult Result, string Words)> SendAsync(Attempt attempt, CancellationToken cancel) =>
        SendAsync(attempt.Txid, attempt.Transaction, cancel);

    private async Task<(BroadcastResult Result, string Words)> SendAsync(Txid txid, ByteString transaction, CancellationToken cancel)
    {
        var result = await node.SendRawTransactionAsync(transaction.Span.ToArray(), cancel);
        if (IsTaken(result)) return (result, $"{txid} waits for a block");
        log.BroadcastRefused(txid, result.Outcome, result.Message ?? "");
        return (result, $"the node does not take {txid} now: {result.Message}");
    }

    private static bool IsTaken(BroadcastResult result) => result.Outcome is BroadcastOutcome.Accepted or BroadcastOutcome.AlreadyInChain;

    /// <summary>The attempt whose outputs a live family spends: it was in a block that left the chain. If another attempt of its
    /// family confirmed in its place, that one could never confirm.</summary>
    private async Task<Attempt?> FindBuiltOnAsync(Family family)
    {
        var live = await term.Partitions.QueryAllAsync(ledger => ledger.LiveFamilies());
        var spent = InputsOf(live.SelectMany(f => f)).Select(output => output.Txid).ToHashSet();
        return family.Attempts.LastOrDefault(a => spent.Contains(a.Txid));
    }

    /// <summary>Replaces the newest attempt by one that pays more, once a block at most; says what came of it.</summary>
    private async Task<string> ReplaceAsync(Family family, FeeRate? most, int height, CancellationToken cancel)
    {
        if (_notReplaced.TryGetValue(family.Number, out var refused) && refused.Height == height) return refused.Why;
        var (attempt, why, isSpentOn) = await SignReplacementAsync(family, most, height, cancel);
        if (isSpentOn) return await PayByChildAsync(family, family.Attempts[^1], height, cancel);
        if (attempt is null)
        {
            log.ReplacementRefused(family.Number, why);
            _notReplaced[family.Number] = (height, why);
            return why;
        }
        _notReplaced.Remove(family.Number);
        log.AttemptSigned(family.Number, attempt.Attempt, attempt.Txid, attempt.Fee);
        // It is durable, and may leave.
        var (_, said) = await SendAsync(new Attempt(attempt.Attempt, attempt.Txid, attempt.Fee, attempt.Transaction, attempt.Height), cancel);
        return $"replaced: {said}";
    }

    /// <summary>A journaled replacement, or why there is none, and whether that is because something spends of the attempt.</summary>
    private async Task<(SignAttempt? Attempt, string Why, bool IsSpentOn)> SignReplacementAsync(Family family, FeeRate? most, int height, CancellationToken cancel)
    {
        if (await partition.QueryAsync(ledger => ledger.WaitsForAnchor(family))) return (null, "the anchor before it is not in a block", false);
        if (await partition.QueryAsync(ledger => ledger.IsStopped(family))) return (null, "withdrawals are stopped", false);
        if (await _builder.ReplacementRateAsync(family, cancel) is not { } rate)
            return (null, $"it pays {family.Attempts[^1].Fee}; a replacement would pass the {family.FeeCap} held for it, or feeRateMax", false);
        if (rate > most) return (null, $"a replacement would pay {rate} sat/vB, more than consolidateBelowFeeRate", false);
        try
        {
            await LockCoinsAsync(cancel);
            var result = await _builder.ReplaceAsync(await ToOrderAsync(family, height), rate, cancel);
            if (result.Prepared is { } unsigned) return (null, await HandOutAsync(unsigned), false);
            if (result.Attempt is null)
            {
                Avoid(result.Unusable);
                return (null, $"not replaced: {result.Detail}", false);
            }
            var answer = await term.SubmitAsync(partition, result.Attempt);
            return answer.Outcome == Outcome.Accepted ? (result.Attempt, "", false) : (null, $"not replaced now: {answer.Outcome}", false);
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected)
        {
            // Only its words tell this from other things that the node does not do (Bitcoin Core, wallet/feebumper.cpp).
            return (null, $"the node does not replace it: {e.Message}", e.Message.Contains("descendants", StringComparison.Ordinal));
        }
    }

    /// <summary>Journals what somebody else must sign. From then on it may be on its way, whether or not it comes back.</summary>
    private async Task<string> HandOutAsync(PrepareAttempt attempt)
    {
        var answer = await term.SubmitAsync(partition, attempt);
        if (answer.Outcome != Outcome.Accepted) return $"not handed out to be signed now: {answer.Outcome}";
        log.AttemptPrepared(attempt.Family, attempt.Attempt, attempt.Txid, attempt.Fee);
        return Unsigned(attempt.Txid);
    }

    private static string Unsigned(Preparation prepared) => Unsigned(prepared.Txid);

    private static string Unsigned(Txid txid) => $"{txid} is to be signed elsewhere";

    /// <summary>A signer may send what it signs by itself: then the wallet knows it before we do.</summary>
    private async Task<bool> NoticeAsync(Family family, int height, CancellationToken cancel) =>
        family is { State: FamilyState.Opened or FamilyState.Signed, Prepared: { } prepared }
        && await node.GetTransactionAsync(prepared.Txid, cancel) is { Confirmations: >= 0 } seen
        && await TakeSignedAsync(family, prepared, seen.Raw, height) == SignedOutcome.Taken;

    /// <summary>Journals a transaction that somebody else has signed; it is sent at the next turn.</summary>
    /// <param name="family">Its family.</param>
    /// <param name="prepared">As it was handed out.</param>
    /// <param name="raw">Signed.</param>
    /// <param name="height">Of the newest block: from now on it has the time that its fee was meant for.</param>
    public async Task<SignedOutcome> TakeSignedAsync(Family family, Preparation prepared, byte[] raw, int height)
    {
        if (raw.Length > Limits.SignedTransactionBytesMax || !BitcoinTransaction.TryParse(raw, out var transaction) || transaction.Txid != prepared.Txid)
            return SignedOutcome.Other;
        var signed = new SignAttempt(family.Number, prepared.Number, prepared.Txid, prepared.Fee, new ByteString(raw), (uint)height);
        var answer = await term.SubmitAsync(partition, signed);
        if (answer.Outcome != Outcome.Accepted) throw new LedgerInvariantException($"what a signer was given is refused: {answer.Outcome}");
        log.AttemptSigned(family.Number, signed.Attempt, signed.Txid, signed.Fee);
        return SignedOutcome.Taken;
    }

    /// <summary>Journals that an attempt is in a block, with the proof of it.</summary>
    private async Task<bool> ConfirmAsync(Family family, Attempt attempt, WalletTransaction? seen, CancellationToken cancel)
    {
        if (seen is not { Confirmations: >= 1, Block: { } block, Height: { } height }) return false;
        var header = await node.GetBlockHeaderAsync(block, cancel);
        var txids = await node.GetBlockTxidsAsync(block, cancel);
        if (header is null || txids is null) return false;
        if (!txids.Contains(attempt.Txid)) throw new NodeException(NodeFailure.Unknown, $"the node says that {attempt.Txid} is in block {block}, which does not hold it");
        var proof = BlockProof.Build(txids, attempt.Txid);
        if (!BlockHeader.TryParse(header, out var parsed) || parsed.Hash != block || !proof.Verify(parsed.MerkleRoot))
            throw new NodeException(NodeFailure.Unknown, $"the node's block {block} does not hold {attempt.Txid} where it says");
        var answer = await term.SubmitAsync(partition, new ConfirmFamily(
            family.Number, attempt.Number, (uint)height, block, new ByteString(header), (uint)proof.Position, proof.Siblings));
        if (answer.Outcome == Outcome.Accepted) log.FamilyConfirmed(family.Number, attempt.Txid, height);
        return true;
    }

    /// <summary>Counts confirmations: final, moved to another block, or gone from the chain.</summary>
    private async Task<string> FollowAsync(Family family, int height, CancellationToken cancel)
    {
        var attempt = family.Attempts[family.Confirmation!.Attempt - 1];
        var seen = await node.GetTransactionAsync(attempt.Txid, cancel);
        var confirmations = seen?.Confirmations ?? 0;
        if (confirmations < 1)
        {
            log.FamilyUnconfirmed(family.Number, attempt.Txid);
            await term.SubmitAsync(partition, new UnconfirmFamily(family.Number));
            return "left the chain";
        }
        if (seen!.Block != family.Confirmation.Block && !await ConfirmAsync(family, attempt, seen, cancel)) return "its block is not known yet";
        var child = 0;
        if (family.Children.Count > 0 && family.ParentAttempt == attempt.Number)
        {
            var (settled, number, words) = await FollowChildAsync(family, height, cancel);
            if (!settled) return words;
            child = number;
        }
        if (confirmations < settings.FinalityDepth) return $"{confirmations} of {settings.FinalityDepth} confirmations";
        // What a child cost beyond that was not quoted: the operator bears it.
        var paid = await partition.QueryAsync(ledger => family.Withdrawals.Select(key => ledger.FindWithdrawal(key)!).ToArray());
        var shared = FeeShare.Of(attempt.Fee, AnchorChain.Parse(attempt).VirtualBytes, paid, family.Anchor is not null);
        await term.SubmitAsync(partition, new FinishFamily(family.Number, shared, child));
        await ChargeAsync();
        log.FamilyFinished(family.Number, attempt.Txid, attempt.Fee + (child > 0 ? family.Children[child - 1].Fee : Sats.Zero));
        return "final";
    }

    private static HashSet<OutPoint> InputsOf(IEnumerable<Family> families) =>
        [.. families.SelectMany(AnchorChain.TransactionsOf).SelectMany(t => t.Inputs).Select(i => i.Spent)];
}
