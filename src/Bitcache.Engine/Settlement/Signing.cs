// Transactions that are signed elsewhere: handed out as PSBTs, and taken back when they are signed.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>A transaction that waits for its signer.</summary>
public sealed record SigningRequest(int Partition, Family Family, Preparation Prepared);

/// <summary>What came of a transaction that somebody signed.</summary>
public enum SignedOutcome
{
    None,
    /// <summary>It is durable, and on its way from the next turn on.</summary>
    Taken,
    /// <summary>It was taken before.</summary>
    TakenBefore,
    /// <summary>No such transaction was handed out, or another one of its family is in a block.</summary>
    NotFound,
    /// <summary>Signatures are missing, or do not fit.</summary>
    NotSigned,
    /// <summary>It is no PSBT.</summary>
    Malformed,
    /// <summary>It is another transaction than the one that was handed out.</summary>
    Other,
    /// <summary>Withdrawals are stopped: it waits, unless its signer sends it by itself.</summary>
    Stopped,
}

/// <summary>Used within the settlement loop's turns only.</summary>
public sealed class Signing(PartitionSet partitions, IReadOnlyList<Payouts> payouts, IBitcoinNode node)
{
    /// <summary>RPC_DESERIALIZATION_ERROR.</summary>
    private const RpcError NoPsbt = (RpcError)(-22);

    /// <summary>What may be signed now, the oldest first within a partition: while withdrawals are stopped, anchors alone.</summary>
    public async Task<IReadOnlyList<SigningRequest>> ListAsync() => [.. (await FindAsync()).Where(w => !w.IsStopped).Select(w => w.Request)];

    /// <summary>Takes a transaction back from its signer.</summary>
    /// <param name="txid">As it was handed out.</param>
    /// <param name="psbt">With all signatures, in base64.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="NodeException">The node cannot say whether it is complete. Nothing was taken.</exception>
    public async Task<SignedOutcome> TakeAsync(Txid txid, string psbt, CancellationToken cancel)
    {
        var (request, isStopped) = (await FindAsync()).FirstOrDefault(w => w.Request.Prepared.Txid == txid);
        if (request is null) return await FindTakenAsync(txid);
        // What was taken would be sent.
        if (isStopped) return SignedOutcome.Stopped;
        try
        {
            if (await node.FinalizePsbtAsync(psbt, cancel) is not { } raw) return SignedOutcome.NotSigned;
            if (!BitcoinTransaction.TryParse(raw, out var transaction) || transaction.Txid != txid) return SignedOutcome.Other;
            // The node has checked it against the coins that the PSBT names. They count as they were handed out: a bad signature,
            // taken once, would keep the good one out.
            var handedOut = await node.DecodePsbtAsync(Convert.ToBase64String(request.Prepared.Psbt.Span), cancel);
            var spent = handedOut.Inputs.Where(i => i.Spent is not null).Select(i => new SpentCoin(i.Output, new TransactionOutput(i.Spent!.Amount, i.Spent.Script)));
            if (!await node.IsSignedAsync(raw, [.. spent], cancel)) return SignedOutcome.NotSigned;
            var height = (await node.GetBlockchainInfoAsync(cancel)).Blocks;
            return await payouts[request.Partition].TakeSignedAsync(request.Family, request.Prepared, raw, height);
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected && e.Code == NoPsbt)
        {
            return SignedOutcome.Malformed;
        }
    }

    /// <summary>All that is with its signer, and whether it must not be signed now.</summary>
    private async Task<(SigningRequest Request, bool IsStopped)[]> FindAsync()
    {
        var live = await partitions.QueryAllAsync(ledger => ledger.LiveFamilies()
            .Where(f => f is { State: FamilyState.Opened or FamilyState.Signed, Prepared: not null }).Select(f => (Family: f, IsStopped: ledger.IsStopped(f))).ToArray());
        return [.. live.SelectMany((waiting, number) => waiting.Select(w => (new SigningRequest(number, w.Family, w.Family.Prepared!), w.IsStopped)))];
    }

    private async Task<SignedOutcome> FindTakenAsync(Txid txid)
    {
        var known = await partitions.QueryAllAsync(ledger => ledger.LiveFamilies().Any(f => f.Attempts.Any(a => a.Txid == txid)));
        return known.Contains(true) ? SignedOutcome.TakenBefore : SignedOutcome.NotFound;
    }
}
