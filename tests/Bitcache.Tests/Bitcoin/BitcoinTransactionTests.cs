using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

[Trait("suite", "core")]
public sealed class BitcoinTransactionTests
{
    /// <summary>The signed transaction of BIP-143's first example: one input of each kind, one witness.</summary>
    private const string Segwit =
        "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000";

    private const string GenesisCoinbase =
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000";

    [Fact]
    public void A_transaction_with_a_witness_is_read()
    {
        Assert.True(BitcoinTransaction.TryParse(Segwit, out var transaction));
        Assert.Equal("e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0fa02314a602d4609", transaction.Txid.ToString());
        Assert.Equal(
            ["9f96ade4b41d5433f4eda31e1738ec2b36f6e7d1420d94a6af99801a88f7f7ff:0", "8ac60eb9575db5b2d987e29f301b5b819ea83a5c6579d282d189cc04b8e151ef:1"],
            transaction.Inputs.Select(i => i.Spent.ToString()));
        Assert.Equal([0xffffffeeu, 0xffffffffu], transaction.Inputs.Select(i => i.Sequence));
        Assert.Equal([73, 0], transaction.Inputs.Select(i => i.ScriptSig.Length));
        Assert.Equal([112_340_000, 223_450_000], transaction.Outputs.Select(o => o.Value.Value));
        Assert.Equal("76a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac", Convert.ToHexStringLower(transaction.Outputs[1].Script));
    }

    [Fact]
    public void The_stripped_form_is_a_transaction_with_the_same_id()
    {
        Assert.True(BitcoinTransaction.TryParse(Segwit, out var transaction));
        Assert.True(BitcoinTransaction.TryParse(transaction.Stripped, out var stripped));
        Assert.Equal(transaction.Txid, stripped.Txid);
        Assert.Equal(transaction.Stripped, stripped.Stripped);
    }

    [Fact]
    public void A_transaction_without_a_witness_is_read()
    {
        Assert.True(BitcoinTransaction.TryParse(GenesisCoinbase, out var transaction));
        Assert.Equal("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", transaction.Txid.ToString());
        Assert.Equal(GenesisCoinbase, Convert.ToHexStringLower(transaction.Stripped));
        Assert.Equal(5_000_000_000, Assert.Single(transaction.Outputs).Value.Value);
    }

    [Fact]
    public void A_transaction_that_is_cut_short_or_goes_on_is_refused()
    {
        foreach (var hex in new[] { Segwit, GenesisCoinbase })
        {
            var raw = Convert.FromHexString(hex);
            for (var length = 0; length < raw.Length; length++) Assert.False(BitcoinTransaction.TryParse(raw.AsSpan(0, length), out _));
            Assert.False(BitcoinTransaction.TryParse([.. raw, 0], out _));
        }
    }

    [Theory]
    [InlineData("no hex", "zz")]
    [InlineData("an odd number of digits", "010")]
    [InlineData("no inputs", "01000000" + "00" + "00000000")]
    [InlineData("no outputs", "01000000" + "01" + Input + "00" + "00000000")]
    [InlineData("a value of -1", "01000000" + "01" + Input + "01" + "ffffffffffffffff00" + "00000000")]
    [InlineData("more than all coins", "01000000" + "01" + Input + "01" + "0140075af075070000" + "00000000")]
    [InlineData("a count not in its shortest form", "01000000" + "fd0100" + Input + "01" + Output + "00000000")]
    [InlineData("a count that no bytes follow", "01000000" + "feffffff7f" + Input + "01" + Output + "00000000")]
    [InlineData("a witness form without a witness", "01000000" + "0001" + "01" + Input + "01" + Output + "00" + "00000000")]
    [InlineData("another flag than 1", "01000000" + "0002" + "01" + Input + "01" + Output + "0100" + "00000000")]
    public void A_malformed_transaction_is_refused(string because, string hex)
    {
        Assert.NotEmpty(because);
        Assert.False(BitcoinTransaction.TryParse(hex, out _), because);
    }

    [Fact]
    public void The_parts_of_the_malformed_transactions_are_good() =>
        Assert.True(BitcoinTransaction.TryParse("01000000" + "01" + Input + "01" + Output + "00000000", out _));

    private const string Input = "1111111111111111111111111111111111111111111111111111111111111111" + "00000000" + "00" + "ffffffff";
    private const string Output = "0040075af0750700" + "00";

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0xfc, 1)]
    [InlineData(0xfd, 3)]
    [InlineData(0x100, 3)]
    [InlineData(0xffff, 3)]
    [InlineData(0x10000, 5)]
    [InlineData(3_999_999, 5)]
    public void A_count_is_read_as_it_was_written_in_its_shortest_form(int count, int bytes)
    {
        byte[] written = [.. new BitcoinWriter().Count(count).Written, .. new byte[count]];
        Assert.Equal(count + bytes, written.Length);
        var reader = new BitcoinReader(written);
        Assert.True(reader.TryReadBytes(out var read));
        Assert.Equal((count, 0), (read.Length, reader.Left));
    }
}
