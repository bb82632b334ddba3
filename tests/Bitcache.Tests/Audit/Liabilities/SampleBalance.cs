// A balance with all of its proofs: a tree of liabilities, the statement of its epoch, and a synthetic log, transaction and block.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

internal sealed class SampleBalance
{
    private const int CutSize = 1;

    // The choices.
    public Dictionary<WalletId, long> Balances { get; init; } = SampleBalances.Few;
    public WalletId Wallet { get; init; } = SampleBalances.Few.Keys.ElementAt(1);
    public int Chunk { get; init; }
    public Func<EpochStatement, EpochStatement> Stating { get; init; } = statement => statement;
    public Func<BalanceProof, BalanceProof> Proving { get; init; } = proof => proof;
    /// <summary>How many leaves the log had when it was anchored.</summary>
    public int AnchoredSize { get; init; } = 9;
    /// <summary>Of the statement.</summary>
    public int Index { get; init; } = 5;

    // What follows from them.
    public LiabilityTree Tree { get; private set; } = null!;
    public BalanceProof Proof { get; private set; } = null!;
    public EpochStatement Statement { get; private set; } = null!;
    public SampleReceipt Close { get; private set; } = null!;

    public byte[] Entry => Close.Leaf[1..];
    public BalanceOwner Owner => new(Wallet, SampleBalances.Seed.AccountKey(Wallet));
    public byte[] Timestamp => Proof.ToTimestamp(Close.Leaf, Close.Timestamp);

    public ReceiptFiles Files => FilesWith(Timestamp);

    public ReceiptFiles FilesWith(byte[] timestamp) => new(Proof.ToFile(), Encoding.UTF8.GetBytes(Close.Proof))
    {
        Timestamp = timestamp,
        Block = new HeaderAtHeight(Close.Header, Close.Height),
    };

    public SampleBalance Make()
    {
        Tree = SampleBalances.Tree(Balances);
        Proof = Proving(Tree.ProofsOf(Wallet)[Chunk]);
        Statement = Stating(new EpochStatement(
            3, Math.Max(CutSize, Index - 1), Tree.Height, new BlockHash(Hash256.Read(SHA256.HashData("block"u8))), Tree.Root, Tree.Total,
            Hash256.Read(SHA256.HashData("withdrawals"u8)), Hash256.Read(SHA256.HashData("reserves"u8))));
        Close = new SampleReceipt { Statement = EntryOf(Statement), Index = Index, CheckpointSize = Index + 6, AnchoredSize = AnchoredSize }.Make();
        return this;
    }

    /// <summary>The log's statement with this body: version, type, partition, sequence, time, body, salt.</summary>
    public static byte[] EntryOf(EpochStatement statement)
    {
        var head = new byte[20];
        (head[0], head[1]) = (1, 56);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(4), 77);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(12), 1_750_000_000_000);
        return [.. head, .. statement.ToArray(), .. SHA256.HashData("salt"u8).AsSpan(0, 16)];
    }
}
