// The node's wallet as the source of addresses: the descriptor that they are derived from, how far the wallet looks for them,
// and a note in the wallet itself that says so. What is derived beyond that would be paid and never seen.
//
// The wallet's range alone is no evidence. A copy from an old backup looks for fewer addresses; when one of the last among
// them is paid it looks for more by itself, and by then it may have passed over blocks that pay those. The note is written by
// nobody else, and a copy has the one of its time.

using System.Globalization;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>The wallet cannot be what our addresses come from: its operator must act.</summary>
public sealed class WalletMismatchException(string reason) : Exception(reason);

/// <summary>What is written in the wallet about itself; each copy of it has the one of its time.</summary>
/// <param name="UpTo">The index up to which it is known to have looked for every address since it was given away; null if for none.</param>
/// <param name="Run">Names the newest run of a rescan that was begun with this copy; null if there was none.</param>
internal readonly record struct WalletNote(uint? UpTo, string? Run)
{
    private const string Begin = "bitcache: looks for addresses up to ";
    private const string Rescan = "; rescan ";
    private const string None = "none";

    /// <summary>Anything else is no note.</summary>
    public static WalletNote Parse(string? label)
    {
        if (label is null || !label.StartsWith(Begin, StringComparison.Ordinal)) return default;
        var parts = label[Begin.Length..].Split(Rescan, 2);
        uint? upTo = uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;
        return new WalletNote(upTo, parts.Length == 2 ? parts[1] : null);
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Begin}{UpTo?.ToString(CultureInfo.InvariantCulture) ?? None}{(Run is null ? "" : Rescan)}{Run}");
}

/// <summary>Asks, derives, extends. Knows nothing that the node does not.</summary>
internal sealed class WalletKeys(IBitcoinNode node, BitcoinNetwork network)
{
    // The descriptor's first address, whose label the note is.
    private (string Descriptor, string Address)? _first;

    /// <summary>The descriptor that fresh addresses come from.</summary>
    /// <exception cref="NodeException">The node's.</exception>
    /// <exception cref="WalletMismatchException">There is none.</exception>
    public async Task<WalletDescriptor> FindAsync(CancellationToken cancel) =>
        (await node.ListDescriptorsAsync(cancel)).FirstOrDefault(d => d.GivesTaproot)
        ?? throw new WalletMismatchException("the node's wallet has no active ranged tr() descriptor to derive addresses from");

    /// <summary>Has the wallet look for addresses up to an index, or for so many more as it makes at once: it does nothing else
    /// meanwhile, and neither does whoever waits for it.</summary>
    /// <returns>The descriptor as it is then, whose range says how far that is; it is farther than before.</returns>
    public async Task<WalletDescriptor> WatchAsync(WalletDescriptor descriptor, uint index, CancellationToken cancel)
    {
        var last = descriptor.Range!.Value.Last;
        for (var tries = 0; descriptor.Range!.Value.Last < index && descriptor.Range.Value.Last <= last; tries++)
        {
            // Another copy may have taken its place just then.
            if (tries > 1) throw new WalletMismatchException($"the node's wallet looks for addresses up to index {last} and cannot be told to look for more");
            last = descriptor.Range.Value.Last;
            var step = Math.Min(index + Limits.AddressesAhead, last + Limits.AddressesWatchedAtOnceMax);
            await node.RefillKeypoolAsync((int)(step + 1 - descriptor.Next), cancel);
            descriptor = await FindAsync(cancel);
        }
        return descriptor;
    }

    public async Task<WalletNote> ReadNoteAsync(WalletDescriptor descriptor, CancellationToken cancel) =>
        WalletNote.Parse((await node.GetAddressInfoAsync(await FirstAsync(descriptor, cancel), cancel)).Label);

    public async Task WriteNoteAsync(WalletDescriptor descriptor, WalletNote note, CancellationToken cancel) =>
        await node.SetLabelAsync(await FirstAsync(descriptor, cancel), note.ToString(), cancel);

    /// <summary>The scripts of a run of indexes.</summary>
    public async Task<DerivedAddress[]> DeriveAsync(WalletDescriptor descriptor, uint first, int count, CancellationToken cancel)
    {
        var addresses = await node.DeriveAddressesAsync(descriptor.Text, first, first + (uint)count - 1, cancel);
        if (addresses.Count != count) throw new NodeException(NodeFailure.Unknown, $"deriveaddresses: {count} addresses were asked for, {addresses.Count} came");
        return [.. addresses.Select((address, i) => new DerivedAddress(first + (uint)i, ScriptOf(address)))];
    }

    private async Task<string> FirstAsync(WalletDescriptor descriptor, CancellationToken cancel)
    {
        if (_first is { } known && known.Descriptor == descriptor.Text) return known.Address;
        var address = (await node.DeriveAddressesAsync(descriptor.Text, 0, 0, cancel))[0];
        _first = (descriptor.Text, address);
        return address;
    }

    private ByteString ScriptOf(string address) => BitcoinAddress.TryParse(address, network, out var script, out var refusal)
        ? new ByteString(script)
        : throw new WalletMismatchException($"the node gave the address {address}, which is not one of {network}: {refusal}");
}
