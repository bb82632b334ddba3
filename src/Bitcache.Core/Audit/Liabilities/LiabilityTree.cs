namespace Bitcache.Core.Audit;

/// <summary>What is owed at the close of an epoch, as a tree in which each wallet can find its balance, and nobody else's. Takes
/// about 58 bytes a leaf, which are two to four of each wallet, and 28 a wallet. Belongs to one thread.</summary>
public sealed class LiabilityTree
{
    internal const string AllocationHeader = "wallet,account_no,value,chunks\n";
    internal const string KeysHeader = "wallet,key\n";

    private readonly LiabilitySeed _seed;
    private readonly LiabilityAccounts _accounts;
    private readonly ChunkPlan _plan;
    private readonly SumTree _tree;

    private LiabilityTree(LiabilitySeed seed, long epoch, uint height, LiabilityAccounts accounts)
    {
        (_seed, Epoch, Height, _accounts) = (seed, epoch, height, accounts);
        accounts.Sort();
        _plan = new ChunkPlan(seed.Arrangement(epoch), accounts);
        _tree = new SumTree(HashLeaves(), _plan.Values);
    }

    public long Epoch { get; }
    /// <summary>Of the epoch's block.</summary>
    public uint Height { get; }
    /// <summary>A power of two, two at least.</summary>
    public int Leaves => _tree.Leaves;
    public Hash256 Root => _tree.Root.Hash;
    /// <summary>All that is owed.</summary>
    public Msat Total => _tree.Root.Sum;

    /// <summary>Arranges and hashes the tree. The same seed, epoch, height and balances give the same tree.</summary>
    /// <param name="accounts">The tree takes them over.</param>
    /// <exception cref="OverflowException">More is owed than there is money.</exception>
    /// <exception cref="InvalidOperationException">There are more balances than a tree may have.</exception>
    public static LiabilityTree Build(LiabilitySeed seed, long epoch, uint height, LiabilityAccounts accounts) => new(seed, epoch, height, accounts);

    /// <summary>Writes <c>liabilities.csv</c>, which is for everybody.</summary>
    public void WriteCsv(ByteSink sink) => LiabilityCsv.Write(Height, _tree, sink);

    /// <summary>Writes <c>allocation.csv</c>, which is for auditors: <c>wallet,account_no,value,chunks</c>, then a row for each wallet
    /// in the order of their ids, its chunks as <c>position:value</c> with ';' between them.</summary>
    public void WriteAllocation(ByteSink sink)
    {
        var rows = new RowWriter(sink);
        rows.Text(AllocationHeader);
        for (var i = 0; i < _accounts.Count; i++)
        {
            var wallet = _accounts.Wallets[i];
            rows.Text(wallet.ToString());
            rows.Character(',');
            rows.Number(LiabilitySeed.AccountNumber(wallet));
            rows.Character(',');
            rows.Number(_accounts.Values[i]);
            var separator = ',';
            foreach (var position in _plan.PositionsOf(i))
            {
                rows.Character(separator);
                rows.Number((long)position);
                rows.Character(':');
                rows.Number(_plan.Values[position]);
                separator = ';';
            }
            rows.Character('\n');
        }
        rows.Finish();
    }

    /// <summary>Writes <c>keys.csv</c>, which is for auditors: <c>wallet,key</c>, then each wallet's key in the same order.</summary>
    public void WriteKeys(ByteSink sink)
    {
        var rows = new RowWriter(sink);
        rows.Text(KeysHeader);
        var batch = new HmacBatch();
        Span<Hash256> keys = stackalloc Hash256[HmacBatch.Count];
        for (var first = 0; first < _accounts.Count; first += HmacBatch.Count)
        {
            var wallets = _accounts.Wallets[first..Math.Min(first + HmacBatch.Count, _accounts.Count)];
            _seed.AccountKeys(wallets, keys, batch);
            for (var i = 0; i < wallets.Length; i++)
            {
                rows.Text(wallets[i].ToString());
                rows.Character(',');
                rows.Hex(keys[i]);
                rows.Character('\n');
            }
        }
        rows.Finish();
    }

    /// <summary>The proofs of a wallet's chunks, in their order; none if it is owed nothing.</summary>
    public IReadOnlyList<BalanceProof> ProofsOf(WalletId wallet)
    {
        var account = _accounts.Find(wallet);
        if (account < 0) return [];
        var nonce = LiabilitySeed.Nonce(_seed.AccountKey(wallet), Height, LiabilitySeed.AccountNumber(wallet));
        var proofs = new List<BalanceProof>();
        foreach (var position in _plan.PositionsOf(account))
        {
            var siblings = new SumNode[_tree.Height];
            for (var row = 0; row < siblings.Length; row++) siblings[row] = _tree[row, (position >> row) ^ 1];
            proofs.Add(new BalanceProof(nonce, new Msat(_plan.Values[position]), position, siblings));
        }
        return proofs;
    }

    private Hash256[] HashLeaves()
    {
        var hashes = TableMemory.AllocateAnyContent<Hash256>(_plan.Values.Length);
        var (batch, codes, leaves) = (new Sha256Batch(), new HmacBatch(), new HmacBatch());
        Span<Hash256> nonces = stackalloc Hash256[Sha256Batch.Count];
        Span<ulong> numbers = stackalloc ulong[Sha256Batch.Count];
        Span<HmacKey> keys = stackalloc HmacKey[HmacBatch.Count];
        Span<int> gathered = stackalloc int[HmacBatch.Count];
        var count = 0;
        for (var first = 0; first < _accounts.Count; first += HmacBatch.Count)
        {
            var wallets = _accounts.Wallets[first..Math.Min(first + HmacBatch.Count, _accounts.Count)];
            var own = nonces[..wallets.Length];
            _seed.AccountKeys(wallets, own, codes);
            LiabilitySeed.AccountNumbers(wallets, numbers, batch);
            LiabilitySeed.Nonces(own, Height, numbers, own, batch);
            codes.Prepare(own, keys);
            for (var i = 0; i < wallets.Length; i++)
            {
                foreach (var position in _plan.PositionsOf(first + i))
                {
                    leaves.Add(keys[i], _plan.Values[position], position);
                    gathered[count++] = position;
                    if (leaves.IsFull) count = Scatter(leaves.Finish(), gathered, hashes);
                }
            }
        }
        Scatter(leaves.Finish(), gathered, hashes);
        return hashes;
    }

    /// <summary>Puts leaves to their places.</summary>
    /// <returns>How many are left.</returns>
    private static int Scatter(ReadOnlySpan<Hash256> leaves, ReadOnlySpan<int> positions, Hash256[] hashes)
    {
        for (var i = 0; i < leaves.Length; i++) hashes[positions[i]] = leaves[i];
        return 0;
    }
}
