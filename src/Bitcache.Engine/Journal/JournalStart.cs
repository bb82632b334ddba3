using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>Where a state that was kept stands in the journal: entries before it need not be replayed.</summary>
/// <param name="Name">Of what keeps it, for messages.</param>
/// <param name="NextSequence">The first entry that is not part of it; 1 or more.</param>
/// <param name="ChainHash">Of the frame that holds the entry before.</param>
public sealed record JournalStart(string Name, long NextSequence, Hash256 ChainHash);
