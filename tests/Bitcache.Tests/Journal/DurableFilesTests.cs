// Goal: folders and small files that were made are there after a power loss, whole.
// Method: many seeds of the simulated disk, which loses any name that was not synced.

using Bitcache.Engine.Files;
using Bitcache.Tests.Api;

namespace Bitcache.Tests.Journal;

[Trait("suite", "faults")]
public sealed class DurableFilesTests
{
    private const int Seeds = 64;

    [Fact]
    public void A_folder_is_there_after_a_power_loss_with_those_around_it()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var disk = new SimDisk(seed);
            DurableFolder.Ensure(disk, "/srv/bitcache/data/");
            disk.PowerLoss();
            Assert.True(disk.FolderExists("/srv/bitcache/data"));
        }
    }

    [Fact]
    public void A_folder_that_an_earlier_process_made_and_did_not_sync_is_made_durable()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var disk = new SimDisk(seed);
            disk.CreateFolder("/data");
            disk.Restart();
            DurableFolder.Ensure(disk, "/data");
            disk.PowerLoss();
            Assert.True(disk.FolderExists("/data"));
        }
    }

    [Fact]
    public void A_file_is_the_old_one_or_the_new_one_wherever_the_machine_stops()
    {
        var (old, young) = (0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var disk = NewDisk(seed);
            disk.HaltAt = disk.Operations + 1 + (seed % 8);
            var returned = false;
            try
            {
                WholeFile.Write(disk, "/data", "mark", "new"u8);
                returned = true;
            }
            catch (MachineStoppedException)
            {
            }
            disk.PowerLoss();
            var text = System.Text.Encoding.ASCII.GetString(disk["/data/mark"]);
            Assert.True(text == "new" || (!returned && text == "old"), text);
            if (text == "old") old++;
            else young++;
        }
        Assert.True(old > 10 && young > 10, $"{old} old, {young} new");
    }

    [Fact]
    public void On_a_full_disk_a_file_stays_what_it_was_and_nothing_is_left_beside_it()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var disk = NewDisk(seed);
            disk.Full = true;
            Assert.Throws<NoSpaceException>(() => WholeFile.Write(disk, "/data", "mark", "much longer"u8));
            Assert.Equal("old"u8.ToArray(), disk["/data/mark"]);
            Assert.Equal(["mark"], disk.List("/data"));
        }
    }

    [Fact]
    public void Without_the_data_folder_s_lock_the_archive_s_is_let_go()
    {
        using var folder = new TemporaryFolder();
        var files = new LinuxFileSystem();
        var missing = Path.Combine(folder.Path, "missing");
        Assert.Throws<IOException>(() => DataFolderLock.Take(files, missing, folder.Path));
        using (DataFolderLock.Take(files, folder.Path))
        {
        }
        var data = Directory.CreateDirectory(missing).FullName;
        using (DataFolderLock.Take(files, data))
        {
            Assert.Throws<DataFolderInUseException>(() => DataFolderLock.Take(files, data, folder.Path));
        }
        DataFolderLock.Take(files, data, folder.Path).Dispose();
    }

    private static SimDisk NewDisk(int seed)
    {
        var disk = new SimDisk(seed);
        disk.MakeDurableFolder("/data");
        WholeFile.Write(disk, "/data", "mark", "old"u8);
        return disk;
    }
}
