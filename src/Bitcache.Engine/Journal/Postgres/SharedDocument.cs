using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>A small file that all silos of a cluster share, and that is replaced as a whole.</summary>
/// <param name="name">Of one document, for ever.</param>
public sealed class SharedDocument(JournalDatabase database, string name)
{
    /// <summary>Whoever changes a document holds this lock, also before there is one.</summary>
    private const string Lock = "SELECT pg_advisory_xact_lock(4776219703)";
    /// <summary>Servers do not go by what they read before for longer than that either.</summary>
    private const int PatienceSeconds = 5;

    /// <summary>Where it is, for messages.</summary>
    public string Name => $"{name} in {database.Name}";

    /// <summary>The bytes; null if there are none.</summary>
    /// <exception cref="IOException">The database cannot be asked now.</exception>
    public byte[]? Read() => Run(Read);

    /// <summary>Replaces the bytes. Others who change it wait for this one.</summary>
    /// <param name="change">Given what there is; what it throws changes nothing.</param>
    /// <exception cref="IOException">The database failed: either may be there.</exception>
    public void Change(Func<byte[]?, byte[]> change) => Run(connection =>
    {
        using var transaction = connection.BeginTransaction();
        using (var alone = new NpgsqlCommand(Lock, connection)) alone.ExecuteNonQuery();
        var content = change(Read(connection));
        using var write = new NpgsqlCommand("INSERT INTO bitcache.documents (name, content) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = excluded.content", connection)
        {
            Parameters = { new() { Value = name }, new() { Value = content } },
        };
        write.ExecuteNonQuery();
        transaction.Commit();
        return content;
    });

    private byte[]? Read(NpgsqlConnection connection)
    {
        using var read = new NpgsqlCommand("SELECT content FROM bitcache.documents WHERE name = $1", connection)
        {
            CommandTimeout = PatienceSeconds,
            Parameters = { new() { Value = name } },
        };
        return (byte[]?)read.ExecuteScalar();
    }

    private T Run<T>(Func<NpgsqlConnection, T> run)
    {
        try
        {
            using var connection = database.Connect();
            return run(connection);
        }
        catch (NpgsqlException e)
        {
            throw new IOException($"{database.Name}: {e.Message}", e);
        }
    }
}
