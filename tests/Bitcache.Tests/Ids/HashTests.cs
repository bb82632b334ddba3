using Bitcache.Core;

namespace Bitcache.Tests.Ids;

[Trait("suite", "core")]
public sealed class HashTests
{
    // The genesis block of bitcoin, as it is shown and as it is hashed.
    private const string Shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    private const string Hashed = "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000";

    [Fact]
    public void Bitcoins_hashes_are_shown_backwards()
    {
        Assert.True(BlockHash.TryParse(Shown, out var block));
        Assert.Equal(Hashed, block.Hash.ToString());
        Assert.Equal(Shown, block.ToString());
        Assert.True(Txid.TryParse(Shown, out var txid));
        Assert.Equal(Shown + ":7", new OutPoint(txid, 7).ToString());
        Assert.True(Hash256.TryParse(Hashed.ToUpperInvariant(), out var hash));
        Assert.Equal(block.Hash, hash);
        Assert.Equal(hash, Hash256.Read(hash.ToArray()));
        Assert.Equal(hash, hash.Reversed().Reversed());
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("g00000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")]
    [InlineData("0x0000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")]
    [InlineData("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f00")]
    [InlineData("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26")]
    public void Anything_but_64_hex_digits_is_refused(string text)
    {
        Assert.False(Hash256.TryParse(text, out _));
        Assert.False(Txid.TryParse(text, out _));
        Assert.False(BlockHash.TryParse(text, out _));
    }
}
