// Goal: a disk that writes to the wrong place, keeps old bytes or loses them, and a hand that mixes up files, are noticed.
// Method: the image of a sealed journal of several segments, one thing wrong in it for each seed.

using Bitcache.Engine.Journal;
using Bitcache.Tests.Simulation;
using Image = System.Collections.Generic.SortedDictionary<string, byte[]?>;

namespace Bitcache.Tests.Journal;

/// <summary>F4, on the journal: its snapshots have tests of their own.</summary>
[Trait("suite", "faults")]
public sealed class MisplacedSectorTests
{
    private const int SectorBytes = 512;
    private const int PageBytes = 4_096;
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 200_000 : 5_000;

    private readonly Image _image = SampleJournal.Write(4, seal: true);

    [Fact]
    public void A_misdirected_a_stale_and_a_lost_sector_are_refused()
    {
        var paths = SampleJournal.Segments(_image);
        var whole = SampleJournal.Open(_image).Batches;
        var refused = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            var random = new Random(seed);
            var size = random.Next(2) == 0 ? SectorBytes : PageBytes;
            var path = paths[random.Next(paths.Count)];
            var bytes = (byte[])_image[path]!.Clone();
            var at = size * random.Next(bytes.Length / size);
            var hit = bytes.AsSpan(at, size);
            var before = hit.ToArray();
            switch (random.Next(3))
            {
                case 0:
                    // Another sector's bytes were written here.
                    var source = _image[paths[random.Next(paths.Count)]]!;
                    source.AsSpan(size * random.Next(source.Length / size), size).CopyTo(hit);
                    break;
                case 1:
                    // What was written last never arrived: a frame ends, and then there are zeros as before it was written.
                    hit[(size / 2)..].Clear();
                    break;
                default:
                    hit.Clear();
                    break;
            }
            if (hit.SequenceEqual(before)) return;
            var opened = SampleJournal.Open(_image.With(path, bytes));
            if (opened.Refusal is not null)
            {
                Interlocked.Increment(ref refused);
                return;
            }
            // The one place where no journal can tell by itself: the sector that holds its last frames. What was durable
            // there the server knows from what it has signed, and refuses to start (CrashTests).
            Assert.Equal(paths[^1], path);
            var intact = SampleJournal.Frames(_image[path]!).Count(f => !f.Header.IsSeal && f.End() <= at);
            var first = (int)SampleJournal.Frames(_image[path]!)[0].Header.FirstSequence;
            var kept = opened.Batches.Count;
            Assert.InRange(kept, first + intact, whole.Count);
            for (var i = 0; i < kept; i++) Assert.Equal(whole[i], opened.Batches[i]);
        });
        if (Seeds.Only is null) Assert.InRange(refused, SeedsInAll / 4, SeedsInAll);
    }

    [Fact]
    public void A_swapped_a_duplicated_and_a_missing_segment_are_refused()
    {
        var paths = SampleJournal.Segments(_image);
        foreach (var a in paths)
        {
            if (a != paths[^1]) Assert.NotNull(SampleJournal.Open(_image.With(a, null)).Refusal);
            foreach (var b in paths.Where(b => b != a))
            {
                Assert.NotNull(SampleJournal.Open(_image.With(a, _image[b]).With(b, _image[a])).Refusal);
                Assert.NotNull(SampleJournal.Open(_image.With(a, _image[b])).Refusal);
            }
            var doubled = SampleJournal.PathOf(SegmentHeader.FileName(90_000));
            Assert.NotNull(SampleJournal.Open(_image.With(doubled, _image[a])).Refusal);
        }
        // The last one gone: the one before it is closed, and so there must be another.
        Assert.NotNull(SampleJournal.Open(_image.With(paths[^1], null)).Refusal);
    }
}
