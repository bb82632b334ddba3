using Bitcache.Core;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>Where a partition's journal ends, as the database says.</summary>
/// <param name="WriterEpoch">The newest; no frame has a higher one.</param>
/// <param name="NextSequence">The sequence of the next entry.</param>
/// <param name="ChainHash">Of the last frame; zeros before the first.</param>
internal readonly record struct JournalHead(int Partition, long WriterEpoch, long NextSequence, Hash256 ChainHash)
{
    /// <summary>Of <c>bitcache.partitions</c>, in the order in which <see cref="Read"/> takes them.</summary>
    internal const string Columns = "partition, writer_epoch, next_sequence, chain";

    internal static JournalHead Read(NpgsqlDataReader row) => new(row.GetInt32(0), row.GetInt64(1), row.GetInt64(2), Hash256.Read(row.GetFieldValue<byte[]>(3)));
}
