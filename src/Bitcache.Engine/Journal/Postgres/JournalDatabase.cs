// The database that holds a ledger's journal: what must be true of the server before a byte is trusted to it, and whose
// ledger is in it.

using System.Data;
using System.Globalization;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>One ledger's database, open. Shared by the journals of its partitions, which are disposed of before it.</summary>
public sealed partial class JournalDatabase : IDisposable
{
    /// <summary>Held by a single server as long as it runs. It makes a second one say what is wrong; what keeps two from writing
    /// is the writer epoch.</summary>
    private const string TakeHostLock = "SELECT pg_advisory_lock(4776219702)";
    /// <summary>A machine that is gone is noticed within seconds, and its locks with it.</summary>
    private const string WatchClient = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";
    /// <summary>The same for every connection of a cluster, and of one that stands still in the middle of a transaction: others wait
    /// for its locks. No transaction of ours waits for anything but the database.</summary>
    private const string ClusterOptions =
        "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c idle_in_transaction_session_timeout=10s";
    /// <summary>Every query of ours finds its rows by the primary key, in its order; what the planner believes of a table that
    /// has just grown is not asked.</summary>
    private const string PlannerOptions = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off -c jit=off -c plan_cache_mode=force_generic_plan";
    private const int BufferBytes = 256 << 10;

    private readonly NpgsqlDataSource _source;
    private NpgsqlConnection? _hostLock;

    private JournalDatabase(PostgresSettings settings, NpgsqlDataSource source, string name) => (Settings, _source, Name) = (settings, source, name);

    public PostgresSettings Settings { get; }

    /// <summary>Where it is, for messages: host, port and database.</summary>
    public string Name { get; }

    /// <summary>Opens the database, makes the tables that are missing, and makes it this ledger's if it is nobody's yet.</summary>
    /// <exception cref="JournalRefusedException">It cannot be reached, is another ledger's, is being moved, or the server would
    /// lose what it has committed.</exception>
    public static JournalDatabase Open(PostgresSettings settings) => Open(settings, static (database, connection) => database.RequireNoMove(connection));

    /// <param name="admit">Called once nobody else has it, to refuse it or to make it what the caller needs.</param>
    private static JournalDatabase Open(PostgresSettings settings, Action<JournalDatabase, NpgsqlConnection> admit)
    {
        var (source, name) = Connect(settings);
        var database = new JournalDatabase(settings, source, name);
        try
        {
            using var connection = database.Connect();
            database.CheckServer(connection);
            SqlScripts.Run(connection);
            if (settings.Cluster.Length == 0) database.TakeHost();
            database.Claim(connection);
            admit(database, connection);
            database.PlaceArchive(connection);
            return database;
        }
        catch (NpgsqlException e)
        {
            database.Dispose();
            throw Said(name, e);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Whether a database holds entries of a ledger, whosever it is. Nothing is made there.</summary>
    /// <exception cref="JournalRefusedException">It cannot be reached.</exception>
    internal static bool HasLedger(PostgresSettings settings) => Look(settings, static database =>
    {
        using var connection = database.Connect();
        return HasEntries(connection);
    });

    private static bool HasEntries(NpgsqlConnection connection) =>
        Ask(connection, "SELECT to_regclass('bitcache.partitions')::text") is string
        && Ask(connection, "SELECT EXISTS (SELECT FROM bitcache.partitions WHERE next_sequence > 0)") is true;

    /// <summary>A connection from the pool.</summary>
    internal NpgsqlConnection Connect() => PostgresFailure.Retry(_source.OpenConnection);

    /// <summary>A connection to write on: what a commit means there is settled for as long as it lives, whatever is set in the
    /// server meanwhile.</summary>
    internal NpgsqlConnection ConnectWriter()
    {
        var connection = Connect();
        try
        {
            var commits = CheckCommits(connection);
            using var command = new NpgsqlCommand("SELECT set_config('synchronous_commit', $1, false)", connection) { Parameters = { new() { Value = commits } } };
            command.ExecuteScalar();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _hostLock?.Dispose();
        _source.Dispose();
    }

    /// <summary>Looks at a database without opening it for a ledger.</summary>
    private static T Look<T>(PostgresSettings settings, Func<JournalDatabase, T> look)
    {
        var (source, name) = Connect(settings);
        using var database = new JournalDatabase(settings, source, name);
        try
        {
            return look(database);
        }
        catch (NpgsqlException e)
        {
            throw Said(name, e);
        }
    }

    private static JournalRefusedException Said(string name, NpgsqlException e) => new($"{name} says: {e.Message}", e);

    private static object? Ask(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // Our own statements and names.
        using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }

    private static (NpgsqlDataSource Source, string Name) Connect(PostgresSettings settings)
    {
        NpgsqlConnectionStringBuilder builder;
        try
        {
            builder = new NpgsqlConnectionStringBuilder(settings.ConnectionString);
        }
        catch (ArgumentException e)
        {
            // What it says may hold the password.
            throw new JournalRefusedException("the connection string is not one that Npgsql understands: Host=…;Username=…;Password=…;Database=…", e);
        }
        // Of an option that is there twice the last one counts: the operator may choose other times, and not another planner.
        builder.Options = $"{(settings.Cluster.Length == 0 ? "" : ClusterOptions)} {builder.Options} {PlannerOptions}".Trim();
        builder.NoResetOnClose = true;
        builder.Enlist = false;
        builder.ApplicationName ??= "bitcache";
        builder.MaxAutoPrepare = 32;
        builder.AutoPrepareMinUsages = 2;
        builder.ReadBufferSize = Math.Max(builder.ReadBufferSize, BufferBytes);
        builder.WriteBufferSize = Math.Max(builder.WriteBufferSize, BufferBytes);
        return (NpgsqlDataSource.Create(builder), $"{builder.Host}:{builder.Port}/{builder.Database ?? builder.Username}");
    }

    /// <summary>A server that loses a commit when the power fails makes every promise of ours a lie.</summary>
    private void CheckServer(NpgsqlConnection connection)
    {
        CheckCommits(connection);
        foreach (var setting in (string[])["fsync", "full_page_writes"])
        {
            if (!Settings.AllowsUnsafeServer && Show(connection, setting) != "on")
                throw new JournalRefusedException($"{Name} runs with {setting} = off, and would lose what it has committed when the power fails: set {setting} = on in postgresql.conf");
        }
        if (Show(connection, "server_encoding") is var encoding && encoding != "UTF8")
            throw new JournalRefusedException($"the encoding of {Name} is {encoding}: make a database with ENCODING 'UTF8'");
    }

    private string CheckCommits(NpgsqlConnection connection)
    {
        var commits = Show(connection, "synchronous_commit");
        return Settings.AllowsUnsafeServer || commits is "on" or "remote_apply"
            ? commits
            : throw new JournalRefusedException($"{Name} commits with synchronous_commit = {commits}, before it is durable everywhere: set it to on or remote_apply for this database and this user");
    }

    private static string Show(NpgsqlConnection connection, string setting)
    {
        using var command = new NpgsqlCommand("SELECT current_setting($1)", connection) { Parameters = { new() { Value = setting } } };
        return (string)command.ExecuteScalar()!;
    }

    /// <summary>Waits a little: a connection of a process that has just ended may still be there.</summary>
    private void TakeHost()
    {
        _hostLock = Connect();
        using var watch = new NpgsqlCommand(WatchClient, _hostLock);
        watch.ExecuteNonQuery();
        using var patience = new NpgsqlCommand("SELECT set_config('lock_timeout', $1, false)", _hostLock)
        {
            Parameters = { new() { Value = string.Create(CultureInfo.InvariantCulture, $"{Settings.HostPatience.TotalMilliseconds:0}ms") } },
        };
        patience.ExecuteScalar();
        using var command = new NpgsqlCommand(TakeHostLock, _hostLock) { CommandTimeout = 0 };
        try
        {
            command.ExecuteNonQuery();
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            throw new JournalRefusedException($"another bitcache server works on {Name}: stop that one first", e);
        }
    }

    private void Claim(NpgsqlConnection connection)
    {
        using (var claim = new NpgsqlCommand(
            "INSERT INTO bitcache.ledger (origin, network, partitions, cluster) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", connection)
        {
            Parameters = { new() { Value = Settings.Origin }, new() { Value = (short)Settings.Network }, new() { Value = Settings.Partitions }, new() { Value = Settings.Cluster } },
        })
        {
            claim.ExecuteNonQuery();
        }
        using var command = new NpgsqlCommand("SELECT origin, network, partitions, cluster FROM bitcache.ledger", connection);
        using var row = command.ExecuteReader(CommandBehavior.SingleRow);
        row.Read();
        Require(row.GetString(0), Settings.Origin, "the ledger", "origin");
        Require(row.GetInt16(1), (short)Settings.Network, "a ledger on the network with number", "network");
        Require(row.GetInt32(2), Settings.Partitions, "a ledger whose number of partitions is", "partitions");
        Require(row.GetString(3), Settings.Cluster, "the ledger of the cluster", "cluster");
    }

    /// <summary>Puts the archive's table where the settings say. What is in it moves with it, which takes its time.</summary>
    private void PlaceArchive(NpgsqlConnection connection)
    {
        if (Settings.ArchiveTablespace is not { } wanted) return;
        const string Where =
            """
            SELECT coalesce(t.spcname, ''), format('ALTER TABLE bitcache.archived_batches SET TABLESPACE %1$I; ALTER INDEX bitcache.archived_batches_pkey SET TABLESPACE %1$I', $1)
            FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE c.oid = 'bitcache.archived_batches'::regclass
            """;
        string move;
        using (var command = new NpgsqlCommand(Where, connection) { Parameters = { new() { Value = wanted } } })
        using (var row = command.ExecuteReader(CommandBehavior.SingleRow))
        {
            row.Read();
            if (row.GetString(0) == wanted) return;
            move = row.GetString(1);
        }
#pragma warning disable CA2100 // The server quoted the name.
        using var alter = new NpgsqlCommand(move, connection) { CommandTimeout = 0 };
#pragma warning restore CA2100
        alter.ExecuteNonQuery();
    }

    private void Require<T>(T there, T wanted, string what, string setting)
    {
        if (!EqualityComparer<T>.Default.Equals(there, wanted))
            throw new JournalRefusedException($"{Name} holds {what} '{there}', and the settings say {setting} '{wanted}': give each ledger a database of its own");
    }
}
