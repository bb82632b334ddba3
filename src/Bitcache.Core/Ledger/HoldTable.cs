// The open holds: structs in pages, found by payer and id through an open-addressing index, and by expiry through
// a heap. A closed hold's slot is used again; once the arrays have grown, nothing is allocated.

namespace Bitcache.Core;

/// <summary>One open hold. Changed only by <see cref="Ledger"/>, which keeps the payer's held balance in step.</summary>
internal struct Hold
{
    /// <summary>Unique under the payer, for ever: a hold outlives the window, but below the floor no id is taken.</summary>
    public OperationId Id;
    public UnixTime Expires;
    /// <summary>Of the entry that placed it.</summary>
    public long Sequence;
    /// <summary>What may still be captured.</summary>
    public Msat Left;
    /// <summary>What is still set aside for fees.</summary>
    public Msat FeeLeft;
    /// <summary>Slots of the wallets; a payee's below zero is that of a stranger (<see cref="StrangerTable"/>).</summary>
    public int Payer;
    public int Payee;

    public readonly Msat Held => Left + FeeLeft;
}

/// <param name="secret">Keys the index: clients choose the ids.</param>
internal sealed class HoldTable(ulong secret) : IStateTable
{
    private const int CapacityMin = 64;
    private const int None = -1;
    private readonly PagedTable<Hold> _holds = new();
    // Where each hold stands in the heap; of a free slot the next free one.
    private int[] _places = new int[CapacityMin];
    // Slot + 1, or 0 where free; at most half full.
    private int[] _index = new int[2 * CapacityMin];
    // Slots; the hold that expires first is at the top. Of two that expire together the older one is first, so that
    // the order does not depend on how the heap came about.
    private int[] _heap = new int[CapacityMin];
    private readonly HoldLists _ofPayer = new(secret);
    private readonly HoldLists _ofPayee = new(secret);
    private int _free = None;

    public int Count { get; private set; }

    /// <summary>How many a wallet pays for.</summary>
    public int CountOf(int payer) => _ofPayer.CountOf(payer);

    /// <summary>The most places of the index that one search looks at. Costs a walk over all holds.</summary>
    public int LongestSearch => _heap.Take(Count).Select(slot => Distance(Seek(Peek(slot).Payer, Peek(slot).Id), Peek(slot)) + 1).DefaultIfEmpty().Max();

    /// <summary>How many holds <see cref="Of"/> has looked at so far.</summary>
    public long ListSteps => _ofPayer.Steps + _ofPayee.Steps;

    /// <summary>To read or to write; see <see cref="PagedTable{T}"/>.</summary>
    public ref Hold this[int slot] => ref _holds[slot];

    public ref readonly Hold Peek(int slot) => ref _holds.Peek(slot);

    /// <summary>The hold's slot, or -1.</summary>
    public int Find(int payer, OperationId id)
    {
        var at = Seek(payer, id);
        return _index[at] - 1;
    }

    /// <summary>When the hold expires that does so first; null without holds.</summary>
    public UnixTime? FirstExpiry => Count > 0 ? Peek(_heap[0]).Expires : null;

    /// <summary>The slot of the hold that expires first if its time has come, or -1.</summary>
    public int FirstDue(UnixTime now) => FirstExpiry <= now ? _heap[0] : None;

    public void Add(in Hold hold)
    {
        if (Count == _heap.Length) Grow();
        var slot = _free;
        if (slot == None) slot = _holds.Add(hold);
        else (_holds[slot], _free) = (hold, _places[slot]);
        _index[Seek(hold.Payer, hold.Id)] = slot + 1;
        _heap[Count] = slot;
        _places[slot] = Count;
        Rise(Count++);
        _ofPayer.Add(hold.Payer, slot, hold.Sequence);
        _ofPayee.Add(hold.Payee, slot, hold.Sequence);
    }

    public void Remove(int slot)
    {
        ref readonly var removed = ref Peek(slot);
        Unlink(Seek(removed.Payer, removed.Id));
        _ofPayer.Remove(removed.Payer, slot);
        _ofPayee.Remove(removed.Payee, slot);
        var place = _places[slot];
        var last = _heap[--Count];
        if (last != slot)
        {
            Put(last, place);
            Rise(place);
            Sink(_places[last]);
        }
        // A free slot has no entry: that tells it from an open hold.
        _holds[slot] = default;
        _places[slot] = _free;
        _free = slot;
    }

    /// <summary>The open holds, the oldest first: the same order on every machine.</summary>
    public IEnumerable<Hold> InOrder() => All().OrderBy(hold => hold.Sequence);

    /// <summary>The open holds in no order.</summary>
    public IEnumerable<Hold> All() => _heap.Take(Count).Select(slot => Peek(slot));

    /// <summary>The slots of one wallet's open holds, whichever side it is on, newest first: those placed by an entry
    /// before a sequence. Costs what is taken of it.</summary>
    public IEnumerable<int> Of(int wallet, long before)
    {
        var (pays, isPaid) = (_ofPayer.NewestBefore(wallet, before), _ofPayee.NewestBefore(wallet, before));
        while (pays != None || isPaid != None)
        {
            var next = isPaid == None || (pays != None && Peek(pays).Sequence > Peek(isPaid).Sequence) ? pays : isPaid;
            yield return next;
            if (next == pays) pays = _ofPayer.Older(pays);
            else isPaid = _ofPayee.Older(isPaid);
        }
    }

    private void Grow()
    {
        Array.Resize(ref _places, 2 * _places.Length);
        Array.Resize(ref _heap, 2 * _heap.Length);
        _index = new int[2 * _index.Length];
        for (var i = 0; i < Count; i++) _index[Seek(Peek(_heap[i]).Payer, Peek(_heap[i]).Id)] = _heap[i] + 1;
    }

    /// <summary>Where in the index a hold stands, or would stand.</summary>
    private int Seek(int payer, OperationId id)
    {
        var mask = _index.Length - 1;
        var at = Home(payer, id);
        while (_index[at] != 0 && (Peek(_index[at] - 1).Id != id || Peek(_index[at] - 1).Payer != payer)) at = (at + 1) & mask;
        return at;
    }

    private int Home(int payer, OperationId id)
    {
        // Spread over all bits by a multiplication with 2^64 / golden ratio.
        var more = unchecked((uint)payer * 0x9e37_79b9_7f4a_7c15);
        return (int)(SlotIndex.Hash(id.Value, secret, more) & (uint)(_index.Length - 1));
    }

    /// <summary>How far a place of the index lies behind the home of the hold that stands there.</summary>
    private int Distance(int at, in Hold hold) => (at - Home(hold.Payer, hold.Id)) & (_index.Length - 1);

    /// <summary>Frees a place of the index and closes the gap, so that what was placed behind it is still found.</summary>
    private void Unlink(int gap)
    {
        var mask = _index.Length - 1;
        for (var at = (gap + 1) & mask; _index[at] != 0; at = (at + 1) & mask)
        {
            ref readonly var hold = ref Peek(_index[at] - 1);
            // It may move into the gap if its home does not lie between the gap and its place.
            if (Distance(at, hold) < ((at - gap) & mask)) continue;
            _index[gap] = _index[at];
            gap = at;
        }
        _index[gap] = 0;
    }

    private void Rise(int place)
    {
        var slot = _heap[place];
        for (; place > 0 && IsBefore(slot, _heap[(place - 1) / 2]); place = (place - 1) / 2) Put(_heap[(place - 1) / 2], place);
        Put(slot, place);
    }

    private void Sink(int place)
    {
        var slot = _heap[place];
        while ((2 * place) + 1 < Count)
        {
            var child = (2 * place) + 1;
            if (child + 1 < Count && IsBefore(_heap[child + 1], _heap[child])) child++;
            if (!IsBefore(_heap[child], slot)) break;
            Put(_heap[child], place);
            place = child;
        }
        Put(slot, place);
    }

    private void Put(int slot, int place)
    {
        _heap[place] = slot;
        _places[slot] = place;
    }

    private bool IsBefore(int a, int b) => Peek(a).Expires != Peek(b).Expires
        ? Peek(a).Expires < Peek(b).Expires
        : Peek(a).Sequence < Peek(b).Sequence;

    public IStateRows View(bool hold) => new HoldRows(hold ? _holds.Capture() : _holds.View());

    public void Release() => _holds.Release();

    public void Read(StateReader reader)
    {
        long newest = 0;
        for (var left = reader.Section(StateSection.Holds); left > 0; left--)
        {
            var row = reader.Begin();
            var hold = HoldRows.Read(ref row);
            reader.End(row);
            if (hold.Sequence <= newest) throw new FormatException($"the hold of entry {hold.Sequence} behind that of {newest}");
            Add(hold);
            newest = hold.Sequence;
        }
    }
}

/// <summary>The open holds at one moment, the oldest first.</summary>
internal sealed class HoldRows(PagedRows<Hold> holds) : IStateRows
{
    private const int RowBytes = OperationId.Bytes + (4 * sizeof(long)) + (2 * sizeof(uint));

    public void Write(StateWriter writer)
    {
        var open = new List<(long Sequence, int Slot)>();
        for (var slot = 0; slot < holds.Count; slot++)
        {
            if (holds[slot].Sequence > 0) open.Add((holds[slot].Sequence, slot));
        }
        open.Sort();
        writer.Section(StateSection.Holds, open.Count);
        foreach (var (_, slot) in open) Write(writer, holds[slot]);
    }

    private static void Write(StateWriter writer, in Hold hold)
    {
        var row = writer.Begin(RowBytes);
        row.I64(hold.Sequence);
        row.Id(hold.Id);
        row.Time(hold.Expires);
        row.Amount(hold.Left);
        row.Amount(hold.FeeLeft);
        row.U32((uint)hold.Payer);
        row.U32(unchecked((uint)hold.Payee));
        writer.End(row);
    }

    public static Hold Read(ref ByteReader row) => new()
    {
        Sequence = row.I64(),
        Id = row.Id(),
        Expires = row.Time(),
        Left = row.Msat(),
        FeeLeft = row.Msat(),
        Payer = (int)row.U32(),
        Payee = unchecked((int)row.U32()),
    };
}
