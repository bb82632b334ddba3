// What must be true of a database before a ledger is trusted to it, and whose it is.

using System.Text;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Npgsql;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class JournalDatabaseTests(PostgresFixture postgres)
{
    [Fact]
    public void Two_ledgers_and_two_clusters_refuse_each_others_database()
    {
        var settings = postgres.NewDatabase();
        JournalDatabase.Open(settings).Dispose();
        Refuses(settings with { Origin = "other.example/log" }, "'tests.example/log'", "'other.example/log'", "a database of its own");
        Refuses(settings with { Network = 0 }, "'3'", "network '0'");
        Refuses(settings with { Partitions = 64 }, "'1'", "partitions '64'");
        Refuses(settings with { Cluster = "north" }, "cluster ''", "cluster 'north'");

        var shared = postgres.NewDatabase() with { Cluster = "north" };
        using var one = JournalDatabase.Open(shared);
        using var another = JournalDatabase.Open(shared);
        Refuses(shared with { Cluster = "south" }, "'north'", "'south'");
        Refuses(shared with { Cluster = "" }, "'north'", "cluster ''");
    }

    [Fact]
    public void A_single_server_has_its_database_for_itself()
    {
        var settings = postgres.NewDatabase();
        using (JournalDatabase.Open(settings)) Refuses(settings with { HostPatience = TimeSpan.FromMilliseconds(100) }, "another bitcache server");
        JournalDatabase.Open(settings).Dispose();
    }

    /// <summary>As one does whose machine is gone, or stands still, while it puts a signed file in the place of the one before.</summary>
    [Fact]
    public async Task In_a_cluster_whoever_goes_quiet_in_a_transaction_does_not_keep_the_settlement_from_others_for_ever()
    {
        var shared = postgres.NewDatabase() with { Cluster = "north" };
        using var database = JournalDatabase.Open(shared);
        PostgresFiles.OfSettlement(database, 1);
        using var soon = JournalDatabase.Open(shared with { ConnectionString = shared.ConnectionString + ";Options=-c idle_in_transaction_session_timeout=500ms" });
        await using var quiet = soon.Connect();
        await using var transaction = await quiet.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using var take = new NpgsqlCommand("SELECT term FROM bitcache.settlement FOR SHARE", quiet);
        Assert.Equal(1L, await take.ExecuteScalarAsync(TestContext.Current.CancellationToken));

        // Waits for the row, which nobody gives back.
        PostgresFiles.OfSettlement(database, 2);

        using var other = database.Connect();
        foreach (var (setting, value) in ((string, string)[])[("idle_in_transaction_session_timeout", "10s"), ("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")])
        {
            await using var ask = new NpgsqlCommand("SELECT current_setting($1)", other) { Parameters = { new() { Value = setting } } };
            Assert.Equal(value, await ask.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        }
        Assert.Equal(2L, PostgresFixture.Ask(shared.ConnectionString, "SELECT term FROM bitcache.settlement"));
        // The one that was quiet is told when it wakes.
        var ended = await Assert.ThrowsAsync<PostgresException>(() => take.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        Assert.Equal("25P03", ended.SqlState);
    }

    [Theory]
    [InlineData("ALTER DATABASE {0} SET synchronous_commit = off", "synchronous_commit = off")]
    [InlineData("ALTER DATABASE {0} SET synchronous_commit = local", "synchronous_commit = local")]
    [InlineData("ALTER DATABASE {0} SET synchronous_commit = remote_write", "synchronous_commit = remote_write")]
    public void A_server_that_commits_before_it_is_durable_is_refused(string change, string problem)
    {
        var settings = postgres.NewDatabase();
        var name = new NpgsqlConnectionStringBuilder(settings.ConnectionString).Database!;
        PostgresFixture.Execute(settings.ConnectionString, change.Replace("{0}", name, StringComparison.Ordinal));
        Refuses(settings, problem, "set it to on");
        Assert.False((bool)PostgresFixture.Ask(settings.ConnectionString, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'bitcache')")!);
        JournalDatabase.Open(settings with { AllowsUnsafeServer = true }).Dispose();
    }

    [Theory]
    [InlineData("fsync")]
    [InlineData("full_page_writes")]
    public void A_server_that_loses_what_it_has_committed_is_refused(string setting)
    {
        var settings = postgres.NewDatabase();
        Set("off");
        try
        {
            Refuses(settings, $"{setting} = off", $"set {setting} = on");
            JournalDatabase.Open(settings with { AllowsUnsafeServer = true }).Dispose();
        }
        finally
        {
            Set("on");
        }
        JournalDatabase.Open(settings).Dispose();

        void Set(string value)
        {
            PostgresFixture.Execute(settings.ConnectionString, $"ALTER SYSTEM SET {setting} = {value}");
            PostgresFixture.Execute(settings.ConnectionString, "SELECT pg_reload_conf()");
            while (PostgresFixture.Ask(settings.ConnectionString, $"SHOW {setting}") is not string now || now != value) Thread.Yield();
        }
    }

    /// <summary>Whatever an administrator sets while a ledger is open, its commits are as durable as when it was opened.</summary>
    [Fact]
    public void What_a_commit_means_does_not_change_under_a_writer()
    {
        var settings = postgres.NewDatabase();
        using var database = JournalDatabase.Open(settings);
        using var writer = database.ConnectWriter();
        PostgresFixture.Execute(settings.ConnectionString, "ALTER SYSTEM SET synchronous_commit = off");
        try
        {
            PostgresFixture.Execute(settings.ConnectionString, "SELECT pg_reload_conf()");
            while (PostgresFixture.Ask(settings.ConnectionString, "SHOW synchronous_commit") is not "off") Thread.Yield();
            using var ask = new NpgsqlCommand("SHOW synchronous_commit", writer);
            Assert.Equal("on", ask.ExecuteScalar());
        }
        finally
        {
            PostgresFixture.Execute(settings.ConnectionString, "ALTER SYSTEM RESET synchronous_commit");
            PostgresFixture.Execute(settings.ConnectionString, "SELECT pg_reload_conf()");
            while (PostgresFixture.Ask(settings.ConnectionString, "SHOW synchronous_commit") is not "on") Thread.Yield();
        }
    }

    [Fact]
    public void A_server_that_is_not_there_and_a_connection_string_that_is_none_are_refused_in_words()
    {
        var settings = postgres.NewDatabase();
        var builder = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Port = 1, Timeout = 2 };
        Refuses(settings with { ConnectionString = builder.ConnectionString }, "127.0.0.1:1/");
        var refusal = Assert.Throws<JournalRefusedException>(() => JournalDatabase.Open(settings with { ConnectionString = "Pass=secret" }));
        Assert.DoesNotContain("secret", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tables_of_a_newer_version_are_refused()
    {
        var settings = postgres.NewDatabase();
        JournalDatabase.Open(settings).Dispose();
        PostgresFixture.Execute(settings.ConnectionString, "INSERT INTO bitcache.scripts (name) VALUES ('999_later.sql')");
        Refuses(settings, "999_later.sql", "newer version");
    }

    [Fact]
    public void The_archive_is_where_the_settings_say()
    {
        var settings = postgres.NewDatabase();
        JournalDatabase.Open(settings).Dispose();
        PostgresFixture.Execute(settings.ConnectionString + ";Options=-c allow_in_place_tablespaces=on", "CREATE TABLESPACE slow LOCATION ''");
        for (var opening = 0; opening < 2; opening++)
        {
            JournalDatabase.Open(settings with { ArchiveTablespace = "slow" }).Dispose();
            Assert.Equal(2L, PostgresFixture.Ask(settings.ConnectionString,
                "SELECT count(*) FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname = 'slow' AND c.relname LIKE 'archived_batches%'"));
        }
        Refuses(settings with { ArchiveTablespace = "no\"where" }, "does not exist");
    }

    /// <summary>sql/schema.sql is what the scripts come to: whoever reads it reads what is in the database.</summary>
    [Fact]
    public async Task The_schema_file_is_what_the_scripts_make()
    {
        var settings = postgres.NewDatabase();
        JournalDatabase.Open(settings).Dispose();
        var name = new NpgsqlConnectionStringBuilder(settings.ConnectionString).Database!;
        var dump = await postgres.Server.RunAsync("pg_dump", ["--schema-only", "--no-owner", "--no-privileges", "--schema=bitcache", name], TestContext.Current.CancellationToken);
        var made = Normalise(dump);
        var actual = Path.Combine(Path.GetTempPath(), "bitcache-schema.sql");
        await File.WriteAllTextAsync(actual, made, TestContext.Current.CancellationToken);
        var stated = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "schema.sql"), TestContext.Current.CancellationToken);
        // If the scripts were changed, the new file stands in the temporary folder.
        Assert.Equal(stated, made);
        File.Delete(actual);
    }

    /// <summary>Without what differs from version to version of pg_dump: comments, settings of the session, its own commands.</summary>
    private static string Normalise(string dump)
    {
        var text = new StringBuilder("-- What the scripts beside this file come to, as pg_dump tells it. Generated: a test compares it with a real database.\n");
        var wasEmpty = true;
        foreach (var line in dump.Split('\n'))
        {
            if (line.StartsWith("--", StringComparison.Ordinal) || line.StartsWith("SET ", StringComparison.Ordinal)
                || line.StartsWith("SELECT pg_catalog.set_config", StringComparison.Ordinal) || line.StartsWith('\\')) continue;
            if (line.Length == 0 && wasEmpty) continue;
            if (wasEmpty) text.Append('\n');
            wasEmpty = line.Length == 0;
            if (!wasEmpty) text.Append(line).Append('\n');
        }
        return text.ToString();
    }

    private static void Refuses(PostgresSettings settings, params string[] words)
    {
        var refusal = Assert.Throws<JournalRefusedException>(() => JournalDatabase.Open(settings));
        foreach (var word in words) Assert.Contains(word, refusal.Message, StringComparison.Ordinal);
    }
}
