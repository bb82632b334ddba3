using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class MerkleLogTests
{
    private const int LargeSize = 66_050;

    /// <summary>The eight leaves and roots that Certificate Transparency's implementations test with.</summary>
    [Fact]
    public void Roots_are_those_of_certificate_transparency()
    {
        string[] entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        string[] roots =
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        var log = new MerkleLog(new MemoryHashStore());
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", log.Root().ToString());
        for (var i = 0; i < entries.Length; i++)
        {
            log.Append(Rfc6962.LeafHash(Convert.FromHexString(entries[i])));
            Assert.Equal(roots[i], log.Root().ToString());
        }
        Assert.Equal(roots[4], log.Root(5).ToString());
    }

    [Fact]
    public void A_leaf_of_any_length_is_hashed_with_a_zero_in_front()
    {
        foreach (var length in new[] { 0, 1, 1022, 1023, 1024, 65_535 })
        {
            var entry = Encoding.ASCII.GetBytes(new string('e', length));
            Assert.Equal(Hash256.Read(SHA256.HashData([0, .. entry])), Rfc6962.LeafHash(entry));
        }
    }

    [Fact]
    public void Every_root_and_proof_up_to_300_leaves_is_the_reference_s_and_verifies()
    {
        const int Max = 300;
        var leaves = ReferenceTree.Leaves(Max);
        var reference = new ReferenceTree(leaves);
        var log = Log(leaves);
        for (var size = 1; size <= Max; size++)
        {
            var root = reference.Root(0, size);
            Assert.Equal(root, log.Root(size));
            for (var index = 0; index < size; index++)
            {
                var path = log.InclusionProof(index, size);
                Assert.Equal(reference.Path(index, 0, size), path);
                Assert.True(MerkleProof.VerifyInclusion(index, size, leaves[index], path, root));
            }
            for (var old = 1; old <= size; old++)
            {
                var path = log.ConsistencyProof(old, size);
                Assert.Equal(reference.Proof(old, size), path);
                Assert.True(MerkleProof.VerifyConsistency(old, size, reference.Root(0, old), root, path));
            }
        }
    }

    [Fact]
    public void Roots_and_proofs_around_tile_borders_are_the_reference_s()
    {
        int[] sizes = [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, 65_793, LargeSize];
        var leaves = ReferenceTree.Leaves(LargeSize);
        var reference = new ReferenceTree(leaves);
        var log = Log(leaves);
        foreach (var size in sizes)
        {
            var root = reference.Root(0, size);
            Assert.Equal(root, log.Root(size));
            foreach (var index in new[] { 0, 1, 128, 255, 256, 65_535, 65_536, 65_791, 65_792, size / 2, size - 2, size - 1 }.Where(i => i < size))
            {
                var path = log.InclusionProof(index, size);
                Assert.Equal(reference.Path(index, 0, size), path);
                Assert.True(MerkleProof.VerifyInclusion(index, size, leaves[index], path, root));
            }
            foreach (var old in sizes.Concat([1, 2, 100, size - 1]).Where(o => o <= size))
            {
                var path = log.ConsistencyProof(old, size);
                Assert.Equal(reference.Proof(old, size), path);
                Assert.True(MerkleProof.VerifyConsistency(old, size, reference.Root(0, old), root, path));
            }
        }
    }

    [Fact]
    public void A_tile_is_a_slice_of_a_level()
    {
        var leaves = ReferenceTree.Leaves(70_000);
        var reference = new ReferenceTree(leaves);
        var store = new MemoryHashStore();
        new MerkleLog(store).Append(leaves);

        // The example of C2SP tlog-tiles: a tree of 70,000 leaves.
        Assert.Equal([70_000, 273, 1, 0], Enumerable.Range(0, 4).Select(store.Count));
        var tile = new Hash256[17];
        Assert.True(store.TryRead(1, 256, tile));
        Assert.Equal(Enumerable.Range(256, 17).Select(i => reference.Root(i * 256, (i + 1) * 256)), tile);
        Assert.True(store.TryRead(2, 0, tile.AsSpan(0, 1)));
        Assert.Equal(reference.Root(0, 65_536), tile[0]);
    }

    [Fact]
    public void A_proof_reads_each_tile_once_and_at_most_two_of_a_level()
    {
        var store = new CountingStore();
        var log = new MerkleLog(store);
        log.Append(ReferenceTree.Leaves(LargeSize));
        var random = new Random(7);
        for (var i = 0; i < 200; i++)
        {
            var size = random.Next(1, LargeSize + 1);
            Check(() => log.Root(size), 3);
            Check(() => log.InclusionProof(random.Next(size), size), 6);
            Check(() => log.ConsistencyProof(random.Next(size + 1), size), 6);
        }

        void Check(Action action, int readsMax)
        {
            store.Reads.Clear();
            action();
            Assert.True(store.Reads.Count <= readsMax, $"{store.Reads.Count} reads");
            Assert.Equal(store.Reads.Distinct(), store.Reads);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_793)]
    public void A_log_goes_on_from_what_an_earlier_one_left(int size)
    {
        var leaves = ReferenceTree.Leaves(LargeSize);
        var (whole, left) = (new MemoryHashStore(), new MemoryHashStore());
        var log = new MerkleLog(whole);
        log.Append(leaves);
        new MerkleLog(left).Append(leaves.AsSpan(0, size));

        var opened = MerkleLog.Open(left, NoLeaves, size)!;
        Assert.Equal((size, log.Root(size)), (opened.Size, opened.Root()));
        opened.Append(leaves.AsSpan(size));
        Assert.Equal(log.Root(), opened.Root());
        Assert.Equal(log.InclusionProof(3, LargeSize), opened.InclusionProof(3, LargeSize));
        for (var level = 0; level < 4; level++) Assert.Equal(Stored(whole, level), Stored(left, level));
    }

    [Theory]
    [InlineData(0, 257, 257)]
    [InlineData(1, 512, 1)]
    [InlineData(2, 65_536, 0)]
    public void A_log_whose_newest_hashes_are_missing_is_not_opened(int level, int size, int there)
    {
        var leaves = ReferenceTree.Leaves(size);
        var (whole, short1) = (new MemoryHashStore(), new MemoryHashStore());
        new MerkleLog(whole).Append(leaves);
        for (var l = 0; l < 3; l++) short1.Write(l, 0, Stored(whole, l).AsSpan(0, l == level ? Math.Max(0, there - 1) : (int)whole.Count(l)));
        Assert.Null(MerkleLog.Open(short1, NoLeaves, size));
        Assert.NotNull(MerkleLog.Open(whole, NoLeaves, size));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 255)]
    [InlineData(0, 40_000)]
    [InlineData(0, 65_791)]
    [InlineData(1, 0)]
    [InlineData(1, 156)]
    [InlineData(1, 255)]
    public void A_wrong_hash_inside_gives_no_wrong_root_or_proof_and_is_mended(int level, int index)
    {
        var (leaves, store, reference) = Large();
        var right = Stored(store, level);
        store.Write(level, index, [Rfc6962.EmptyRoot]);
        var log = MerkleLog.Open(store, Of(leaves), LargeSize)!;
        CheckProofs(log, leaves, reference, index << (8 * level));
        Assert.Equal(right, Stored(store, level));
    }

    [Fact]
    public void Where_the_tiles_below_are_wrong_as_well_the_leaves_are_asked()
    {
        var (leaves, store, reference) = Large();
        store.Write(0, 700, [Rfc6962.EmptyRoot]);
        store.Write(1, 100, [Rfc6962.EmptyRoot]);
        CheckProofs(MerkleLog.Open(store, Of(leaves), LargeSize)!, leaves, reference, 700);
        // And once more with every full tile gone.
        store.Write(0, 0, new Hash256[65_792]);
        store.Write(1, 0, new Hash256[256]);
        CheckProofs(MerkleLog.Open(store, Of(leaves), LargeSize)!, leaves, reference, 700);
    }

    [Theory]
    [InlineData(0, 66_048)]
    [InlineData(1, 256)]
    [InlineData(1, 257)]
    [InlineData(2, 0)]
    public void A_wrong_hash_among_the_newest_shows_in_the_root_before_anything_is_proven(int level, int index)
    {
        var (leaves, store, reference) = Large();
        store.Write(level, index, [Rfc6962.EmptyRoot]);
        Assert.NotEqual(reference.Root(0, LargeSize), MerkleLog.Open(store, Of(leaves), LargeSize)!.Root());
    }

    [Fact]
    public void Leaves_that_are_others_than_were_appended_are_refused()
    {
        var (leaves, store, _) = Large();
        store.Write(0, 700, [Rfc6962.EmptyRoot]);
        leaves[701] = Rfc6962.EmptyRoot;
        var log = MerkleLog.Open(store, Of(leaves), LargeSize)!;
        Assert.Throws<LedgerInvariantException>(() => log.InclusionProof(700, LargeSize));
        Assert.Throws<LedgerInvariantException>(() => MerkleLog.Open(store, NoLeaves, LargeSize)!.InclusionProof(700, LargeSize));
    }

    [Fact]
    public void Sizes_and_indexes_outside_the_tree_are_refused()
    {
        var log = Log(ReferenceTree.Leaves(5));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Root(6));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Root(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.InclusionProof(5, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.InclusionProof(-1, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.InclusionProof(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.ConsistencyProof(5, 4));
        Assert.Empty(log.ConsistencyProof(0, 5));
        Assert.Empty(log.ConsistencyProof(5, 5));
    }

    private static MerkleLog Log(ReadOnlySpan<Hash256> leaves)
    {
        var log = new MerkleLog(new MemoryHashStore());
        foreach (var leaf in leaves) log.Append(leaf);
        return log;
    }

    private static (Hash256[] Leaves, MemoryHashStore Store, ReferenceTree Reference) Large()
    {
        var leaves = ReferenceTree.Leaves(LargeSize);
        var store = new MemoryHashStore();
        new MerkleLog(store).Append(leaves);
        return (leaves, store, new ReferenceTree([.. leaves]));
    }

    private static void CheckProofs(MerkleLog log, Hash256[] leaves, ReferenceTree reference, int around)
    {
        foreach (var size in new[] { LargeSize, around + 1, LargeSize - 1 })
        {
            Assert.Equal(reference.Root(0, size), log.Root(size));
            foreach (var index in new[] { 0, around - 1, around, around + 1, 50_000, 65_900 }.Where(i => i >= 0 && i < size))
                Assert.True(MerkleProof.VerifyInclusion(index, size, leaves[index], log.InclusionProof(index, size), reference.Root(0, size)));
        }
    }

    private static LeafReader Of(Hash256[] leaves) => (first, count) => leaves.AsSpan((int)first, count).ToArray();

    private static ReadOnlySpan<Hash256> NoLeaves(long first, int count) => throw new LedgerInvariantException("no leaf is needed");

    private static Hash256[] Stored(MemoryHashStore store, int level)
    {
        var hashes = new Hash256[store.Count(level)];
        Assert.True(store.TryRead(level, 0, hashes));
        return hashes;
    }

    private sealed class CountingStore : IHashStore
    {
        private readonly MemoryHashStore _store = new();

        public List<(int Level, long Start)> Reads { get; } = [];

        public void Write(int level, long start, ReadOnlySpan<Hash256> hashes) => _store.Write(level, start, hashes);

        public bool TryRead(int level, long start, Span<Hash256> hashes)
        {
            Reads.Add((level, start));
            return _store.TryRead(level, start, hashes);
        }
    }
}
