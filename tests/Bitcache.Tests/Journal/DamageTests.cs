// Goal: no damage to the files of a journal goes unnoticed. Method: every cut and every flipped bit of a
// small one; a failure's seed is the cut or the bit, plus one.

using Bitcache.Engine.Journal;
using Bitcache.Tests.Simulation;
using Image = System.Collections.Generic.SortedDictionary<string, byte[]?>;

namespace Bitcache.Tests.Journal;

[Trait("suite", "faults")]
public sealed class DamageTests
{
    /// <summary>F2: each file cut at each offset.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_cut_file_gives_the_exact_prefix_or_is_refused(bool seal)
    {
        var image = SampleJournal.Write(3, seal);
        var segments = SampleJournal.Segments(image);
        Assert.Equal(3, segments.Count);
        foreach (var path in segments)
        {
            var bytes = image[path]!;
            var frames = SampleJournal.Frames(bytes);
            var last = path == segments[^1];
            Assert.Equal(!last, frames[^1].Header.IsClosing);
            Seeds.Run(bytes.Length + 1, seed =>
            {
                var cut = seed - 1;
                var opened = SampleJournal.Open(image.With(path, bytes[..cut]));
                if (cut < SegmentHeader.Bytes || (!last && cut < frames[^1].End())) Assert.NotNull(opened.Refusal);
                else RequirePrefix(opened, (int)frames[0].Header.FirstSequence + frames.Count(frame => !frame.Header.IsSeal && frame.End() <= cut), image, last);
            }, $"on {path}");
        }
    }

    private static void RequirePrefix(SampleJournal.Opened opened, int batches, Image image, bool last)
    {
        Assert.Null(opened.Refusal);
        if (!last) batches = SampleJournal.Open(image).Batches.Count;
        Assert.Equal(batches, opened.Batches.Count);
        RequireUnchanged(opened.Batches);
    }

    private static void RequireUnchanged(List<byte[]> batches)
    {
        for (var i = 0; i < batches.Count; i++) Assert.True(SampleJournal.Batch(i).AsSpan().SequenceEqual(batches[i]));
    }

    /// <summary>F3: each bit of each file.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_flipped_bit_is_refused_or_cuts_an_unsealed_end(bool seal)
    {
        var image = SampleJournal.Write(2, seal);
        var segments = SampleJournal.Segments(image);
        var whole = SampleJournal.Open(image).Batches.Count;
        foreach (var path in segments)
        {
            var bytes = image[path]!;
            var lastFrame = SampleJournal.Frames(bytes)[^1];
            Seeds.Run(8 * bytes.Length, seed =>
            {
                var bit = seed - 1;
                var flipped = (byte[])bytes.Clone();
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                var opened = SampleJournal.Open(image.With(path, flipped));
                if (path == segments[^1] && bit / 8 >= lastFrame.Offset)
                {
                    Assert.Null(opened.Refusal);
                    Assert.True(opened.Report!.TornBytes > 0);
                    Assert.Equal(bit / 8 < lastFrame.End() && !seal ? whole - 1 : whole, opened.Batches.Count);
                    RequireUnchanged(opened.Batches);
                }
                else
                {
                    Assert.NotNull(opened.Refusal);
                }
            }, $"on {path}");
        }
    }
}
