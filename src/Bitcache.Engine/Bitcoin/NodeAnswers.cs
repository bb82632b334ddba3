// What the node answers, as small records. Confirmations follow the node: 0 is in the mempool or nowhere,
// negative means that a conflicting transaction is that deep in the chain.

using Bitcache.Core;

namespace Bitcache.Engine.Bitcoin;

/// <summary>A fee rate as satoshis per 1,000 virtual bytes: sat/vB x 1,000, or the node's BTC/kvB x 10^8.</summary>
public readonly record struct FeeRate(long SatsPerKvB) : IComparable<FeeRate>
{
    public int CompareTo(FeeRate other) => SatsPerKvB.CompareTo(other.SatsPerKvB);
    public static bool operator <(FeeRate a, FeeRate b) => a.SatsPerKvB < b.SatsPerKvB;
    public static bool operator >(FeeRate a, FeeRate b) => a.SatsPerKvB > b.SatsPerKvB;
    public static bool operator <=(FeeRate a, FeeRate b) => a.SatsPerKvB <= b.SatsPerKvB;
    public static bool operator >=(FeeRate a, FeeRate b) => a.SatsPerKvB >= b.SatsPerKvB;

    /// <summary>The rate in sat/vB with three decimals, as the node's <c>fee_rate</c> takes it.</summary>
    public override string ToString() => FormattableString.Invariant($"{SatsPerKvB / 1_000}.{SatsPerKvB % 1_000:000}");
}

/// <summary><c>getblockchaininfo</c>. <paramref name="Chain"/> is <c>main</c>, <c>test</c>, <c>signet</c> or <c>regtest</c>.</summary>
public sealed record BlockchainInfo(string Chain, int Blocks, int Headers, BlockHash BestBlock, bool InitialBlockDownload);

/// <summary><c>getwalletinfo</c>. Locked: encrypted, and its keys are not at hand now.</summary>
public sealed record WalletInfo(string Name, bool Scanning, bool Locked, bool Descriptors, bool PrivateKeys);

/// <summary><c>getblockheader</c>. Confirmations are -1 for a block that is not on the best chain.</summary>
public sealed record BlockInfo(BlockHash Hash, int Height, int Confirmations, BlockHash? Previous, UnixTime Time, UnixTime MedianTime);

/// <summary>What a wallet's line in the node's list is about.</summary>
public enum WalletEntryCategory
{
    Send,
    Receive,
    /// <summary>A coinbase output that may be spent.</summary>
    Generate,
    /// <summary>A coinbase output with fewer than 101 confirmations.</summary>
    Immature,
    /// <summary>A coinbase output whose block left the best chain.</summary>
    Orphan,
}

/// <summary>One output as the wallet sees it. The amount is without sign: a Send left, all others arrived.</summary>
public sealed record WalletEntry(
    WalletEntryCategory Category, OutPoint Output, string? Address, Sats Amount, int Confirmations, BlockHash? Block, int? Height, bool Abandoned);

/// <summary><c>listsinceblock</c>: entries since the cursor, and the block to ask from next. Removed is what blocks
/// that left the chain had held; it is no change feed: nothing is credited from it.</summary>
public sealed record WalletChanges(IReadOnlyList<WalletEntry> Entries, IReadOnlyList<WalletEntry> Removed, BlockHash LastBlock);

/// <summary><c>gettransaction</c>. The fee is known only for a transaction that the wallet made.</summary>
public sealed record WalletTransaction(
    Txid Txid, int Confirmations, BlockHash? Block, int? Height, Sats? Fee, IReadOnlyList<WalletEntry> Entries, IReadOnlyList<Txid> Conflicts, byte[] Raw);

/// <summary>The indexes of which a wallet knows the keys, both ends included.</summary>
public readonly record struct DescriptorRange(uint First, uint Last);

/// <summary><c>listdescriptors</c>: how the wallet makes keys and scripts.</summary>
/// <param name="Text">With its checksum, without private keys.</param>
/// <param name="Active">Whether new addresses come from it.</param>
/// <param name="Internal">Whether those are for change.</param>
/// <param name="Range">Null if it has one address only.</param>
/// <param name="Next">The index of the next address that the node itself would give away; what is below it was given away or paid.</param>
public sealed record WalletDescriptor(string Text, bool Active, bool Internal, DescriptorRange? Range, uint Next)
{
    /// <summary>Whether fresh bech32m addresses to be paid to come from it.</summary>
    public bool GivesTaproot => Active && !Internal && Range is not null && Text.StartsWith("tr(", StringComparison.Ordinal);
}

/// <summary><c>getaddressinfo</c>: whether this wallet owns an address, its output script, and the note beside it.</summary>
/// <param name="IsChange">Whether the node takes it for change: it does so with any of its own that it neither gave away nor was
/// paid.</param>
public sealed record AddressInfo(bool IsMine, bool IsChange, byte[] Script, string? Label = null);

/// <summary><c>walletcreatefundedpsbt</c> and <c>psbtbumpfee</c>: a PSBT (base64) and the fee it would pay.</summary>
public sealed record FundedPsbt(string Psbt, Sats Fee);

/// <summary><c>walletprocesspsbt</c>. The transaction is there once every input is signed.</summary>
public sealed record SignedPsbt(string Psbt, byte[]? Transaction);

/// <summary><c>decodepsbt</c>: the unsigned transaction inside, whose txid is final when all inputs are segwit.
/// Size is that of the transaction without its witness.</summary>
public sealed record DecodedPsbt(
    Txid Txid, int StrippedBytes, uint LockTime, IReadOnlyList<PsbtInput> Inputs, IReadOnlyList<PsbtOutput> Outputs, Sats? Fee);

/// <summary>An input and the output it spends, where the PSBT carries that output.</summary>
public sealed record PsbtInput(OutPoint Output, uint Sequence, PsbtOutput? Spent);

public sealed record PsbtOutput(Sats Amount, byte[] Script);

/// <summary>What the node said to a broadcast. None of these means "not paid".</summary>
public enum BroadcastOutcome
{
    /// <summary>In the mempool, now or already before.</summary>
    Accepted,
    /// <summary>-27: an output of it is in the chain; count confirmations.</summary>
    AlreadyInChain,
    /// <summary>-25: inputs missing or spent, by itself perhaps. Ask <c>gettransaction</c> and <c>gettxspendingprevout</c>.</summary>
    Ambiguous,
    /// <summary>-26: refused by rules or policy, perhaps by this node only, now. Bump it; never build it anew.</summary>
    Refused,
}

/// <summary><c>sendrawtransaction</c>: the outcome, and the node's words where it refused.</summary>
public sealed record BroadcastResult(BroadcastOutcome Outcome, string? Message)
{
    /// <summary>Whether it was refused for its fee: below the least of the network or of this mempool now, or too little more
    /// than that of what it would replace. Only the words tell this from what no fee would mend.</summary>
    public bool IsFeeTooLow => Outcome == BroadcastOutcome.Refused && Message is not null
        && (Message.Contains("fee not met", StringComparison.Ordinal) || Message.Contains("insufficient fee", StringComparison.Ordinal));
}

/// <summary><c>gettxspendingprevout</c>: the transaction in the mempool that spends an output, if any.</summary>
public readonly record struct MempoolSpend(OutPoint Output, Txid? SpentBy);

/// <summary><c>getmempoolentry</c>. Descendants count itself, and so do the ancestors, which wait and must be in a block before it.</summary>
public sealed record MempoolEntry(Sats Fee, int VirtualBytes, int Descendants, Sats AncestorFees, int AncestorVirtualBytes);

/// <summary><c>getmempoolinfo</c>: the least rate that is taken, and by how much the rate of a replacement must be higher.</summary>
public sealed record MempoolTerms(FeeRate Least, FeeRate Increment);

/// <summary><c>listunspent</c>: a coin of the wallet. Safe: confirmed, or unconfirmed change of our own.</summary>
public sealed record Coin(OutPoint Output, Sats Amount, string? Address, byte[] Script, int Confirmations, bool Solvable, bool Safe);

/// <summary><c>gettxout</c> without the mempool.</summary>
/// <param name="BestBlock">The block at which it is there.</param>
public sealed record ChainCoin(Sats Amount, byte[] Script, int Confirmations, BlockHash BestBlock);

/// <summary><c>getbalances</c>: ours and confirmed (or own change), unconfirmed from others, coinbase not yet mature.</summary>
public sealed record WalletBalances(Sats Trusted, Sats UntrustedPending, Sats Immature);

/// <summary>An output of a transaction to be funded.</summary>
public abstract record NewOutput;

public sealed record PayOutput(string Address, Sats Amount) : NewOutput;

/// <summary>An OP_RETURN output; a transaction may carry one.</summary>
public sealed record DataOutput(byte[] Data) : NewOutput;
