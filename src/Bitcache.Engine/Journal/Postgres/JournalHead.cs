using Bitcache.Core;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>Where a partition's journal ends, as the database says.</summary>
/// <param name="WriterEpoch">The newest; no frame has a higher one.</param>
/// <param name="NextSequence">The sequence of the next entry.</param>
/// <param name="ChainHash">Of the last frame; zeros before the first.</param>
internal readonly record struct JournalHead(int Partition, long WriterEpoch, long NextSequence, Hash256 ChainHash);
