// A partition's journal as a process reads it that does not write it: what is durable is in the database, whoever put it there.

using Bitcache.Core;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>Reads entries that are durable. May be used by any thread.</summary>
internal sealed class JournalReader
{
    private readonly BatchTable _batches;
    private readonly RunList _runs;
    private readonly IdLookup _ids;

    internal JournalReader(JournalDatabase database, int partition)
    {
        _batches = new BatchTable(database, partition);
        _runs = new RunList(database, _batches);
        _ids = new IdLookup(_batches, _runs, static () => { });
    }

    internal BatchTable Batches => _batches;

    /// <summary>See <see cref="IJournal.ReadRecords"/>; the caller knows that all of the run is durable.</summary>
    internal void ReadRecords(long first, long count, RecordReader reader) => Read(() =>
    {
        _batches.ReadRecords(first, first + count, reader);
        return true;
    });

    /// <summary>See <see cref="IJournal.FindId"/>.</summary>
    /// <param name="end">The sequence after the last that is looked at.</param>
    internal long? FindId(WalletId owner, OperationId id, long end) => Read(() =>
    {
        lock (_runs)
        {
            _runs.Load();
            // One that is missing or damaged is the writer's to make: until then its run is read.
            foreach (var run in _runs.Closed.Where(run => run.Filter is not { IsDamaged: false })) run.Filter = _runs.ReadFilter(run, out _);
        }
        return _ids.Find(new EntryId(owner, id), end);
    });

    private T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (NpgsqlException e)
        {
            throw new JournalUnavailableException(_batches.Name, e);
        }
    }
}
