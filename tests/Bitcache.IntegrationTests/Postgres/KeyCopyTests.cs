// The list of API keys as a silo's requests see it: what they are told comes from memory, and is never old.

using Bitcache.Engine.Journal.Postgres;
using Bitcache.Server.Keys;
using Bitcache.Tests.Api;
using Npgsql;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class KeyCopyTests(PostgresFixture postgres)
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_change_comes_to_a_copy_and_a_database_that_does_not_answer_keeps_nobody_waiting()
    {
        var settings = postgres.NewDatabase() with { Cluster = "north" };
        using var database = JournalDatabase.Open(settings);
        var table = new KeyTable(database);
        table.Change(_ => "one"u8.ToArray());
        await using var copy = KeyCopy.Start(table, _time);
        Assert.Equal("one"u8, copy.Read()!);

        table.Change(_ => "two"u8.ToArray());
        await UntilAsync(() => copy.Read().AsSpan().SequenceEqual("two"u8));

        await using (var blocker = new NpgsqlConnection(settings.ConnectionString))
        {
            await blocker.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var hold = new NpgsqlCommand("LOCK TABLE bitcache.documents IN ACCESS EXCLUSIVE MODE", blocker, transaction);
            await hold.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            // Whoever read the table itself would wait now, as the copy's own reader does.
            await UntilAsync(() => PostgresFixture.Ask(settings.ConnectionString, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") is 1L);
            _time.Advance(KeyCopy.AgeMax - TimeSpan.FromMilliseconds(1));
            Assert.Equal("two"u8, copy.Read()!);
            // A key may have been revoked since.
            _time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.Throws<KeyFileException>(copy.Read);
        }

        await UntilAsync(() => CanRead(copy));
        Assert.Equal("two"u8, copy.Read()!);
        copy.Change(old => [.. old!, .. "!"u8]);
        Assert.Equal("two!"u8, table.Read()!);
    }

    [Fact]
    public async Task A_copy_begins_with_what_there_is_and_not_without_a_database()
    {
        var database = JournalDatabase.Open(postgres.NewDatabase() with { Cluster = "north" });
        await using (var copy = KeyCopy.Start(new KeyTable(database), _time)) Assert.Null(copy.Read());
        PostgresFixture.Execute(postgres.Server.ConnectionString(), $"DROP DATABASE {database.Name.Split('/')[1]} WITH (FORCE)");
        Assert.Throws<KeyFileException>(() => KeyCopy.Start(new KeyTable(database), _time));
        database.Dispose();
    }

    private static bool CanRead(KeyCopy copy)
    {
        try
        {
            copy.Read();
            return true;
        }
        catch (KeyFileException)
        {
            return false;
        }
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!isSo()) await Task.Delay(10, late.Token);
    }
}
