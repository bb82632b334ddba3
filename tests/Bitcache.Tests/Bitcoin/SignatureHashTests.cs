using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

/// <summary>What signatures are over, by the examples of BIP-143 and BIP-341, and what is said of witnesses.</summary>
[Trait("suite", "core")]
public sealed class SignatureHashTests
{
    private static readonly OutPoint Coin = new(new Txid(new Hash256(1, 2)), 3);

    /// <summary>BIP-143, native P2WPKH: unsigned, and what its second input spends.</summary>
    [Fact]
    public void Of_a_single_key_of_version_0()
    {
        var transaction = Parse("0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000");
        var hashes = new SignatureHash(transaction,
        [
            Output(625_000_000, "2103c9f4836b9a4f77fc0d81f7bcb01b7f1b35916864b9476c241ce9fc198bd25432ac"),
            Output(600_000_000, "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1"),
        ]);
        Assert.Equal("c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670",
            hashes.OfVersion0(1, Convert.FromHexString("76a9141d0f172a0ecb48aee1be1f2687d2963ae33f71a188ac")).ToString());
        byte[][] witness =
        [
            Convert.FromHexString("304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee01"),
            Convert.FromHexString("025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357"),
        ];
        Assert.Equal(WitnessVerdict.Good, WitnessCheck.Check(hashes, 1, Convert.FromHexString("00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1"), witness));
    }

    /// <summary>BIP-143, P2SH-P2WSH with six keys: the first of them signs everything.</summary>
    [Fact]
    public void Of_a_multisignature_of_version_0()
    {
        var transaction = Parse("010000000136641869ca081e70f394c6948e8af409e18b619df2ed74aa106c1ca29787b96e0100000000ffffffff0200e9a435000000001976a914389ffce9cd9ae88dcc0631e88a821ffdbe9bfe2688acc0832f05000000001976a9147480a33f950689af511e6e84c138dbbd3c3ee41588ac00000000");
        var script = Convert.FromHexString("56210307b8ae49ac90a048e9b53357a2354b3334e9c8bee813ecb98e99a7e07e8c3ba32103b28f0c28bfab54554ae8c658ac5c3e0ce6e79ad336331f78c428dd43eea8449b21034b8113d703413d57761b8b9781957b8c0ac1dfe69f492580ca4195f50376ba4a21033400f6afecb833092a9a21cfdf1ed1376e58c5d1f47de74683123987e967a8f42103a6d48b1131e94ba04d9737d61acdaa1322008af9602b3b14862c07a1789aac162102d8b661b0b3302ee2f162b09e07a55ad5dfbe673a9f01d9f0c19617681024306b56ae");
        var hash = new SignatureHash(transaction, [Output(987_654_321, "a9149993a429037b5d912407a71c252019287b8d27a587")]).OfVersion0(0, script);
        Assert.Equal("185c0be5263dce5b4bb50a047973c1b6272bfbd0103a89444597dc40b248ee7c", hash.ToString());
        Assert.True(BitcoinSignature.VerifyEcdsa(
            Convert.FromHexString("0307b8ae49ac90a048e9b53357a2354b3334e9c8bee813ecb98e99a7e07e8c3ba3"), hash,
            Convert.FromHexString("304402206ac44d672dac41f9b00e28f4df20c52eeb087207e8d758d76d92c6fab3b73e2b0220367750dbbe19290069cba53d096f44530e4f98acaa594810388cf7409a1870ce")));
    }

    /// <summary>BIP-341, wallet-test-vectors.json, keyPathSpending: its inputs that sign everything, in both ways to say so, and two
    /// that sign less.</summary>
    [Theory]
    [InlineData(3, 1, "bf013ea93474aa67815b1b6cc441d23b64fa310911d991e713cd34c7f5d46669", "ff45f742a876139946a149ab4d9185574b98dc919d2eb6754f8abaa59d18b025637a3aa043b91817739554f4ed2026cf8022dbd83e351ce1fabc272841d2510a01", true)]
    [InlineData(4, 0, "4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef", "b4010dd48a617db09926f729e79c33ae0b4e94b79f04a1ae93ede6315eb3669de185a17d2b0ac9ee09fd4c64b678a0b61a0a86fa888a273c8511be83bfd6810f", true)]
    [InlineData(0, null, null, "ed7c1647cb97379e76892be0cacff57ec4a7102aa24296ca39af7541246d8ff14d38958d4cc1e2e478e4d4a764bbfd835b16d4e314b72937b29833060b87276c03", false)]
    [InlineData(8, null, null, "bbc9584a11074e83bc8c6759ec55401f0ae7b03ef290c3139814f545b58a9f8127258000874f44bc46db7646322107d4d86aec8e73b8719a61fff761d75b5dd981", false)]
    public void Of_a_taproot_key(int input, int? type, string? hash, string signature, bool isGood)
    {
        var transaction = Parse("02000000097de20cbff686da83a54981d2b9bab3586f4ca7e48f57f5b55963115f3b334e9c010000000000000000d7b7cab57b1393ace2d064f4d4a2cb8af6def61273e127517d44759b6dafdd990000000000fffffffff8e1f583384333689228c5d28eac13366be082dc57441760d957275419a418420000000000fffffffff0689180aa63b30cb162a73c6d2a38b7eeda2a83ece74310fda0843ad604853b0100000000feffffffaa5202bdf6d8ccd2ee0f0202afbbb7461d9264a25e5bfd3c5a52ee1239e0ba6c0000000000feffffff956149bdc66faa968eb2be2d2faa29718acbfe3941215893a2a3446d32acd050000000000000000000e664b9773b88c09c32cb70a2a3e4da0ced63b7ba3b22f848531bbb1d5d5f4c94010000000000000000e9aa6b8e6c9de67619e6a3924ae25696bb7b694bb677a632a74ef7eadfd4eabf0000000000ffffffffa778eb6a263dc090464cd125c466b5a99667720b1c110468831d058aa1b82af10100000000ffffffff0200ca9a3b000000001976a91406afd46bcdfd22ef94ac122aa11f241244a37ecc88ac807840cb0000000020ac9a87f5594be208f8532db38cff670c450ed2fea8fcdefcc9a663f78bab962b0065cd1d");
        TransactionOutput[] spent =
        [
            Output(420_000_000, "512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"),
            Output(462_000_000, "5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"),
            Output(294_000_000, "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"),
            Output(504_000_000, "5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e"),
            Output(630_000_000, "512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605"),
            Output(378_000_000, "00147dd65592d0ab2fe0d0257d571abf032cd9db93dc"),
            Output(672_000_000, "512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831"),
            Output(546_000_000, "5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5"),
            Output(588_000_000, "512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220"),
        ];
        var hashes = new SignatureHash(transaction, spent);
        if (type is { } known) Assert.Equal(hash, hashes.OfTaproot(input, (byte)known).ToString());
        Assert.Equal(isGood ? WitnessVerdict.Good : WitnessVerdict.Bad, WitnessCheck.Check(hashes, input, spent[input].Script, [Convert.FromHexString(signature)]));
    }

    /// <summary>Two of three keys: any two, in their order, and nothing else.</summary>
    [Theory]
    [InlineData("0 1", true)]
    [InlineData("0 2", true)]
    [InlineData("1 2", true)]
    [InlineData("1 0", false)]
    [InlineData("1 1", false)]
    [InlineData("0 3", false)]
    [InlineData("0", false)]
    [InlineData("0 1 2", false)]
    public void A_multisignature_is_good_with_as_many_keys_as_it_names_in_their_order(string signers, bool isGood)
    {
        var keys = Enumerable.Range(0, 4).Select(i => new SampleKey($"cosigner {i}")).ToArray();
        var script = SampleKey.Multisig(2, keys[0], keys[1], keys[2]);
        var hashes = Spend(SampleKey.ScriptHash(script));
        var signatures = signers.Split(' ').Select(i => (byte[])[.. keys[int.Parse(i)].SignEcdsa(hashes.OfVersion0(0, script)), 1]);
        Assert.Equal(isGood ? WitnessVerdict.Good : WitnessVerdict.Bad, Check(hashes, SampleKey.ScriptHash(script), [[], .. signatures, script]));
    }

    [Fact]
    public void A_witness_that_is_not_what_the_script_asks_for_is_bad()
    {
        var key = new SampleKey("it");
        var hashes = Spend(key.KeyHashScript);
        var hash = hashes.OfVersion0(0, [0x76, 0xa9, 20, .. Ripemd160.OfKey(key.Compressed), 0x88, 0xac]);
        byte[] signature = [.. key.SignEcdsa(hash), 1];
        Assert.Equal(WitnessVerdict.Good, Check(hashes, key.KeyHashScript, [signature, key.Compressed]));
        Assert.Equal(WitnessVerdict.Bad, Check(hashes, key.KeyHashScript, [signature]));
        Assert.Equal(WitnessVerdict.Bad, Check(hashes, key.KeyHashScript, []));
        // Another key with a good signature of its own, and other things to be over than all.
        Assert.Equal(WitnessVerdict.Bad, Check(hashes, key.KeyHashScript, [[.. new SampleKey("another").SignEcdsa(hash), 1], new SampleKey("another").Compressed]));
        foreach (var type in (byte[])[0, 2, 3, 0x81, 0x82, 0x83]) Assert.Equal(WitnessVerdict.Bad, Check(hashes, key.KeyHashScript, [[.. signature[..^1], type], key.Compressed]));
        hashes = Spend(key.TaprootScript);
        Assert.Equal(WitnessVerdict.Good, Check(hashes, key.TaprootScript, [key.SignSchnorr(hashes.OfTaproot(0, 0))]));
        Assert.Equal(WitnessVerdict.Good, Check(hashes, key.TaprootScript, [[.. key.SignSchnorr(hashes.OfTaproot(0, 1)), 1]]));
        // Zero is said by no byte.
        Assert.Equal(WitnessVerdict.Bad, Check(hashes, key.TaprootScript, [[.. key.SignSchnorr(hashes.OfTaproot(0, 0)), 0]]));
        Assert.Equal(WitnessVerdict.Bad, Check(hashes, key.TaprootScript, []));
        Assert.Equal(WitnessVerdict.Bad, Check(hashes, SampleKey.ScriptHash([0x51]), [[0x52]]));
    }

    [Fact]
    public void Scripts_that_only_a_node_checks_are_left_to_it()
    {
        byte[] single = [33, .. new SampleKey("it").Compressed, 0xac];
        Assert.Equal(WitnessVerdict.LeftToNode, Check(Spend(SampleKey.ScriptHash(single)), SampleKey.ScriptHash(single), [[1], single]));
        var taproot = new SampleKey("it").TaprootScript;
        Assert.Equal(WitnessVerdict.LeftToNode, Check(Spend(taproot), taproot, [[1], [0x51], [0xc0]]));
        foreach (var script in (string[])["76a914751e76e8199196d454941c45d1b3a323f1433bd688ac", "a9149993a429037b5d912407a71c252019287b8d27a587", "51024e73"])
            Assert.Equal(WitnessVerdict.LeftToNode, Check(Spend(ByteString.FromHex(script)), ByteString.FromHex(script), []));
    }

    private static WitnessVerdict Check(SignatureHash hashes, ByteString script, IReadOnlyList<byte[]> witness) => WitnessCheck.Check(hashes, 0, script.Span, witness);

    private static SignatureHash Spend(ByteString script) => new(
        Bitcache.Simulation.Bitcoin.FakeTransactions.Create([Coin], [new TransactionOutput(new Sats(90), [0x51])]), [new TransactionOutput(new Sats(100), script.Span.ToArray())]);

    private static BitcoinTransaction Parse(string hex) => BitcoinTransaction.TryParse(hex, out var transaction) ? transaction : throw new InvalidOperationException();

    private static TransactionOutput Output(long sats, string script) => new(new Sats(sats), Convert.FromHexString(script));
}
