// The transactions that wait for a block, by the rules of Bitcoin Core's validation.cpp and policy/rbf.cpp that decide
// something for a wallet.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal sealed record WaitingTransaction(BitcoinTransaction Transaction, Sats Fee, int VirtualBytes);

/// <summary>Why the node does not take a transaction: its error's number and its words.</summary>
internal sealed record Refusal(RpcError Code, string Message);

internal sealed class FakeMempool(FakeChain chain)
{
    /// <summary>A coinbase output may be spent in the block that is so much higher.</summary>
    private const int CoinbaseMaturity = 100;
    /// <summary>Per virtual byte: what a transaction must pay at least, and what a replacement must pay more.</summary>
    private const int RelaySats = 1;
    public static readonly Sats RelayPerKvB = new(1_000 * RelaySats);

    /// <summary>Per virtual byte: the node takes more for a mistake (maxfeerate, 0.1 BTC/kvB).</summary>
    private const int FeeSatsMax = 10_000;

    private static readonly Refusal InputsMissing = new(RpcError.VerifyError, "bad-txns-inputs-missingorspent");
    private static readonly Refusal Premature = new(RpcError.VerifyRejected, "bad-txns-premature-spend-of-coinbase");

    // In the order in which they came, so that none stands before one that it spends.
    private readonly OrderedDictionary<Txid, WaitingTransaction> _waiting = [];
    private readonly Dictionary<OutPoint, Txid> _spends = [];

    public IEnumerable<BitcoinTransaction> Transactions => _waiting.Values.Select(w => w.Transaction);

    public WaitingTransaction? Find(Txid txid) => _waiting.TryGetValue(txid, out var waiting) ? waiting : null;

    public Txid? SpenderOf(OutPoint output) => _spends.TryGetValue(output, out var txid) ? txid : null;

    /// <summary>Takes a transaction, or says why not. What it replaces is gone when this returns.</summary>
    /// <param name="signed">Whether its signatures are good.</param>
    public Refusal? Accept(BitcoinTransaction transaction, out IReadOnlyList<BitcoinTransaction> replaced, bool signed = true)
    {
        replaced = [];
        if (Judge(transaction, out var fee) is { } refusal) return refusal;
        var bytes = FakeTransactions.VirtualBytes(transaction);
        if (fee > new Sats((long)FeeSatsMax * bytes)) return new Refusal(RpcError.VerifyError, "Fee exceeds maximum configured by user");
        if (fee < new Sats(RelaySats * bytes)) return new Refusal(RpcError.VerifyRejected, $"min relay fee not met, {fee.Value} < {RelaySats * bytes}");

        var conflicts = transaction.Inputs.Select(i => SpenderOf(i.Spent)).OfType<Txid>().ToHashSet();
        var leaving = WithDescendants(conflicts);
        if (transaction.Inputs.Any(i => leaving.Contains(i.Spent.Txid)))
            return new Refusal(RpcError.VerifyRejected, "bad-txns-spends-conflicting-tx");
        // More for each byte than any that it conflicts with, and in all more than everything that leaves (BIP-125, rules 3, 4 and 6).
        if (conflicts.Any(c => Math.BigMul(fee.Value, _waiting[c].VirtualBytes) <= Math.BigMul(_waiting[c].Fee.Value, bytes))
            || (leaving.Count > 0 && fee.Value < leaving.Sum(l => _waiting[l].Fee.Value) + (RelaySats * bytes)))
            return new Refusal(RpcError.VerifyRejected, $"insufficient fee, rejecting replacement {transaction.Txid}");

        if (!signed) return new Refusal(RpcError.VerifyRejected, "mempool-script-verify-flag-failed (Invalid Schnorr signature)");

        replaced = Remove(leaving);
        _waiting.Add(transaction.Txid, new WaitingTransaction(transaction, fee, bytes));
        foreach (var input in transaction.Inputs) _spends[input.Spent] = transaction.Txid;
        return null;
    }

    /// <summary>Removes a transaction and what spends of it: the node had no room for them, or they waited too long.</summary>
    public IReadOnlyList<BitcoinTransaction> Evict(Txid txid) => _waiting.ContainsKey(txid) ? Remove(WithDescendants([txid])) : [];

    /// <summary>Removes what a block holds, and gives what it made impossible.</summary>
    public IReadOnlyList<BitcoinTransaction> RemoveFor(FakeBlock block)
    {
        foreach (var transaction in block.Transactions) Remove([transaction.Txid]);
        var conflicts = block.Transactions.SelectMany(t => t.Inputs).Select(i => SpenderOf(i.Spent)).OfType<Txid>();
        return Remove(WithDescendants(conflicts.ToHashSet()));
    }

    /// <summary>Begins again with these, each after what it spends, because blocks have left the chain. Gives those that cannot
    /// be in the next block any more.</summary>
    public IReadOnlyList<BitcoinTransaction> Refill(IReadOnlyList<BitcoinTransaction> transactions)
    {
        Remove([.. _waiting.Keys]);
        return [.. transactions.Where(t => Accept(t, out _) is not null)];
    }

    /// <summary>How many there are with it and what spends of it.</summary>
    public int DescendantsOf(Txid txid) => WithDescendants([txid]).Count;

    /// <summary>It and everything here that must be in a block before it.</summary>
    public IReadOnlyCollection<WaitingTransaction> WithAncestors(Txid txid)
    {
        var all = new Dictionary<Txid, WaitingTransaction>();
        var open = new Stack<Txid>([txid]);
        while (open.TryPop(out var next))
        {
            if (Find(next) is not { } waiting || !all.TryAdd(next, waiting)) continue;
            foreach (var input in waiting.Transaction.Inputs) open.Push(input.Spent.Txid);
        }
        return all.Values;
    }

    /// <summary>An output that is in the chain or made by a transaction here.</summary>
    public TransactionOutput? FindOutput(OutPoint output) =>
        Find(output.Txid) is { } waiting
            ? output.Index < waiting.Transaction.Outputs.Count ? waiting.Transaction.Outputs[(int)output.Index] : null
            : chain.FindCoin(output)?.Output;

    private Refusal? Judge(BitcoinTransaction transaction, out Sats fee)
    {
        fee = Sats.Zero;
        long left = 0;
        foreach (var input in transaction.Inputs)
        {
            if (FindOutput(input.Spent) is not { } output) return InputsMissing;
            if (chain.FindCoin(input.Spent) is { Coinbase: true } coin && chain.Tip.Height + 1 - coin.Height < CoinbaseMaturity) return Premature;
            left += output.Value.Value;
        }
        foreach (var output in transaction.Outputs) left -= output.Value.Value;
        if (left < 0) return new Refusal(RpcError.VerifyRejected, "bad-txns-in-belowout");
        fee = new Sats(left);
        return null;
    }

    private HashSet<Txid> WithDescendants(HashSet<Txid> txids)
    {
        var all = txids.ToHashSet();
        foreach (var (txid, waiting) in _waiting)
        {
            if (waiting.Transaction.Inputs.Any(i => all.Contains(i.Spent.Txid))) all.Add(txid);
        }
        return all;
    }

    private List<BitcoinTransaction> Remove(IReadOnlyCollection<Txid> txids)
    {
        var removed = new List<BitcoinTransaction>();
        foreach (var txid in txids)
        {
            if (!_waiting.Remove(txid, out var waiting)) continue;
            foreach (var input in waiting.Transaction.Inputs) _spends.Remove(input.Spent);
            removed.Add(waiting.Transaction);
        }
        return removed;
    }
}
