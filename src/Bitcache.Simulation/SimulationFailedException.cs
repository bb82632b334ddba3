namespace Bitcache.Simulation;

/// <summary>A promise was broken. The message says which, and names the seed.</summary>
public sealed class SimulationFailedException(string message, Exception? inner = null) : Exception(message, inner);
