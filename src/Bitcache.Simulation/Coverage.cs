using System.Globalization;
using Bitcache.Core;

namespace Bitcache.Simulation;

/// <summary>What a run has met, to show that it reaches what it is for.</summary>
internal sealed class Coverage
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);

    public long this[string what] => _counts.GetValueOrDefault(what);

    public IReadOnlyDictionary<string, long> Counts => _counts;

    public void Count(string what, long times = 1) => _counts[what] = this[what] + times;

    public void Count(Outcome outcome) => Count($"answered {outcome}");

    public void Add(Coverage other)
    {
        foreach (var (what, times) in other._counts) Count(what, times);
    }

    public override string ToString() => string.Join(
        Environment.NewLine, _counts.Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value,12:N0}  {c.Key}")));
}
