namespace Bitcache.Core.Audit;

/// <summary>A chunk of a wallet's balance in the tree of an epoch, and its way to the root. The file of it,
/// <c>WALLET-CHUNK.leaf</c>, is <c>(n xor 5c.., 64 bytes) || inner hash</c>, whose SHA-256 is the leaf: what HMAC hashes last. Who
/// has it can find all chunks of this wallet in this epoch, and in no other that is told by another block.</summary>
/// <param name="Nonce">n, which opens the wallet's leaves of this epoch.</param>
/// <param name="Position">The leaf's.</param>
/// <param name="Siblings">Beside each node on the way, from the leaf's on.</param>
public sealed record BalanceProof(Hash256 Nonce, Msat Value, int Position, IReadOnlyList<SumNode> Siblings)
{
    public const int FileBytes = Hmac256.OuterBytes;

    /// <summary>The bytes of the file.</summary>
    public byte[] ToFile()
    {
        Span<byte> inner = stackalloc byte[Hmac256.BlockBytes + LiabilityLeaf.MessageBytes];
        Hmac256.WriteInnerKey(Nonce, inner);
        LiabilityLeaf.WriteMessage(Value.Value, Position, inner[Hmac256.BlockBytes..]);
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

    /// <summary>Reads the two fields of the file; false if it has not the form of one. A balance may begin with
    /// 00 as a receipt does, but a receipt is not taken for a balance: it would have to be 96 bytes long, with 32 times 5c at its
    /// byte 32, where statements have ids that are drawn or hashed. And whoever made such a one would gain nothing: a file is only
    /// accepted as what its proofs show.</summary>
    public static bool TryReadFile(ReadOnlySpan<byte> file, out Hash256 nonce, out Hash256 inner) => Hmac256.TryReadOuter(file, out nonce, out inner);

    /// <summary>Builds the <c>.ots</c> of the file: up the tree and through the entry that closed the epoch, and on as that entry's
    /// own timestamp goes.</summary>
    /// <param name="close">The receipt of that entry, <c>close.leaf</c>.</param>
    /// <param name="timestamp">Its <c>.ots</c>.</param>
    /// <exception cref="ArgumentException">They do not belong together, or not to this balance.</exception>
    public byte[] ToTimestamp(ReadOnlySpan<byte> close, ReadOnlySpan<byte> timestamp)
    {
        if (!OpenTimestamps.TryParse(timestamp, out var proof, out var refusal)) throw new ArgumentException(refusal, nameof(timestamp));
        if (close.IsEmpty || close[0] != Rfc6962.LeafPrefix || proof.Digest != Sha256.Of(close)) throw new ArgumentException("the timestamp is not that of the statement", nameof(close));
        return new OpenTimestampsBuilder(Leaf.Hash).Balance(this, close[1..]).Continue(proof).ToBytes(proof.Height);
    }

    /// <summary>Whether the node on the way is a right child, in a row above the leaves.</summary>
    internal bool IsRight(int row) => (Position >> row & 1) == 1;
}
