// The tables of the journal, and in a folder beside them those of the cluster: numbered scripts in sql/, each run once, in
// order, in a transaction that also notes it. sql/schema.sql shows what the journal's come to.

using System.Reflection;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

internal static class SqlScripts
{
    private const string Prefix = "Bitcache.Sql.";
    /// <summary>Whoever makes tables holds this lock: servers that start together wait for one another.</summary>
    private const string Prepare =
        """
        SELECT pg_advisory_xact_lock(4776219701);
        CREATE SCHEMA IF NOT EXISTS bitcache;
        CREATE TABLE IF NOT EXISTS bitcache.scripts (name text PRIMARY KEY, run_at timestamptz NOT NULL DEFAULT now());
        """;

    /// <summary>Runs the journal's scripts that were not run on this database yet.</summary>
    /// <exception cref="JournalRefusedException">A newer version of this program has changed the tables.</exception>
    internal static void Run(NpgsqlConnection connection) => Run(connection, typeof(SqlScripts).Assembly);

    /// <summary>Runs the scripts in an assembly, all of one folder, that were not run on this database yet.</summary>
    /// <exception cref="JournalRefusedException">A newer version of this program has changed the tables.</exception>
    internal static void Run(NpgsqlConnection connection, Assembly assembly)
    {
        string[] names = [.. assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        var folder = FolderOf(names[0][Prefix.Length..]);
        using var transaction = connection.BeginTransaction();
        Execute(connection, Prepare);
        var done = new HashSet<string>(StringComparer.Ordinal);
        using (var command = new NpgsqlCommand("SELECT name FROM bitcache.scripts", connection))
        using (var rows = command.ExecuteReader())
        {
            while (rows.Read())
            {
                if (rows.GetString(0) is var name && FolderOf(name) == folder) done.Add(name);
            }
        }
        foreach (var name in names)
        {
            if (done.Remove(name[Prefix.Length..])) continue;
            Execute(connection, Text(assembly, name));
            using var note = new NpgsqlCommand("INSERT INTO bitcache.scripts (name) VALUES ($1)", connection) { Parameters = { new() { Value = name[Prefix.Length..] } } };
            note.ExecuteNonQuery();
        }
        if (done.Count > 0) throw new JournalRefusedException($"its tables were changed by a newer version of bitcache ({string.Join(", ", done.Order(StringComparer.Ordinal))}): start that version");
        transaction.Commit();
    }

    /// <summary>Empty for the journal's.</summary>
    private static string FolderOf(string script) => script[..(script.IndexOf('/', StringComparison.Ordinal) + 1)];

    private static string Text(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    private static void Execute(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // Our own scripts, which no user's input is part of.
        using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
