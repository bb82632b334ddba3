// The tables of Orleans in PostgreSQL: numbered scripts in sql/cluster, and the row that says which cluster the database
// belongs to.

using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Npgsql;

namespace Bitcache.Cluster;

/// <summary>The database is another cluster's, or of a newer version. Nothing was changed.</summary>
public sealed class ClusterRefusedException(string message) : Exception(message);

internal static class ClusterDatabase
{
    /// <summary>Makes what is missing, and takes the database for this cluster if it is nobody's yet.</summary>
    /// <exception cref="ClusterRefusedException">It is not for this cluster, or not for this version.</exception>
    /// <exception cref="NpgsqlException">It cannot be asked.</exception>
    public static async Task PrepareAsync(ClusterSettings settings, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(settings.Database);
        await using var connection = await source.OpenConnectionAsync(cancel);
        try
        {
            SqlScripts.Run(connection, typeof(ClusterDatabase).Assembly);
        }
        catch (JournalRefusedException e)
        {
            throw new ClusterRefusedException($"The cluster's database cannot be used: {e.Message}.");
        }
        await ClaimAsync(connection, settings, cancel);
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
}
