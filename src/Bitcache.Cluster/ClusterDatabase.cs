// The tables of Orleans in PostgreSQL: numbered scripts in sql/cluster, each run once, and the row that says which cluster
// the database belongs to.

using System.Reflection;
using Npgsql;

namespace Bitcache.Cluster;

/// <summary>The database is another cluster's, or of a newer version. Nothing was changed.</summary>
public sealed class ClusterRefusedException(string message) : Exception(message);

internal static class ClusterDatabase
{
    private const string Prefix = "Bitcache.Sql.Cluster.";
    /// <summary>Whoever makes tables holds this lock: silos that start together wait for one another.</summary>
    private const string Prepare =
        """
        SELECT pg_advisory_xact_lock(4776219702);
        CREATE TABLE IF NOT EXISTS public.bitcache_cluster_scripts (name text PRIMARY KEY, run_at timestamptz NOT NULL DEFAULT now());
        """;

    /// <summary>Makes what is missing, and takes the database for this cluster if it is nobody's yet.</summary>
    /// <exception cref="ClusterRefusedException">It is not for this cluster, or not for this version.</exception>
    /// <exception cref="NpgsqlException">It cannot be asked.</exception>
    public static async Task PrepareAsync(ClusterSettings settings, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(settings.Database);
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await ExecuteAsync(connection, Prepare, cancel);
        await RunScriptsAsync(connection, cancel);
        await ClaimAsync(connection, settings, cancel);
        await transaction.CommitAsync(cancel);
    }

    private static async Task RunScriptsAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        var done = new HashSet<string>(StringComparer.Ordinal);
        await using (var command = new NpgsqlCommand("SELECT name FROM public.bitcache_cluster_scripts", connection))
        await using (var rows = await command.ExecuteReaderAsync(cancel))
        {
            while (await rows.ReadAsync(cancel)) done.Add(rows.GetString(0));
        }
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            var name = resource[Prefix.Length..];
            if (done.Remove(name)) continue;
            using var text = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            await ExecuteAsync(connection, await text.ReadToEndAsync(cancel), cancel);
            await using var note = new NpgsqlCommand("INSERT INTO public.bitcache_cluster_scripts (name) VALUES ($1)", connection) { Parameters = { new() { Value = name } } };
            await note.ExecuteNonQueryAsync(cancel);
        }
        if (done.Count > 0) throw new ClusterRefusedException($"The cluster's tables were changed by a newer version of bitcache ({string.Join(", ", done.Order(StringComparer.Ordinal))}): start that version.");
    }

    private static async Task ClaimAsync(NpgsqlConnection connection, ClusterSettings settings, CancellationToken cancel)
    {
        await using (var claim = new NpgsqlCommand("INSERT INTO orleans.cluster (name, partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING", connection)
        {
            Parameters = { new() { Value = settings.Name }, new() { Value = settings.Partitions } },
        })
        {
            await claim.ExecuteNonQueryAsync(cancel);
        }
        await using var read = new NpgsqlCommand("SELECT name, partitions FROM orleans.cluster", connection);
        await using var row = await read.ExecuteReaderAsync(cancel);
        await row.ReadAsync(cancel);
        var (name, partitions) = (row.GetString(0), row.GetInt32(1));
        if (name != settings.Name)
            throw new ClusterRefusedException($"The database belongs to the cluster '{name}', the settings say cluster '{settings.Name}': two clusters never share one.");
        if (partitions != settings.Partitions)
            throw new ClusterRefusedException($"The cluster '{name}' has {partitions} partitions for ever, the settings say partitions {settings.Partitions}.");
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
#pragma warning disable CA2100 // Our own scripts, which no user's input is part of.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancel);
    }
}
