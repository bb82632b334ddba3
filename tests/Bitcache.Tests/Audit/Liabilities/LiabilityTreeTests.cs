// The tree and its files. The expected bytes come from a program of 50 lines in another language, written after the formats as
// the doc comments state them; BitMEX's public validator found the leaves of each account in the first of these files.

using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

[Trait("suite", "core")]
public sealed class LiabilityTreeTests
{
    private const string FewAsCsv = """
        block_height:840000
        12f15637efe9edcce6a849c516cd34b861aa4ced9841db42e77f7b43a844e2ef,107780
        324b41b63edc1056f9aba5add90ff0b83f920b7e3d6964eb2a186348d8797a8c,101157
        45cd4ab399e1702d552066f9c200aff793387715c9e39ae05a1808807f1a6ffc,6623
        6796a77bc0e521124f6c12eeb66e32254dcb6aacb61d48d6c999bb8d2011e438,2775
        58af7eac6d5f32f37236659ae182f5d0587537b596ab58e4450229bbe3b37a62,98382
        d60df4281c3e31d377526124f525962729f5bf179000e1659f2ab08dd41a757d,1620
        59a26eb40eec78056613f49e60e21a196d58f79624455b80dc1387e9a2d191ba,5003
        f45515d8d2c9df7a5595ea3492bb3172af98736ae96ee02bc8b60f29cbadd0dd,1
        43b875563fd9a1e080a7778efe34918aebf47aea56f7954091a326f0958839e4,2774
        46baeb0d1172982d15b1b8e7242d0f39db1251377cceac0bbef7955fa26ae465,1
        5294db98fb2f43afcddeee5d82d2a74ef5c4d9d08eaffc2b90cf3c0f400ab902,98381
        75f56ae8fdf154d8715c548b5451711fe8efbbcbe0bd0b20b3ab81c83726f39e,1619
        8ded2735f3e7893115da75c696311923e93fc1b9a88681befb5e13c6a02d30da,1
        6b2230df6e9c9b61cc859ec93a1c0c1a71e4df494691a638afb4ca234cae906e,901
        990b3b0dec7f9855e4a766770afb48a7719c79ceb082af3555e23e751af74305,4102

        """;

    [Fact]
    public void The_file_is_the_one_that_another_program_makes()
    {
        var tree = SampleBalances.Tree(SampleBalances.Few);
        Assert.Equal(FewAsCsv, SampleBalances.Text(tree.WriteCsv));
        Assert.Equal((8, 107_780L, "12f15637efe9edcce6a849c516cd34b861aa4ced9841db42e77f7b43a844e2ef"), (tree.Leaves, tree.Total.Value, tree.Root.ToString()));
    }

    [Fact]
    public void So_are_those_of_many_of_tiny_and_of_one_large_balance()
    {
        Expect(SampleBalances.Tree(SampleBalances.Many, 12, 900_001), 8_192, 1_483_466_126, "1d83612e059d7d56f1bc920d2569696a60fc6aba44e67a3f3536264132612dfd");
        Expect(SampleBalances.Tree(SampleBalances.Tiny, 13, 900_001), 512, 450, "246d6ea21bef1c10dd0f76f8b50749564a60827bf3bcb9d7c0d99c8afbcab8e8");
        Expect(SampleBalances.Tree(SampleBalances.Whale, 14, 900_001), 512, 1_000_000_300, "88a15cf32e31e45fbe4ae1c592876f3231c58d9d989effab674d9e02f994f22d");

        static void Expect(LiabilityTree tree, int leaves, long total, string hashOfFile)
        {
            Assert.Equal((leaves, total), (tree.Leaves, tree.Total.Value));
            Assert.Equal(hashOfFile, Convert.ToHexStringLower(SHA256.HashData(SampleBalances.Bytes(tree.WriteCsv))));
        }
    }

    [Fact]
    public void A_ledger_that_owes_nothing_has_a_tree_of_two_fillers()
    {
        var tree = SampleBalances.Tree([], 4);
        Assert.Equal("""
            block_height:840000
            b672b42436199d0f8b631bcdb4908f59324310d5091ac410c46169964f6ae18b,0
            98956aba7eff3fae6b9f78d87e77bc5a38d09e327ba207be051d98c09e142ef9,0
            04965226753ef3bcf77a1341f2dc8ee2f36c6d07de8a7e972ff27139978aa350,0

            """, SampleBalances.Text(tree.WriteCsv));
        Assert.StartsWith($"wallet,account_no,value,chunks\n{WalletId.Suspense},", SampleBalances.Text(tree.WriteAllocation), StringComparison.Ordinal);
    }

    [Fact]
    public void Balances_come_in_any_order_and_in_parts()
    {
        var balances = SampleBalances.Many;
        var expected = SampleBalances.Text(SampleBalances.Tree(balances).WriteCsv);
        var random = new Random(5);
        var parts = balances.SelectMany(b => new[] { (b.Key, b.Value / 3), (b.Key, 0L), (b.Key, b.Value - (b.Value / 3)) }).ToArray();
        random.Shuffle(parts);
        var accounts = SampleBalances.Accounts(parts.Select(part => KeyValuePair.Create(part.Key, part.Item2)));
        Assert.Equal(expected, SampleBalances.Text(LiabilityTree.Build(SampleBalances.Seed, 3, SampleBalances.Height, accounts).WriteCsv));
    }

    [Fact]
    public void Every_balance_is_split_and_its_chunks_are_what_it_is_worth()
    {
        foreach (var balances in new[] { SampleBalances.Few, SampleBalances.Many, SampleBalances.Tiny, SampleBalances.Whale, [] })
        {
            var tree = SampleBalances.Tree(balances);
            var positions = new HashSet<int>();
            var rows = SampleBalances.Text(tree.WriteAllocation).TrimEnd('\n').Split('\n').Skip(1).Select(row => row.Split(',')).ToArray();
            foreach (var row in rows)
            {
                var chunks = row[3].Split(';').Select(chunk => chunk.Split(':').Select(n => long.Parse(n, CultureInfo.InvariantCulture)).ToArray()).ToArray();
                var wallet = row[0] == WalletId.Suspense.ToString() ? WalletId.Suspense : Parse(row[0]);
                var value = balances.GetValueOrDefault(wallet);
                Assert.Equal(value, long.Parse(row[2], CultureInfo.InvariantCulture));
                Assert.Equal(value, chunks.Sum(chunk => chunk[1]));
                Assert.All(chunks, chunk => Assert.True(positions.Add((int)chunk[0])));
                Assert.True(wallet == WalletId.Suspense || chunks.All(chunk => chunk[1] >= 1));
                Assert.True(chunks.Length >= Math.Min(2, value));
                Assert.Equal(LiabilitySeed.AccountNumber(wallet).ToString(CultureInfo.InvariantCulture), row[1]);
            }
            Assert.Equal(tree.Leaves, positions.Count);
            Assert.Equal(balances.Where(b => b.Value > 0).Select(b => b.Key).Order(), rows.Where(row => row[2] != "0").Select(row => row[0] == WalletId.Suspense.ToString() ? WalletId.Suspense : Parse(row[0])));
        }

        static WalletId Parse(string text) => WalletId.TryParse(text, out var wallet) ? wallet : throw new FormatException(text);
    }

    [Fact]
    public void Files_longer_than_a_buffer_have_whole_lines()
    {
        var tree = SampleBalances.Tree(SampleBalances.Many);
        var keys = SampleBalances.Text(tree.WriteKeys).TrimEnd('\n').Split('\n');
        Assert.Equal(1 + SampleBalances.Many.Count(b => b.Value > 0), keys.Length);
        Assert.All(keys.Skip(1), line => Assert.Matches("^bcw1[0-9a-z]{32},[0-9a-f]{64}$", line));
        var rows = SampleBalances.Text(tree.WriteAllocation).TrimEnd('\n').Split('\n');
        Assert.All(rows.Skip(1), line => Assert.Matches("^bcw1[0-9a-z]{32},[0-9]+,[0-9]+,[0-9]+:[0-9]+(;[0-9]+:[0-9]+)*$", line));
    }

    [Fact]
    public void Another_epoch_or_another_seed_arranges_the_same_balances_otherwise()
    {
        var first = SampleBalances.Tree(SampleBalances.Many);
        var again = SampleBalances.Tree(SampleBalances.Many);
        Assert.Equal(first.Root, again.Root);
        Assert.NotEqual(first.Root, SampleBalances.Tree(SampleBalances.Many, epoch: 4).Root);
        Assert.NotEqual(first.Root, LiabilityTree.Build(new LiabilitySeed(new byte[32]), 3, SampleBalances.Height, SampleBalances.Accounts(SampleBalances.Many)).Root);
        Assert.NotEqual(first.Root, SampleBalances.Tree(SampleBalances.Many, height: SampleBalances.Height + 1).Root);
    }

    [Fact]
    public void Keys_and_nonces_are_those_of_the_standard_library()
    {
        var (wallet, secret) = (SampleBalances.Wallet(1), Enumerable.Range(0, 32).Select(i => (byte)i).ToArray());
        var id = new byte[WalletId.Bytes];
        wallet.Write(id);
        var key = Hmac(secret, [.. "bitcache/pol/v1\0"u8, .. id]);
        Assert.Equal(key, SampleBalances.Seed.AccountKey(wallet).ToArray());
        var hash = SHA256.HashData(id);
        var number = LiabilitySeed.AccountNumber(wallet);
        Assert.Equal(Convert.ToHexStringLower(hash.AsSpan(0, 8)), number.ToString("x16", CultureInfo.InvariantCulture));
        var nonce = SHA256.HashData([.. key, .. SampleBalances.LittleEndian(SampleBalances.Height), .. SampleBalances.LittleEndian(unchecked((long)number))]);
        Assert.Equal(nonce, LiabilitySeed.Nonce(Hash256.Read(key), SampleBalances.Height, number).ToArray());
        Assert.Contains($"{wallet},{Convert.ToHexStringLower(key)}\n", SampleBalances.Text(SampleBalances.Tree(SampleBalances.Many).WriteKeys), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new LiabilitySeed(new byte[31]));
    }

    [Fact]
    public void A_wallet_s_proofs_lead_to_the_root()
    {
        foreach (var balances in new[] { SampleBalances.Few, SampleBalances.Tiny, SampleBalances.Whale })
        {
            var tree = SampleBalances.Tree(balances);
            foreach (var (wallet, value) in balances)
            {
                var proofs = tree.ProofsOf(wallet);
                Assert.Equal(value, proofs.Sum(proof => proof.Value.Value));
                foreach (var proof in proofs)
                {
                    Assert.Equal(new SumNode(tree.Root, tree.Total), proof.Root());
                    byte[] expected = [.. proof.Nonce.ToArray().Select(b => (byte)(b ^ 0x5c)), .. Enumerable.Repeat((byte)0x5c, 32)];
                    Assert.Equal(expected, proof.ToFile()[..64]);
                    var leaf = Hmac(proof.Nonce.ToArray(), [.. SampleBalances.LittleEndian(proof.Value.Value), .. SampleBalances.LittleEndian(proof.Position)]);
                    Assert.Equal(leaf, SHA256.HashData(proof.ToFile()));
                    Assert.Equal(leaf, proof.Leaf.Hash.ToArray());
                }
            }
            Assert.Empty(tree.ProofsOf(SampleBalances.Wallet(1_000_000)));
        }
    }

    [Fact]
    public void A_wallet_has_no_reserved_id_and_no_sum_passes_all_money()
    {
        Assert.Throws<ArgumentException>(() => SampleBalances.Accounts([new(new WalletId(1), 5)]));
        Assert.True(WalletId.Suspense.IsReserved);
        Assert.False(WalletId.TryParse(WalletId.Suspense.ToString(), out _));
        Assert.Throws<OverflowException>(() => SampleBalances.Tree(SampleBalances.Numbered(2, _ => Limits.SupplyMsatMax)));
        Assert.Throws<OverflowException>(() => SampleBalances.Tree(SampleBalances.Numbered(1_000, _ => Limits.SupplyMsatMax)));
        var twice = SampleBalances.Accounts([new(SampleBalances.Wallet(1), Limits.SupplyMsatMax), new(SampleBalances.Wallet(1), 1)]);
        Assert.Throws<OverflowException>(() => LiabilityTree.Build(SampleBalances.Seed, 1, 1, twice));
    }

    private static byte[] Hmac(byte[] key, byte[] message) => HMACSHA256.HashData(key, message);
}
