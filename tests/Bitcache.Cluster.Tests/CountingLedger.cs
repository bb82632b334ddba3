// What stands in for the engine behind the grains: a counter for each partition, in PostgreSQL, fenced by an epoch as the
// journal is. One submission is one id, and adds one; so that nothing lost and nothing twice can be counted afterwards.

using Bitcache.Cluster.Grains;
using Npgsql;

namespace Bitcache.Cluster.Tests;

internal sealed class CountingLedger(NpgsqlDataSource source) : IPartitionHost, ISettlementHost, IAsyncDisposable
{
    private readonly Dictionary<int, long> _epochs = [];
    private readonly Lock _lock = new();
    private int _turns;

    /// <summary>Partitions that this silo writes, as far as it knows.</summary>
    public int Owned
    {
        get
        {
            lock (_lock) return _epochs.Count;
        }
    }

    public int Turns => Volatile.Read(ref _turns);

    public static async Task CreateTablesAsync(NpgsqlDataSource source, int partitions)
    {
        await using var command = source.CreateCommand(
            """
            CREATE TABLE IF NOT EXISTS counters (partition integer PRIMARY KEY, epoch bigint NOT NULL, value bigint NOT NULL);
            CREATE TABLE IF NOT EXISTS additions (id uuid PRIMARY KEY, partition integer NOT NULL, value bigint NOT NULL);
            """ + $"INSERT INTO counters SELECT n, 0, 0 FROM generate_series(0, {partitions - 1}) AS n ON CONFLICT DO NOTHING");
        await command.ExecuteNonQueryAsync();
    }

    public async Task TakeOverAsync(int partition, CancellationToken cancel)
    {
        await using var command = source.CreateCommand("UPDATE counters SET epoch = epoch + 1 WHERE partition = $1 RETURNING epoch");
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = partition });
        var epoch = (long)(await command.ExecuteScalarAsync(cancel))!;
        lock (_lock) _epochs[partition] = epoch;
    }

    public async ValueTask<byte[]> SubmitAsync(int partition, ReadOnlyMemory<byte> items)
    {
        long epoch;
        lock (_lock) epoch = _epochs.GetValueOrDefault(partition);
        await using var command = source.CreateCommand(
            """
            WITH head AS (UPDATE counters SET value = value + 1 WHERE partition = $1 AND epoch = $2 RETURNING value)
            INSERT INTO additions SELECT $3, $1, value FROM head
            """);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = partition });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = epoch });
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = new Guid(items.Span) });
        try
        {
            if (await command.ExecuteNonQueryAsync() == 0) throw new PartitionFencedException($"partition {partition} is written elsewhere");
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            // A retry: it is there.
        }
        return items.ToArray();
    }

    public Task HandOverAsync(int partition)
    {
        lock (_lock) _epochs.Remove(partition);
        return Task.CompletedTask;
    }

    public Task TakeOverAsync(CancellationToken cancel) => Task.CompletedTask;

    public Task TakeTurnAsync()
    {
        Interlocked.Increment(ref _turns);
        return Task.CompletedTask;
    }

    public Task HandOverAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => source.DisposeAsync();
}
