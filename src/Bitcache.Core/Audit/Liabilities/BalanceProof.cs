namespace Bitcache.Core.Audit;

/// <summary>A chunk of a wallet's balance in the tree of an epoch, and its way to the root. The file of it,
/// <c>WALLET-CHUNK.leaf</c>, is <c>(n xor 5c.., 64 bytes) || inner hash</c>, whose SHA-256 is the leaf: what HMAC hashes last. Who
/// has it can find all chunks of this wallet in this epoch, and of no other.</summary>
/// <param name="Nonce">n, which opens the wallet's leaves of this epoch.</param>
/// <param name="Position">The leaf's.</param>
/// <param name="Siblings">Beside each node on the way, from the leaf's on.</param>
public sealed record BalanceProof(Hash256 Nonce, Msat Value, int Position, IReadOnlyList<SumNode> Siblings)
{
    public const int FileBytes = Hmac256.OuterBytes;

    /// <summary>The bytes of the file.</summary>
    public byte[] ToFile()
    {
        Span<byte> inner = stackalloc byte[Hmac256.BlockBytes + LeafBatch.MessageBytes];
        Hmac256.WriteInnerKey(Nonce, inner);
        LeafBatch.WriteMessage(Value.Value, Position, inner[Hmac256.BlockBytes..]);
        var file = new byte[FileBytes];
        Hmac256.WriteOuter(Nonce, Sha256.Of(inner), file);
        return file;
    }

    /// <summary>The leaf.</summary>
    public SumNode Leaf => new(Sha256.Of(ToFile()), Value);

    /// <summary>The root that the way leads to.</summary>
    /// <exception cref="OverflowException">On the way is more than there is money.</exception>
    public SumNode Root()
    {
        var node = Leaf;
        for (var row = 0; row < Siblings.Count; row++)
            node = IsRight(row) ? SumNode.Over(Siblings[row], node) : SumNode.Over(node, Siblings[row]);
        return node;
    }

    /// <summary>Whether the node on the way is a right child, in a row above the leaves.</summary>
    internal bool IsRight(int row) => (Position >> row & 1) == 1;
}
