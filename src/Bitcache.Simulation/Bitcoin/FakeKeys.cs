// The keys of the node's wallet: two ranged descriptors, for addresses to be paid to and for change, and how far beyond the
// next unused one the wallet looks.

using System.Collections.Immutable;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>Which key a script belongs to.</summary>
internal readonly record struct FakeKey(bool Change, uint Index);

/// <param name="Next">The index of the next unused key to be paid to, and of the next for change.</param>
/// <param name="Ends">The first index of each that the wallet does not look for.</param>
/// <param name="Labels">Notes beside addresses.</param>
internal sealed record FakeKeysState((uint External, uint Change) Next, (uint External, uint Change) Ends, ImmutableDictionary<ByteString, string> Labels);

internal sealed class FakeKeys
{
    /// <summary>As many as a node looks for that is started with <c>-keypool=50</c>.</summary>
    public const uint UsualAhead = 50;

    private readonly uint _ahead;
    private readonly string _name;
    private readonly Dictionary<ByteString, FakeKey> _keys = [];

    /// <param name="name">Makes the keys: the same name, the same keys.</param>
    /// <param name="ahead">For how many beyond the next unused one the wallet looks by itself.</param>
    public FakeKeys(string name, uint ahead)
    {
        (_name, _ahead) = (name, ahead);
        Refill(ahead);
    }

    public FakeKeysState State { get; set; } = new((0, 0), (0, 0), ImmutableDictionary<ByteString, string>.Empty);

    public string Descriptor => $"tr({_name}/0/*)";
    public string ChangeDescriptor => $"tr({_name}/1/*)";

    /// <summary>The key of a script that the wallet looks for.</summary>
    public FakeKey? Find(ByteString script) =>
        _keys.TryGetValue(script, out var key) && key.Index < (key.Change ? State.Ends.Change : State.Ends.External) ? key : null;

    /// <summary>The next unused script.</summary>
    public ByteString Take(bool change)
    {
        // As the node does it: it looks for more before it gives one away.
        Refill(_ahead, change);
        var index = change ? State.Next.Change : State.Next.External;
        Use(change, index);
        // What it gives away has no note, whatever it had.
        if (!change) SetLabel(ScriptOf(change, index), "");
        return ScriptOf(change, index);
    }

    /// <summary>A script that is paid is not given away any more, nor is one before it.</summary>
    public void Paid(ByteString script)
    {
        if (Find(script) is not { } key || key.Index < (key.Change ? State.Next.Change : State.Next.External)) return;
        Use(key.Change, key.Index);
        Refill(_ahead, key.Change);
    }

    public void SetLabel(ByteString script, string label) => State = State with { Labels = State.Labels.SetItem(script, label) };

    public string? LabelOf(ByteString script) => State.Labels.GetValueOrDefault(script);

    /// <summary>Looks for so many beyond the next unused one; never for fewer than before.</summary>
    public void Refill(uint ahead)
    {
        Refill(ahead, change: false);
        Refill(ahead, change: true);
    }

    public ByteString ScriptOf(bool change, uint index)
    {
        var number = System.Text.Encoding.ASCII.GetBytes(FormattableString.Invariant($"{_name}/{(change ? 1 : 0)}/{index}"));
        return new ByteString([0x51, 32, .. Sha256.Of(number).ToArray()]);
    }

    private void Use(bool change, uint index) =>
        State = State with { Next = change ? (State.Next.External, index + 1) : (index + 1, State.Next.Change) };

    private void Refill(uint ahead, bool change)
    {
        var (next, end) = change ? (State.Next.Change, State.Ends.Change) : (State.Next.External, State.Ends.External);
        // What was learned once is found again when the wallet looks for it again.
        for (; end < next + ahead; end++) _keys.TryAdd(ScriptOf(change, end), new FakeKey(change, end));
        State = State with { Ends = change ? (State.Ends.External, end) : (end, State.Ends.Change) };
    }
}
