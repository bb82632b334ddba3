namespace Bitcache.Benchmarks;

/// <summary>Something was refused, lost or wrong: there is no figure.</summary>
internal sealed class BenchFailedException(string message) : Exception(message);
