// What a silo is told: which cluster it belongs to, where the others find it, and where PostgreSQL is. Refused whole, in the
// operator's words, before anything is opened.

using System.Net;
using Bitcache.Core;
using Npgsql;

namespace Bitcache.Cluster;

/// <param name="Name">The cluster's name. A database belongs to one cluster, for ever.</param>
/// <param name="Database">A connection string as Npgsql reads it; secrets come from its passfile.</param>
/// <param name="Silo">The silo's own name; unique in the cluster.</param>
/// <param name="Address">Where the other silos reach it.</param>
/// <param name="SiloPort">For the other silos.</param>
/// <param name="Partitions">Of the ledger: the number that its genesis names.</param>
public sealed record ClusterSettings(
    string Name, string Database, string Silo, IPAddress Address, int SiloPort, int Partitions)
{
    /// <summary>How long a wallet's grain may be idle before it is given back: at least a minute.</summary>
    public TimeSpan WalletIdle { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>For clients of Orleans; 0 for none: a silo needs none.</summary>
    public int GatewayPort { get; init; }

    /// <summary>All that is wrong with it; nothing if it can be used.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (Name.Length == 0 || Name.Length > Limits.ClusterNameCharactersMax || !Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'))
            problems.Add($"cluster '{Name}' must be 1 to {Limits.ClusterNameCharactersMax} letters, digits, '-' or '.'");
        if (Silo.Length is 0 or > Limits.ClusterNameCharactersMax) problems.Add($"silo '{Silo}' must have 1 to {Limits.ClusterNameCharactersMax} characters");
        if (SiloPort is < 1 or > 65535) problems.Add($"siloPort {SiloPort} is no port");
        if (GatewayPort is < 0 or > 65535) problems.Add($"gatewayPort {GatewayPort} is no port");
        if (GatewayPort != 0 && GatewayPort == SiloPort) problems.Add($"siloPort and gatewayPort are both {SiloPort}");
        if (Partitions is < 1 or > Limits.PartitionsMax) problems.Add($"partitions {Partitions} must be 1 to {Limits.PartitionsMax}");
        if (WalletIdle < WalletIdleMin) problems.Add($"walletIdle {WalletIdle} must be at least {WalletIdleMin}");
        try
        {
            if (string.IsNullOrEmpty(new NpgsqlConnectionStringBuilder(Database).Host)) problems.Add("database names no host");
        }
        catch (ArgumentException e)
        {
            problems.Add($"database is no connection string: {e.Message}");
        }
        return problems;
    }

    /// <summary>As Orleans' providers use it: their statements are found on the search path. Few connections: the server's are
    /// for the journal.</summary>
    internal string OrleansDatabase() => new NpgsqlConnectionStringBuilder(Database)
    {
        SearchPath = "orleans",
        ApplicationName = $"bitcache silo {Silo}",
        MaxPoolSize = ConnectionsMax,
    }.ConnectionString;

    private const int ConnectionsMax = 8;
    private static readonly TimeSpan WalletIdleMin = TimeSpan.FromMinutes(1);
}
