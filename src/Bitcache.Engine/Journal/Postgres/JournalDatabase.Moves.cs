// What a move of a ledger (JournalMigration.cs) does to a database. A schema in which a move has not ended, or which was moved
// away, has a table `move` with one row, the move's name: with it no server opens the schema. The folder of the journal on the
// other side has the same name in it; so whoever takes a move up again finds the two that belong together.

using System.Globalization;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

public sealed partial class JournalDatabase
{
    private const string MarkMove = "CREATE TABLE bitcache.move (name text NOT NULL)";
    private const string EndMove = "DROP TABLE bitcache.move";
    private const string AsideSchemas =
        "SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'move' AND n.nspname ~ '^bitcache_moved(_[0-9]+)?$'";

    /// <summary>Opens a database that is to become the copy of a journal: an empty one, or one in which such a move was begun.</summary>
    /// <param name="move">The move's name.</param>
    /// <exception cref="JournalRefusedException">As for <see cref="Open(PostgresSettings)"/>, or it holds a ledger.</exception>
    internal static JournalDatabase OpenCopy(PostgresSettings settings, out string move)
    {
        string? name = null;
        var opened = Open(settings, (database, connection) =>
        {
            name = MoveIn(connection, "bitcache");
            if (name is not null) return;
            if (HasEntries(connection)) throw new JournalRefusedException($"{database.Name} holds a ledger already: name an empty database");
            using var transaction = connection.BeginTransaction();
            name = NewMove();
            Mark(connection, name);
            transaction.Commit();
        });
        move = name!;
        return opened;
    }

    /// <summary>The name of the move into a database that has not ended; null if there is none.</summary>
    /// <exception cref="JournalRefusedException">It cannot be reached.</exception>
    internal static string? FindMove(PostgresSettings settings) => Look(settings, static database =>
    {
        using var connection = database.Connect();
        return MoveIn(connection, "bitcache");
    });

    /// <summary>32 hex digits that no other move has.</summary>
    internal static string NewMove() => Guid.NewGuid().ToString("N");

    /// <summary>Refuses while nothing is done yet what <see cref="PutAside"/> would fail at.</summary>
    internal void CheckMayPutAside()
    {
        using var connection = Connect();
        if (Ask(connection, "SELECT pg_has_role(nspowner, 'USAGE') AND has_database_privilege(current_database(), 'CREATE') FROM pg_namespace WHERE nspname = 'bitcache'") is not true)
            throw new JournalRefusedException($"this user may not give the schema bitcache of {Name} another name: connect as its owner, with the right CREATE on the database");
    }

    /// <summary>Gives the ledger's schema another name, under which no server looks for it, if nobody has opened its journals
    /// since they were copied. Whoever has one open writes nothing to it any more. What is in it stays.</summary>
    /// <param name="copied">The heads of all partitions, as they were when they were copied.</param>
    /// <returns>Where it is then, for people.</returns>
    internal string PutAside(string move, IReadOnlyList<JournalHead> copied)
    {
        using var connection = ConnectWriter();
        using var transaction = connection.BeginTransaction();
        RequireHeads(connection, copied);
        Ask(connection, "UPDATE bitcache.partitions SET writer_epoch = writer_epoch + 1");
        Mark(connection, move);
        var aside = RenameAside(connection);
        transaction.Commit();
        return $"the schema {aside} of {Name}";
    }

    /// <summary>Gives the schema that a move has put aside its name back.</summary>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="JournalRefusedException">The database cannot be reached, or a server works on it.</exception>
    internal static bool TakeBack(PostgresSettings settings, string move) => Look(settings, database =>
    {
        database.TakeHost();
        using var connection = database.ConnectWriter();
        if (HasEntries(connection)) throw new JournalRefusedException($"another ledger was begun in {database.Name} since this one was put aside");
        if (SchemasAside(connection).Find(schema => MoveIn(connection, schema) == move) is not { } aside) return false;
        using var transaction = connection.BeginTransaction();
        // Without an entry: a server that was started meanwhile made it.
        if (Ask(connection, "SELECT to_regnamespace('bitcache')::text") is string) RenameAside(connection);
        Ask(connection, $"ALTER SCHEMA {aside} RENAME TO bitcache");
        Ask(connection, EndMove);
        transaction.Commit();
        return true;
    });

    /// <summary>From here on servers open the copy.</summary>
    /// <param name="copied">The heads of all partitions, as they were when the copy was compared.</param>
    internal void EndCopy(IReadOnlyList<JournalHead> copied)
    {
        using var connection = ConnectWriter();
        using var transaction = connection.BeginTransaction();
        RequireHeads(connection, copied);
        Ask(connection, EndMove);
        transaction.Commit();
    }

    private void RequireNoMove(NpgsqlConnection connection)
    {
        if (MoveIn(connection, "bitcache") is not null)
            throw new JournalRefusedException($"a move of the journal in {Name} has not ended: give the same bitcache migrate again");
    }

    /// <summary>Keeps every append waiting until the transaction ends.</summary>
    private void RequireHeads(NpgsqlConnection connection, IReadOnlyList<JournalHead> copied)
    {
        var heads = new List<JournalHead>();
        using (var command = new NpgsqlCommand($"SELECT {JournalHead.Columns} FROM bitcache.partitions ORDER BY partition FOR UPDATE", connection))
        using (var rows = command.ExecuteReader())
        {
            while (rows.Read()) heads.Add(JournalHead.Read(rows));
        }
        if (!heads.SequenceEqual(copied))
            throw new JournalRefusedException($"another process has opened the journal in {Name} while it was moved: stop that one, and give the same command again");
    }

    private static void Mark(NpgsqlConnection connection, string move)
    {
        Ask(connection, MarkMove);
        using var command = new NpgsqlCommand("INSERT INTO bitcache.move (name) VALUES ($1)", connection) { Parameters = { new() { Value = move } } };
        command.ExecuteNonQuery();
    }

    private static string? MoveIn(NpgsqlConnection connection, string schema) =>
        Ask(connection, $"SELECT to_regclass('{schema}.move')::text") is string ? (string?)Ask(connection, $"SELECT name FROM {schema}.move") : null;

    private static List<string> SchemasAside(NpgsqlConnection connection)
    {
        var found = new List<string>();
        using var command = new NpgsqlCommand(AsideSchemas, connection);
        using var rows = command.ExecuteReader();
        while (rows.Read()) found.Add(rows.GetString(0));
        return found;
    }

    private static string RenameAside(NpgsqlConnection connection)
    {
        for (var number = 1; ; number++)
        {
            var name = number == 1 ? "bitcache_moved" : string.Create(CultureInfo.InvariantCulture, $"bitcache_moved_{number}");
            if (Ask(connection, $"SELECT to_regnamespace('{name}')::text") is string) continue;
            Ask(connection, $"ALTER SCHEMA bitcache RENAME TO {name}");
            return name;
        }
    }
}
