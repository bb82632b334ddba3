// All families there ever were, and what is asked about them at every turn of settlement and for every receipt. None of these
// questions may cost more because there were many families before.

namespace Bitcache.Core;

/// <summary>Families by number, from 1 without gaps. What is found in it in other ways is derived from them. Owned by one
/// thread.</summary>
internal sealed class FamilyTable : IStateTable
{
    private readonly RowList<Family> _families = new(ChainRows.Families);
    private readonly SortedSet<long> _live = [];
    private readonly SortedSet<long> _dead = [];
    private readonly SortedSet<long> _ended = [];
    // Those that carry an anchor and were not given up: each covers more of the log than the one before it.
    private readonly List<long> _anchors = [];
    private readonly HashSet<Txid> _transactions = [];

    public int Count => _families.Count;

    /// <summary>All of them, the oldest first.</summary>
    public IEnumerable<Family> All => _families;

    public IEnumerable<Family> Live => _live.Select(number => this[number]);

    public IEnumerable<Family> Dead => _dead.Select(number => this[number]);

    /// <summary>Those that ended and are not archived, the oldest first.</summary>
    public IEnumerable<Family> Ended => _ended.Select(number => this[number]);

    /// <summary>Those that carry an anchor, given up ones left out, the newest first.</summary>
    public IEnumerable<Family> AnchorsFromNewest => Enumerable.Range(1, _anchors.Count).Select(back => this[_anchors[^back]]);

    public Family this[long number] => _families[(int)number - 1];

    /// <summary>Whether a transaction is one of any family's, signed here or handed to a signer.</summary>
    public bool Has(Txid transaction) => _transactions.Contains(transaction);

    /// <summary>Anchors from the oldest one on of which something holds that holds of all after it, too.</summary>
    public IEnumerable<Family> AnchorsFrom(Func<AnchorTerms, bool> holds)
    {
        var (first, end) = (0, _anchors.Count);
        while (first < end)
        {
            var middle = (first + end) / 2;
            if (holds(this[_anchors[middle]].Anchor!)) end = middle;
            else first = middle + 1;
        }
        return _anchors.Skip(first).Select(number => this[number]);
    }

    public void Add(Family family)
    {
        _families.Add(family);
        Index(family);
    }

    /// <summary>Puts a family in the place of what it was.</summary>
    public void Replace(Family family)
    {
        _families[(int)family.Number - 1] = family;
        Index(family);
    }

    public IStateRows View(bool hold) => _families.View(hold);

    public void Release() => _families.Release();

    public void Read(StateReader reader)
    {
        _families.Read(reader);
        foreach (var family in _families) Index(family);
    }

    private void Index(Family family)
    {
        if (family.IsLive) _live.Add(family.Number);
        else _live.Remove(family.Number);
        if (family.State == FamilyState.Dead) _dead.Add(family.Number);
        if (family.HasEnded && family.Archived == 0) _ended.Add(family.Number);
        else _ended.Remove(family.Number);
        foreach (var txid in family.Txids) _transactions.Add(txid);
        if (family.Anchor is null) return;
        var at = _anchors.BinarySearch(family.Number);
        if (family.IsAnchor && at < 0) _anchors.Insert(~at, family.Number);
        else if (!family.IsAnchor && at >= 0) _anchors.RemoveAt(at);
    }
}
