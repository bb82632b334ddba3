using System.Buffers;
using System.Text;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class LineReaderTests
{
    [Theory]
    [InlineData("a\nbc\n\nd", new[] { "a", "bc", "", "d" })]
    [InlineData("a\n", new[] { "a" })]
    [InlineData("\n", new[] { "" })]
    [InlineData("", new string[0])]
    public void Lines_are_the_same_in_whatever_pieces_they_come(string text, string[] expected)
    {
        for (var piece = 1; piece <= text.Length + 1; piece++) Assert.Equal(expected, Read(text, piece));
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(Limits.RequestBodyBytesMax)]
    [InlineData(Limits.RequestBodyBytesMax + 1)]
    [InlineData(1 << 20)]
    public void Of_a_line_that_is_too_long_the_beginning_is_taken_and_the_rest_passed_over(int piece)
    {
        var longest = new string('x', Limits.RequestBodyBytesMax);
        foreach (var tooLong in new[] { longest + "y", longest + longest + longest + "y" })
        {
            foreach (var end in new[] { "", "\n", "\nz", "\nz\n" })
            {
                var lines = Read(longest + "\n" + tooLong + end, piece);
                Assert.Equal(end.Length < 2 ? 2 : 3, lines.Count);
                Assert.Equal(longest, lines[0]);
                Assert.True(lines[1].Length > Limits.RequestBodyBytesMax);
                if (end.Length >= 2) Assert.Equal("z", lines[2]);
            }
        }
    }

    /// <summary>Gives a reader what is there so far, as a pipe does.</summary>
    private static List<string> Read(string text, int piece)
    {
        var (all, reader, lines) = (Encoding.ASCII.GetBytes(text), new LineReader(), new List<string>());
        var taken = 0;
        for (var there = 0; ; there = Math.Min(there + piece, all.Length))
        {
            var bytes = new ReadOnlySequence<byte>(all, taken, there - taken);
            while (reader.TryTake(ref bytes, there == all.Length, out var line)) lines.Add(Encoding.ASCII.GetString(line.ToArray()));
            taken = there - (int)bytes.Length;
            if (there == all.Length) return lines;
        }
    }
}
