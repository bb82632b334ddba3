// What a move of a journal leaves behind at each of its steps, and beside others who work on the same database or folder: no
// acknowledged entry is lost, and no server opens a copy that is not the ledger's.

using System.Buffers.Binary;
using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Crashes;
using Bitcache.Tests.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class InterruptedMoveTests(PostgresFixture postgres) : IDisposable
{
    private const int Enough = 100;
    private readonly MovedLedger _ledger = new(postgres);

    public void Dispose() => _ledger.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_each_step_a_start_finds_one_journal_or_none_and_the_same_command_goes_on(bool signed)
    {
        var (state, files, database) = (await _ledger.BeginAsync(), _ledger.InFiles, _ledger.InDatabase());
        if (signed) _ledger.Sign(Enough);
        MovedLedger.Move(files, database);

        // Into the database: before its last step, and before the folder's other name.
        var (journal, aside) = (_ledger.PathOf("journal"), _ledger.PathOf("journal.moved"));
        var name = (await File.ReadAllTextAsync(Path.Combine(aside, "move"), ServerProcess.Cancel)).TrimEnd();
        MovedLedger.Ask(database, $"CREATE TABLE bitcache.move AS SELECT '{name}' AS name");
        await RefuseStartsAsync();
        Assert.Equal(state, MovedLedger.Move(files, database));
        Assert.Equal(state, MovedLedger.StateOf(database));
        name = (await File.ReadAllTextAsync(Path.Combine(aside, "move"), ServerProcess.Cancel)).TrimEnd();
        MovedLedger.Ask(database, $"CREATE TABLE bitcache.move AS SELECT '{name}' AS name");
        Directory.Move(aside, journal);
        Assert.IsType<SettingsException>(await MovedLedger.StartAsync(database));
        // A server elsewhere does not open the copy either.
        Assert.Contains("has not ended", (await MovedLedger.StartAsync(database with { DataFolder = _ledger.NewFolder() })).Message, StringComparison.Ordinal);
        Assert.Equal(state, MovedLedger.StateOf(files));
        Assert.Equal(state, MovedLedger.Move(files, database));

        // Into files: behind the schema's other name.
        MovedLedger.Move(database, files);
        var (staging, staged) = (_ledger.PathOf("moving"), _ledger.PathOf("moving/journal"));
        Directory.CreateDirectory(staging);
        Directory.Move(journal, staged);
        await RefuseStartsAsync();
        Assert.Null(MovedLedger.Ask(database, "SELECT to_regnamespace('bitcache')::text") as string);
        Assert.Equal(state, MovedLedger.Move(database, files));
        Assert.Equal(state, MovedLedger.StateOf(files));
        Assert.False(Directory.Exists(staging));
        // The same, and a server of before, or one elsewhere, has made an empty ledger in its place.
        Directory.CreateDirectory(staging);
        Directory.Move(journal, staged);
        JournalDatabase.Open(JournalStore.ToPostgres(database)).Dispose();
        await RefuseStartsAsync();
        Assert.Equal(state, MovedLedger.Move(database, files));
        Assert.Equal(state, MovedLedger.StateOf(files));

        async Task RefuseStartsAsync()
        {
            foreach (var settings in new[] { files, database })
            {
                var refusal = await MovedLedger.StartAsync(settings);
                Assert.True(refusal is SettingsException or JournalRefusedException, refusal.ToString());
            }
        }
    }

    /// <summary>PostgreSQL was restarted: the lock that keeps a second server out went with the connection that held it.</summary>
    [Theory]
    [InlineData("copied")]
    [InlineData("compared")]
    public async Task What_another_server_acknowledges_during_a_move_is_not_left_behind(string phase)
    {
        var (database, files) = (await MovedAsync(), _ledger.InFiles);
        Hash256? after = null;
        var refusal = Assert.Throws<JournalRefusedException>(() => MovedLedger.Move(database, files, (what, _, _) =>
        {
            if (what != phase || after is not null) return;
            MovedLedger.Ask(database, "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
            after = MovedLedger.AppendAsync(database).GetAwaiter().GetResult();
        }));
        Assert.Contains("another process has opened", refusal.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_ledger.PathOf("journal")));
        Assert.Equal(after, MovedLedger.StateOf(database));
        Assert.Equal(after, MovedLedger.Move(database, files));
    }

    /// <summary>From the schema's other name on: its owner has not noticed, or was asleep.</summary>
    [Fact]
    public async Task A_server_that_lost_its_place_acknowledges_nothing_after_a_move()
    {
        var database = await MovedAsync();
        await using var server = PostgresBook.Open(JournalStore.ToPostgres(database));
        MovedLedger.Ask(database, "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
        MovedLedger.Move(database, _ledger.InFiles);
        await Assert.ThrowsAnyAsync<Exception>(() => MovedLedger.CreateAsync(server.Partition));
        Assert.Single(server.Ends);
    }

    [Fact]
    public async Task A_database_that_lacks_its_last_rows_is_not_moved_and_does_not_replay()
    {
        var database = await MovedAsync();
        await MovedLedger.AppendAsync(database);
        MovedLedger.Ask(database, "DELETE FROM bitcache.batches WHERE first_sequence = (SELECT max(first_sequence) FROM bitcache.batches)");
        Assert.Throws<JournalCorruptException>(() => MovedLedger.StateOf(database));
        Assert.Throws<JournalCorruptException>(() => MovedLedger.Move(database, _ledger.InFiles));
    }

    [Fact]
    public async Task A_journal_that_ends_before_what_was_signed_for_is_not_moved()
    {
        await _ledger.BeginAsync();
        _ledger.Sign(1_000_000);
        Assert.Throws<HistoryMismatchException>(() => MovedLedger.Move(_ledger.InFiles, _ledger.InDatabase()));
        Assert.True(Directory.Exists(_ledger.PathOf("journal")));
    }

    [Fact]
    public async Task Where_entries_were_signed_for_a_start_makes_nothing_in_an_empty_database()
    {
        _ledger.Sign(Enough);
        var database = _ledger.InDatabase();
        Assert.IsType<HistoryMismatchException>(await MovedLedger.StartAsync(database));
        Assert.Null(MovedLedger.Ask(database, "SELECT to_regnamespace('bitcache')::text") as string);
    }

    /// <summary>A copy that was begun, and a database out of which some ledger was moved once.</summary>
    [Fact]
    public async Task An_old_copy_does_not_become_the_journal()
    {
        var database = await MovedAsync();
        Assert.Throws<OperationCanceledException>(() => MovedLedger.Move(database, _ledger.InFiles, Stop));
        // As right before the schema's other name.
        await File.WriteAllTextAsync(_ledger.PathOf("moving/journal/move"), new string('0', 32) + "\n", ServerProcess.Cancel);
        var state = await MovedLedger.AppendAsync(database);
        var other = _ledger.InDatabase();
        MovedLedger.Ask(other, $"CREATE SCHEMA bitcache_moved; CREATE TABLE bitcache_moved.move AS SELECT '{new string('1', 32)}' AS name");
        Assert.Contains("holds no ledger", MovedLedger.Refusal(other, _ledger.InFiles), StringComparison.Ordinal);
        Assert.Equal(state, MovedLedger.Move(database, _ledger.InFiles));
        Assert.Equal(state, MovedLedger.StateOf(_ledger.InFiles));
    }

    /// <summary>Salts are in the log alone: the state is the same without them.</summary>
    [Fact]
    public async Task A_copy_whose_records_are_others_is_refused_though_the_state_is_the_same()
    {
        var database = await MovedAsync();
        using (var source = JournalDatabase.Open(JournalStore.ToPostgres(database)))
        using (var copy = FileJournal.Open(new LinuxFileSystem(), _ledger.PathOf("moving"), JournalStore.ToFiles(_ledger.InFiles, 0), static _ => { }, NullLogger.Instance))
        {
            PostgresJournal.Read(source, 0, batch =>
            {
                var records = TestBatch.Split(batch.Payload).ToArray();
                var last = records[^1];
                last[14 + BinaryPrimitives.ReadUInt16BigEndian(last.AsSpan(12)) - 1] ^= 1;
                Assert.True(copy.TryReserve(batch.Payload.Length));
                copy.Append(TestBatch.Payload(records), batch.FirstSequence, batch.Sequences);
            });
            copy.Seal();
        }
        var refusal = MovedLedger.Refusal(database, _ledger.InFiles);
        Assert.Contains("another journal, or a damaged copy: delete", refusal, StringComparison.Ordinal);
        Directory.Delete(_ledger.PathOf("moving"), recursive: true);
        Assert.Equal(MovedLedger.StateOf(database), MovedLedger.Move(database, _ledger.InFiles));
    }

    [Fact]
    public async Task Who_may_not_rename_the_schema_learns_it_before_anything_is_copied()
    {
        var database = await MovedAsync();
        MovedLedger.Ask(database, "CREATE USER guest; GRANT ALL ON SCHEMA bitcache TO guest; GRANT ALL ON ALL TABLES IN SCHEMA bitcache TO guest");
        var guest = _ledger.InDatabase(JournalStore.ToPostgres(database).ConnectionString.Replace("Username=postgres", "Username=guest", StringComparison.Ordinal));
        // So far as this user comes at all: servers make their tables with the same right.
        MovedLedger.Ask(database, "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO guest', current_database()); END $$");
        var refusal = Assert.Throws<JournalRefusedException>(() => MovedLedger.Move(guest, _ledger.InFiles, static (_, _, _) => Assert.Fail("something was copied")));
        Assert.Contains("connect as its owner", refusal.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_ledger.PathOf("moving")));
    }

    [Fact]
    public async Task Where_the_connection_is_lost_the_same_command_goes_on()
    {
        var (state, files, database) = (await _ledger.BeginAsync(), _ledger.InFiles, _ledger.InDatabase());
        foreach (var (from, to) in new[] { (files, database), (database, files) })
        {
            foreach (var phase in new[] { "copied", "compared" })
            {
                var refusal = Assert.ThrowsAny<IOException>(() => MovedLedger.Move(from, to, (what, _, _) =>
                {
                    if (what == phase) MovedLedger.Ask(database, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
                }));
                Assert.True(refusal is JournalRefusedException, refusal.ToString());
            }
            Assert.Equal(state, MovedLedger.Move(from, to));
        }
    }

    [Fact]
    public async Task A_mount_point_is_refused_before_anything_is_copied()
    {
        Assert.True(Libc.IsMountPoint("/proc"));
        Assert.False(Libc.IsMountPoint(_ledger.NewFolder()));
        await _ledger.BeginAsync();
        var journal = _ledger.PathOf("journal");
        Assert.SkipUnless(Run("mount", "--bind", journal, journal), "this user may not mount");
        try
        {
            Assert.Contains("is a mount point", MovedLedger.Refusal(_ledger.InFiles, _ledger.InDatabase()), StringComparison.Ordinal);
        }
        finally
        {
            Assert.True(Run("umount", journal));
        }
    }

    private static void Stop(string what, int partition, long entries)
    {
        if (what == "compared") throw new OperationCanceledException();
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    /// <summary>A ledger that is in a database by now.</summary>
    private async Task<EngineSettings> MovedAsync()
    {
        await _ledger.BeginAsync();
        var database = _ledger.InDatabase();
        MovedLedger.Move(_ledger.InFiles, database);
        return database;
    }
}
