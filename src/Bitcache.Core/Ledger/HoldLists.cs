namespace Bitcache.Core;

/// <summary>For each wallet its open holds on one side, newest first: doubly linked through arrays by the holds' slots,
/// so that a wallet's holds are listed without a look at anybody else's.</summary>
internal sealed class HoldLists
{
    private const int CapacityMin = 64;
    private const int None = -1;
    private readonly Dictionary<int, int> _newest = [];
    private int[] _newer = new int[CapacityMin];
    private int[] _older = new int[CapacityMin];

    /// <summary>The slot of a wallet's newest hold, or -1.</summary>
    public int Newest(int wallet) => _newest.GetValueOrDefault(wallet, None);

    /// <summary>The slot of the same wallet's next older hold, or -1.</summary>
    public int Older(int slot) => _older[slot];

    public void Add(int wallet, int slot)
    {
        while (slot >= _newer.Length)
        {
            Array.Resize(ref _newer, 2 * _newer.Length);
            Array.Resize(ref _older, 2 * _older.Length);
        }
        var second = Newest(wallet);
        (_newer[slot], _older[slot]) = (None, second);
        if (second != None) _newer[second] = slot;
        _newest[wallet] = slot;
    }

    public void Remove(int wallet, int slot)
    {
        var (newer, older) = (_newer[slot], _older[slot]);
        if (older != None) _newer[older] = newer;
        if (newer != None) _older[newer] = older;
        else if (older != None) _newest[wallet] = older;
        else _newest.Remove(wallet);
    }
}
