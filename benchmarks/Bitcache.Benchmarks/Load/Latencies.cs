using System.Diagnostics;

namespace Bitcache.Benchmarks.Load;

/// <summary>Times from when something was due until it was answered.</summary>
internal sealed class Latencies
{
    private long[] _ticks = new long[1 << 16];

    public int Count { get; private set; }

    public void Add(long ticks)
    {
        if (Count == _ticks.Length) Array.Resize(ref _ticks, 2 * Count);
        _ticks[Count++] = ticks;
    }

    /// <summary>The time in milliseconds within which this part of all was answered.</summary>
    public double Quantile(double part)
    {
        if (Count == 0) throw new BenchFailedException("nothing was answered in time");
        var ordered = _ticks.AsSpan(0, Count).ToArray();
        Array.Sort(ordered);
        return Math.Round(ordered[(int)(part * (Count - 1))] * 1_000.0 / Stopwatch.Frequency, 3);
    }
}
