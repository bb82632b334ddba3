// A node with its chain, its mempool and its wallet, and everything that happens to it: blocks, payments of the world
// outside, restarts. FakeBitcoind is how the engine talks to it.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>Not safe for several threads. The same seed and the same calls give the same bytes.</summary>
internal sealed class FakeNode
{
    /// <summary>How many of the blocks that <c>invalidateblock</c> removes give their transactions back to the mempool.</summary>
    private const int BlocksGivenBackMax = 10;

    private readonly ByteString _miner = new([0x51, 32, .. Sha256.Of("miner"u8).ToArray()]);
    private int _strangers;

    /// <param name="wallet">The name of its wallet.</param>
    /// <param name="keys">Those of the wallet, if they are not the usual ones.</param>
    public FakeNode(int seed, string wallet, FakeKeys? keys = null)
    {
        Mempool = new FakeMempool(Chain);
        Wallet = new FakeWallet(wallet, keys ?? new FakeKeys(wallet, FakeKeys.UsualAhead));
        Funding = new FakeFunding(Wallet, Mempool, new Random(seed));
    }

    public FakeChain Chain { get; } = new();
    public FakeMempool Mempool { get; }
    public FakeWallet Wallet { get; }
    public FakeFunding Funding { get; }

    public bool IsWalletLoaded { get; set; }
    /// <summary>Wallets that only watch, by their names.</summary>
    public Dictionary<string, FakeWatchWallet> Watching { get; } = [];
    public bool IsDownloading { get; set; }
    /// <summary>How many headers it knows beyond its blocks.</summary>
    public int HeadersAhead { get; set; }
    /// <summary>What <c>estimatesmartfee</c> says; null while there is no estimate.</summary>
    public FeeRate? Estimate { get; set; }

    /// <summary>An address that is not the wallet's.</summary>
    public string NewStranger() => AddressOf(new ByteString(
        [0x51, 32, .. Sha256.Of(System.Text.Encoding.ASCII.GetBytes(FormattableString.Invariant($"stranger {_strangers++}"))).ToArray()]));

    /// <summary>A payment from the world outside, not sent.</summary>
    /// <param name="spends">Coins of the world outside; a fresh one if they are not given.</param>
    public BitcoinTransaction Payment(string address, Sats amount, Sats fee, IReadOnlyList<OutPoint>? spends = null)
    {
        spends ??= [Chain.NewWorldCoin()];
        var paid = new Sats(spends.Count * FakeChain.Subsidy.Value);
        return FakeTransactions.Create(spends, [new(amount, ScriptOf(address)), new(paid - amount - fee, ScriptOf(NewStranger()))]);
    }

    /// <summary>As <c>sendrawtransaction</c>; null when it is in the mempool now.</summary>
    public Refusal? Send(BitcoinTransaction transaction, bool signed = true)
    {
        if (Mempool.Find(transaction.Txid) is not null) return null;
        var outputs = Enumerable.Range(0, transaction.Outputs.Count).Select(i => new OutPoint(transaction.Txid, (uint)i));
        if (outputs.Any(o => Chain.FindCoin(o) is not null))
            return new Refusal(RpcError.VerifyAlreadyInChain, "Transaction outputs already in utxo set");
        if (Mempool.Accept(transaction, out var replaced, signed) is { } refusal) return refusal;
        foreach (var gone in replaced) Wallet.LeftMempool(gone);
        Wallet.EnteredMempool(transaction);
        return null;
    }

    /// <summary>Mines everything that waits.</summary>
    public FakeBlock Mine(string? address = null) => Mine(Chain.Tip, [.. Mempool.Transactions], address);

    /// <summary>Mines a block that holds just these, on any block. It counts once its branch is the longest.</summary>
    public FakeBlock Mine(FakeBlock parent, IReadOnlyList<BitcoinTransaction> transactions, string? address = null)
    {
        var block = Chain.Mine(parent, address is null ? _miner : new ByteString(ScriptOf(address)), transactions);
        Follow(int.MaxValue);
        return block;
    }

    public void Invalidate(FakeBlock block)
    {
        Chain.Invalidate(block);
        Follow(BlocksGivenBackMax);
    }

    public void Reconsider(FakeBlock block)
    {
        Chain.Reconsider(block);
        Follow(int.MaxValue);
    }

    public void Evict(Txid txid)
    {
        foreach (var gone in Mempool.Evict(txid)) Wallet.LeftMempool(gone);
    }

    /// <summary>Stops in good order and starts again: the mempool is kept, and the wallet sends again what it knows.</summary>
    public void Restart()
    {
        Wallet.Restart();
        foreach (var known in Wallet.Known.Where(k => k.Standing == WalletStanding.Inactive).ToArray()) Send(known.Transaction);
    }

    /// <summary>Takes the wallet out. What happens meanwhile it reads when it is loaded again; here it may as well know at once.</summary>
    public void Unload()
    {
        IsWalletLoaded = false;
        Wallet.Restart();
    }

    /// <summary>Puts a copy of the wallet in its place. The wallet looks at the blocks and at the mempool that it has not seen.</summary>
    public void Restore(FakeBackup backup)
    {
        Wallet.Restore(backup);
        Rescan(Math.Min(backup.Height, Chain.Tip.Height) + 1, Chain.Tip.Height);
        foreach (var transaction in Mempool.Transactions) Wallet.EnteredMempool(transaction);
    }

    /// <summary>Has the wallet look at blocks again, both ends included.</summary>
    public void Rescan(int first, int last)
    {
        for (var height = first; height <= last; height++) Wallet.Look(Chain.At(height)!);
    }

    public static byte[] ScriptOf(string address) => BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var script, out _)
        ? script : throw new CallFailedException(RpcError.InvalidAddressOrKey, "Invalid Bitcoin address");

    public static string AddressOf(ByteString script) => BitcoinAddress.FromScript(script.Span, BitcoinNetwork.Regtest)!;

    /// <summary>Follows the best chain: blocks that left it give back their transactions, if those can still be mined.</summary>
    private void Follow(int blocksGivenBackMax)
    {
        var (left, joined) = Chain.Activate();
        foreach (var block in left) Wallet.Disconnected(block);
        foreach (var block in joined)
        {
            foreach (var gone in Mempool.RemoveFor(block)) Wallet.LeftMempool(gone);
            Wallet.Connected(block);
        }
        if (left.Count == 0) return;
        var back = left.Take(blocksGivenBackMax).Reverse().SelectMany(b => b.Transactions.Skip(1));
        BitcoinTransaction[] waiting = [.. back, .. Mempool.Transactions];
        foreach (var gone in Mempool.Refill([.. waiting.Where(t => Chain.BlockOf(t.Txid) is null)])) Wallet.LeftMempool(gone);
        foreach (var transaction in Mempool.Transactions) Wallet.EnteredMempool(transaction);
    }
}
