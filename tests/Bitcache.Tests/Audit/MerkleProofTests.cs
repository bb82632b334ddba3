using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class MerkleProofTests
{
    private const int SizeMax = 33;
    private static readonly Hash256[] Leaves = ReferenceTree.Leaves(SizeMax);
    private static readonly ReferenceTree Tree = new(Leaves);

    [Fact]
    public void An_inclusion_proof_holds_for_no_other_leaf_index_root_or_path()
    {
        for (var size = 1; size <= SizeMax; size++)
        {
            var root = Tree.Root(0, size);
            for (var index = 0; index < size; index++)
            {
                var path = Tree.Path(index, 0, size).ToArray();
                for (var other = -1; other <= size; other++)
                    Assert.Equal(other == index, MerkleProof.VerifyInclusion(other, size, Leaves[index], path, root));
                Assert.False(MerkleProof.VerifyInclusion(index, size, Altered(Leaves[index]), path, root));
                Assert.False(MerkleProof.VerifyInclusion(index, size, Leaves[index], path, Altered(root)));
                foreach (var wrong in Wrong(path)) Assert.False(MerkleProof.VerifyInclusion(index, size, Leaves[index], wrong, root));
            }
        }
    }

    [Fact]
    public void A_consistency_proof_holds_for_no_other_roots_or_path()
    {
        for (var size = 1; size <= SizeMax; size++)
        {
            var root = Tree.Root(0, size);
            for (var old = 1; old <= size; old++)
            {
                var path = Tree.Proof(old, size).ToArray();
                var oldRoot = Tree.Root(0, old);
                Assert.True(MerkleProof.VerifyConsistency(old, size, oldRoot, root, path));
                Assert.False(MerkleProof.VerifyConsistency(old, size, Altered(oldRoot), root, path));
                Assert.False(MerkleProof.VerifyConsistency(old, size, oldRoot, Altered(root), path));
                Assert.False(MerkleProof.VerifyConsistency(size + 1, size, oldRoot, root, path));
                foreach (var wrong in Wrong(path)) Assert.False(MerkleProof.VerifyConsistency(old, size, oldRoot, root, wrong));
            }
        }
    }

    [Fact]
    public void The_empty_tree_is_the_beginning_of_every_tree()
    {
        Assert.True(MerkleProof.VerifyConsistency(0, 0, Rfc6962.EmptyRoot, Rfc6962.EmptyRoot, []));
        Assert.True(MerkleProof.VerifyConsistency(0, 5, Rfc6962.EmptyRoot, Tree.Root(0, 5), []));
        Assert.False(MerkleProof.VerifyConsistency(0, 5, Leaves[0], Tree.Root(0, 5), []));
        Assert.False(MerkleProof.VerifyConsistency(0, 5, Rfc6962.EmptyRoot, Tree.Root(0, 5), [Leaves[0]]));
        Assert.False(MerkleProof.VerifyConsistency(0, 0, Leaves[0], Leaves[0], []));
        Assert.False(MerkleProof.VerifyConsistency(-1, 0, Leaves[0], Leaves[0], []));
    }

    private static Hash256 Altered(Hash256 hash) => new(hash.High, hash.Low ^ 1);

    /// <summary>The path with each hash altered or left out, and with one more at either end.</summary>
    private static IEnumerable<Hash256[]> Wrong(Hash256[] path)
    {
        for (var i = 0; i < path.Length; i++)
        {
            yield return [.. path[..i], Altered(path[i]), .. path[(i + 1)..]];
            yield return [.. path[..i], .. path[(i + 1)..]];
        }
        yield return [.. path, Leaves[0]];
        yield return [Leaves[0], .. path];
    }
}
