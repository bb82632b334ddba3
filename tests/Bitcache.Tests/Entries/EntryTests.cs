using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Tests.Ledgers;

namespace Bitcache.Tests.Entries;

[Trait("suite", "core")]
public sealed class EntryTests
{
    /// <summary>The layout that Entry.cs describes, written out by hand.</summary>
    [Fact]
    public void A_transfers_record_is_laid_out_as_described()
    {
        var rules = RuleTable.Run(TransferRules.Funded + "\npay a b 1.5 id 1 ref hi  Accepted");
        var expected = string.Concat(
            "00000091", "0001", "01", "00", "00000001", "0063",
            // The statement: version, type, partition, sequence, time.
            "01", "03", "0000", "0000000000000008", "000001a3185c5000",
            // Id, payer, payee, amount, code, reference.
            "01a3185c5000700080000000000000" + "08", "612e2e2e2e2e2e2e2e2e2e2e2e2e2e2e", "622e2e2e2e2e2e2e2e2e2e2e2e2e2e2e",
            "00000000000005dc", "00000007", "02" + "6869",
            // Salt.
            "0000000000005a17" + "0000000000000009",
            // The payer's link, then the payee's.
            "0000000000000007", "00000000000f3c64", "0000000000000002", "00000000000005dc");
        Assert.Equal(expected, Convert.ToHexStringLower(rules.Book.Records[^1]));
    }

    [Fact]
    public void A_payment_up_to_an_amount_with_a_fee_is_laid_out_as_described()
    {
        var rules = RuleTable.Run(TransferRules.Funded + "\nfees 1 flat 1msat  Accepted\npay a b 5000 upto id 1 ref hi  Accepted");
        var expected = string.Concat(
            "000000b1", "0001", "01", "00", "00000001", "006b",
            "01", "16", "0000", "0000000000000009", "000001a3185c5000",
            // Id, payer, payee, the amount moved, code, reference, fee.
            "01a3185c5000700080000000000000" + "09", "612e2e2e2e2e2e2e2e2e2e2e2e2e2e2e", "622e2e2e2e2e2e2e2e2e2e2e2e2e2e2e",
            "00000000000f423f", "00000007", "02" + "6869", "0000000000000001",
            "0000000000005a17" + "000000000000000a",
            // The amount asked for, and the links of payer, payee and operator.
            "00000000004c4b40",
            "0000000000000007", "0000000000000000", "0000000000000002", "00000000000f423f", "0000000000000000", "0000000000000001");
        Assert.Equal(expected, Convert.ToHexStringLower(rules.Book.Records[^1]));
    }

    [Fact]
    public void A_splits_record_is_laid_out_as_described()
    {
        var rules = RuleTable.Run(TransferRules.Funded + "\nsplit a b:1,c:2 id 1  Accepted");
        const string Terms = "01a3185c5000700080000000000000" + "08" + "612e2e2e2e2e2e2e2e2e2e2e2e2e2e2e";
        var expected = string.Concat(
            // Two sequences, and therefore two statements, each behind its length.
            "00000113", "0002", "01", "00", "00000001",
            "0069", "01", "20", "0000", "0000000000000008", "000001a3185c5000", Terms, "622e2e2e2e2e2e2e2e2e2e2e2e2e2e2e",
            "00000000000003e8", "00000000", "00", "0000000000000000", "0000000000005a17" + "0000000000000009",
            "0069", "01", "20", "0000", "0000000000000009", "000001a3185c5000", Terms, "632e2e2e2e2e2e2e2e2e2e2e2e2e2e2e",
            "00000000000007d0", "00000001", "00", "0000000000000000", "0000000000000000" + "0000000000000002",
            // No link of the operator's; the payer's, then each payee's.
            "00", "0000000000000007", "00000000000f3688", "0000000000000002", "00000000000003e8", "0000000000000003", "00000000000007d0");
        Assert.Equal(expected, Convert.ToHexStringLower(rules.Book.Records[^1]));
    }

    [Fact]
    public void A_cancelled_withdrawal_is_laid_out_as_described()
    {
        var record = RuleTable.Run($"{WithdrawalRules.Funded}\nwithdraw a S 400 id 1  Accepted\ncancel a 1  Accepted").Book.Records[^1];
        var entry = Entry.Read(record);
        Assert.Equal((EntryType.WithdrawalCancelled, new Msat(400_000), new HistoryLink(entry.Sequence - 1, new Msat(1_000_000))), (entry.Type, entry.Released, entry.First));
        // Id and wallet, and what went back; the salt, and the wallet's link.
        var body = Convert.ToHexStringLower(record.AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes));
        Assert.Matches("^01a3185c50007000[0-9a-f]{16}612e2e2e2e2e2e2e2e2e2e2e2e2e2e2e0000000000061a80[0-9a-f]{32}[0-9a-f]{16}00000000000f4240$", body);
        // It takes no id of its own: the withdrawal is found by it as before.
        Assert.False(EntryId.TryRead(record, out _));
    }

    [Fact]
    public void An_assignment_is_laid_out_as_described()
    {
        var record = RuleTable.Run("""
            wallet a                      Accepted
            wallet b                      Accepted
            address a A                   Accepted
            output d of A 20              Accepted
            deposit d credited suspense   Accepted
            deposit d final suspense      Accepted
            assign d b id 1               Accepted
            """).Book.Records[^1];
        var entry = Entry.Read(record);
        Assert.Equal((EntryType.SuspenseAssigned, new Msat(20_000), HistorySides.Payee), (entry.Type, entry.Released, entry.Sides));
        Assert.Equal(new Msat(20_000), entry.Second.Available);
        // Id, output and wallet, and how much it is; the salt, and the wallet's link.
        var output = RuleTable.Output("d");
        var txid = new byte[Hash256.Bytes];
        output.Txid.Hash.Write(txid);
        var body = Convert.ToHexStringLower(record.AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes));
        Assert.Matches($"^01a3185c50007000[0-9a-f]{{16}}{Convert.ToHexStringLower(txid)}00000000622e2e2e2e2e2e2e2e2e2e2e2e2e2e2e0000000000004e20[0-9a-f]{{32}}[0-9a-f]{{16}}0000000000004e20$", body);
        Assert.True(EntryId.TryRead(record, out var id));
        Assert.Equal(((AssignSuspense)entry.Command).Id, id.Id);
    }

    [Theory]
    [InlineData("", 0, "")]
    [InlineData(" at 200000", 200_000, "00030d40")]
    public void An_attempt_is_laid_out_as_described_with_its_height_and_without(string at, int height, string bytes)
    {
        var rules = RuleTable.Run($"{WithdrawalRules.Funded}\nfamily 1 cap 100  Accepted\nsign 1 1 fee 60{at}  Accepted");
        var record = rules.Book.Records[^1];
        // Behind the statement the transaction behind its length, and the height.
        Assert.EndsWith("00000008" + "7369676e65642031" + bytes, Convert.ToHexStringLower(record), StringComparison.Ordinal);
        Assert.Equal((uint)height, ((SignAttempt)Entry.Read(record).Command).Height);
        Assert.Equal((uint)height, rules.Book.Ledger.FindFamily(1).Attempts[0].Height);
    }

    [Fact]
    public void A_height_that_is_written_is_one()
    {
        var record = RuleTable.Run($"{WithdrawalRules.Funded}\nfamily 1 cap 100  Accepted\nsign 1 1 fee 60 at 1  Accepted").Book.Records[^1];
        record[^1] = 0;
        Assert.Throws<FormatException>(() => Entry.Read(record));
    }

    [Fact]
    public void A_child_and_its_family_are_laid_out_as_described()
    {
        var records = RuleTable.Run($"""
            {WithdrawalRules.Funded}
            family 1 cap 100                  Accepted
            sign 1 1 fee 10                   Accepted
            child 1 1 1 fee 60 at 200000      Accepted
            confirm 1 1 B                     Accepted
            finish 1 child 1                  Accepted
            """).Book.Records;
        var child = Convert.ToHexStringLower(records[^3].AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes));
        // Family, attempt, child, txid and fee; the salt; the transaction behind its length, and the height.
        Assert.Matches($"^000000000000000100010001({Convert.ToHexStringLower("child11"u8)}(2e){{25}})000000000000003c[0-9a-f]{{32}}000000076368696c64203100030d40$", child);
        // The child behind the family, where there is one.
        Assert.Matches("^00000000000000010001[0-9a-f]{32}$", Convert.ToHexStringLower(records[^1].AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes)));
        var none = RuleTable.Run($"{WithdrawalRules.Funded}\nfamily 1 cap 100  Accepted\nsign 1 1 fee 10  Accepted\nconfirm 1 1 B  Accepted\nfinish 1  Accepted").Book.Records[^1];
        Assert.Matches("^0000000000000001[0-9a-f]{32}$", Convert.ToHexStringLower(none.AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes)));
    }

    [Theory]
    [InlineData("die 1 by x", "a coin")]
    [InlineData("taken 1 by x", "tx11")]
    public void What_ended_a_family_or_settlement_is_laid_out_as_described(string step, string spent)
    {
        var confirm = step.StartsWith("taken", StringComparison.Ordinal) ? "confirm 1 1 B  Accepted\n" : "";
        var record = RuleTable.Run($"{WithdrawalRules.Funded}\nfamily 1 cap 100 anchor 1  Accepted\nsign 1 1 fee 10  Accepted\n{confirm}{step}  Accepted").Book.Records[^1];
        string Padded(string text) => Convert.ToHexStringLower(System.Text.Encoding.ASCII.GetBytes(text.PadRight(32, '.')));
        // Family; the output; its spender, the height and hash of the block.
        Assert.Matches(
            $"^0000000000000001{Padded(spent)}00000001{Padded("x")}00000078{Padded("B120")}[0-9a-f]{{32}}$",
            Convert.ToHexStringLower(record.AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes)));
    }

    [Fact]
    public void A_statement_is_read_alone_as_a_receipt_holds_it()
    {
        foreach (var record in GoldenJournal.Read().Concat(GoldenJournal.Read(2)))
        {
            var whole = Entry.Read(record);
            var alone = Entry.ReadStatement(Entry.StatementOf(record));
            Assert.Equal(
                (whole.Type, whole.Partition, whole.Sequence, whole.Time, whole.Salt, whole.Outcome, whole.Payee),
                (alone.Type, alone.Partition, alone.Sequence, alone.Time, alone.Salt, alone.Outcome, alone.Payee));
            Assert.Equal((default, default), (alone.First, alone.Second));
            // A statement of a split has one part only.
            if (whole.Command is Split split && whole.Type == EntryType.SplitPaid) Assert.Equal(split.Parts[0], Assert.Single(((Split)alone.Command).Parts));
            else Assert.Equal(Body(whole.Command), Body(alone.Command));
        }

        static string Body(Command command)
        {
            var bytes = new byte[Limits.StatementBytesMax];
            var writer = new ByteWriter(bytes);
            command.WriteBody(ref writer);
            return Convert.ToHexString(bytes.AsSpan(0, writer.Position));
        }
    }

    [Fact]
    public void A_statement_shows_nobody_elses_affairs()
    {
        // Two payments that are alike, of a rich payer and of a poor one: but for their names, the leaves are too.
        static string Leaf(string funds)
        {
            var rules = RuleTable.Run($"""
                wallet a                  Accepted
                wallet b                  Accepted
                address a A               Accepted
                output d of A {funds}     Accepted
                deposit d credited        Accepted
                pay a b 1 id 1            Accepted
                """);
            return Convert.ToHexString(Entry.StatementOf(rules.Book.Records[^1]));
        }
        Assert.Equal(Leaf("1"), Leaf("90000"));
    }

    [Fact]
    public void Mutated_records_are_refused_with_a_format_exception_and_little_memory()
    {
        const int Mutants = 50_000;
        const int BytesMax = 64 << 10;
        var records = GoldenJournal.Read();
        var random = new Random((int)(Property.Seed & int.MaxValue));
        var read = 0;
        for (var i = 0; i < Mutants; i++)
        {
            var record = Mutations.Of(records[random.Next(records.Count)], random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Entry.Read(record);
                Entry.ReadStatement(Entry.StatementOf(record));
                read++;
            }
            catch (FormatException)
            {
                // The one way of saying no.
            }
            catch (Exception e) when (e is not FormatException)
            {
                Assert.Fail($"BITCACHE_SEED={Property.Seed}: {Convert.ToHexString(record)}\n{e}");
            }
            var used = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(used <= BytesMax, $"BITCACHE_SEED={Property.Seed}: {used} bytes for {Convert.ToHexString(record)}");
        }
        // Not everything falls at the first hurdle.
        Assert.InRange(read, Mutants / 100, Mutants);
    }

    [Theory]
    // A family that announces 65,535 withdrawals, a cut through 65,535 partitions, and a transaction of 4 GiB.
    [InlineData(EntryType.FamilyOpened, "ffff")]
    [InlineData(EntryType.LogCut, "ffff")]
    [InlineData(EntryType.FamilyOpened, "03e8")]
    public void A_count_is_not_believed_before_its_bytes_are_there(EntryType type, string count)
    {
        var body = type == EntryType.LogCut ? new string('0', 16) + count : new string('0', 34) + count;
        var statement = "01" + ((byte)type).ToString("x2", null) + new string('0', 36) + body + new string('0', 32);
        var bytes = Convert.FromHexString(statement);
        Entry.ReadStatement(Convert.FromHexString(statement[..^36] + "0000" + new string('0', 32)));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<FormatException>(() => Entry.ReadStatement(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 30_000);
    }

    [Fact]
    public void Zeros_and_noise_are_no_records()
    {
        for (var length = 0; length < 300; length++) Assert.Throws<FormatException>(() => Entry.Read(new byte[length]));
        Assert.Throws<FormatException>(() => Entry.Read(RandomNumberGenerator.GetBytes(200)));
    }

    [Fact]
    public void Bytes_compare_by_content()
    {
        Assert.Equal(ByteString.Empty, new ByteString([]));
        Assert.Equal(ByteString.FromHex("00ff"), new ByteString([0, 255]));
        Assert.Equal(ByteString.FromHex("00ff").GetHashCode(), new ByteString([0, 255]).GetHashCode());
        Assert.True(ByteString.FromHex("00ff") != ByteString.FromHex("00fe"));
        Assert.Equal("00ff", ByteString.FromHex("00ff").ToString());
        var source = new byte[] { 1, 2 };
        var copy = new ByteString(source);
        source[0] = 9;
        Assert.Equal("0102", copy.ToString());
    }
}
