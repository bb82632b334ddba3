using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class OpenTimestampsTests
{
    private const string Head = "004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294" + "01" + "08";
    private const string Digest = "1111111111111111111111111111111111111111111111111111111111111111";
    private const string Attestation = "000588960d73d71901";
    private static readonly SampleReceipt Sample = new SampleReceipt().Make();

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        Assert.True(Hash256.TryParse(Digest, out var digest));
        var file = new OpenTimestampsBuilder(digest).Append([0xaa]).Prepend(new byte[200]).Sha256().ToBytes(840_000);
        Assert.Equal(
            Head + Digest + "f001aa" + "f1c801" + new string('0', 400) + "08" + Attestation + "03c0a233",
            Convert.ToHexStringLower(file));

        Assert.True(OpenTimestamps.TryParse(file, out var proof, out var refusal), refusal);
        Assert.Equal(digest, proof.Digest);
        Assert.Equal(840_000, proof.Height);
        Assert.Equal([TimestampOperation.Append, TimestampOperation.Prepend, TimestampOperation.Sha256], proof.Steps.Select(s => s.Operation));
        Assert.Equal(SHA256.HashData([.. new byte[200], .. Convert.FromHexString(Digest), 0xaa]), proof.MerkleRoot.ToArray());
        Assert.Equal(proof.MerkleRoot.ToArray(), proof.Steps[2].Message);
    }

    [Fact]
    public void A_receipt_s_timestamp_shows_leaf_root_commitment_and_transaction()
    {
        Assert.True(OpenTimestamps.TryParse(Sample.Timestamp, out var proof, out var refusal), refusal);
        Assert.Equal(Sample.LeafHash, proof.Digest);
        Assert.Contains(proof.Steps, s => s.Message.AsSpan().SequenceEqual(Sample.Record.Root.ToArray()));
        Assert.Contains(proof.Steps, s => s.Message.AsSpan().SequenceEqual(Sample.Record.Commitment().ToArray()));
        Assert.True(AnchorPath.TryRead(proof, 0, out var path, out refusal), refusal);
        Assert.Equal(Sample.LeafHash, path.Leaf);
        Assert.Equal(Sample.AnchoredPath, path.LogPath);
        Assert.Equal(Sample.Record, path.Record);
        Assert.Equal(Sample.Transaction.Txid, path.Transaction.Txid);
        Assert.Equal((Sample.Block.Txid, Sample.Block.Position), (path.Block.Txid, path.Block.Position));
        Assert.Equal(Sample.Block.Siblings, path.Block.Siblings);
        Assert.Equal(proof.MerkleRoot, path.Block.MerkleRoot());
    }

    [Fact]
    public void A_leaf_that_other_hashes_lead_to_is_read_from_there()
    {
        // As for a balance, whose own tree comes before the log leaf.
        byte[] entry = [0, 1, 2, 3];
        var digest = Hash256.Read(SHA256.HashData("balance"u8));
        Hash256 leaf = Hash256.Read(SHA256.HashData([.. entry, .. digest.ToArray()]));
        var record = AnchorRecord.Create(SampleReceipt.Origin, 1, 1, leaf);
        var transaction = Transaction((0, record.Script()));
        var file = new OpenTimestampsBuilder(digest).Prepend(entry).Sha256()
            .LogPath(0, 1, []).Anchor(record, transaction, new BlockProof(transaction.Txid, 0, [])).ToBytes(7);

        Assert.True(OpenTimestamps.TryParse(file, out var proof, out _));
        Assert.True(AnchorPath.TryRead(proof, 2, out var path, out var refusal), refusal);
        Assert.Equal((leaf, record), (path.Leaf, path.Record));
        Assert.False(AnchorPath.TryRead(proof, 0, out _, out _));
        Assert.False(AnchorPath.TryRead(proof, 1, out _, out _));
    }

    [Theory]
    [InlineData("", "no OpenTimestamps proof")]
    [InlineData("01" + Digest, "no OpenTimestamps proof")]
    [InlineData(Head + "11", "ends too early")]
    [InlineData(Head + Digest, "ends too early")]
    [InlineData(Head + Digest + "f0", "wrong argument")]
    [InlineData(Head + Digest + "f000" + Attestation + "0101", "wrong argument")]
    [InlineData(Head + Digest + "f0810001" + Attestation + "0101", "wrong argument")]
    [InlineData(Head + Digest + "f0ffffffffffffffffff7f", "wrong argument")]
    [InlineData(Head + Digest + "02" + Attestation + "0101", "operation 02")]
    [InlineData(Head + Digest + "f2" + Attestation + "0101", "operation f2")]
    [InlineData(Head + Digest + "ff08" + Attestation + "010108" + Attestation + "0101", "operation ff")]
    [InlineData(Head + Digest + "f001aa" + Attestation + "0101", "end in a hash")]
    [InlineData(Head + Digest + "08" + "0083dfe30d2ef90c8e" + "0101", "Bitcoin block")]
    [InlineData(Head + Digest + "08" + Attestation + "00", "no block height")]
    [InlineData(Head + Digest + "08" + Attestation + "028100", "no block height")]
    [InlineData(Head + Digest + "08" + Attestation + "020101", "no block height")]
    [InlineData(Head + Digest + "08" + Attestation + "05ffffffff0f", "no block height")]
    [InlineData(Head + Digest + "08" + Attestation + "010100", "goes on")]
    [InlineData(Head + Digest + "08" + Attestation + "0101", "")]
    [InlineData(Head + Digest + Attestation + "05ffffffff07", "")]
    public void Anything_but_a_straight_chain_to_a_block_is_refused(string hex, string said)
    {
        var good = OpenTimestamps.TryParse(Convert.FromHexString(hex), out _, out var refusal);
        Assert.Equal(said.Length == 0, good);
        Assert.Contains(said, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Operations_and_messages_are_bounded_alike_when_written_and_when_read()
    {
        var longest = new OpenTimestampsBuilder(default);
        for (var i = 0; i < Limits.TimestampOperationsMax; i++) longest.Sha256();
        Assert.True(OpenTimestamps.TryParse(longest.ToBytes(1), out _, out var refusal), refusal);
        Assert.Throws<InvalidOperationException>(longest.Sha256);
        Expect("too many", Head + Digest + string.Concat(Enumerable.Repeat("08", Limits.TimestampOperationsMax + 1)) + Attestation + "0101");

        var widest = new OpenTimestampsBuilder(default).Append(new byte[Limits.TimestampMessageBytesMax - Hash256.Bytes]);
        Assert.Throws<InvalidOperationException>(() => widest.Append([0]));
        Assert.True(OpenTimestamps.TryParse(widest.Sha256().ToBytes(1), out _, out refusal), refusal);
        var half = "f0" + "8010" + new string('0', 2 * 2048);
        Expect("too long", Head + Digest + half + half + "08" + Attestation + "0101");

        static void Expect(string said, string hex)
        {
            Assert.False(OpenTimestamps.TryParse(Convert.FromHexString(hex), out _, out var refusal));
            Assert.Contains(said, refusal, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_transaction_of_4096_bytes_is_proven_and_a_longer_one_is_refused()
    {
        var sample = Build(4_096);
        Assert.True(OpenTimestamps.TryParse(sample, out var proof, out _));
        Assert.True(AnchorPath.TryRead(proof, 0, out var path, out _));
        Assert.Equal(4_096, path.Transaction.Stripped.Length);
        Assert.Throws<ArgumentException>(() => Build(4_097));

        static byte[] Build(int length)
        {
            var output = (0L, Sample.Record.Script());
            List<(long, byte[])> outputs = [output];
            while (SampleReceipt.Serialize(outputs).Length < length - 200) outputs.Add((1, new byte[150]));
            outputs.Add((1, new byte[length - SampleReceipt.Serialize(outputs).Length - 9]));
            var transaction = Transaction([.. outputs]);
            return OpenTimestamps.Build(Sample.LeafHash, Sample.Index, Sample.AnchoredPath, Sample.Record, transaction, new BlockProof(transaction.Txid, 0, []), 1);
        }
    }

    [Fact]
    public void Parts_that_do_not_belong_together_are_refused_by_the_builder()
    {
        Refused(() => OpenTimestamps.Build(Sample.LeafHash, 4, Sample.AnchoredPath, Sample.Record, Sample.Transaction, Sample.Block, 1));
        Refused(() => OpenTimestamps.Build(Sample.LeafHash, 5, [], Sample.Record, Sample.Transaction, Sample.Block, 1));
        Refused(() => OpenTimestamps.Build(Sample.LeafHash, 5, Sample.AnchoredPath, Sample.Record with { Epoch = 9 }, Sample.Transaction, Sample.Block, 1));
        Refused(() => OpenTimestamps.Build(Sample.LeafHash, 5, Sample.AnchoredPath, Sample.Record, Sample.Transaction, Sample.Block with { Txid = default }, 1));

        static void Refused(Func<byte[]> build) => Assert.Throws<ArgumentException>(build);
    }

    [Fact]
    public void The_bounds_leave_room_for_the_deepest_receipt()
    {
        const int Record = 2, Transaction = 4, HashesOfLog = 3, HashesOfBlock = 3;
        Assert.True((Limits.LogPathHashesMax * HashesOfLog) + Record + Transaction + (Limits.BlockPathHashesMax * HashesOfBlock) <= Limits.TimestampOperationsMax);
        Assert.True(Limits.AnchorTransactionBytesMax <= Limits.TimestampMessageBytesMax);
        Assert.True(1 << Limits.BlockPathHashesMax > Limits.RawTransactionBytesMax / 4 / 60);
    }

    private static BitcoinTransaction Transaction(params IReadOnlyList<(long, byte[])> outputs) =>
        BitcoinTransaction.TryParse(SampleReceipt.Serialize(outputs), out var transaction) ? transaction : throw new ArgumentException("malformed");
}
