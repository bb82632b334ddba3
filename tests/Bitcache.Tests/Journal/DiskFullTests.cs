// Goal: a full disk stops writes and nothing else, and there is no loss when it was full in the middle.
// Method: the disk fills at each operation of a workload in turn, and is emptied again; a write is cut short at each; and
// the same on a real file system of 16 MiB.

using System.Diagnostics;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Api;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

/// <summary>F8.</summary>
[Trait("suite", "faults")]
public sealed class DiskFullTests
{
    private const int Batches = 40;

    [Fact]
    public void A_disk_that_fills_at_any_operation_refuses_writes_reads_on_and_recovers()
    {
        var (refusals, operations) = (0, Run(long.MaxValue, ref _ignored));
        for (var at = 1L; at <= operations; at++) Run(at, ref refusals);
        Assert.True(operations > 60 && refusals > 60, $"{operations} operations, {refusals} refusals");
    }

    private static int _ignored;

    /// <summary>Appends while the disk is full from an operation on, for a few batches. Returns the operations.</summary>
    private static long Run(long fullAt, ref int refusals)
    {
        var disk = new SimDisk(1);
        disk.MakeDurableFolder(SampleJournal.DataFolder);
        var (next, full) = (0, 0);
        using (var journal = SampleJournal.Journal(disk))
        {
            while (next < Batches)
            {
                disk.Full = disk.Operations >= fullAt && full < 5;
                if (disk.Full) full++;
                var payload = SampleJournal.Batch(next);
                if (journal.TryReserve(payload.Length)) journal.Append(payload, next++, 1);
                else refusals++;
                Assert.True(next == 0 || journal.TryReadRecord(next - 1, out _));
            }
        }
        disk.PowerLoss();
        Assert.Equal(Batches, SampleJournal.Open(disk).Batches.Count);
        return disk.Operations;
    }

    [Fact]
    public void A_write_cut_short_stops_the_journal_and_loses_nothing_acknowledged()
    {
        var failures = 0;
        for (var at = 1L; at <= 400; at++)
        {
            var disk = new SimDisk((int)at);
            disk.MakeDurableFolder(SampleJournal.DataFolder);
            disk.ShortWriteAt = at;
            var acknowledged = 0;
            try
            {
                using var journal = SampleJournal.Journal(disk);
                for (; acknowledged < 3 * Batches; acknowledged++) SampleJournal.Append(journal, acknowledged);
            }
            catch (JournalFailedException)
            {
                failures++;
            }
            if (at % 2 == 0) disk.PowerLoss();
            else disk.Restart();
            var opened = SampleJournal.Open(disk);
            Assert.Null(opened.Refusal);
            Assert.InRange(opened.Batches.Count, acknowledged, acknowledged + 1);
        }
        Assert.True(failures > 100, $"{failures} writes were cut short");
    }

    [Fact]
    public void A_segment_in_reserve_that_cannot_be_filled_is_given_up_and_harms_nothing()
    {
        for (var seed = 1; seed <= 4; seed++)
        {
            var disk = new SimDisk(seed);
            disk.MakeDurableFolder(SampleJournal.DataFolder);
            using (var reserve = new SegmentReserve(disk, SampleJournal.DataFolder, 4 << 20))
            {
                // After the file was made and its space taken.
                disk.ShortWriteAt = disk.Operations + 3;
                reserve.Prepare();
                Assert.Null(reserve.Failure);
                Assert.False(reserve.TryTake(out _, out _));
                Assert.Empty(disk.List(SampleJournal.DataFolder));
                reserve.Prepare();
                Assert.True(reserve.TryTake(out _, out var file));
                file.Dispose();
            }
        }
    }

    /// <summary>A file system in memory, as every Linux has it; mounting one needs root.</summary>
    [Fact]
    public async Task A_real_file_system_of_16_MiB_fills_and_goes_on_when_there_is_room()
    {
        using var folder = new TemporaryFolder();
        Assert.SkipUnless(await RunAsync("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder.Path) == 0, "Mounting a small file system needs root.");
        try
        {
            Fill(folder.Path);
        }
        finally
        {
            Assert.Equal(0, await RunAsync("umount", folder.Path));
        }
    }

    private static void Fill(string folder)
    {
        var settings = new FileJournalSettings { SegmentBytes = 1 << 20 };
        var ballast = Path.Combine(folder, "ballast");
        File.WriteAllBytes(ballast, new byte[8 << 20]);
        var files = new LinuxFileSystem();
        var next = 0;
        using (var journal = FileJournal.Open(files, folder, settings, _ => { }, NullLogger.Instance))
        {
            next = AppendUntilFull(journal, next);
            Assert.InRange(next, 20, 200);
            for (var sequence = 0; sequence < next; sequence++) Assert.True(journal.TryReadRecord(sequence, out _));
            Assert.False(journal.TryReserve(Record(next).Length));
            File.Delete(ballast);
            var more = AppendUntilFull(journal, next);
            Assert.InRange(more, next + 20, 400);
            next = more;
        }
        var there = 0;
        using var again = FileJournal.Open(files, folder, settings, batch =>
        {
            Assert.True(batch.Payload.SequenceEqual(Record(there)));
            there++;
        }, NullLogger.Instance);
        Assert.Equal(next, there);
    }

    private static int AppendUntilFull(FileJournal journal, int next)
    {
        for (; journal.TryReserve(Record(next).Length); next++) journal.Append(Record(next), next, 1);
        return next;
    }

    private static byte[] Record(int number) => TestBatch.Record(100_000 + number, 1, number);

    private static async Task<int> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardError = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode;
    }
}
