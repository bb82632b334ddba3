namespace Bitcache.Core;

/// <summary>For each wallet its open holds on one side, in the order in which they were placed: a treap of its own, linked
/// through one array by the holds' slots. So any place in a list is found without a walk to it, and a wallet's holds are
/// listed without a look at anybody else's.</summary>
/// <param name="secret">Draws the priorities, so that nobody can choose what to close until a tree is a chain.</param>
internal sealed class HoldLists(ulong secret)
{
    private const int CapacityMin = 64;
    private const int None = -1;
    private readonly Dictionary<int, (int Root, int Count)> _lists = [];
    private Node[] _nodes = new Node[CapacityMin];

    /// <summary>A hold in its wallet's tree: the older ones on one side below it, the newer ones on the other.</summary>
    private struct Node
    {
        public long Sequence;
        public int Parent;
        public int Older;
        public int Newer;
        public uint Priority;
    }

    /// <summary>How many holds have been looked at so far to find others: what lists have cost.</summary>
    public long Steps { get; private set; }

    /// <summary>How many a wallet has.</summary>
    public int CountOf(int wallet) => _lists.GetValueOrDefault(wallet).Count;

    /// <summary>The slot of a wallet's newest hold that was placed by an entry before a sequence, or -1.</summary>
    public int NewestBefore(int wallet, long sequence)
    {
        var found = None;
        for (var at = RootOf(wallet); at != None; Steps++)
        {
            if (_nodes[at].Sequence < sequence) (found, at) = (at, _nodes[at].Newer);
            else at = _nodes[at].Older;
        }
        return found;
    }

    /// <summary>The slot of the same wallet's next older hold, or -1.</summary>
    public int Older(int slot)
    {
        if (_nodes[slot].Older != None)
        {
            var newest = _nodes[slot].Older;
            for (; _nodes[newest].Newer != None; Steps++) newest = _nodes[newest].Newer;
            return newest;
        }
        var (child, parent) = (slot, _nodes[slot].Parent);
        for (; parent != None && _nodes[parent].Older == child; Steps++) (child, parent) = (parent, _nodes[parent].Parent);
        return parent;
    }

    /// <summary>Adds a hold that is newer than all others of its wallet.</summary>
    public void Add(int wallet, int slot, long sequence)
    {
        if (slot >= _nodes.Length) Array.Resize(ref _nodes, Math.Max(slot + 1, 2 * _nodes.Length));
        var priority = SlotIndex.Hash((UInt128)(ulong)sequence, secret);
        _nodes[slot] = new Node { Sequence = sequence, Parent = None, Older = None, Newer = None, Priority = priority };
        _lists[wallet] = (Join(RootOf(wallet), slot), CountOf(wallet) + 1);
    }

    public void Remove(int wallet, int slot)
    {
        var (parent, below) = (_nodes[slot].Parent, Join(_nodes[slot].Older, _nodes[slot].Newer));
        if (below != None) _nodes[below].Parent = parent;
        if (parent != None && _nodes[parent].Older == slot) _nodes[parent].Older = below;
        else if (parent != None) _nodes[parent].Newer = below;
        if (CountOf(wallet) == 1) _lists.Remove(wallet);
        else _lists[wallet] = (parent == None ? below : RootOf(wallet), CountOf(wallet) - 1);
    }

    private int RootOf(int wallet) => _lists.TryGetValue(wallet, out var list) ? list.Root : None;

    /// <summary>One tree of two, of which all of one is older than all of the other. Costs as much as they are deep.</summary>
    private int Join(int older, int newer)
    {
        if (older == None) return newer;
        if (newer == None) return older;
        if (_nodes[older].Priority > _nodes[newer].Priority)
        {
            var joined = Join(_nodes[older].Newer, newer);
            (_nodes[older].Newer, _nodes[joined].Parent) = (joined, older);
            return older;
        }
        else
        {
            var joined = Join(older, _nodes[newer].Older);
            (_nodes[newer].Older, _nodes[joined].Parent) = (joined, newer);
            return newer;
        }
    }
}
