// A receipt over a synthetic log, transaction and block, made step by step as the operator makes one. Each test
// changes one choice and sees what the verifier says.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Audit;

internal sealed class SampleReceipt
{
    public const string Origin = "ledger.example/bits";
    public const uint BlockTime = 1_750_000_000;
    public static readonly byte[] Seed = SHA256.HashData("sample receipt"u8);
    public static readonly byte[] AnchorScript = [0x51, 0x20, .. SHA256.HashData("anchor script"u8)];
    public static readonly byte[] PayoutScript = [0x00, 0x14, .. SHA256.HashData("payout"u8).AsSpan(0, 20)];

    public static readonly Pins Pins = new(VerifierKey.FromSeed(Origin, Seed), AnchorScript, null, BitcoinNetwork.Regtest);

    // The choices.
    public int Index { get; init; } = 5;
    /// <summary>What stands there, if it is not a sample.</summary>
    public byte[]? Statement { get; init; }
    public int CheckpointSize { get; init; } = 11;
    public int AnchoredSize { get; init; } = 9;
    public string AnchoredOrigin { get; init; } = Origin;
    /// <summary>The anchored log has another leaf at this place than the signed one.</summary>
    public int? AnchoredFork { get; init; }
    public int AnchorOutputs { get; init; } = 1;
    public bool SecondCommitment { get; init; }
    public int Height { get; init; } = 840_000;
    public int BlockTransactions { get; init; } = 6;

    // What follows from them.
    public byte[] Leaf { get; private set; } = [];
    public string Proof { get; private set; } = "";
    public AnchorRecord Record { get; private set; } = AnchorRecord.Create(Origin, 0, 0, default);
    public IReadOnlyList<Hash256> AnchoredPath { get; private set; } = [];
    public BitcoinTransaction Transaction { get; private set; } = Parse([0]);
    public BlockProof Block { get; private set; } = new(default, 0, []);
    public byte[] Header { get; private set; } = [];

    public Hash256 LeafHash => Hash256.Read(SHA256.HashData(Leaf));
    public byte[] Timestamp => OpenTimestamps.Build(LeafHash, Index, AnchoredPath, Record, Transaction, Block, Height);

    public ReceiptFiles Files => FilesWith(Timestamp, Header);

    public ReceiptFiles FilesWith(byte[] timestamp, byte[] header) => new(Leaf, Encoding.UTF8.GetBytes(Proof))
    {
        Timestamp = timestamp,
        Block = new HeaderAtHeight(header, Height),
    };

    public SampleReceipt Make()
    {
        var log = Log(fork: null);
        var anchored = Log(AnchoredFork);
        Leaf = [0, .. Entry(Index)];
        var checkpoint = new Checkpoint(Origin, CheckpointSize, log.Root(CheckpointSize)).Sign(Seed);
        Proof = new TlogProof(Index, log.InclusionProof(Index, CheckpointSize), checkpoint).Write();
        Record = AnchorRecord.Create(AnchoredOrigin, 3, AnchoredSize, anchored.Root(AnchoredSize));
        AnchoredPath = anchored.InclusionProof(Index, AnchoredSize);
        Transaction = Parse(AnchorTransaction());
        var block = Enumerable.Range(0, BlockTransactions).Select(i => new Txid(Hash256.Read(SHA256.HashData([(byte)i])))).ToArray();
        block[BlockTransactions / 2] = Transaction.Txid;
        Block = BlockProof.Build(block, Transaction.Txid);
        Header = Mine(BlockProof.MerkleRoot(block));
        return this;
    }

    /// <summary>One input, a payout, the anchor outputs, the commitment: with one-byte counts and lengths.</summary>
    public static byte[] Serialize(params IReadOnlyList<(long Sats, byte[] Script)> outputs)
    {
        List<byte> raw = [2, 0, 0, 0, 1, .. SHA256.HashData("previous anchor"u8), 1, 0, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff, (byte)outputs.Count];
        foreach (var (sats, script) in outputs)
        {
            var value = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(value, sats);
            raw.AddRange([.. value, (byte)script.Length, .. script]);
        }
        return [.. raw, 0, 0, 0, 0];
    }

    /// <summary>A header with this root and work enough for regtest.</summary>
    public static byte[] Mine(Hash256 merkleRoot)
    {
        var header = new byte[BlockHeader.Bytes];
        header[3] = 0x20;
        merkleRoot.Write(header.AsSpan(36));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(68), BlockTime);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(72), BitcoinNetwork.Regtest.ProofOfWorkLimit());
        for (uint nonce = 0; ; nonce++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(76), nonce);
            if (BlockHeader.TryParse(header, out var parsed) && parsed.MeetsTarget(BitcoinNetwork.Regtest)) return header;
        }
    }

    private byte[] AnchorTransaction()
    {
        List<(long, byte[])> outputs = [(123_456, PayoutScript)];
        for (var i = 0; i < AnchorOutputs; i++) outputs.Add((1_000, AnchorScript));
        outputs.Add((0, Record.Script()));
        if (SecondCommitment) outputs.Add((0, (Record with { Epoch = 4 }).Script()));
        return Serialize(outputs);
    }

    private MerkleLog Log(int? fork)
    {
        var log = new MerkleLog(new MemoryHashStore());
        for (var i = 0; i < Math.Max(CheckpointSize, AnchoredSize); i++) log.Append(Rfc6962.LeafHash(i == fork ? [1] : Entry(i)));
        return log;
    }

    private byte[] Entry(int i) => i == Index && Statement is not null ? Statement : Encoding.ASCII.GetBytes($"statement {i} with its salt");

    private static BitcoinTransaction Parse(byte[] raw) =>
        BitcoinTransaction.TryParse(raw.Length > 1 ? raw : Serialize((0, PayoutScript)), out var transaction)
            ? transaction : throw new InvalidOperationException("the sample transaction is malformed");
}
