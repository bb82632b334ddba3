using System.Buffers.Binary;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

[Trait("suite", "core")]
public sealed class BalanceVerifierTests
{
    private static readonly SampleBalance Sample = new SampleBalance().Make();

    [Fact]
    public void A_whole_balance_is_anchored_in_its_block()
    {
        var report = BalanceVerifier.Verify(Sample.Files, SampleReceipt.Pins, Sample.Owner);

        Assert.Equal(ReceiptVerdict.AnchoredInBlock, report.Verdict);
        (StepOutcome, string)[] expected =
        [
            (StepOutcome.Passed, $"leaf {Sample.Proof.Position} of 8 in a tree of liabilities, worth {Amounts.Format(Sample.Proof.Value, MoneyUnit.Bits)}"),
            (StepOutcome.Passed, $"a total of 1.0778 Bits, under the root {Sample.Tree.Root}"),
            (StepOutcome.Passed, "at the close of epoch 3, as of block 840000"),
            (StepOutcome.Passed, $"from the key of {Sample.Wallet}, block height 840000"),
            (StepOutcome.Passed, "signed that its 11 leaves"),
            (StepOutcome.Passed, "is leaf 5 under that root"),
            (StepOutcome.Passed, "the anchor record of epoch 3 fixes this log at 9 leaves"),
            (StepOutcome.Passed, "their sizes differ (9 and 11)"),
            (StepOutcome.Passed, $"transaction {Sample.Close.Transaction.Txid} carries"),
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
        Assert.Equal((Sample.Proof.Value, Sample.Proof.Position), (report.Balance?.Value, report.Balance?.Position));
        Assert.Equal(Sample.Entry, report.Entry.ToArray());
    }

    [Fact]
    public void Every_chunk_of_every_balance_holds_for_its_owner_and_nobody_else()
    {
        var tree = SampleBalances.Tree(SampleBalances.Whale);
        foreach (var wallet in SampleBalances.Whale.Keys.Take(20).Append(SampleBalances.Whale.Keys.Last()))
        {
            for (var chunk = 0; chunk < Math.Min(3, tree.ProofsOf(wallet).Count); chunk++)
            {
                var sample = new SampleBalance { Balances = SampleBalances.Whale, Wallet = wallet, Chunk = chunk }.Make();
                Assert.Equal(ReceiptVerdict.AnchoredInBlock, BalanceVerifier.Verify(sample.Files, SampleReceipt.Pins, sample.Owner).Verdict);
                Expect("does not follow from the key", BalanceVerifier.Verify(sample.Files, SampleReceipt.Pins, Sample.Owner));
                Expect("does not follow from the key", BalanceVerifier.Verify(sample.Files, SampleReceipt.Pins, sample.Owner with { Wallet = Sample.Wallet }));
            }
        }
    }

    [Fact]
    public void Without_owner_pins_or_header_it_says_what_is_missing()
    {
        var report = BalanceVerifier.Verify(Sample.Files, SampleReceipt.Pins, null);
        Assert.Equal(ReceiptVerdict.AnchoredInBlock, report.Verdict);
        Assert.Contains(report.Steps, s => s.Outcome == StepOutcome.NotChecked && s.Text.Contains("whose balance", StringComparison.Ordinal));
        report = BalanceVerifier.Verify(Sample.Files, SampleReceipt.Pins.Key, Sample.Owner);
        Assert.Contains(report.Steps, s => s.Outcome == StepOutcome.NotChecked && s.Text.Contains("no pins", StringComparison.Ordinal));
        report = BalanceVerifier.Verify(Sample.Files with { Block = null }, SampleReceipt.Pins, Sample.Owner);
        Assert.Equal((ReceiptVerdict.LoggedOnly, StepOutcome.NotChecked), (report.Verdict, report.Steps[^1].Outcome));
        Expect("way to the published total", BalanceVerifier.Verify(Sample.Files with { Timestamp = null }, SampleReceipt.Pins, Sample.Owner));
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

    /// <summary>An operator who means ill hashes whatever it likes, and anchors it.</summary>
    [Theory]
    [InlineData("negative", "negative, or more than there is")]
    [InlineData("overflow", "negative, or more than there is")]
    [InlineData("beyond supply", "more than there is money")]
    [InlineData("hidden", "the sums do not add up")]
    [InlineData("stated less", "but the operator stated")]
    [InlineData("nothing", "worth nothing")]
    [InlineData("another value", "is not that of")]
    [InlineData("another place", "is not that of")]
    [InlineData("no tree", "does not begin with a way up")]
    [InlineData("no statement", "does not close an epoch")]
    [InlineData("another type", "does not close an epoch")]
    [InlineData("half a row", "is not a node's")]
    [InlineData("too long", "too long")]
    public void A_lie_that_hashes_well_is_refused_for_what_it_is(string lie, string said)
    {
        var proof = Sample.Proof;
        var (nonce, value, place) = (proof.Nonce, lie == "nothing" ? 0 : proof.Value.Value, proof.Position & ~1);
        var leaf = new BalanceProof(nonce, new Msat(lie == "another value" ? value + 1 : value), lie == "another place" ? place + 2 : place, []);
        var builder = new OpenTimestampsBuilder(leaf.Leaf.Hash);
        var beside = lie switch
        {
            "negative" => -value,
            "overflow" => long.MaxValue,
            "beyond supply" => Limits.SupplyMsatMax,
            _ => 5,
        };
        if (lie == "half a row") builder.Append([.. SampleBalances.LittleEndian(value), 1]).Sha256();
        if (lie != "no tree") Row(builder, value, beside);
        var total = value + (lie is "negative" or "overflow" or "beyond supply" ? 0 : beside);
        if (lie == "hidden") Row(builder, total - 1, 7);
        for (var i = 0; lie == "too long" && i <= Limits.LiabilityRowsMax; i++) Row(builder, total, 0);

        var root = Hash256.Read(builder.Message);
        var statement = Sample.Statement with { LiabilitiesRoot = root, Total = new Msat(lie == "stated less" ? total - 1 : total) };
        var entry = SampleBalance.EntryOf(statement);
        if (lie == "no statement") entry[20] ^= 1;
        if (lie == "another type") entry[1] = 18;
        var close = new SampleReceipt { Statement = entry }.Make();
        if (lie != "no tree") builder.Prepend([0, .. entry.AsSpan(0, 80)]).Append(entry.AsSpan(112)).Sha256();
        else builder.Prepend([0]).Sha256();
        var timestamp = builder.ToBytes(close.Height);
        var files = close.FilesWith(timestamp, close.Header) with { Leaf = leaf.ToFile() };
        Expect(said, BalanceVerifier.Verify(files, SampleReceipt.Pins, null));

        static void Row(OpenTimestampsBuilder builder, long own, long beside) =>
            builder.Append([.. SampleBalances.LittleEndian(own), .. SHA256.HashData("beside"u8), .. SampleBalances.LittleEndian(beside)]).Sha256();
    }

    [Fact]
    public void The_cut_that_is_told_of_lies_before_the_statement()
    {
        var sample = new SampleBalance { Stating = s => s with { CutSize = 6 } }.Make();
        Expect("the cut that it tells of", BalanceVerifier.Verify(sample.Files, SampleReceipt.Pins, sample.Owner));
    }

    [Fact]
    public void A_statement_about_another_height_does_not_open_the_leaf()
    {
        var sample = new SampleBalance { Stating = s => s with { Height = s.Height + 1 } }.Make();
        Expect("does not follow from the key", BalanceVerifier.Verify(sample.Files, SampleReceipt.Pins, sample.Owner));
    }

    [Fact]
    public void Parts_that_do_not_belong_together_are_refused_by_the_builder()
    {
        Refused(new SampleBalance { Stating = s => s with { Total = new Msat(s.Total.Value - 1) } });
        Refused(new SampleBalance { Stating = s => s with { LiabilitiesRoot = default } });
        Refused(new SampleBalance { Proving = p => p with { Value = new Msat(p.Value.Value + 1) } });
        Refused(new SampleBalance { Proving = p => p with { Position = p.Position ^ 1 } });
        Refused(new SampleBalance { Proving = p => p with { Siblings = [.. p.Siblings.Skip(1)] } });
        Assert.Throws<ArgumentException>(() => Sample.Proof.ToTimestamp(Sample.Close.Leaf, Sample.Timestamp));
        Assert.Throws<ArgumentException>(() => Sample.Proof.ToTimestamp(Sample.Entry, Sample.Close.Timestamp));
        Assert.Throws<ArgumentException>(() => Sample.Proof.ToTimestamp([], Sample.Close.Timestamp));
        Assert.Throws<ArgumentException>(() => Sample.Proof.ToTimestamp(Sample.Close.Leaf, []));
        Assert.Throws<ArgumentException>(() => new OpenTimestampsBuilder(Sample.Proof.Leaf.Hash).Balance(Sample.Proof, Sample.Entry.AsSpan(1)));
        Assert.Throws<ArgumentException>(() => new OpenTimestampsBuilder(default).Balance(Sample.Proof, Sample.Entry));

        static void Refused(SampleBalance sample) => Assert.Throws<ArgumentException>(() => sample.Make().Timestamp);
    }

    [Fact]
    public void The_deepest_tree_under_a_log_of_a_trillion_entries_fits_in_a_timestamp()
    {
        // A node's right child takes three operations, its left two; leaves of a log behind a cut are mostly right.
        const int Rows = 25, Statement = 3, LogRows = 40, Record = 2, Transaction = 4, BlockRows = 15;
        Assert.True((3 * Rows) + Statement + (3 * LogRows) + Record + Transaction + (3 * BlockRows) <= Limits.TimestampOperationsMax);
    }

    [Fact]
    public void Balances_and_receipts_are_told_apart_by_their_form()
    {
        Assert.True(BalanceProof.TryReadFile(Sample.Proof.ToFile(), out var nonce, out _));
        Assert.Equal(Sample.Proof.Nonce, nonce);
        // The byte of a nonce that makes a balance begin as a receipt does.
        var zeros = Sample.Proof with { Nonce = Sample.Proof.Nonce with { High = (UInt128)0x5c01 << 112 } };
        Assert.Equal(0, zeros.ToFile()[0]);
        Assert.True(BalanceProof.TryReadFile(zeros.ToFile(), out _, out _));

        var receipt = new byte[BalanceProof.FileBytes];
        BinaryPrimitives.WriteUInt16BigEndian(receipt, 1);
        Assert.False(BalanceProof.TryReadFile(receipt, out _, out _));
        Assert.False(BalanceProof.TryReadFile(Sample.Close.Leaf, out _, out _));
        Expect("has not the form of a balance", BalanceVerifier.Verify(Sample.Close.Files, SampleReceipt.Pins, null));
        Assert.Equal(ReceiptVerdict.Invalid, ReceiptVerifier.Verify(Sample.Files, SampleReceipt.Pins).Verdict);
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
            Refused(with([.. before, 0, .. after]), $"a byte more at {i}");
            if (i == file.Length) break;
            Refused(with(before), $"cut at {i}");
            Refused(with([.. before, .. after.AsSpan(1)]), $"without byte {i}");
        }
    }

    private static void Refused(ReceiptFiles files, string change)
    {
        // Without the owner: what follows from the key alone would find half of these.
        var report = BalanceVerifier.Verify(files, SampleReceipt.Pins, null);
        Assert.True(report.Verdict == ReceiptVerdict.Invalid, $"{change} went unnoticed");
        Assert.Equal(StepOutcome.Failed, report.Steps[^1].Outcome);
        Assert.Null(report.Balance);
    }

    private static void Expect(string said, ReceiptReport report)
    {
        Assert.Equal(ReceiptVerdict.Invalid, report.Verdict);
        Assert.Contains(said, report.Steps[^1].Text, StringComparison.Ordinal);
        Assert.Equal(StepOutcome.Failed, report.Steps[^1].Outcome);
    }
}
