using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Engine.Bitcoin;

/// <summary>
/// The seam to a Bitcoin node and its descriptor wallet: the calls that money in and money out need, one method
/// per call, named as the node names it. Keys stay in the node or behind its signer.
/// <para>A method returns what the node answered, null where the node does not know the thing asked for, and
/// throws <see cref="NodeException"/> otherwise, which says whether the call may have been executed. Nothing is
/// retried inside. A cancelled call is like an unknown one: it may have been executed, or may be yet.</para>
/// <para>There is no call that builds, signs and sends in one step (sendtoaddress, sendmany, sendall, bumpfee): a
/// transaction is durable here before it leaves, so that a lost answer can never pay twice.</para>
/// </summary>
public interface IBitcoinNode
{
    /// <summary>Loads the wallet, and has the node load it at every start; false if there is no such wallet.
    /// A wallet that is loaded already stays as it is.</summary>
    Task<bool> LoadWalletAsync(CancellationToken cancel);

    /// <summary>Makes the wallet: descriptors, loaded at every start. -4 if it exists.</summary>
    Task CreateWalletAsync(CancellationToken cancel);

    Task<BlockchainInfo> GetBlockchainInfoAsync(CancellationToken cancel);
    Task<WalletInfo> GetWalletInfoAsync(CancellationToken cancel);

    /// <summary>The block at a height of the best chain; null above its tip.</summary>
    Task<BlockHash?> GetBlockHashAsync(int height, CancellationToken cancel);

    Task<BlockInfo?> GetBlockInfoAsync(BlockHash block, CancellationToken cancel);

    /// <summary>The header's 80 bytes.</summary>
    Task<byte[]?> GetBlockHeaderAsync(BlockHash block, CancellationToken cancel);

    /// <summary>The block's transactions in order: the leaves of its Merkle tree.</summary>
    Task<IReadOnlyList<Txid>?> GetBlockTxidsAsync(BlockHash block, CancellationToken cancel);

    /// <summary>The whole block, as nodes exchange it. Rejected where the node has pruned it.</summary>
    Task<byte[]?> GetBlockAsync(BlockHash block, CancellationToken cancel);

    /// <summary>A fresh bech32m address of the wallet.</summary>
    Task<string> GetNewAddressAsync(CancellationToken cancel);

    /// <summary>The wallet's descriptors, without private keys.</summary>
    Task<IReadOnlyList<WalletDescriptor>> ListDescriptorsAsync(CancellationToken cancel);

    /// <summary>The addresses of a ranged descriptor from one index to another, both included. The wallet is not asked, and does
    /// not look for them unless its own range holds them.</summary>
    Task<IReadOnlyList<string>> DeriveAddressesAsync(string descriptor, uint first, uint last, CancellationToken cancel);

    /// <summary>Has the wallet look for so many addresses beyond the next unused one, of each of its descriptors. It never looks for
    /// fewer than before. -13 while its keys are locked.</summary>
    Task RefillKeypoolAsync(int addresses, CancellationToken cancel);

    /// <summary>Writes a note beside an address into the wallet, in place of the one before; backups of the wallet have it.</summary>
    Task SetLabelAsync(string address, string label, CancellationToken cancel);

    /// <summary>Has the wallet look through blocks for transactions that it does not know, both ends included; it answers when it
    /// has, or after our patience, and then goes on. -1 where the node has pruned blocks of it, -4 while it is scanning.</summary>
    Task RescanAsync(int first, int last, CancellationToken cancel);

    /// <summary>-5 for what is no address.</summary>
    Task<AddressInfo> GetAddressInfoAsync(string address, CancellationToken cancel);

    /// <summary>Whether the text is an address of the node's chain.</summary>
    Task<bool> ValidateAddressAsync(string address, CancellationToken cancel);

    /// <summary>Entries in blocks after the cursor and in the mempool, change left out; without a cursor from the
    /// beginning. The next cursor is <paramref name="finality"/> blocks deep. Null: the node does not know the
    /// cursor's block. A cursor that left the best chain counts from the fork on.</summary>
    Task<WalletChanges?> ListSinceBlockAsync(BlockHash? cursor, int finality, CancellationToken cancel);

    /// <summary>So many of the wallet's entries, from the newest back after those that are skipped; the oldest of them first. Newer is
    /// what the wallet came to know later: what a rescan finds is new, however old its block. Change is left out.</summary>
    Task<IReadOnlyList<WalletEntry>> ListTransactionsAsync(int count, int skip, CancellationToken cancel);

    /// <summary>The wallet's transactions in blocks after a block and in the mempool, those that pay its own change alone
    /// included. Null: the node does not know the block.</summary>
    Task<IReadOnlyList<Txid>?> ListTransactionsSinceAsync(BlockHash block, CancellationToken cancel);

    /// <summary>Null: the wallet does not know it. One that a double spend took the place of it knows, with as many negative
    /// confirmations as the double spend has positive ones.</summary>
    Task<WalletTransaction?> GetTransactionAsync(Txid txid, CancellationToken cancel);

    /// <summary>Funds a transaction: the given inputs stay first in their order, confirmed coins are added as needed,
    /// change is bech32m, the transaction is replaceable. Every input is locked in the node's memory.</summary>
    Task<FundedPsbt> WalletCreateFundedPsbtAsync(
        IReadOnlyList<OutPoint> inputs, IReadOnlyList<NewOutput> outputs, FeeRate feeRate, CancellationToken cancel);

    /// <summary>A fresh bech32m address of the wallet, of the kind that it gives itself change on.</summary>
    Task<string> GetRawChangeAddressAsync(CancellationToken cancel);

    /// <summary>A transaction of these coins and no others to one address, which gets what the fee leaves of them. It is
    /// replaceable; every input is locked in the node's memory.</summary>
    /// <param name="total">What the coins are worth together.</param>
    Task<FundedPsbt> JoinCoinsPsbtAsync(IReadOnlyList<OutPoint> coins, Sats total, string address, FeeRate feeRate, CancellationToken cancel);

    /// <summary>A replacement of a transaction in the mempool, not signed: same inputs, same payments, higher fee.
    /// Its outputs may stand in another order.</summary>
    Task<FundedPsbt> PsbtBumpFeeAsync(Txid txid, FeeRate feeRate, CancellationToken cancel);

    /// <summary>A replaceable transaction with just these inputs and outputs, as a PSBT; what they differ by is its fee.</summary>
    Task<string> CreatePsbtAsync(IReadOnlyList<OutPoint> inputs, IReadOnlyList<NewOutput> outputs, CancellationToken cancel);

    Task<DecodedPsbt> DecodePsbtAsync(string psbt, CancellationToken cancel);

    /// <summary>Signs what the wallet can sign and finalizes what is complete.</summary>
    Task<SignedPsbt> WalletProcessPsbtAsync(string psbt, CancellationToken cancel);

    /// <summary>The transaction of a PSBT that somebody signed; null while signatures are missing, or do not fit the coins that it
    /// says it spends. -22 for what is no PSBT.</summary>
    Task<byte[]?> FinalizePsbtAsync(string psbt, CancellationToken cancel);

    /// <summary>Puts together what several have signed of one PSBT. -8 if they are of several transactions, -22 for what is no PSBT.</summary>
    Task<string> CombinePsbtAsync(IReadOnlyList<string> psbts, CancellationToken cancel);

    /// <summary>Makes final those inputs of a PSBT that have all their signatures, whether or not others lack some.</summary>
    Task<string> CompletePsbtAsync(string psbt, CancellationToken cancel);

    /// <summary>Whether every signature of a transaction is good for what it spends, whether or not that is there still.</summary>
    /// <param name="transaction">Signed.</param>
    /// <param name="spent">What it spends.</param>
    /// <param name="cancel">Ends the question.</param>
    Task<bool> IsSignedAsync(byte[] transaction, IReadOnlyList<SpentCoin> spent, CancellationToken cancel);

    /// <summary>Safe to repeat with the same bytes, and meant to be.</summary>
    Task<BroadcastResult> SendRawTransactionAsync(byte[] transaction, CancellationToken cancel);

    /// <summary>Whether an output is there and nothing spends it, neither in the chain nor in the mempool.</summary>
    Task<bool> IsUnspentAsync(OutPoint output, CancellationToken cancel);

    /// <summary>An output that a block made and no block spends, whatever waits in the mempool; null if there is none.</summary>
    Task<ChainCoin?> FindChainCoinAsync(OutPoint output, CancellationToken cancel);

    /// <summary>Looks in the mempool only: an output spent in a block is reported as not spent.</summary>
    Task<IReadOnlyList<MempoolSpend>> GetTxSpendingPrevoutAsync(IReadOnlyList<OutPoint> outputs, CancellationToken cancel);

    /// <summary>Null: not in the mempool.</summary>
    Task<MempoolEntry?> GetMempoolEntryAsync(Txid txid, CancellationToken cancel);

    /// <summary>A transaction's bytes: of the mempool, of the given block, or of any block if the node keeps an index.</summary>
    Task<byte[]?> GetRawTransactionAsync(Txid txid, BlockHash? block, CancellationToken cancel);

    /// <summary>Keeps coins out of funding until the node restarts. All or none: -8 if one is locked, spent or not ours.</summary>
    Task LockUnspentAsync(IReadOnlyList<OutPoint> outputs, CancellationToken cancel);

    Task UnlockAllAsync(CancellationToken cancel);
    Task<IReadOnlyList<OutPoint>> ListLockUnspentAsync(CancellationToken cancel);

    /// <summary>The wallet's coins with at least so many confirmations. Locked coins are not among them.</summary>
    Task<IReadOnlyList<Coin>> ListUnspentAsync(int confirmationsMin, CancellationToken cancel);

    Task<WalletBalances> GetBalancesAsync(CancellationToken cancel);

    /// <summary>Loads the wallet that only watches, and has the node load it at every start; false if there is none.</summary>
    /// <param name="watch">What distinguishes its name from our own wallet's, of which it is the end.</param>
    Task<bool> LoadWatchWalletAsync(string watch, CancellationToken cancel);

    /// <summary>Makes an empty wallet that can hold no private keys. -4 if it exists.</summary>
    Task CreateWatchWalletAsync(string watch, CancellationToken cancel);

    Task<WalletInfo> GetWatchWalletInfoAsync(string watch, CancellationToken cancel);

    /// <summary>What it watches, as the node writes it: with <c>h</c> for hardened steps, and a checksum.</summary>
    Task<IReadOnlyList<string>> ListWatchedAsync(string watch, CancellationToken cancel);

    /// <summary>Has it watch descriptors, and look for their coins in blocks from a time on, which may take hours: the answer comes
    /// when that is done. Of each descriptor null, or why it is refused.</summary>
    Task<IReadOnlyList<string?>> WatchAsync(string watch, IReadOnlyList<string> descriptors, UnixTime since, CancellationToken cancel);

    /// <summary>Its coins in blocks that nothing in a block or in the mempool spends.</summary>
    Task<Sats> GetWatchedBalanceAsync(string watch, CancellationToken cancel);

    /// <summary>These coins, as <see cref="ListUnspentAsync"/> lists the wallet's own.</summary>
    Task<IReadOnlyList<Coin>> ListWatchedUnspentAsync(string watch, int confirmationsMin, CancellationToken cancel);

    /// <summary>Writes into a PSBT what this wallet knows of the keys of its inputs, for whoever has them.</summary>
    Task<string> DescribeWatchedPsbtAsync(string watch, string psbt, CancellationToken cancel);

    /// <summary>What the node asks of a transaction to take it into its mempool now.</summary>
    Task<MempoolTerms> GetMempoolTermsAsync(CancellationToken cancel);

    /// <summary>The rate at which a transaction is expected within so many blocks; null while the node has no estimate.</summary>
    Task<FeeRate?> EstimateSmartFeeAsync(int blocks, CancellationToken cancel);
}
