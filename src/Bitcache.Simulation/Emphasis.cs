namespace Bitcache.Simulation;

/// <summary>What an episode does more often than others; everything happens in each.</summary>
internal enum Emphasis
{
    Even,
    /// <summary>The wall clock is set wrong, stands still, runs backwards.</summary>
    Clocks,
    /// <summary>Everything is sent again and again, across crashes.</summary>
    Retries,
}
