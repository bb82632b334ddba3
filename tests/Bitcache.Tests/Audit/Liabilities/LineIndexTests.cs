using System.Text;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

[Trait("suite", "core")]
public sealed class LineIndexTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(LineIndex.LinesOfPart - 1)]
    [InlineData(LineIndex.LinesOfPart)]
    [InlineData((5 * LineIndex.LinesOfPart) + 3)]
    public void What_is_kept_finds_the_lines_that_were_written(int lines)
    {
        var text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, lines).Select(i => $"line {i}\n")));
        var index = new LineIndex();
        foreach (var piece in text.Chunk(97)) index.Add(piece);
        Assert.True(LineIndex.TryRead(index.ToArray(), out var read));
        Assert.Equal(lines, read.Lines);
        for (var line = 0; line < lines; line += 7)
        {
            var (offset, before) = read.Find(line);
            Assert.Equal($"line {line - before}", Encoding.ASCII.GetString(text.AsSpan((int)offset)).Split('\n')[0]);
        }
    }

    [Fact]
    public void Nothing_else_is_read()
    {
        var index = new LineIndex();
        for (var i = 0; i < 1_000; i++) index.Add("ab\n"u8);
        var good = index.ToArray();
        Assert.False(LineIndex.TryRead(good.AsSpan(8), out _));
        Assert.False(LineIndex.TryRead(good.AsSpan(0, good.Length - 1), out _));
        Assert.False(LineIndex.TryRead([], out _));
        for (var at = 0; at < good.Length; at += 8)
        {
            var bad = good.ToArray();
            bad[at] |= 0x80;
            Assert.False(LineIndex.TryRead(bad, out _), $"number {at / 8} is below zero");
        }
    }
}
