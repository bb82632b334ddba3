namespace Bitcache.Engine.Journal.Postgres;

/// <summary>How the journal of a ledger is kept in PostgreSQL.</summary>
public sealed record PostgresSettings
{
    /// <summary>As Npgsql reads it: Host=…;Username=…;Password=…;Database=….</summary>
    public required string ConnectionString { get; init; }

    /// <summary>Whose ledger it is: the log's name, the network's number and how many partitions there are for ever.</summary>
    public required string Origin { get; init; }
    public byte Network { get; init; }
    public int Partitions { get; init; } = 1;

    /// <summary>The name of the cluster that shares the database; empty for a single server, which then lets no other in.</summary>
    public string Cluster { get; init; } = "";

    /// <summary>How long a single server waits for another to let the database go: longer than it takes until a machine that has
    /// failed is noticed.</summary>
    public TimeSpan HostPatience { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>For tests: a server that loses what it has committed when the power fails is taken all the same.</summary>
    public bool AllowsUnsafeServer { get; init; }

    /// <summary>So many bytes of batches get an id filter of their own.</summary>
    public long RunBytes { get; init; } = 64 << 20;

    /// <summary>How many of these runs, the newest, stay in the table that is written to; null for all.</summary>
    public int? ArchiveAfterRuns { get; init; }

    /// <summary>The tablespace of the archive; null for the database's own.</summary>
    public string? ArchiveTablespace { get; init; }

    /// <summary>Bits of a key in an id filter; tests take fewer, so that keys collide.</summary>
    internal int IdKeyBits { get; init; } = 64;
}
