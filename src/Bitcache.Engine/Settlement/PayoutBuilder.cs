// Builds and signs one family's transaction, and believes nothing of what the node built until it was checked.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>Why a family could not be built now. None of these is a loss: nothing was signed.</summary>
public enum BuildRefusal
{
    None,
    /// <summary>The node's wallet has too few confirmed coins.</summary>
    TooFewCoins,
    /// <summary>The fee would pass what is held for it.</summary>
    FeeAboveCap,
    /// <summary>With so many inputs the anchor could not be proven, or nodes would not relay the transaction: it must have
    /// fewer withdrawals.</summary>
    TooLarge,
    /// <summary>The node built something else than was asked for.</summary>
    NotAsAsked,
}

/// <param name="Attempt">The signed transaction, or null when refused.</param>
/// <param name="Detail">A sentence for the operator when refused.</param>
public sealed record BuildResult(SignAttempt? Attempt, BuildRefusal Refusal, string Detail)
{
    /// <summary>The transaction that somebody else must sign, instead of a signed one.</summary>
    public PrepareAttempt? Prepared { get; init; }

    /// <summary>How many bytes of payments were too many; null where that is not known.</summary>
    public int? Excess { get; init; }

    /// <summary>Coins that no transaction of ours may spend.</summary>
    public IReadOnlyList<OutPoint> Unusable { get; init; } = [];

    public static BuildResult Refuse(BuildRefusal refusal, string detail, int? excess = null) => new(null, refusal, detail) { Excess = excess };
}

/// <summary>Everything that a build is held against.</summary>
/// <param name="Withdrawals">The withdrawals of the family, each to another script.</param>
/// <param name="PreviousAnchor">The output that the anchor must spend as its first input; null for the first anchor or without one.</param>
/// <param name="Taken">Inputs of other live families.</param>
/// <param name="AnchorTip">The output that only the next anchor may spend.</param>
/// <param name="Height">Of the newest block.</param>
public sealed record BuildOrder(
    Family Family, IReadOnlyList<Withdrawal> Withdrawals, string Origin, ByteString AnchorScript,
    (OutPoint OutPoint, Sats Value)? PreviousAnchor, IReadOnlySet<OutPoint> Taken, OutPoint? AnchorTip, int Height)
{
    /// <summary>Of a consolidation: the coins that it is to spend, and no others.</summary>
    public IReadOnlySet<OutPoint>? Exactly { get; init; }

    /// <summary>What this attempt replaces; null for a family's first.</summary>
    public BitcoinTransaction? Replaced { get; } = Family.Attempts.Count == 0 ? null : AnchorChain.Parse(Family.Attempts[^1]);
}

public sealed partial class PayoutBuilder(IBitcoinNode node, EngineSettings settings)
{
    private const int SatsPerKvBInSatPerVB = 1_000;

    /// <summary>A signature and a public key, as a quarter of their bytes.</summary>
    private const int WitnessVirtualBytesMax = 28;

    /// <summary>Builds, checks and signs. What it returns is not on its way: it must be durable first.</summary>
    public async Task<BuildResult> BuildAsync(BuildOrder order, CancellationToken cancel)
    {
        FundedPsbt? funded;
        try
        {
            if (order.Family.IsConsolidation)
            {
                (order, funded) = await FundConsolidationAsync(order, await FirstRateAsync(cancel), cancel);
                return funded is null ? BuildResult.Refuse(BuildRefusal.TooFewCoins, "too few small coins are left") : await CheckAndSignAsync(order, funded, cancel);
            }
            funded = await node.WalletCreateFundedPsbtAsync(
                order.PreviousAnchor is { } previous ? [previous.OutPoint] : [], Outputs(order), await FirstRateAsync(cancel), cancel);
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected && e.Code == RpcError.WalletError)
        {
            // It says so in words only, with the code of too few coins.
            var isTooLarge = e.Message.Contains("too large", StringComparison.Ordinal) || e.Message.Contains("maximum weight", StringComparison.Ordinal);
            return BuildResult.Refuse(isTooLarge ? BuildRefusal.TooLarge : BuildRefusal.TooFewCoins, e.Message);
        }
        return await CheckAndSignAsync(order, funded, cancel);
    }

    /// <summary>The rate for a replacement of a family's newest attempt; null if it may pay no more.</summary>
    public async Task<FeeRate?> ReplacementRateAsync(Family family, CancellationToken cancel)
    {
        var newest = family.Attempts[^1];
        var terms = await TermsAsync(family.FeeCap, cancel);
        return FeePolicy.Replacement(newest.Fee, AnchorChain.Parse(newest).VirtualBytes, terms, await node.GetMempoolTermsAsync(cancel));
    }

    /// <summary>The bounds of what a transaction pays now.</summary>
    /// <param name="cap">What it may cost at most.</param>
    public async Task<FeeTerms> TermsAsync(Sats cap, CancellationToken cancel) => new(await EstimateAsync(cancel), RateMax, cap);

    /// <summary>Whether an output is the wallet's own change: an address of its own that is not the anchor's.</summary>
    public async Task<bool> IsOwnChangeAsync(byte[] script, ByteString anchorScript, CancellationToken cancel) =>
        !anchorScript.Span.SequenceEqual(script)
        && BitcoinAddress.FromScript(script, settings.Network) is { } address
        && (await node.GetAddressInfoAsync(address, cancel)).IsMine;

    /// <summary>Replaces a family's newest attempt by one that pays more, checks and signs it. It spends all that the attempt
    /// before spent, so that only one of them can confirm. What it returns is not on its way, as above.</summary>
    /// <exception cref="NodeException">Rejected, if the node replaces it at no price: an output of it is spent, as a rule.</exception>
    public async Task<BuildResult> ReplaceAsync(BuildOrder order, FeeRate rate, CancellationToken cancel)
    {
        if (order.Family.IsConsolidation)
        {
            (order, var again) = await FundConsolidationAsync(order, rate, cancel);
            return await CheckAndSignAsync(order, again!, cancel);
        }
        FundedPsbt funded;
        try
        {
            funded = await node.PsbtBumpFeeAsync(order.Replaced!.Txid, rate, cancel);
        }
        catch (NodeException e) when (e.Code == RpcError.InvalidAddressOrKey)
        {
            // The wallet knows only what was in the mempool once. This was not: it is funded again out of the same coins.
            var inputs = order.Replaced!.Inputs.Select(i => i.Spent).ToArray();
            funded = await node.WalletCreateFundedPsbtAsync(inputs, Outputs(order), rate, cancel);
        }
        return await CheckAndSignAsync(order, funded, cancel);
    }

    private async Task<BuildResult> CheckAndSignAsync(BuildOrder order, FundedPsbt funded, CancellationToken cancel)
    {
        var psbt = await node.DecodePsbtAsync(funded.Psbt, cancel);
        if (await CheckAsync(order, psbt, cancel) is { } refusal) return refusal;

        var signed = await node.WalletProcessPsbtAsync(funded.Psbt, cancel);
        if (signed.Transaction is not { } raw)
        {
            return settings.ExternalSigner
                ? Prepare(order, psbt, signed.Psbt)
                : BuildResult.Refuse(BuildRefusal.NotAsAsked, "the node's wallet could not sign every input");
        }
        // What was checked is what the node said of its transaction: these are its bytes.
        if (!BitcoinTransaction.TryParse(raw, out var transaction) || !IsSame(transaction, psbt))
            return BuildResult.Refuse(BuildRefusal.NotAsAsked, "the signed transaction is not the one that was checked");
        if (RefuseSize(transaction.VirtualBytes) is { } tooLarge) return tooLarge;
        return new BuildResult(
            new SignAttempt(
                order.Family.Number, order.Family.Attempts.Count + 1, transaction.Txid, psbt.Fee!.Value, new ByteString(raw), (uint)order.Height),
            BuildRefusal.None, "");
    }

    private static BuildResult? RefuseSize(int virtualBytes) => virtualBytes <= Limits.TransactionBytesMax ? null : BuildResult.Refuse(
        BuildRefusal.TooLarge, $"the transaction has {virtualBytes} virtual bytes; nodes relay {Limits.TransactionBytesMax}",
        virtualBytes - Limits.TransactionBytesMax);

    private static BuildResult Prepare(BuildOrder order, DecodedPsbt checkedPsbt, string text)
    {
        var room = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, room, out var length)) return BuildResult.Refuse(BuildRefusal.NotAsAsked, "the transaction to be signed is not in base64");
        var psbt = room[..length];
        if (psbt.Length > Limits.PsbtBytesMax) return BuildResult.Refuse(BuildRefusal.TooLarge, $"the transaction to be signed has {psbt.Length} bytes");
        if (!Psbt.TryReadTransaction(psbt, out var transaction) || !IsSame(transaction, checkedPsbt))
            return BuildResult.Refuse(BuildRefusal.NotAsAsked, "the transaction to be signed is not the one that was checked");
        if (RefuseSize(transaction.VirtualBytes + (transaction.Inputs.Count * WitnessVirtualBytesMax)) is { } tooLarge) return tooLarge;
        return new BuildResult(null, BuildRefusal.None, "")
        {
            Prepared = new PrepareAttempt(
                order.Family.Number, order.Family.Attempts.Count + 1, transaction.Txid, checkedPsbt.Fee!.Value, new ByteString(psbt)),
        };
    }

    private static bool IsSame(BitcoinTransaction transaction, DecodedPsbt psbt) =>
        transaction.Txid == psbt.Txid
        && transaction.Inputs.Select(i => i.Spent).SequenceEqual(psbt.Inputs.Select(i => i.Output))
        && transaction.Outputs.Select(o => (o.Value, new ByteString(o.Script))).SequenceEqual(psbt.Outputs.Select(o => (o.Amount, new ByteString(o.Script))));

    private List<NewOutput> Outputs(BuildOrder order)
    {
        var outputs = new List<NewOutput>();
        foreach (var withdrawal in order.Withdrawals) outputs.Add(new PayOutput(Address(withdrawal.Script), withdrawal.Amount));
        if (order.Family.Anchor is { } anchor)
        {
            outputs.Add(new PayOutput(Address(order.AnchorScript), AnchorValue(order)));
            // The script is 6a 24 and these 36 bytes.
            outputs.Add(new DataOutput(AnchorChain.ToRecord(anchor, order.Origin).Script()[2..]));
        }
        return outputs;
    }

    private string Address(ByteString script) => BitcoinAddress.FromScript(script.Span, settings.Network)
        ?? throw new LedgerInvariantException($"script {script} was accepted but has no address");

    private Sats AnchorValue(BuildOrder order) => order.PreviousAnchor?.Value ?? new Sats(settings.AnchorOutputSat);

    private FeeRate RateMax => new(settings.FeeRateMax * SatsPerKvBInSatPerVB);

    private async Task<FeeRate> EstimateAsync(CancellationToken cancel) =>
        await node.EstimateSmartFeeAsync(settings.FeeTargetBlocks, cancel) ?? new FeeRate(settings.FallbackFeeRate * SatsPerKvBInSatPerVB);

    /// <summary>The rate of a family's first transaction now.</summary>
    public async Task<FeeRate> FirstRateAsync(CancellationToken cancel)
    {
        var (estimate, least) = (await EstimateAsync(cancel), (await node.GetMempoolTermsAsync(cancel)).Least);
        var rate = estimate < least ? least : estimate;
        return rate > RateMax ? RateMax : rate;
    }

    /// <summary>Exactly our outputs plus at most one own change, the fee within the cap, inputs segwit and disjoint
    /// from every other live family, the anchor's first input the one it must spend, and nothing left out that the attempt
    /// before spent.</summary>
    private async Task<BuildResult?> CheckAsync(BuildOrder order, DecodedPsbt psbt, CancellationToken cancel)
    {
        static BuildResult NotAsAsked(string detail) => BuildResult.Refuse(BuildRefusal.NotAsAsked, detail);

        if (psbt.Fee is not { } fee) return NotAsAsked("the node could not tell the transaction's fee");
        if (fee > order.Family.FeeCap)
            return BuildResult.Refuse(BuildRefusal.FeeAboveCap, $"the transaction would cost {fee}, more than the {order.Family.FeeCap} held for it", ExcessOf(psbt, fee, order.Family.FeeCap));
        if (order.Family.Anchor is not null && psbt.StrippedBytes > Limits.AnchorTransactionBytesMax)
            return BuildResult.Refuse(BuildRefusal.TooLarge, $"the anchor would have {psbt.StrippedBytes} bytes; {Limits.AnchorTransactionBytesMax} can be proven", psbt.StrippedBytes - Limits.AnchorTransactionBytesMax);

        if (order.Family.IsConsolidation && CheckConsolidation(order, psbt) is { } unlike) return unlike;
        var wanted = order.Withdrawals.Select(w => (w.Script, w.Amount)).ToList();
        if (order.Family.Anchor is { } anchor)
        {
            wanted.Add((order.AnchorScript, AnchorValue(order)));
            wanted.Add((new ByteString(AnchorChain.ToRecord(anchor, order.Origin).Script()), Sats.Zero));
        }
        var extra = new List<PsbtOutput>();
        foreach (var output in psbt.Outputs)
        {
            if (!wanted.Remove((new ByteString(output.Script), output.Amount))) extra.Add(output);
        }
        if (wanted.Count > 0) return NotAsAsked($"{wanted.Count} outputs that were asked for are missing");
        if (extra.Count > 1) return NotAsAsked($"{extra.Count} outputs that were not asked for");
        if (extra.Count == 1 && !await IsOwnChangeAsync(extra[0].Script, order.AnchorScript, cancel)) return NotAsAsked("an output that was not asked for pays a stranger");

        if (order.PreviousAnchor is { } previous && psbt.Inputs[0].Output != previous.OutPoint)
            return NotAsAsked("the first input is not the previous anchor's output");
        if (order.Replaced is { } replaced)
        {
            var kept = psbt.Inputs.Select(i => i.Output).ToHashSet();
            if (!replaced.Inputs.All(i => kept.Contains(i.Spent))) return NotAsAsked("the replacement leaves out a coin of the attempt before it");
            if (fee <= order.Family.Attempts[^1].Fee) return NotAsAsked($"the replacement pays {fee}, no more than the attempt before it");
        }
        foreach (var input in psbt.Inputs)
        {
            if (order.Taken.Contains(input.Output)) return NotAsAsked($"input {input.Output} belongs to another live family");
            if (input.Output == order.AnchorTip && order.PreviousAnchor is null) return NotAsAsked("an ordinary payment would spend the anchor's output");
            // By its script, too: the anchor may be in a block that came since its family was looked at.
            if (input.Spent is { } anchored && order.AnchorScript.Span.SequenceEqual(anchored.Script) && input.Output != order.PreviousAnchor?.OutPoint)
                return NotAsAsked($"input {input.Output} is an anchor's output that this must not spend");
        }
        var notSegwit = psbt.Inputs.Where(i => i.Spent is null || !WitnessProgram.IsScript(i.Spent.Script)).Select(i => i.Output).ToArray();
        if (notSegwit.Length > 0) return NotAsAsked($"input {notSegwit[0]} is not segwit") with { Unusable = notSegwit };
        // It is booked as it is said here. The amounts that are spent the signatures commit to.
        var left = psbt.Inputs.Sum(i => i.Spent!.Amount.Value) - psbt.Outputs.Sum(o => o.Amount.Value);
        if (left != fee.Value) return NotAsAsked($"the transaction leaves {left} sat to its miner, and the node says {fee}");
        return null;
    }

    /// <summary>By how many bytes a transaction is too large for a fee, rounded up: it costs as much less as it is smaller.</summary>
    private static int ExcessOf(DecodedPsbt psbt, Sats fee, Sats cap)
    {
        var size = psbt.StrippedBytes + (WitnessVirtualBytesMax * psbt.Inputs.Count);
        return size - (int)((Int128)size * cap.Value / fee.Value);
    }
}
