// The files of an epoch's liabilities as an auditor reads them. The operator that is assumed here makes every hash and sum anew
// after its lie, so that only the check that is named can find it.

using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

[Trait("suite", "core")]
public sealed class LiabilityFilesTests
{
    private static readonly LiabilityTree Few = SampleBalances.Tree(SampleBalances.Few);
    private static readonly string Csv = SampleBalances.Text(Few.WriteCsv);
    private static readonly string Allocation = SampleBalances.Text(Few.WriteAllocation);
    private static readonly string Keys = SampleBalances.Text(Few.WriteKeys);

    [Fact]
    public void What_a_tree_writes_is_read_and_holds()
    {
        foreach (var balances in new[] { SampleBalances.Few, SampleBalances.Many, SampleBalances.Tiny, SampleBalances.Whale, [] })
        {
            var tree = SampleBalances.Tree(balances);
            var published = Published(SampleBalances.Text(tree.WriteCsv));
            Assert.Equal((tree.Height, tree.Root, tree.Total, tree.Leaves), (published.Height, published.Root.Hash, published.Root.Sum, published.Leaves));
            var audit = Audit(published, SampleBalances.Text(tree.WriteAllocation), SampleBalances.Text(tree.WriteKeys));
            Assert.Null(audit.Finding);
            Assert.True(audit.Compare(SampleBalances.Accounts(balances)), audit.Finding?.Text);
        }
    }

    [Fact]
    public void Bytes_come_in_pieces_of_any_length()
    {
        for (var length = 1; length <= 100; length += 9)
        {
            var (csv, keys) = (new LiabilityCsvReader(), new LiabilityKeys());
            Feed(csv, Csv, length);
            Feed(keys, Keys, length);
            Assert.True(keys.Finish());
            var audit = new LiabilityAudit(csv.Finish()!, keys);
            Feed(audit, Allocation, length);
            Assert.True(audit.Finish(), audit.Finding?.Text);
        }

        static void Feed(FieldReader reader, string text, int length)
        {
            foreach (var piece in Encoding.UTF8.GetBytes(text).Chunk(length)) Assert.True(reader.Add(piece), reader.Finding?.Text);
        }
    }

    [Fact]
    public void No_byte_of_the_tree_can_change_or_be_left_out()
    {
        var bytes = Encoding.UTF8.GetBytes(Csv);
        // The height is not under a hash: the leaves are, with it, and the epoch's statement has it.
        var first = Csv.IndexOf('\n', StringComparison.Ordinal) + 1;
        for (var i = 0; i < bytes.Length; i++)
        {
            foreach (var flip in new byte[] { 0x01, 0x08, 0x20, 0x80 })
            {
                var changed = bytes.ToArray();
                changed[i] ^= flip;
                var content = Read(changed, out _);
                if (i < first) Assert.NotEqual(SampleBalances.Height, content?.Height);
                else Assert.True(content is null || content.Root.Hash != Few.Root || content.Root.Sum != Few.Total, $"byte {i} changed by {flip} went unnoticed");
            }
            // Cut behind a whole row it is a tree whose leaves are nobody's: an allocation shows that.
            if (Read([.. bytes.AsSpan(0, i)], out _) is { } cut) Assert.True(cut.Leaves < Few.Leaves && (byte)'\n' == bytes[i - 1]);
            if (i >= first) Assert.Null(Read([.. bytes.AsSpan(0, i), .. bytes.AsSpan(i + 1)], out _));
        }
        Assert.NotNull(Read(bytes, out _));
        Assert.Null(Read([.. bytes, (byte)'\n'], out _));
    }

    [Theory]
    [InlineData("", LiabilityFault.Malformed)]
    [InlineData("block_height:7\n", LiabilityFault.NotATree)]
    [InlineData("block_height:07\n", LiabilityFault.Malformed)]
    [InlineData("block_height:-7\n", LiabilityFault.Malformed)]
    [InlineData("block_height:4294967296\n", LiabilityFault.Malformed)]
    [InlineData("block_heights:7\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX,1\n", LiabilityFault.NotATree)]
    [InlineData("block_height:7\nX,3\nX,1\n", LiabilityFault.NotATree)]
    [InlineData("block_height:7\nX,3\nX,1\nX,1\n", LiabilityFault.SumWrong)]
    [InlineData("block_height:7\nX,2\nX,1\nX,1\n", LiabilityFault.HashWrong)]
    [InlineData("block_height:7\nX,2\nX,1\nX,01\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX,2\nX,1\nX,+1\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX,2\nX,1\nX,\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX,2\nX,1\nX,-1\n", LiabilityFault.Negative)]
    [InlineData("block_height:7\nX,2\nX,1\nX,2100000000000000001\n", LiabilityFault.Overflow)]
    [InlineData("block_height:7\nX,2\nX,1\nX,18446744073709551617\n", LiabilityFault.Overflow)]
    [InlineData("block_height:7\nX,2\nX,1\nX,100000000000000000000000000000000000000000000000000\n", LiabilityFault.Overflow)]
    [InlineData("block_height:7\nX,2,1\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX:2\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX1,2\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nABCDEF,2\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\n\n", LiabilityFault.Malformed)]
    [InlineData("block_height:7\nX,2\r\n", LiabilityFault.Malformed)]
    public void A_file_that_is_no_tree_is_refused_by_name(string text, LiabilityFault fault)
    {
        Assert.Null(Read(Encoding.UTF8.GetBytes(text.Replace("X", new string('0', 64), StringComparison.Ordinal)), out var finding));
        Assert.Equal(fault, finding?.Fault);
    }

    [Fact]
    public void A_field_without_end_takes_no_memory()
    {
        var reader = new LiabilityCsvReader();
        var endless = new byte[1 << 16];
        endless.AsSpan().Fill((byte)'0');
        Assert.False(reader.Add("block_height:7\n"u8) && reader.Add(endless));
        Assert.Equal(LiabilityFault.Malformed, reader.Finding?.Fault);
    }

    /// <summary>Sums that hash well and are lies.</summary>
    [Theory]
    [InlineData("negative", LiabilityFault.Negative)]
    [InlineData("overflow", LiabilityFault.Overflow)]
    [InlineData("beyond supply", LiabilityFault.Overflow)]
    [InlineData("left out of the sum", LiabilityFault.SumWrong)]
    public void A_sum_that_lies_is_refused_by_name(string lie, LiabilityFault fault)
    {
        var leaves = Csv.TrimEnd('\n').Split('\n')[^8..].Select(line => line.Split(',')).Select(l => (Convert.FromHexString(l[0]), BigInteger.Parse(l[1], CultureInfo.InvariantCulture))).ToArray();
        leaves[3].Item2 = lie switch
        {
            "negative" => -5,
            "overflow" => (BigInteger.One << 64) - 1_000,
            "beyond supply" => Limits.SupplyMsatMax,
            _ => leaves[3].Item2,
        };
        var modulus = BigInteger.One << 64;
        var text = CsvOf(leaves, (a, b) => lie switch
        {
            "overflow" => (a + b) % modulus,
            "left out of the sum" => BigInteger.Max(a, b),
            _ => a + b,
        });
        Assert.Null(Read(Encoding.UTF8.GetBytes(text), out var finding));
        Assert.Equal(fault, finding?.Fault);
    }

    [Theory]
    [InlineData("a wallet left out", LiabilityFault.LeafUnclaimed)]
    [InlineData("a wallet left out with its key", LiabilityFault.LeafUnclaimed)]
    [InlineData("a key too many", LiabilityFault.KeysWrong)]
    [InlineData("a key too few", LiabilityFault.KeysWrong)]
    [InlineData("another key", LiabilityFault.LeafWrong)]
    [InlineData("two wallets exchanged", LiabilityFault.OrderWrong)]
    [InlineData("a wallet twice", LiabilityFault.OrderWrong)]
    [InlineData("another account number", LiabilityFault.AccountNumberWrong)]
    [InlineData("another value", LiabilityFault.ChunksWrong)]
    [InlineData("a smaller value", LiabilityFault.ChunksWrong)]
    [InlineData("another chunk", LiabilityFault.LeafWrong)]
    [InlineData("two leaves exchanged", LiabilityFault.LeafWrong)]
    [InlineData("one leaf twice", LiabilityFault.LeafShared)]
    [InlineData("a leaf that is not there", LiabilityFault.PositionWrong)]
    [InlineData("a leaf of 2^64", LiabilityFault.PositionWrong)]
    [InlineData("an empty chunk", LiabilityFault.ChunkEmpty)]
    [InlineData("a negative chunk", LiabilityFault.Negative)]
    [InlineData("an endless chunk", LiabilityFault.Overflow)]
    [InlineData("no chunk", LiabilityFault.Malformed)]
    [InlineData("no end", LiabilityFault.Malformed)]
    [InlineData("another header", LiabilityFault.Malformed)]
    [InlineData("nothing", LiabilityFault.Malformed)]
    [InlineData("a wallet in upper case", LiabilityFault.Malformed)]
    public void An_allocation_that_lies_is_refused_by_name(string lie, LiabilityFault fault)
    {
        var (rows, keys) = (Allocation.TrimEnd('\n').Split('\n'), Keys.TrimEnd('\n').Split('\n'));
        // The row of 100,000 msat: wallet, number, value, chunks.
        var row = rows[2].Split(',');
        var chunks = row[3].Split(';').Select(chunk => chunk.Split(':')).ToArray();
        var first = chunks[0];
        switch (lie)
        {
            case "a wallet left out":
            case "a wallet left out with its key":
                rows = [.. rows[..2], .. rows[3..]];
                keys = [.. keys[..2], .. keys[3..]];
                break;
            case "a key too many":
                keys = [.. keys[..2], $"{new WalletId((UInt128.One << 32) + 1)},{new string('0', 64)}", .. keys[2..]];
                break;
            case "a key too few":
                keys = keys[..^1];
                break;
            case "another key":
                keys[2] = keys[2][..^1] + (keys[2][^1] == '0' ? '1' : '0');
                break;
            case "two wallets exchanged":
                (rows[2], rows[3], keys[2], keys[3]) = (rows[3], rows[2], keys[3], keys[2]);
                break;
            case "a wallet twice":
                rows = [.. rows[..3], .. rows[2..]];
                break;
            case "another account number":
                row[1] = "1";
                break;
            case "another value":
                row[2] = "100001";
                break;
            case "a smaller value":
                row[2] = "1";
                break;
            case "another chunk":
                (first[1], chunks[1][1]) = (Plus(first[1], -1), Plus(chunks[1][1], 1));
                break;
            case "two leaves exchanged":
                (first[0], chunks[1][0]) = (chunks[1][0], first[0]);
                break;
            case "one leaf twice":
                first[0] = chunks[1][0];
                break;
            case "a leaf that is not there":
                first[0] = "8";
                break;
            case "a leaf of 2^64":
                first[0] = "18446744073709551616";
                break;
            case "an empty chunk":
                first[1] = "0";
                break;
            case "a negative chunk":
                first[1] = "-" + first[1];
                break;
            case "an endless chunk":
                first[1] = "9999999999999999999";
                break;
            case "no chunk":
                chunks = [];
                break;
            case "another header":
                rows[0] = "wallet,account,value,chunks";
                break;
            case "a wallet in upper case":
                row[0] = row[0].ToUpperInvariant();
                break;
        }
        if (rows.Length > 4 && lie is not ("a wallet left out" or "two wallets exchanged" or "a wallet twice" or "a wallet left out with its key"))
            rows[2] = $"{row[0]},{row[1]},{row[2]},{string.Join(';', chunks.Select(c => string.Join(':', c)))}";
        var text = string.Join('\n', rows) + (lie == "no end" ? "" : "\n");
        var finding = Finding(Published(Csv), lie == "nothing" ? "" : text, string.Join('\n', keys) + "\n");
        Assert.Equal(fault, finding?.Fault);
    }

    [Theory]
    [InlineData("left out", LiabilityFault.WalletLeftOut)]
    [InlineData("more", LiabilityFault.BalanceWrong)]
    [InlineData("less", LiabilityFault.BalanceWrong)]
    [InlineData("invented", LiabilityFault.WalletNotOwed)]
    public void A_tree_that_holds_in_itself_and_tells_other_balances_is_refused_by_name(string lie, LiabilityFault fault)
    {
        var (told, wallet) = (SampleBalances.Few, SampleBalances.Few.Keys.ElementAt(1));
        switch (lie)
        {
            case "left out":
                told.Remove(wallet);
                break;
            case "more":
                told[wallet]++;
                break;
            case "less":
                told[wallet] -= 2;
                break;
            case "invented":
                told.Add(SampleBalances.Wallet(1), 5);
                break;
        }
        var tree = SampleBalances.Tree(told);
        var audit = Audit(Published(SampleBalances.Text(tree.WriteCsv)), SampleBalances.Text(tree.WriteAllocation), SampleBalances.Text(tree.WriteKeys));
        Assert.Null(audit.Finding);
        Assert.False(audit.Compare(SampleBalances.Accounts(SampleBalances.Few)));
        Assert.Equal(fault, audit.Finding?.Fault);
        Assert.Contains((lie == "invented" ? SampleBalances.Wallet(1) : wallet).ToString(), audit.Finding!.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tree_of_another_height_is_not_what_follows_from_the_keys()
    {
        var text = Csv.Replace("block_height:840000\n", "block_height:840001\n", StringComparison.Ordinal);
        Assert.Equal(LiabilityFault.LeafWrong, Finding(Published(text), Allocation, Keys)?.Fault);
    }

    private static string Plus(string value, long more) => (long.Parse(value, CultureInfo.InvariantCulture) + more).ToString(CultureInfo.InvariantCulture);

    private static string CsvOf((byte[] Hash, BigInteger Sum)[] leaves, Func<BigInteger, BigInteger, BigInteger> add)
    {
        var rows = new List<(byte[] Hash, BigInteger Sum)[]> { leaves };
        while (rows[^1].Length > 1)
        {
            rows.Add([.. rows[^1].Chunk(2).Select(pair => (
                SHA256.HashData([.. pair[0].Hash, .. Le64(pair[0].Sum), .. pair[1].Hash, .. Le64(pair[1].Sum)]), add(pair[0].Sum, pair[1].Sum)))]);
        }
        rows.Reverse();
        return "block_height:840000\n" + string.Concat(rows.SelectMany(row => row).Select(n => $"{Convert.ToHexStringLower(n.Hash)},{n.Sum}\n"));

        static byte[] Le64(BigInteger sum) => SampleBalances.LittleEndian(unchecked((long)(ulong)(sum & ulong.MaxValue)));
    }

    private static PublishedLiabilities Published(string csv) =>
        Read(Encoding.UTF8.GetBytes(csv), out var finding) ?? throw new InvalidOperationException(finding?.Text);

    private static PublishedLiabilities? Read(byte[] csv, out LiabilityFinding? finding)
    {
        var reader = new LiabilityCsvReader();
        reader.Add(csv);
        var content = reader.Finish();
        finding = reader.Finding;
        Assert.Equal(content is null, finding is not null);
        return content;
    }

    private static LiabilityAudit Audit(PublishedLiabilities published, string allocation, string keys)
    {
        var reader = new LiabilityKeys();
        reader.Add(Encoding.UTF8.GetBytes(keys));
        Assert.True(reader.Finish(), reader.Finding?.Text);
        var audit = new LiabilityAudit(published, reader);
        audit.Add(Encoding.UTF8.GetBytes(allocation));
        Assert.Equal(audit.Finish(), audit.Finding is null);
        return audit;
    }

    private static LiabilityFinding? Finding(PublishedLiabilities published, string allocation, string keys)
    {
        var reader = new LiabilityKeys();
        reader.Add(Encoding.UTF8.GetBytes(keys));
        return reader.Finish() ? Audit(published, allocation, keys).Finding : reader.Finding;
    }
}
