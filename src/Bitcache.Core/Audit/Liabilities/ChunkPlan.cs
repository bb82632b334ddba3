using System.Numerics;

namespace Bitcache.Core.Audit;

/// <summary>How the balances of an epoch are split into chunks, and at which leaf each stands, so that the published tree tells
/// nobody how many wallets there are or who has how much. Everything follows from the balances and the epoch's
/// <see cref="LiabilitySeed.Arrangement"/>, whose numbers (<see cref="DrawStream"/>) are taken in the order of these steps:
/// <list type="number">
/// <item>Balances are taken in the order of their wallets' ids. Each has two chunks, or one if it is 1 msat.</item>
/// <item>The tree has as many leaves as the smallest power of two that these chunks fit in, at least two.</item>
/// <item>The other leaves are given out in turns: in each turn every balance that has more msat than chunks gets one more. If it
/// has m such balances and fewer leaves f are left, they are drawn: the first of them is given one if draw(m) &lt; f, and each that
/// follows with what is left of m and f.</item>
/// <item>Where there are fewer msat than leaves, what is left over are fillers: chunks of 0 msat of suspense, behind its others.</item>
/// <item>Chunks are numbered balance after balance, and shuffled: position p(i) = i for all, and for i from the last number down to
/// 1, p(i) and p(draw(i + 1)) are exchanged. Chunk i is leaf p(i).</item>
/// <item>A balance v of c chunks has its values, in their order: of one chunk v itself; otherwise x = l + draw(v - c + 1) with
/// l = c / 2 rounded down is split into the first l chunks in the same way, and then v - x into the other c - l.</item>
/// </list>
/// draw(n) is the next number as one below n. No chunk but fillers is below 1 msat.</summary>
internal sealed class ChunkPlan
{
    private readonly int[] _first;
    private readonly int[] _positions;
    private readonly DrawStream _draws;

    /// <param name="seed">The epoch's arrangement.</param>
    /// <param name="accounts">In the order of their ids; suspense is added where there are fillers.</param>
    /// <exception cref="InvalidOperationException">There are more balances than a tree may have.</exception>
    public ChunkPlan(Hash256 seed, LiabilityAccounts accounts)
    {
        _draws = new DrawStream(seed);
        var (counts, leaves) = Count(accounts.Values, _draws);
        var fillers = leaves - counts.Sum();
        if (fillers > 0)
        {
            accounts.AddEmptySuspense();
            if (accounts.Count > counts.Length) counts = [.. counts, 0];
            counts[^1] += fillers;
        }
        _first = new int[counts.Length + 1];
        for (var i = 0; i < counts.Length; i++) _first[i + 1] = _first[i] + counts[i];
        _positions = Shuffle(leaves, _draws);
        Values = TableMemory.AllocateAnyContent<long>(leaves);
        for (var i = 0; i < counts.Length; i++)
        {
            // Nothing is drawn for fillers, which are the last chunks of the last account.
            var real = i == counts.Length - 1 ? counts[i] - fillers : counts[i];
            if (real > 0) Split(accounts.Values[i], _first[i], real);
        }
        foreach (var filler in _positions.AsSpan(leaves - fillers)) Values[filler] = 0;
    }

    /// <summary>What each leaf is worth, in msat.</summary>
    public long[] Values { get; }

    /// <summary>The leaves of an account's chunks.</summary>
    public ReadOnlySpan<int> PositionsOf(int account) => _positions.AsSpan(_first[account].._first[account + 1]);

    /// <summary>How many chunks each balance has, and how many leaves there are.</summary>
    private static (int[] Counts, int Leaves) Count(ReadOnlySpan<long> values, DrawStream draws)
    {
        var counts = new int[values.Length];
        long chunks = 0;
        for (var i = 0; i < counts.Length; i++) chunks += counts[i] = values[i] > 1 ? 2 : 1;
        if (chunks > Limits.LiabilityLeavesMax) throw new InvalidOperationException($"{values.Length} balances do not fit in a tree of {Limits.LiabilityLeavesMax} leaves");
        var leaves = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(2, chunks));

        var left = leaves - (int)chunks;
        var open = new int[counts.Length];
        var opened = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            if (values[i] > counts[i]) open[opened++] = i;
        }
        while (left > 0 && opened > 0)
        {
            if (opened > left)
            {
                for (var i = 0; left > 0; i++)
                {
                    if (draws.Below(opened - i) >= left) continue;
                    counts[open[i]]++;
                    left--;
                }
                break;
            }
            left -= opened;
            var stillOpen = 0;
            foreach (var account in open.AsSpan(0, opened))
            {
                if (values[account] > ++counts[account]) open[stillOpen++] = account;
            }
            opened = stillOpen;
        }
        return (counts, leaves);
    }

    /// <summary>Fisher and Yates.</summary>
    private static int[] Shuffle(int count, DrawStream draws)
    {
        var positions = TableMemory.AllocateAnyContent<int>(count);
        for (var i = 0; i < count; i++) positions[i] = i;
        for (var i = count - 1; i > 0; i--)
        {
            var other = (int)draws.Below(i + 1);
            (positions[i], positions[other]) = (positions[other], positions[i]);
        }
        return positions;
    }

    private void Split(long value, int first, int count)
    {
        if (count == 1)
        {
            Values[_positions[first]] = value;
            return;
        }
        var left = count / 2;
        var x = left + _draws.Below(value - count + 1);
        Split(x, first, left);
        Split(value - x, first + left, count - left);
    }
}
