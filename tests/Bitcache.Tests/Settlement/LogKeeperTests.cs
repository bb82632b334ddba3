using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>Where a start finds the log's hashes, whatever has become of their files: the same roots and proofs, and no more
/// of the journal read than it must be.</summary>
[Trait("suite", "faults")]
public sealed class LogKeeperTests(LogKeeperTests.Signed signed) : IClassFixture<LogKeeperTests.Signed>
{
    /// <summary>Enough for three levels of tiles.</summary>
    private const int Payments = 66_300;
    /// <summary>The newest tile, and what there is of the one after it.</summary>
    private const int ReadAlways = 2 * MerkleLog.TileWidth;

    /// <summary>A ledger of which everything is signed, and what then stands in its log's folder.</summary>
    public sealed class Signed : IAsyncLifetime
    {
        internal LogBook Book { get; private set; } = null!;
        internal SortedDictionary<string, byte[]?> Image { get; private set; } = [];
        internal long Size { get; private set; }

        public async ValueTask InitializeAsync()
        {
            Book = await LogBook.CreateAsync(Payments);
            var disk = LogBook.NewDisk();
            await Book.SignAsync(disk);
            // The cut is an entry as well, but it does not ask for the next one.
            (Image, Size) = (disk.Image(), Book.Entries - 1);
        }

        public ValueTask DisposeAsync() => Book.DisposeAsync();
    }

    private static string Level(int level) => $"{LogBook.Folder}/level-0{level}";

    /// <summary>Starts on a disk with this folder. Returns how many records were read of the journal until the log was signed
    /// again; then it is checked.</summary>
    private async Task<long> StartAsync(SimDisk disk)
    {
        var before = signed.Book.Journal.RecordsRead;
        using var keeper = signed.Book.Keeper(disk);
        await keeper.ResumeAsync();
        var read = signed.Book.Journal.RecordsRead - before;
        signed.Book.Check(keeper);
        return read;
    }

    [Fact]
    public async Task A_start_reads_the_newest_tile_and_what_is_new()
    {
        Assert.InRange(await StartAsync(SimDisk.FromImage(signed.Image)), 1, ReadAlways);

        await using var book = await LogBook.CreateAsync(5_000);
        var disk = LogBook.NewDisk();
        await book.SignAsync(disk);
        await book.PayAsync(1_000);
        var before = book.Journal.RecordsRead;
        using var keeper = book.Keeper(disk);
        await keeper.ResumeAsync();
        await keeper.AdvanceAsync();
        Assert.InRange(book.Journal.RecordsRead - before, 1_000, 1_010 + ReadAlways);
        book.Check(keeper);
    }

    [Fact]
    public async Task A_first_start_that_is_given_up_ends_soon_and_the_next_one_makes_the_same_log()
    {
        var (disk, before) = (LogBook.NewDisk(), signed.Book.Journal.RecordsRead);
        using (var keeper = signed.Book.Keeper(disk))
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeper.OpenAsync(new CancellationToken(canceled: true)));
        Assert.InRange(signed.Book.Journal.RecordsRead - before, 1, Payments / 8);
        Assert.InRange(await StartAsync(disk), Payments / 2, long.MaxValue);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 255)]
    [InlineData(0, 33_000)]
    [InlineData(0, 65_535)]
    [InlineData(0, 65_536)]
    [InlineData(1, 0)]
    [InlineData(1, 128)]
    [InlineData(1, 255)]
    public async Task A_hash_that_is_damaged_inside_costs_nothing_at_the_start_and_is_mended_when_it_is_wanted(int level, int index)
    {
        var disk = Damaged(level, bytes => bytes[(index * Hash256.Bytes) + 7] ^= 0x10);
        Assert.InRange(await StartAsync(disk), 1, ReadAlways);
        Assert.Equal(signed.Image[Level(level)], disk[Level(level)]);
    }

    [Theory]
    [InlineData(0, 66_303, ReadAlways)]
    [InlineData(1, 256, 8 * ReadAlways)]
    [InlineData(1, 258, 8 * ReadAlways)]
    [InlineData(2, 0, 2 * Payments)]
    public async Task A_hash_that_is_damaged_among_the_newest_is_made_again_from_the_journal(int level, int index, int readMax)
    {
        var disk = Damaged(level, bytes => bytes[(index * Hash256.Bytes) + 31] ^= 0x01);
        Assert.InRange(await StartAsync(disk), 1, readMax);
        Assert.Equal(signed.Image[Level(level)], disk[Level(level)]);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(0, 32 * 40_000)]
    [InlineData(0, (32 * 66_000) + 5)]
    [InlineData(1, 0)]
    [InlineData(1, (32 * 258) - 1)]
    [InlineData(2, 0)]
    [InlineData(2, 31)]
    public async Task A_file_that_is_cut_short_grows_again(int level, int length)
    {
        var disk = SimDisk.FromImage(signed.Image.Select(f => f.Key == Level(level) ? new(f.Key, f.Value![..length]) : f));
        await StartAsync(disk);
        Assert.Equal(signed.Image[Level(level)], disk[Level(level)]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_file_that_is_gone_or_holds_zeros_is_made_again(int level)
    {
        var gone = SimDisk.FromImage(signed.Image.Where(f => f.Key != Level(level)));
        await StartAsync(gone);
        Assert.Equal(signed.Image[Level(level)], gone[Level(level)]);
        var zeros = Damaged(level, bytes => bytes.AsSpan().Clear());
        await StartAsync(zeros);
        Assert.Equal(signed.Image[Level(level)], zeros[Level(level)]);
    }

    [Fact]
    public async Task A_folder_that_is_gone_or_another_ledgers_is_made_again()
    {
        await StartAsync(LogBook.NewDisk());

        await using var other = await LogBook.CreateAsync(70_000);
        var foreign = LogBook.NewDisk();
        await other.SignAsync(foreign);
        await StartAsync(foreign);
        foreach (var level in (int[])[0, 1, 2])
        {
            // What is left of the larger log lies behind this one's end.
            var right = signed.Image[Level(level)]!;
            Assert.Equal(right, foreign[Level(level)][..right.Length]);
        }
    }

    [Fact]
    public async Task An_old_folder_beside_a_newer_journal_costs_what_is_new_in_the_journal()
    {
        await using var book = await LogBook.CreateAsync(20_000);
        var disk = LogBook.NewDisk();
        await book.SignAsync(disk);
        var old = disk.Image();
        await book.PayAsync(3_000);
        await book.SignAsync(disk);

        var before = book.Journal.RecordsRead;
        using var keeper = book.Keeper(SimDisk.FromImage(old));
        await keeper.ResumeAsync();
        // Stepping back finds the end of the old hashes at the third step.
        Assert.InRange(book.Journal.RecordsRead - before, 3_000, 20_000);
        book.Check(keeper);
    }

    [Fact]
    public async Task A_folder_ahead_of_what_was_signed_or_of_the_journal_is_followed_only_where_it_is_right()
    {
        await using var book = await LogBook.CreateAsync(5_000);
        var disk = LogBook.NewDisk();
        await book.SignAsync(disk);
        var (signedBefore, entriesBefore) = (book.LastSigned, book.Entries);
        await book.PayAsync(3_000);
        await book.SignAsync(disk);
        var ahead = disk.Image();

        // The process ended between the hashes and the mark.
        book.LastSigned = signedBefore;
        await book.SignAsync(SimDisk.FromImage(ahead));

        // Journal and keys are an older copy, and time goes on differently from there.
        book.LastSigned = signedBefore;
        await using var older = book.CopyAt(entriesBefore);
        await older.PayAsync(4_000);
        await older.SignAsync(SimDisk.FromImage(ahead));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(4_000)]
    public async Task A_journal_with_another_history_is_refused_though_the_log_is_whole(int entriesBack)
    {
        await using var book = await LogBook.CreateAsync(5_000);
        var disk = LogBook.NewDisk();
        await book.SignAsync(disk);
        var was = book.LastSigned;
        await using var other = book.CopyAt(book.Entries - entriesBack);
        await other.PayAsync(entriesBack + 100);
        using var keeper = other.Keeper(disk);
        await Assert.ThrowsAsync<HistoryMismatchException>(keeper.ResumeAsync);
        Assert.Empty(keeper.Checkpoint);
        Assert.Equal(was, other.LastSigned);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_that_stops_at_any_write_leaves_nothing_that_is_believed_wrongly(bool losesPower)
    {
        await using var book = await LogBook.CreateAsync(700);
        var stops = 0;
        for (var seed = 1; seed <= 60; seed++)
        {
            var disk = LogBook.NewDisk(seed);
            disk.HaltAt = 1 + (seed % 20);
            try
            {
                for (var round = 0; round < 4; round++)
                {
                    await book.PayAsync(40 * (round + 1));
                    await book.SignAsync(disk);
                }
            }
            catch (MachineStoppedException)
            {
                stops++;
            }
            if (losesPower) disk.PowerLoss();
            else disk.Restart();
            await book.SignAsync(disk);
            await book.PayAsync(1);
            await book.SignAsync(disk);
        }
        Assert.InRange(stops, 20, 60);
    }

    [Fact]
    public async Task After_a_failed_write_there_are_no_proofs_until_the_next_turn_has_opened_the_log_again()
    {
        await using var book = await LogBook.CreateAsync(1_000);
        var disk = LogBook.NewDisk();
        using var keeper = book.Keeper(disk);
        Assert.Null(keeper.FindPath(0, 1));
        await keeper.ResumeAsync();
        await keeper.AdvanceAsync();
        var size = keeper.CheckpointSize;
        Assert.NotNull(keeper.FindPath(0, size));

        await book.PayAsync(500);
        disk.ShortWriteAt = disk.Operations + 1;
        await Assert.ThrowsAsync<IOException>(keeper.AdvanceAsync);
        Assert.Equal(size, keeper.CheckpointSize);
        Assert.Null(keeper.FindPath(0, size));
        Assert.Null(keeper.FindProof(0));

        await keeper.AdvanceAsync();
        Assert.True(keeper.CheckpointSize > size);
        book.Check(keeper);
    }

    [Fact]
    public async Task A_proof_whose_hashes_cannot_be_mended_now_waits_for_the_next_turn()
    {
        var disk = Damaged(0, bytes => bytes[4_000] ^= 1);
        using var keeper = signed.Book.Keeper(disk);
        await keeper.ResumeAsync();
        var size = keeper.CheckpointSize;
        disk.ShortWriteAt = disk.Operations + 1;
        Assert.Null(keeper.FindPath(125, size));
        Assert.Null(keeper.FindPath(60_000, size));
        await keeper.AdvanceAsync();
        signed.Book.Check(keeper);
    }

    private SimDisk Damaged(int level, Action<byte[]> damage) => SimDisk.FromImage(signed.Image.Select(file =>
    {
        if (file.Key != Level(level)) return file;
        var bytes = file.Value!.ToArray();
        damage(bytes);
        return new(file.Key, bytes);
    }));
}
