using Bitcache.Core;

namespace Bitcache.Tests.Entries;

[Trait("suite", "core")]
public sealed class PlainTextTests
{
    [Theory]
    [InlineData("", true)]
    [InlineData("Lied 7 \u266a", true)]
    [InlineData("\u05e9\u05dc\u05d5\u05dd", true)]
    [InlineData("\U0001F3B5", true)]
    [InlineData("a\tb", false)]
    [InlineData("a\u009bb", false)]
    [InlineData("a\u202eb", false)]
    [InlineData("a\u2066b", false)]
    [InlineData("a\u200bb", false)]
    [InlineData("a\ufeffb", false)]
    [InlineData("a\u2028b", false)]
    [InlineData("a\u2029b", false)]
    [InlineData("a\U000E0001b", false)]
    public void Text_is_plain_if_all_of_it_is_seen(string text, bool isPlain)
    {
        Assert.Equal(isPlain, PlainText.IsPlain(text));
        Assert.Equal(isPlain ? text : "a\ufffdb", PlainText.Of(text));
    }
}
