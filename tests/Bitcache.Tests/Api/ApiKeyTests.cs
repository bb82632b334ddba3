using System.Text.RegularExpressions;
using Bitcache.Core.Bitcoin;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed partial class ApiKeyTests
{
    [Theory]
    [InlineData(BitcoinNetwork.Mainnet, "bck_live_")]
    [InlineData(BitcoinNetwork.Testnet, "bck_test_")]
    [InlineData(BitcoinNetwork.Signet, "bck_test_")]
    [InlineData(BitcoinNetwork.Regtest, "bck_test_")]
    public void A_key_says_where_it_is_good_and_is_never_made_twice(BitcoinNetwork network, string prefix)
    {
        var key = ApiKey.Create(network);
        Assert.StartsWith(prefix, key, StringComparison.Ordinal);
        Assert.Matches(Form(), key);
        Assert.True(ApiKey.IsWellFormed(key));
        Assert.NotEqual(key, ApiKey.Create(network));
    }

    [Fact]
    public void The_check_characters_are_those_of_CRC_32C_for_ever()
    {
        // CRC-32C of the first 39 characters is 0x3f47940f, which is this in base62; computed with another implementation.
        Assert.True(ApiKey.IsWellFormed("bck_test_00000000000000000000000000000019qb6t"));
    }

    [Fact]
    public void A_single_wrong_character_is_always_found()
    {
        var key = ApiKey.Create(BitcoinNetwork.Regtest);
        for (var place = 0; place < key.Length; place++)
        {
            foreach (var other in "0aZ_ é")
            {
                if (key[place] == other) continue;
                var wrong = string.Concat(key.AsSpan(0, place), [other], key.AsSpan(place + 1));
                Assert.False(ApiKey.IsWellFormed(wrong), wrong);
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("bck_test_")]
    public void What_is_cut_off_is_no_key(string text) => Assert.False(ApiKey.IsWellFormed(text));

    [GeneratedRegex("^bck_(live|test)_[0-9A-Za-z]{36}$")]
    private static partial Regex Form();
}
