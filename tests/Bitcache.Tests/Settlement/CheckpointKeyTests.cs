using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Api;
using Bitcache.Tests.Partitions;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Settlement;

/// <summary>The checkpoint key changes: whatever ends in between, a start has the key that the ledger names, no size gets a
/// second root, and whoever follows the log learns of a key before it signs.</summary>
[Trait("suite", "core")]
public sealed class CheckpointKeyTests
{
    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    /// <summary>Each checkpoint is signed by the key that the entries under it name, and by no other.</summary>
    private static void CheckSigner(LogBook book, string note)
    {
        var rotations = new List<(long Sequence, RotateKey Command)>();
        book.Journal.ReadRecords(0, book.Entries, record =>
        {
            if (Entry.Read(record) is { Command: RotateKey command } entry) rotations.Add((entry.Sequence, command));
        });
        var size = long.Parse(note.Split('\n')[1], System.Globalization.CultureInfo.InvariantCulture);
        var keys = rotations.Where(rotation => rotation.Sequence < size).Select(rotation => rotation.Command.NewKey).Prepend(rotations.FirstOrDefault().Command?.OldKey ?? new ByteString(book.Verifier.PublicKey));
        var signer = VerifierKey.FromPublicKey(BegunLedger.Origin, keys.Last().Span);
        Assert.True(Checkpoint.TryVerify(note, signer, out _, out var refusal), refusal);
    }

    [Fact]
    public void Keys_on_a_disk_are_their_owners_alone()
    {
        using var folder = new TemporaryFolder();
        var files = new LinuxFileSystem();
        Assert.NotNull(CheckpointKey.Open(files, folder.Path, BegunLedger.Origin, mayCreate: true, []));
        Assert.NotNull(LiabilityKey.Open(files, folder.Path, mayCreate: true));
        var written = Directory.GetFiles(folder.Path);
        Assert.Equal(2, written.Length);
        Assert.All(written, path => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path)));
    }

    [Fact]
    public async Task A_rotation_is_an_entry_and_the_next_checkpoint_covers_it()
    {
        await using var book = await LogBook.CreateAsync(20);
        using var keeper = book.Keeper(LogBook.NewDisk());
        await keeper.ResumeAsync();
        await keeper.AdvanceAsync();
        var (first, before) = (keeper.Verifier, keeper.Checkpoint);
        CheckSigner(book, before);

        var id = NewId();
        var answer = await keeper.RotateKeyAsync(id);
        Assert.Equal((Outcome.Accepted, EntryType.KeyRotated), (answer.Outcome, answer.Entry!.Type));
        Assert.NotEqual(first.ToString(), keeper.Verifier.ToString());
        Assert.True(keeper.CheckpointSize > answer.Entry.Sequence);
        await book.ReadRotationsAsync();
        book.Check(keeper);
        CheckSigner(book, keeper.Checkpoint);
        Assert.True(KeyRotation.TryFollow(keeper.KeyRotations, first, out var keys, out var refusal), refusal);
        Assert.Equal(keeper.Verifier.ToString(), keys[^1].ToString());

        // A retry gives the first answer, and draws no key that counts.
        var again = await keeper.RotateKeyAsync(id);
        Assert.Equal((true, answer.Entry.Sequence, keys[^1].ToString()), (again.IsRetry, again.Entry!.Sequence, keeper.Verifier.ToString()));
        for (var round = 0; round < 3; round++)
        {
            await book.PayAsync(5);
            await keeper.RotateKeyAsync(NewId());
            CheckSigner(book, keeper.Checkpoint);
        }
        await book.ReadRotationsAsync();
        Assert.Equal((4, first.ToString()), (book.Rotations.Count, book.OpenKey(new LinuxFileSystem()).First.ToString()));
        book.Check(keeper);
    }

    [Fact]
    public async Task A_rotation_that_ends_anywhere_leaves_a_start_with_the_right_key()
    {
        await using var book = await LogBook.CreateAsync(20);
        var disk = LogBook.NewDisk();
        await book.SignAsync(disk);
        var ended = 0;
        for (var at = 1; ; at++)
        {
            var (changes, done) = (0, false);
            var files = new HookedFiles(new LinuxFileSystem());
            files.Changed = () =>
            {
                if (++changes == at) throw new MachineStoppedException();
            };
            using (var keeper = book.Keeper(disk, book.OpenKey(files)))
            {
                await keeper.ResumeAsync();
                try
                {
                    await keeper.RotateKeyAsync(NewId());
                    done = true;
                }
                catch (MachineStoppedException)
                {
                    ended++;
                }
            }
            await book.ReadRotationsAsync();
            using var next = book.Keeper(disk);
            await next.ResumeAsync();
            CheckSigner(book, next.Checkpoint);
            await next.AdvanceAsync();
            CheckSigner(book, next.Checkpoint);
            book.Check(next);
            if (done) break;
        }
        // Before the next key has its name, before the entry, and in the change of names.
        Assert.InRange(ended, 4, 10);
        Assert.InRange(book.Rotations.Count, 2, ended);
    }

    [Fact]
    public async Task A_key_that_the_ledger_does_not_name_is_refused()
    {
        await using var book = await LogBook.CreateAsync(5);
        var (file, next) = (Path.Combine(book.KeysPath, "checkpoint.key"), Path.Combine(book.KeysPath, "checkpoint.key.next"));
        var old = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        using (var keeper = book.Keeper(LogBook.NewDisk()))
        {
            await keeper.ResumeAsync();
            await keeper.RotateKeyAsync(NewId());
        }
        await book.ReadRotationsAsync();
        // A backup of before the rotation is the wrong key now, also beside one that was drawn and never named.
        var named = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(file, old, TestContext.Current.CancellationToken);
        Assert.Contains("is not the checkpoint key that this ledger has now", Refusal(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(next, new string('7', 64) + "\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(next, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Contains("is not the checkpoint key that this ledger has now", Refusal(), StringComparison.Ordinal);
        await File.WriteAllBytesAsync(file, named, TestContext.Current.CancellationToken);
        Assert.Equal(book.Rotations[^1].New.ToString(), book.OpenKey(new LinuxFileSystem()).Verifier.ToString());

        string Refusal() => Assert.Single(Assert.Throws<SettingsException>(() => book.OpenKey(new LinuxFileSystem())).Problems);
    }
}
