// The node's wallet: what it owns and what it knows of the transactions that concern it, as Bitcoin Core's
// wallet/wallet.cpp keeps them.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal enum WalletStanding
{
    /// <summary>Neither in a block nor in the mempool, and it may come back.</summary>
    Inactive,
    InMempool,
    InBlock,
    /// <summary>A block holds a transaction that spends one of its inputs.</summary>
    Conflicted,
    /// <summary>Its inputs may be spent otherwise. A coinbase is, once its block has left the chain.</summary>
    Abandoned,
}

/// <summary>A transaction that the wallet knows. The block is the one that holds it, or the one that conflicts with it.</summary>
/// <param name="order">Its place among those that the wallet came to know.</param>
internal sealed class KnownTransaction(BitcoinTransaction transaction, bool coinbase, long order)
{
    public long Order => order;
    public BitcoinTransaction Transaction => transaction;
    public Txid Txid => transaction.Txid;
    public bool Coinbase => coinbase;
    public WalletStanding Standing { get; private set; }
    public FakeBlock? Block { get; private set; }

    public void Set(WalletStanding standing, FakeBlock? block = null) => (Standing, Block) = (standing, block);
}

/// <summary>A copy of a wallet's file.</summary>
/// <param name="Height">Of the last block that the wallet had worked through.</param>
internal sealed record FakeBackup(
    FakeKeysState Keys, IReadOnlyList<(BitcoinTransaction Transaction, bool Coinbase, WalletStanding Standing, FakeBlock? Block)> Known, int Height);

/// <param name="keys">See <see cref="FakeKeys"/>.</param>
internal sealed class FakeWallet(string name, FakeKeys keys)
{
    /// <summary>A coinbase output may be spent once it has so many confirmations.</summary>
    public const int CoinbaseConfirmations = 101;

    private readonly Dictionary<Txid, KnownTransaction> _known = [];
    private readonly Dictionary<OutPoint, List<KnownTransaction>> _spenders = [];
    // In memory only: a restart forgets them.
    private readonly HashSet<OutPoint> _locked = [];

    private long _learned;

    public string Name => name;
    public bool IsScanning { get; set; }
    /// <summary>Whether it signs; otherwise somebody else does.</summary>
    public bool HasKeys { get; set; } = true;
    /// <summary>Encrypted, and without its passphrase it signs nothing.</summary>
    public bool IsLocked { get; set; }

    /// <summary>The height of the last block that it has worked through.</summary>
    public int Height { get; private set; }

    public IReadOnlyCollection<OutPoint> Locked => _locked;
    public IReadOnlyCollection<KnownTransaction> Known => _known.Values;
    public IEnumerable<KnownTransaction> NewestFirst => _known.Values.OrderByDescending(k => k.Order);

    public KnownTransaction? Find(Txid txid) => _known.GetValueOrDefault(txid);

    public FakeKeys Keys => keys;

    /// <summary>A script of the wallet's own, and what its key is for.</summary>
    public ByteString NewScript(bool change) => Keys.Take(change);

    public bool IsMine(byte[] script) => Keys.Find(new ByteString(script)) is not null;

    /// <summary>The node takes for change what is its own and was neither given away by it nor paid, nor is before one that was, nor
    /// has a label.</summary>
    public bool IsChange(byte[] script) => Keys.Find(new ByteString(script)) is { } key && (key.Change || key.Index >= Keys.State.Next.External) && Keys.LabelOf(new ByteString(script)) is null;

    /// <summary>The wallet's own output behind an input, whether spent or not.</summary>
    public TransactionOutput? OwnOutput(OutPoint output) =>
        Find(output.Txid)?.Transaction.Outputs is { } outputs && output.Index < outputs.Count && IsMine(outputs[(int)output.Index].Script)
            ? outputs[(int)output.Index] : null;

    /// <summary>Whether the wallet spends in it.</summary>
    public bool IsFromMe(BitcoinTransaction transaction) => transaction.Inputs.Any(i => OwnOutput(i.Spent) is not null);

    /// <summary>How deep in the chain, 0 for nowhere; for a conflicted one how deep its conflict, as a negative number.</summary>
    public int Confirmations(KnownTransaction known) => known.Standing switch
    {
        WalletStanding.InBlock => Height - known.Block!.Height + 1,
        WalletStanding.Conflicted => -(Height - known.Block!.Height + 1),
        WalletStanding.Inactive or WalletStanding.InMempool or WalletStanding.Abandoned => 0,
    };

    /// <summary>Whether anything that may still be in the chain spends an output.</summary>
    public bool IsSpent(OutPoint output) => _spenders.TryGetValue(output, out var spenders)
        && spenders.Exists(s => s.Standing is not (WalletStanding.Conflicted or WalletStanding.Abandoned));

    /// <summary>Transactions that share an input with this one.</summary>
    public IEnumerable<Txid> ConflictsOf(KnownTransaction known) => SpentBy(known.Transaction)
        .SelectMany(o => _spenders[o]).Select(s => s.Txid).Where(t => t != known.Txid).Distinct();

    /// <summary>Whether another transaction that it knows spends of this one.</summary>
    public bool HasDescendants(KnownTransaction known) =>
        Enumerable.Range(0, known.Transaction.Outputs.Count).Any(i => _spenders.TryGetValue(new OutPoint(known.Txid, (uint)i), out var spenders) && spenders.Count > 0);

    public void Lock(OutPoint output) => _locked.Add(output);

    public void UnlockAll() => _locked.Clear();

    public void EnteredMempool(BitcoinTransaction transaction) => Learn(transaction, coinbase: false)?.Set(WalletStanding.InMempool);

    public void LeftMempool(BitcoinTransaction transaction)
    {
        if (Find(transaction.Txid) is { Standing: WalletStanding.InMempool } known) known.Set(WalletStanding.Inactive);
    }

    public void Connected(FakeBlock block)
    {
        Height = block.Height;
        Look(block);
    }

    /// <summary>Looks at a block, for the first time or again.</summary>
    public void Look(FakeBlock block)
    {
        foreach (var transaction in block.Transactions)
        {
            // Also what is not the wallet's own makes its transactions impossible.
            foreach (var other in SpentBy(transaction).SelectMany(o => _spenders.GetValueOrDefault(o, [])).ToArray())
            {
                if (other.Txid != transaction.Txid) MarkConflicted(other, block);
            }
            Learn(transaction, transaction == block.Transactions[0])?.Set(WalletStanding.InBlock, block);
        }
    }

    public void Disconnected(FakeBlock block)
    {
        Height = block.Height - 1;
        foreach (var transaction in block.Transactions)
        {
            if (Find(transaction.Txid) is { } known) known.Set(known.Coinbase ? WalletStanding.Abandoned : WalletStanding.Inactive);
        }
        foreach (var known in _known.Values)
        {
            if (known.Standing == WalletStanding.Conflicted && known.Block == block) known.Set(WalletStanding.Inactive);
        }
    }

    /// <summary>The wallet is an older copy that does not know a transaction.</summary>
    public void Forget(Txid txid)
    {
        if (!_known.Remove(txid, out var known)) return;
        foreach (var output in SpentBy(known.Transaction)) _spenders[output].Remove(known);
    }

    public FakeBackup BackUp() => new(Keys.State, [.. NewestFirst.Reverse().Select(k => (k.Transaction, k.Coinbase, k.Standing, k.Block))], Height);

    /// <summary>The wallet is what it was when it was backed up, and knows nothing since.</summary>
    public void Restore(FakeBackup backup)
    {
        foreach (var txid in _known.Keys.ToArray()) Forget(txid);
        Keys.State = backup.Keys;
        foreach (var (transaction, coinbase, standing, block) in backup.Known) Learn(transaction, coinbase)!.Set(standing, block);
        // What it learned again it was paid for before.
        Keys.State = backup.Keys;
        Restart();
    }

    /// <summary>The node stops: what was in memory only is gone.</summary>
    public void Restart() => _locked.Clear();

    /// <summary>What a transaction spends: a coinbase nothing.</summary>
    private static IEnumerable<OutPoint> SpentBy(BitcoinTransaction transaction) =>
        transaction.Inputs.Select(i => i.Spent).Where(o => o.Txid != default);

    private KnownTransaction? Learn(BitcoinTransaction transaction, bool coinbase)
    {
        if (Find(transaction.Txid) is { } known) return known;
        if (!transaction.Outputs.Any(o => IsMine(o.Script)) && !IsFromMe(transaction)) return null;
        known = new KnownTransaction(transaction, coinbase, _learned++);
        _known.Add(known.Txid, known);
        foreach (var output in transaction.Outputs) Keys.Paid(new ByteString(output.Script));
        foreach (var output in SpentBy(transaction))
        {
            if (!_spenders.TryGetValue(output, out var spenders)) _spenders.Add(output, spenders = []);
            spenders.Add(known);
            // A coin that is being spent needs no lock.
            _locked.Remove(output);
        }
        return known;
    }

    private void MarkConflicted(KnownTransaction known, FakeBlock block)
    {
        if (known.Standing == WalletStanding.Conflicted && known.Block!.Height <= block.Height) return;
        known.Set(WalletStanding.Conflicted, block);
        for (uint i = 0; i < known.Transaction.Outputs.Count; i++)
        {
            foreach (var spender in _spenders.GetValueOrDefault(new OutPoint(known.Txid, i), [])) MarkConflicted(spender, block);
        }
    }
}
