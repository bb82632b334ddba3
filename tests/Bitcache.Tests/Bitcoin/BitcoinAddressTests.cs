using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

[Trait("suite", "core")]
public sealed class BitcoinAddressTests
{
    [Theory]
    [InlineData("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", BitcoinNetwork.Mainnet, "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac")]
    [InlineData("1111111111111111111114oLvT2", BitcoinNetwork.Mainnet, "76a914000000000000000000000000000000000000000088ac")]
    [InlineData("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", BitcoinNetwork.Mainnet, "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87")]
    [InlineData("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", BitcoinNetwork.Testnet, "76a914243f1394f44554f4ce3fd68649c19adc483ce92488ac")]
    [InlineData("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", BitcoinNetwork.Regtest, "76a914243f1394f44554f4ce3fd68649c19adc483ce92488ac")]
    [InlineData("2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc", BitcoinNetwork.Signet, "a9144e9f39ca4688ff102128ea4ccda34105324305b087")]
    [InlineData("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", BitcoinNetwork.Mainnet, "0014751e76e8199196d454941c45d1b3a323f1433bd6")]
    [InlineData("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", BitcoinNetwork.Testnet, "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262")]
    [InlineData("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", BitcoinNetwork.Signet, "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433")]
    [InlineData("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", BitcoinNetwork.Mainnet, "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")]
    public void Addresses_and_scripts_are_two_spellings_of_one_thing(string address, BitcoinNetwork network, string script)
    {
        Assert.True(BitcoinAddress.TryParse(address, network, out var read, out var refusal));
        Assert.Equal(AddressRefusal.None, refusal);
        Assert.Equal(script, Convert.ToHexStringLower(read));
        Assert.Equal(address, BitcoinAddress.FromScript(read, network));
    }

    [Fact]
    public void A_segwit_address_in_capitals_is_good_for_qr_codes()
    {
        Assert.True(BitcoinAddress.TryParse("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", BitcoinNetwork.Mainnet, out var script, out _));
        Assert.Equal("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", BitcoinAddress.FromScript(script, BitcoinNetwork.Mainnet));
    }

    [Theory]
    [InlineData("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", BitcoinNetwork.Regtest)]
    [InlineData("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", BitcoinNetwork.Testnet)]
    [InlineData("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", BitcoinNetwork.Mainnet)]
    [InlineData("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", BitcoinNetwork.Regtest)]
    [InlineData("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", BitcoinNetwork.Regtest)]
    [InlineData("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", BitcoinNetwork.Mainnet)]
    [InlineData("BC1SW50QGDZ25J", BitcoinNetwork.Signet)]
    public void An_address_of_another_network_is_named_as_such(string address, BitcoinNetwork network) =>
        Refused(address, network, AddressRefusal.OtherNetwork);

    /// <summary>Valid by BIP-350, but nobody has to sign to spend from them; the last is "pay to anchor".</summary>
    [Theory]
    [InlineData("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y")]
    [InlineData("BC1SW50QGDZ25J")]
    [InlineData("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs")]
    [InlineData("bc1pfeessrawgf")]
    public void A_witness_version_without_rules_is_named_as_such(string address) =>
        Refused(address, BitcoinNetwork.Mainnet, AddressRefusal.UnsupportedWitnessVersion);

    /// <summary>BIP-350's list of invalid addresses, and damaged or foreign base58.</summary>
    [Theory]
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
    [InlineData("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb")]
    [InlineData("11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")]
    [InlineData("111111111111111111114oLvT2")]
    [InlineData("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0")]
    [InlineData("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1")]
    [InlineData("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData(" 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")]
    [InlineData("")]
    public void A_typo_or_another_currency_is_malformed_on_every_network(string address)
    {
        foreach (var network in BitcoinNetworks.All) Refused(address, network, AddressRefusal.Malformed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("6a0100")]
    [InlineData("51024e73")]
    [InlineData("0013" + "00000000000000000000000000000000000000")]
    [InlineData("76a914000000000000000000000000000000000000000088ad")]
    public void A_script_without_an_address_has_none(string script) =>
        Assert.Null(BitcoinAddress.FromScript(Convert.FromHexString(script), BitcoinNetwork.Mainnet));

    [Fact]
    public void Networks_keep_their_numbers_and_bitcoind_s_names()
    {
        Assert.Equal([0, 1, 2, 3], BitcoinNetworks.All.Select(n => (int)n));
        Assert.Equal(["main", "test", "signet", "regtest"], BitcoinNetworks.All.Select(n => n.ChainName()));
        foreach (var network in BitcoinNetworks.All)
        {
            Assert.True(BitcoinNetworks.TryParse(network.ChainName(), out var read));
            Assert.Equal(network, read);
        }
        Assert.False(BitcoinNetworks.TryParse("testnet4", out _));
        Assert.False(BitcoinNetworks.TryParse("Main", out _));
    }

    private static void Refused(string address, BitcoinNetwork network, AddressRefusal expected)
    {
        Assert.False(BitcoinAddress.TryParse(address, network, out var script, out var refusal));
        Assert.Equal(expected, refusal);
        Assert.Empty(script);
    }
}
