// The vectors of BIP-173 and BIP-350.

using Bitcache.Core;

namespace Bitcache.Tests.Ids;

[Trait("suite", "core")]
public sealed class Bech32mTests
{
    [Theory]
    [InlineData("a", "A1LQFN3A", "")]
    [InlineData("a", "a1lqfn3a", "")]
    [InlineData("an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1",
        "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6", "")]
    [InlineData("?", "?1v759aa", "")]
    public void Valid_bech32m_is_read(string prefix, string text, string hex)
    {
        var bytes = new byte[hex.Length / 2];
        Assert.True(Bech32m.TryDecode(prefix, text, bytes));
        Assert.Equal(hex, Convert.ToHexStringLower(bytes));
        Assert.Equal(text, Bech32m.Encode(prefix, bytes), ignoreCase: true);
    }

    // BIP-350's strings that are valid but end in bits that fill no byte: the checksum is right, the bytes are refused.
    [Theory]
    [InlineData("abcdef", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx")]
    [InlineData("1", "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8")]
    [InlineData("split", "split1checkupstagehandshakeupstreamerranterredcaperredlc445v")]
    public void Any_length_but_the_expected_one_is_refused(string prefix, string text)
    {
        for (var length = 0; length <= 60; length++)
        {
            var bytes = new byte[length];
            if (Bech32m.TryDecode(prefix, text, bytes)) Assert.Equal(text, Bech32m.Encode(prefix, bytes));
        }
    }

    [Theory]
    // BIP-350, invalid Bech32m, but for the strings whose only fault is their prefix: ours are constants.
    [InlineData("an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1", "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4")]
    [InlineData("", "qyrz8wqd2c9m")]
    [InlineData("", "1qyrz8wqd2c9m")]
    [InlineData("y", "y1b0jsk6g")]
    [InlineData("lt", "lt1igcx5c0")]
    [InlineData("in", "in1muywd")]
    [InlineData("mm", "mm1crxm3i")]
    [InlineData("au", "au1s5cgom")]
    [InlineData("m", "M1VUXWEZ")]
    [InlineData("", "1p2gdwpf")]
    // BIP-173's checksum is not this one's.
    [InlineData("a", "A12UEL5L")]
    [InlineData("a", "a12uel5l")]
    public void Invalid_bech32m_is_refused(string prefix, string text)
    {
        Assert.False(Bech32m.TryDecode(prefix, text, []));
        for (var length = 1; length <= 50; length++) Assert.False(Bech32m.TryDecode(prefix, text, new byte[length]));
    }

    [Theory]
    // BIP-350's addresses with their scripts.
    [InlineData("bc", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6")]
    [InlineData("tb", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262")]
    [InlineData("bc", "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6")]
    [InlineData("bc", "BC1SW50QGDZ25J", "6002751e")]
    [InlineData("bc", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323")]
    [InlineData("tb", "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy", "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433")]
    [InlineData("tb", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433")]
    [InlineData("bc", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")]
    public void Segwit_addresses_are_read_and_written(string prefix, string address, string script)
    {
        Span<byte> program = stackalloc byte[40];
        Assert.True(Bech32m.TryDecodeSegwit(prefix, address, program, out var version, out var length));
        var opcode = version == 0 ? 0 : 0x50 + version;
        Assert.Equal(script, $"{opcode:x2}{length:x2}{Convert.ToHexStringLower(program[..length])}");
        Assert.Equal(address, Bech32m.EncodeSegwit(prefix, version, program[..length]), ignoreCase: true);
        Assert.False(Bech32m.TryDecodeSegwit(prefix == "bc" ? "tb" : "bc", address, program, out _, out _));
    }

    [Theory]
    // BIP-350, invalid addresses: prefix, checksum of the wrong kind, character, version, length, case, padding, emptiness.
    [InlineData("tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut")]
    [InlineData("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd")]
    [InlineData("tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf")]
    [InlineData("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL")]
    [InlineData("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh")]
    [InlineData("tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47")]
    [InlineData("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4")]
    [InlineData("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R")]
    [InlineData("bc1pw5dgrnzv")]
    [InlineData("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav")]
    [InlineData("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P")]
    [InlineData("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq")]
    [InlineData("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf")]
    [InlineData("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j")]
    [InlineData("bc1gmk9yu")]
    // BIP-173, invalid addresses.
    [InlineData("tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty")]
    [InlineData("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")]
    [InlineData("BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2")]
    [InlineData("bc1rw5uspcuh")]
    [InlineData("bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90")]
    [InlineData("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7")]
    [InlineData("bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du")]
    [InlineData("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv")]
    public void Invalid_addresses_are_refused(string address)
    {
        Span<byte> program = stackalloc byte[40];
        foreach (var prefix in new[] { "bc", "tb" }) Assert.False(Bech32m.TryDecodeSegwit(prefix, address, program, out _, out _));
    }

    [Holds(MaxTest = 2_000)]
    public void Programs_of_every_version_and_length_are_read_back(Seed seed)
    {
        var random = seed.Random();
        var version = random.Next(17);
        var program = new byte[version == 0 ? random.Next(2) == 0 ? 20 : 32 : random.Next(2, 41)];
        random.NextBytes(program);
        var address = Bech32m.EncodeSegwit("bcrt", version, program);
        var read = new byte[40];
        Assert.True(Bech32m.TryDecodeSegwit("bcrt", address, read, out var readVersion, out var length), address);
        Assert.Equal(version, readVersion);
        Assert.Equal(program, read[..length]);
    }
}
