using System.Numerics;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

/// <summary>Signatures against the vectors of their specifications, and the curve against the library's.</summary>
[Trait("suite", "core")]
public sealed class BitcoinSignatureTests
{
    private static readonly SampleKey Key = new("a key");
    private static readonly Hash256 Message = Hash256.Read(SHA256.HashData("a message"u8));

    /// <summary>BIP-340, test-vectors.csv, those with a message of 32 bytes.</summary>
    [Theory]
    [InlineData("F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9", "0000000000000000000000000000000000000000000000000000000000000000", "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA821525F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0", true)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE33418906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A", true)]
    [InlineData("DD308AFEC5777E13121FA72B9CC1B7CC0139715309B086C960E18FD969774EB8", "7E2D58D8B3BCDF1ABADEC7829054F90DDA9805AAB56C77333024B9D0A508B75C", "5831AAEED7B44BB74E5EAB94BA9D4294C49BCF2A60728D8B4C200F50DD313C1BAB745879A5AD954A72C45A91C3A51D3C7ADEA98D82F8481E0E1E03674A6F3FB7", true)]
    [InlineData("25D1DFF95105F5253C4022F628A996AD3A0D95FBF21D468A1B33F8C160D8F517", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "7EB0509757E246F19449885651611CB965ECC1A187DD51B64FDA1EDC9637D5EC97582B9CB13DB3933705B32BA982AF5AF25FD78881EBB32771FC5922EFC66EA3", true)]
    [InlineData("D69C3509BB99E412E68B0FE8544E72837DFA30746D8BE2AA65975F29D22DC7B9", "4DF3C3F68FCC83B27E9D42C90431A72499F17875C81A599B566C9889B9696703", "00000000000000000000003B78CE563F89A0ED9414F5AA28AD0D96D6795F9C6376AFB1548AF603B3EB45C9F8207DEE1060CB71C04E80F593060B07D28308D7F4", true)]
    [InlineData("EEFDEA4CDB677750A420FEE807EACF21EB9898AE79B9768766E4FAA04A2D4A34", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E17776969E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "FFF97BD5755EEEA420453A14355235D382F6472F8568A18B2F057A14602975563CC27944640AC607CD107AE10923D9EF7A73C643E166BE5EBEAFA34B1AC553E2", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "1FA62E331EDBC21C394792D2AB1100A7B432B013DF3F6FF4F99FCB33E0E1515F28890B3EDB6E7189B630448B515CE4F8622A954CFE545735AAEA5134FCCDB2BD", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769961764B3AA9B2FFCB6EF947B6887A226E8D7C93E00C5ED0C1834FF0D0C2E6DA6", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "0000000000000000000000000000000000000000000000000000000000000000123DDA8328AF9C23A94C1FEECFD123BA4FB73476F0D594DCB65C6425BD186051", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "00000000000000000000000000000000000000000000000000000000000000017615FBAF5AE28864013C099742DEADB4DBA87F11AC6754F93780D5A1837CF197", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "4A298DACAE57395A15D0795DDBFD1DCB564DA82B0F269BC70A74F8220429BA1D69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false)]
    [InlineData("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", false)]
    [InlineData("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC30", "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89", "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E17776969E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B", false)]
    public void A_schnorr_signature_is_judged_as_its_specification_says(string key, string message, string signature, bool isGood)
    {
        Assert.True(Hash256.TryParse(message, out var hash));
        Assert.Equal(isGood, BitcoinSignature.VerifySchnorr(Convert.FromHexString(key), hash, Convert.FromHexString(signature)));
    }

    [Fact]
    public void The_curve_is_the_librarys()
    {
        for (var i = 0; i < 40; i++)
        {
            var key = new SampleKey($"key {i}");
            Assert.Equal(key.Point, Secp256k1.Combine(key.Secret, BigInteger.Zero, Secp256k1.Generator));
            Assert.Equal(key.Point, Secp256k1.Lift(key.Point.X, !key.Point.Y.IsEven));
            // (a + b·secret)·G in two ways.
            var (a, b) = (new SampleKey($"a {i}").Secret, new SampleKey($"b {i}").Secret);
            Assert.Equal(Secp256k1.Combine((a + (b * key.Secret)) % Secp256k1.N, BigInteger.Zero, Secp256k1.Generator), Secp256k1.Combine(a, b, key.Point));
        }
    }

    [Fact]
    public void Sums_that_meet_at_a_point_or_at_infinity_are_right()
    {
        var (g, one) = (Secp256k1.Generator, BigInteger.One);
        var negative = g with { Y = Secp256k1.P - g.Y };
        Assert.Null(Secp256k1.Combine(one, one, negative));
        Assert.Null(Secp256k1.Combine(Secp256k1.N, BigInteger.Zero, g));
        Assert.Null(Secp256k1.Combine(BigInteger.Zero, BigInteger.Zero, g));
        Assert.Equal(g, Secp256k1.Combine(5, 4, negative));
        Assert.Equal(Secp256k1.Combine(9, BigInteger.Zero, g), Secp256k1.Combine(5, 4, g));
        Assert.Equal(negative, Secp256k1.Combine(Secp256k1.N - 1, BigInteger.Zero, g));
    }

    [Fact]
    public void An_ecdsa_signature_is_good_for_its_key_and_hash_alone()
    {
        var der = Key.SignEcdsa(Message);
        Assert.True(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, der));
        Assert.False(BitcoinSignature.VerifyEcdsa(new SampleKey("another").Compressed, Message, der));
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message.Reversed(), der));
        for (var bit = 0; bit < 8 * der.Length; bit++)
        {
            byte[] changed = [.. der];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, changed), $"bit {bit}");
        }
        Assert.All(Enumerable.Range(0, der.Length), length => Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, der.AsSpan(0, length))));
    }

    [Fact]
    public void Another_spelling_of_an_ecdsa_signature_or_key_is_refused()
    {
        var der = Key.SignEcdsa(Message);
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, Key.SignEcdsa(Message, isHigh: true)));
        // A zero in front of r, a byte behind the whole, a length in its longer form.
        byte[] padded = [0x30, (byte)(der[1] + 1), 0x02, (byte)(der[3] + 1), 0, .. der[4..]];
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, padded));
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, [.. der, 0]));
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, [0x30, 0x81, .. der[1..]]));
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, SampleKey.Der(BigInteger.Zero, BigInteger.One)));
        Assert.False(BitcoinSignature.VerifyEcdsa(Key.Compressed, Message, SampleKey.Der(Secp256k1.N, BigInteger.One)));
        byte[] uncompressed = [4, .. Secp256k1.Write(Key.Point.X), .. Secp256k1.Write(Key.Point.Y)];
        Assert.False(BitcoinSignature.VerifyEcdsa(uncompressed, Message, der));
        Assert.False(BitcoinSignature.VerifyEcdsa([(byte)(Key.Compressed[0] ^ 1), .. Key.Compressed[1..]], Message, der));
    }

    [Fact]
    public void A_schnorr_signature_is_good_for_its_key_and_message_alone()
    {
        for (var i = 0; i < 10; i++)
        {
            var key = new SampleKey($"schnorr {i}");
            var signature = key.SignSchnorr(Message);
            Assert.True(BitcoinSignature.VerifySchnorr(key.XOnly, Message, signature));
            Assert.False(BitcoinSignature.VerifySchnorr(key.XOnly, Message.Reversed(), signature));
            Assert.False(BitcoinSignature.VerifySchnorr(Key.XOnly, Message, signature));
        }
    }

    /// <summary>The designers' vectors (homes.esat.kuleuven.be/~bosselae/ripemd160.html), and the hash of a zero byte as a key.</summary>
    [Theory]
    [InlineData("", "9c1185a5c5e9fc54612808977ee8f548b2258d31")]
    [InlineData("a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe")]
    [InlineData("abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc")]
    [InlineData("message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36")]
    [InlineData("abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc")]
    [InlineData("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "12a053384a9c0c88e405a06c27dcf49ada62eb2b")]
    [InlineData("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "b0e20b6e3116640286ed3a87a5713079b21f5189")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "9b752e45573d4b39f4dbd3323cab82bf63326bfb")]
    public void Ripemd160_is_the_designers(string message, string hash) =>
        Assert.Equal(hash, Convert.ToHexStringLower(Ripemd160.Of(System.Text.Encoding.ASCII.GetBytes(message))));

    [Fact]
    public void Ripemd160_of_every_length_around_a_block_differs_and_a_key_is_hashed_twice()
    {
        Assert.Equal("52783243c1697bdbe16d37f97f68f08325dc1528", Convert.ToHexStringLower(Ripemd160.Of(Enumerable.Repeat((byte)'a', 1_000_000).ToArray())));
        Assert.Equal(130, Enumerable.Range(0, 130).Select(length => Convert.ToHexString(Ripemd160.Of(new byte[length]))).Distinct().Count());
        Assert.Equal("9f7fd096d37ed2c0e3f7f0cfc924beef4ffceb68", Convert.ToHexStringLower(Ripemd160.OfKey([0])));
    }
}
