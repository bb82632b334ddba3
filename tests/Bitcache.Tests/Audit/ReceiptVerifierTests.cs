using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class ReceiptVerifierTests
{
    private static readonly SampleReceipt Sample = new SampleReceipt().Make();

    [Fact]
    public void A_whole_receipt_is_anchored_in_its_block()
    {
        var report = ReceiptVerifier.Verify(Sample.Files, SampleReceipt.Pins);

        Assert.Equal(ReceiptVerdict.AnchoredInBlock, report.Verdict);
        (StepOutcome, string)[] expected =
        [
            (StepOutcome.Passed, "the receipt file holds a statement of 25 bytes"),
            (StepOutcome.Passed, "signed that its 11 leaves"),
            (StepOutcome.Passed, "is leaf 5 under that root"),
            (StepOutcome.Passed, "the anchor record of epoch 3 fixes this log at 9 leaves"),
            (StepOutcome.Passed, "their sizes differ (9 and 11): the same statement is under both"),
            (StepOutcome.Passed, $"transaction {Sample.Transaction.Txid} carries"),
            (StepOutcome.Passed, "pays the pinned anchor script exactly once"),
            (StepOutcome.NotChecked, "the chain of anchors back to the first one"),
            (StepOutcome.Passed, "is in block 840000"),
        ];
        Assert.Equal(expected.Length, report.Steps.Count);
        foreach (var ((outcome, said), step) in expected.Zip(report.Steps))
        {
            Assert.Equal(outcome, step.Outcome);
            Assert.Contains(said, step.Text, StringComparison.Ordinal);
        }
        Assert.Equal("statement 5 with its salt", Encoding.ASCII.GetString(report.Entry.Span));
        Assert.Equal(11, report.Checkpoint?.Size);
        Assert.Equal(Sample.Record, report.Anchor?.Record);
    }

    [Theory]
    [InlineData(5, 11, 11)]
    [InlineData(5, 9, 11)]
    [InlineData(0, 1, 1)]
    [InlineData(10, 11, 300)]
    [InlineData(256, 257, 600)]
    public void Receipts_of_every_shape_hold(int index, int checkpointSize, int anchoredSize)
    {
        for (var transactions = 1; transactions <= 5; transactions++)
        {
            var sample = new SampleReceipt
            {
                Index = index,
                CheckpointSize = checkpointSize,
                AnchoredSize = anchoredSize,
                BlockTransactions = transactions,
            }.Make();
            Assert.Equal(ReceiptVerdict.AnchoredInBlock, ReceiptVerifier.Verify(sample.Files, SampleReceipt.Pins).Verdict);
        }
    }

    [Fact]
    public void Without_timestamp_or_header_it_is_logged_only_and_says_what_is_missing()
    {
        Expect(ReceiptVerdict.LoggedOnly, "no timestamp", ReceiptVerifier.Verify(Sample.Files with { Timestamp = null }, SampleReceipt.Pins));
        var root = new Txid(Sample.Block.MerkleRoot()).ToString();
        Expect(ReceiptVerdict.LoggedOnly, root, ReceiptVerifier.Verify(Sample.Files with { Block = null }, SampleReceipt.Pins));
    }

    [Fact]
    public void With_a_key_alone_the_missing_pins_are_named()
    {
        var report = ReceiptVerifier.Verify(Sample.Files, SampleReceipt.Pins.Key);
        Assert.Equal(ReceiptVerdict.AnchoredInBlock, report.Verdict);
        Assert.Contains("no pins", Assert.Single(report.Steps, s => s.Outcome == StepOutcome.NotChecked).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_anchor_is_recognised()
    {
        var report = ReceiptVerifier.Verify(Sample.Files, SampleReceipt.Pins with { FirstAnchor = Sample.Transaction.Txid });
        Assert.All(report.Steps, s => Assert.Equal(StepOutcome.Passed, s.Outcome));
        Assert.Equal(ReceiptVerdict.AnchoredInBlock, report.Verdict);
    }

    [Fact]
    public void No_bit_of_any_file_can_change()
    {
        var files = Sample.Files;
        EveryBit(files.Leaf, leaf => files with { Leaf = leaf });
        EveryBit(files.Proof, proof => files with { Proof = proof });
        EveryBit(files.Timestamp!.Value, timestamp => files with { Timestamp = timestamp });
    }

    [Fact]
    public void No_byte_of_any_file_can_be_added_or_left_out()
    {
        var files = Sample.Files;
        EveryLength(files.Leaf, leaf => files with { Leaf = leaf });
        EveryLength(files.Proof, proof => files with { Proof = proof });
        EveryLength(files.Timestamp!.Value, timestamp => files with { Timestamp = timestamp });
    }

    [Fact]
    public void Two_roots_for_one_size_are_called_a_contradiction()
    {
        var sample = new SampleReceipt { CheckpointSize = 11, AnchoredSize = 11, AnchoredFork = 2 }.Make();
        Expect(ReceiptVerdict.Invalid, "contradiction", ReceiptVerifier.Verify(sample.Files, SampleReceipt.Pins));
    }

    [Theory]
    [InlineData(0, "0 times")]
    [InlineData(2, "2 times")]
    public void An_anchor_that_does_not_pay_the_pinned_script_once_is_none(int count, string said)
    {
        var sample = new SampleReceipt { AnchorOutputs = count }.Make();
        Expect(ReceiptVerdict.Invalid, said, ReceiptVerifier.Verify(sample.Files, SampleReceipt.Pins));
    }

    [Fact]
    public void An_anchor_of_another_log_is_refused()
    {
        var sample = new SampleReceipt { AnchoredOrigin = "other.example" }.Make();
        Expect(ReceiptVerdict.Invalid, "not of the log", ReceiptVerifier.Verify(sample.Files, SampleReceipt.Pins));
    }

    [Fact]
    public void A_timestamp_of_another_leaf_of_the_same_log_is_refused()
    {
        var other = new SampleReceipt { Index = 6 }.Make();
        Expect(ReceiptVerdict.Invalid, "another file", ReceiptVerifier.Verify(Sample.Files with { Timestamp = other.Timestamp }, SampleReceipt.Pins));
        Expect(ReceiptVerdict.Invalid, "not leaf 6", ReceiptVerifier.Verify(Sample.Files with { Proof = other.Files.Proof }, SampleReceipt.Pins));
    }

    [Fact]
    public void Two_commitments_in_one_transaction_are_refused()
    {
        var sample = new SampleReceipt { SecondCommitment = true }.Make();
        Assert.Throws<ArgumentException>(() => sample.Timestamp);

        // An operator who means ill writes the file by hand.
        var stripped = sample.Transaction.Stripped.AsSpan();
        var start = stripped.IndexOf(sample.Record.Script()) + AnchorRecord.ScriptBytes - Hash256.Bytes;
        var builder = new OpenTimestampsBuilder(sample.LeafHash).LogPath(sample.Index, sample.AnchoredSize, sample.AnchoredPath)
            .Prepend(sample.Record.ToArray().AsSpan(0, 52)).Sha256()
            .Prepend(stripped[..start]).Append(stripped[(start + Hash256.Bytes)..]).Sha256().Sha256();
        var files = sample.FilesWith(builder.ToBytes(sample.Height), SampleReceipt.Mine(Hash256.Read(builder.Message)));
        Expect(ReceiptVerdict.Invalid, "exactly this anchor's commitment", ReceiptVerifier.Verify(files, SampleReceipt.Pins));
    }

    [Fact]
    public void A_header_must_be_of_the_attested_block()
    {
        var files = Sample.Files;
        Refused("840001", new HeaderAtHeight(Sample.Header, Sample.Height + 1));
        Refused("80 bytes", new HeaderAtHeight(Sample.Header.AsMemory(1), Sample.Height));
        Refused("not in block", new HeaderAtHeight(SampleReceipt.Mine(Rfc6962.EmptyRoot), Sample.Height));
        var effortless = Sample.Header.ToArray();
        effortless.AsSpan(72, 4).Clear();
        Refused("proof of work", new HeaderAtHeight(effortless, Sample.Height));

        void Refused(string said, HeaderAtHeight block) =>
            Expect(ReceiptVerdict.Invalid, said, ReceiptVerifier.Verify(files with { Block = block }, SampleReceipt.Pins));
    }

    [Fact]
    public void A_block_with_regtest_s_work_is_none_of_the_main_network() => Expect(
        ReceiptVerdict.Invalid, "proof of work", ReceiptVerifier.Verify(Sample.Files, SampleReceipt.Pins with { Network = BitcoinNetwork.Mainnet }));

    [Fact]
    public void A_receipt_by_another_key_of_the_same_name_is_refused()
    {
        var key = VerifierKey.FromSeed(SampleReceipt.Origin, SHA256.HashData("another key"u8));
        Expect(ReceiptVerdict.Invalid, "not signed", ReceiptVerifier.Verify(Sample.Files, SampleReceipt.Pins with { Key = key }));
    }

    [Fact]
    public void An_invalid_receipt_shows_no_statement()
    {
        var report = ReceiptVerifier.Verify(new ReceiptFiles(ReadOnlyMemory<byte>.Empty, ReadOnlyMemory<byte>.Empty), SampleReceipt.Pins);
        Assert.Equal((ReceiptVerdict.Invalid, 0), (report.Verdict, report.Entry.Length));
        Assert.Null(report.Checkpoint);
        Assert.Null(report.Anchor);
    }

    private static void EveryBit(ReadOnlyMemory<byte> file, Func<byte[], ReceiptFiles> with)
    {
        for (var bit = 0; bit < 8 * file.Length; bit++)
        {
            var altered = file.ToArray();
            altered[bit / 8] ^= (byte)(1 << (bit % 8));
            Refused(with(altered), $"bit {bit % 8} of byte {bit / 8}");
        }
    }

    private static void EveryLength(ReadOnlyMemory<byte> file, Func<byte[], ReceiptFiles> with)
    {
        for (var i = 0; i <= file.Length; i++)
        {
            var (before, after) = (file[..i].ToArray(), file[i..].ToArray());
            foreach (var added in new byte[] { 0, (byte)'\n', (byte)'A' }) Refused(with([.. before, added, .. after]), $"{added} at {i}");
            if (i == file.Length) break;
            Refused(with(before), $"cut at {i}");
            Refused(with([.. before, .. after.AsSpan(1)]), $"without byte {i}");
        }
    }

    private static void Refused(ReceiptFiles files, string change)
    {
        var report = ReceiptVerifier.Verify(files, SampleReceipt.Pins);
        Assert.True(report.Verdict == ReceiptVerdict.Invalid, $"{change} went unnoticed");
        Assert.Equal(StepOutcome.Failed, report.Steps[^1].Outcome);
    }

    private static void Expect(ReceiptVerdict verdict, string said, ReceiptReport report)
    {
        Assert.Equal(verdict, report.Verdict);
        Assert.Contains(said, report.Steps[^1].Text, StringComparison.Ordinal);
        Assert.Equal(verdict == ReceiptVerdict.Invalid, report.Steps[^1].Outcome == StepOutcome.Failed);
    }
}
