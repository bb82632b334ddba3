namespace Bitcache.Core.Audit;

/// <summary>Checks proofs against the log, as RFC 9162, sections 2.1.3.2 and 2.1.4.2, states the algorithms.</summary>
public static class MerkleProof
{
    /// <summary>Whether <paramref name="leaf"/> (a leaf hash) is leaf number <paramref name="index"/> of the tree
    /// that has <paramref name="size"/> leaves and this root.</summary>
    public static bool VerifyInclusion(long index, long size, Hash256 leaf, IReadOnlyList<Hash256> path, Hash256 root)
    {
        if (index < 0 || index >= size) return false;
        var (node, last, hash) = (index, size - 1, leaf);
        foreach (var sibling in path)
        {
            if (last == 0) return false;
            if (SiblingIsLeft(node, last))
            {
                hash = Rfc6962.NodeHash(sibling, hash);
                SkipMissingSiblings(ref node, ref last);
            }
            else
            {
                hash = Rfc6962.NodeHash(hash, sibling);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        return last == 0 && hash == root;
    }

    /// <summary>Whether the tree of <paramref name="size"/> leaves only added to the one of
    /// <paramref name="oldSize"/> leaves. The empty tree is the beginning of every tree, with an empty path.</summary>
    public static bool VerifyConsistency(long oldSize, long size, Hash256 oldRoot, Hash256 root, IReadOnlyList<Hash256> path)
    {
        if (oldSize < 0 || oldSize > size) return false;
        if (oldSize == size) return path.Count == 0 && oldRoot == root && (size != 0 || root == Rfc6962.EmptyRoot);
        if (oldSize == 0) return path.Count == 0 && oldRoot == Rfc6962.EmptyRoot;
        if (path.Count == 0) return false;

        var (node, last) = (oldSize - 1, size - 1);
        while ((node & 1) == 1) (node, last) = (node >> 1, last >> 1);
        // A power of two is a perfect subtree, whose root is the old root and is not sent.
        var oldIsPerfect = long.IsPow2(oldSize);
        var oldHash = oldIsPerfect ? oldRoot : path[0];
        var hash = oldHash;
        for (var i = oldIsPerfect ? 0 : 1; i < path.Count; i++)
        {
            if (last == 0) return false;
            if (SiblingIsLeft(node, last))
            {
                oldHash = Rfc6962.NodeHash(path[i], oldHash);
                hash = Rfc6962.NodeHash(path[i], hash);
                SkipMissingSiblings(ref node, ref last);
            }
            else
            {
                hash = Rfc6962.NodeHash(hash, path[i]);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        return last == 0 && oldHash == oldRoot && hash == root;
    }

    /// <summary>For each hash of an inclusion path, whether it stands to the left.</summary>
    internal static IEnumerable<bool> SiblingsAreLeft(long index, long size, int pathLength)
    {
        var (node, last) = (index, size - 1);
        for (var i = 0; i < pathLength; i++)
        {
            var left = SiblingIsLeft(node, last);
            yield return left;
            if (left) SkipMissingSiblings(ref node, ref last);
            (node, last) = (node >> 1, last >> 1);
        }
    }

    private static bool SiblingIsLeft(long node, long last) => (node & 1) == 1 || node == last;

    /// <summary>The last node of a row without a partner rises unchanged until it is a right child.</summary>
    private static void SkipMissingSiblings(ref long node, ref long last)
    {
        while ((node & 1) == 0 && node != 0) (node, last) = (node >> 1, last >> 1);
    }
}
