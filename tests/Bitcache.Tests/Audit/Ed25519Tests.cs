using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class Ed25519Tests
{
    /// <summary>Tests 1, 2, 3 and SHA(abc) of RFC 8032, section 7.1: seed, public key, message, signature.</summary>
    public static TheoryData<string, string, string, string> Rfc8032 => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
        {
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        },
    };

    [Theory, MemberData(nameof(Rfc8032))]
    public void Keys_and_signatures_are_those_of_the_rfc(string seed, string publicKey, string message, string signature)
    {
        var bytes = Convert.FromHexString(message);
        Assert.Equal(publicKey, Convert.ToHexStringLower(Ed25519.PublicKey(Convert.FromHexString(seed))));
        Assert.Equal(signature, Convert.ToHexStringLower(Ed25519.Sign(Convert.FromHexString(seed), bytes)));
        Assert.True(Ed25519.Verify(Convert.FromHexString(publicKey), bytes, Convert.FromHexString(signature)));
        Assert.False(Ed25519.Verify(Convert.FromHexString(publicKey), [.. bytes, 0], Convert.FromHexString(signature)));
    }

    [Fact]
    public void No_bit_of_a_signature_can_change()
    {
        var seed = new byte[Ed25519.SeedBytes];
        var publicKey = Ed25519.PublicKey(seed);
        byte[] message = [1, 2, 3];
        var signature = Ed25519.Sign(seed, message);
        for (var bit = 0; bit < 8 * signature.Length; bit++)
        {
            var altered = signature.ToArray();
            altered[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Ed25519.Verify(publicKey, message, altered));
        }
    }

    [Fact]
    public void Wrong_lengths_and_keys_that_are_no_point_are_false_and_a_wrong_seed_is_refused()
    {
        var seed = new byte[Ed25519.SeedBytes];
        var signature = Ed25519.Sign(seed, []);
        Assert.False(Ed25519.Verify(Ed25519.PublicKey(seed).AsSpan(1), [], signature));
        Assert.False(Ed25519.Verify(Ed25519.PublicKey(seed), [], signature.AsSpan(1)));
        Assert.False(Ed25519.Verify([2, .. new byte[31]], [], signature));
        Assert.Throws<ArgumentOutOfRangeException>(() => Ed25519.Sign(new byte[31], []));
    }
}
