// Whose turn it is among withdrawals to one script. One transaction pays a script once, so that each of its outputs belongs
// to exactly one withdrawal; several transactions may, and which withdrawal an output pays is told by its transaction. So
// others need not wait, but what asks often must not cost the operator a transaction each time.

using Bitcache.Core;

namespace Bitcache.Engine.Settlement;

/// <summary>Lets a withdrawal leave at once if it is many times as large as everything that is on its way to the same script; one
/// that is not leaves when that is in a block. So whoever would hold up a payment to somebody must pay him a good part of it,
/// and at any time there are as many transactions to a script as its amounts have digits, at most.</summary>
/// <param name="underWay">What is opened or signed, and in no block.</param>
public sealed class ScriptTurns(IEnumerable<Withdrawal> underWay)
{
    /// <summary>How many times as large a withdrawal must be.</summary>
    public const int Multiple = 10;

    private readonly Dictionary<ByteString, Sats> _largest = underWay.GroupBy(w => w.Script).ToDictionary(g => g.Key, g => g.Max(w => w.Amount));

    /// <summary>Whether it is a withdrawal's turn.</summary>
    public bool Has(Withdrawal withdrawal) =>
        !_largest.TryGetValue(withdrawal.Script, out var largest) || withdrawal.Amount.Value >= Multiple * largest.Value;

    /// <summary>Whether it is a withdrawal's turn; if so, it is on its way from now on.</summary>
    public bool Take(Withdrawal withdrawal)
    {
        if (!Has(withdrawal)) return false;
        _largest[withdrawal.Script] = withdrawal.Amount;
        return true;
    }

    /// <summary>Parts withdrawals so that each part pays a script once, in as few parts as that takes, each in the order given.</summary>
    public static IEnumerable<IReadOnlyList<Withdrawal>> Part(IEnumerable<Withdrawal> withdrawals)
    {
        var (parts, times) = (new List<List<Withdrawal>>(), new Dictionary<ByteString, int>());
        foreach (var withdrawal in withdrawals)
        {
            var before = times.GetValueOrDefault(withdrawal.Script);
            times[withdrawal.Script] = before + 1;
            if (before == parts.Count) parts.Add([]);
            parts[before].Add(withdrawal);
        }
        return parts;
    }
}
