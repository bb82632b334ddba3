// The golden journal as it stands on a disk: segments, frames, seals. What recovers journals must recover this one
// for ever, into the state that its entries have.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Ledgers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

[Trait("suite", "core")]
public sealed class GoldenSegmentTests
{
    private const string Folder = "/data/journal/p0000";
    private const int RecordsInBatch = 5;
    private static readonly FileJournalSettings Settings = new() { SegmentBytes = 8 << 10 };

    [Fact]
    public void Segments_of_version_1_recover_to_the_state_of_their_entries()
    {
        var disk = SimDisk.FromImage(
            [new("/data", null), new("/data/journal", null), new(Folder, null), .. Files().Select(f => KeyValuePair.Create($"{Folder}/{Name(f)}", (byte[]?)File.ReadAllBytes(f)))]);
        var ledger = new Ledger(0);
        var scratch = new byte[Limits.RecordBytesMax];
        using var journal = FileJournal.Open(disk, "/data", Settings, batch => ledger.ReplayBatch(batch.Payload, scratch), NullLogger.Instance);
        Assert.Equal(0, journal.Recovery.TornBytes);
        Assert.True(journal.Recovery.Segments > 1);
        Assert.Equal(GoldenJournal.Read(1).Count - 1, journal.DurableSequence);
        Assert.Equal(GoldenJournal.ExpectedState, ledger.StateHash());
    }

    [Fact]
    public void The_same_batches_still_make_the_same_bytes()
    {
        var made = Make();
        // For a new version only, as Golden/README.md says. An existing file is never written to.
        if (Environment.GetEnvironmentVariable("BITCACHE_NEW_GOLDEN_SEGMENTS") is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
            foreach (var (path, bytes) in made)
            {
                using var file = new FileStream(Path.Combine(folder, Path.GetFileName(path) + ".golden"), FileMode.CreateNew);
                file.Write(bytes);
            }
        }
        Assert.Equal(Files().Select(Name), made.Select(m => Path.GetFileName(m.Key)));
        Assert.All(Files().Zip(made), pair => Assert.Equal(Convert.ToHexString(File.ReadAllBytes(pair.First)), Convert.ToHexString(pair.Second.Value)));
    }

    private static List<KeyValuePair<string, byte[]>> Make()
    {
        var disk = new SimDisk(1);
        disk.MakeDurableFolder("/data");
        using (var journal = FileJournal.Open(disk, "/data", Settings, _ => { }, NullLogger.Instance))
        {
            foreach (var batch in GoldenJournal.Read(1).Chunk(RecordsInBatch))
            {
                byte[] payload = [.. batch.SelectMany(r => r)];
                Assert.True(journal.TryReserve(payload.Length));
                journal.Append(payload, journal.DurableSequence + 1, batch.Length);
            }
            journal.Seal();
        }
        return [.. disk.Image().Where(f => f.Key.EndsWith(".segment", StringComparison.Ordinal)).Select(f => KeyValuePair.Create(f.Key, f.Value!))];
    }

    private static IEnumerable<string> Files() => Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Golden"), "*.segment.golden").Order();

    private static string Name(string file) => Path.GetFileNameWithoutExtension(file);
}
