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
        store.Read(1, 256, tile);
        Assert.Equal(Enumerable.Range(256, 17).Select(i => reference.Root(i * 256, (i + 1) * 256)), tile);
        store.Read(2, 0, tile.AsSpan(0, 1));
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
    [InlineData(65_535, 0)]
    [InlineData(65_536, 254)]
    [InlineData(65_536, 255)]
    [InlineData(65_537, 256)]
    public void Opening_completes_levels_that_a_crash_left_behind(int size, int tileRootsWritten)
    {
        var leaves = ReferenceTree.Leaves(size);
        var whole = new MemoryHashStore();
        var log = new MerkleLog(whole);
        log.Append(leaves);
        var torn = new MemoryHashStore();
        torn.Append(0, leaves);
        var tileRoots = new Hash256[tileRootsWritten];
        whole.Read(1, 0, tileRoots);
        torn.Append(1, tileRoots);

        var opened = new MerkleLog(torn);

        Assert.Equal(size, opened.Size);
        Assert.Equal(log.Root(), opened.Root());
        for (var level = 0; level < 4; level++) Assert.Equal(whole.Count(level), torn.Count(level));
    }

    [Fact]
    public void Opening_refuses_a_level_with_more_hashes_than_the_leaves_give()
    {
        var store = new MemoryHashStore();
        store.Append(0, ReferenceTree.Leaves(511));
        store.Append(1, ReferenceTree.Leaves(2));
        var refusal = Assert.Throws<InvalidOperationException>(() => new MerkleLog(store));
        Assert.Contains("level 1", refusal.Message, StringComparison.Ordinal);
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

    private sealed class CountingStore : IHashStore
    {
        private readonly MemoryHashStore _store = new();

        public List<(int Level, long Start)> Reads { get; } = [];

        public long Count(int level) => _store.Count(level);
        public void Append(int level, ReadOnlySpan<Hash256> hashes) => _store.Append(level, hashes);

        public void Read(int level, long start, Span<Hash256> hashes)
        {
            Reads.Add((level, start));
            _store.Read(level, start, hashes);
        }
    }
}
