// Addresses for wallets, derived from the node's own descriptor. The indexes are handed out here, by one allocator for all
// partitions, because the node's wallet is one. An index that was handed out and not journaled is a gap, which harms nobody.
//
// Nobody learns an address before the node's wallet looks for it and the ledger has journaled whose it is. A wallet that was
// restored from an old backup has looked for fewer; before it is told to look for all of them again, it is journaled that it
// has to be rescanned from the first block that may pay one it did not know.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Used by whoever asks for addresses and by the settlement loop, one at a time.</summary>
public sealed class AddressAllocator(SettlementTerm term, IBitcoinNode node, EngineSettings settings, ILogger log) : IAsyncDisposable
{
    /// <summary>How often addresses that turn out to be taken are passed over; each time as many again are looked at.</summary>
    private const int AttemptsMax = 16;

    private readonly WalletKeys _keys = new(node, settings.Network);
    // Its holder owns what is below, and the keys.
    private readonly SemaphoreSlim _one = new(1);
    private uint _next;
    // The descriptor that the newest addresses are known to come from.
    private string? _verified;
    // From where it is known that a wallet with this note has to be rescanned: asking the ledgers walks all addresses.
    private (uint? UpTo, uint From)? _behind;

    /// <summary>What is known of the wallet when it was asked.</summary>
    /// <param name="Highest">The highest index that was given away.</param>
    private readonly record struct Prepared(WalletDescriptor Descriptor, WalletNote Note, uint? Highest)
    {
        /// <summary>Whether it has looked for all that was given away, ever since.</summary>
        public bool MissesNothing => Highest is null || Note.UpTo >= Highest;

        /// <summary>Whether it looks for all of it now.</summary>
        public bool LooksForAll => MissesNothing || Descriptor.Range!.Value.Last >= Highest;
    }

    /// <summary>Gives a wallet a fresh address, or the one that this id got before.</summary>
    /// <exception cref="NodeUnavailableException">There is no node to ask, or no wallet to derive from.</exception>
    /// <exception cref="TermOverException">Another process settles now.</exception>
    public Task<Answer> AssignAsync(OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, CancellationToken cancel) =>
        AssignAsync(
            new AssignAddress(id, wallet, purpose, ByteString.Empty), 1, tenant,
            (height, made) => new AssignAddress(id, wallet, purpose, made[0].Script, new AddressOrigin(made[0].Index, height)), cancel);

    /// <summary>Gives a wallet many fresh addresses, or those that this id got before: all or none.</summary>
    /// <exception cref="NodeUnavailableException">There is no node to ask, or no wallet to derive from.</exception>
    /// <exception cref="TermOverException">Another process settles now.</exception>
    public Task<Answer> AssignAsync(OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, int count, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Limits.AddressesAtOnceMax);
        return AssignAsync(
            new AssignAddresses(id, wallet, purpose, 0, [.. Enumerable.Repeat(new DerivedAddress(0, ByteString.Empty), count)]), count, tenant,
            (height, made) => new AssignAddresses(id, wallet, purpose, height, made), cancel);
    }

    /// <summary>Sees to it that the node's wallet is the one that our addresses come from, and looks for all of them.</summary>
    /// <returns>Its note, which tells copies of it apart; null while it has to be told to look for more, so many at a time. That it
    /// has to be rescanned then is journaled.</returns>
    /// <exception cref="NodeException">The node's.</exception>
    /// <exception cref="WalletMismatchException">It is another wallet.</exception>
    internal async Task<WalletNote?> CheckAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            _verified = null;
            var prepared = await PrepareAsync(cancel);
            return prepared.LooksForAll ? prepared.Note : null;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Does something while nobody is at the node's wallet: puts another node in use, whose wallet is another copy.</summary>
    internal async Task<T> WithoutOthersAsync<T>(Func<Task<T>> work, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            return await work();
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Notes in the wallet that a run of a rescan begins or has ended with it, so that it is known again afterwards.</summary>
    /// <param name="before">The name that must stand there.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The name of the run; null if it is another copy by now.</returns>
    internal Task<string?> NameRunAsync(string? before, CancellationToken cancel)
    {
        var run = Guid.NewGuid().ToString("N");
        return NoteAsync(n => n.Run == before, (_, n) => n with { Run = run }, run, cancel);
    }

    /// <summary>Notes in the wallet that it was rescanned and misses nothing any more.</summary>
    /// <param name="run">The newest of the rescan.</param>
    /// <returns>Null if it is another copy than the one of that run.</returns>
    internal Task<string?> EndRunsAsync(string run, CancellationToken cancel) =>
        NoteAsync(n => n.Run == run, (descriptor, _) => WholeNote(descriptor), run, cancel);

    /// <summary>When whoever is at it is through.</summary>
    public async ValueTask DisposeAsync()
    {
        await _one.WaitAsync();
        _one.Dispose();
    }

    /// <param name="wanted">The command without its scripts.</param>
    /// <param name="complete">Makes it of the height and the scripts.</param>
    private async Task<Answer> AssignAsync(
        ClientCommand wanted, int count, uint tenant, Func<uint, DerivedAddress[], ClientCommand> complete, CancellationToken cancel)
    {
        // Neither a retry nor a refusal costs an index: the ledger is asked first, for all but the scripts.
        var home = term.Partitions.HomeOf(wanted.Owner);
        if (home.IsStorageFull) throw new PartitionUnavailableException(Unavailable.StorageFull);
        var foreseen = await home.ForeseeAsync(wanted, tenant);
        if (foreseen == Outcome.Known) return await term.SubmitAsync(home, wanted, tenant);
        if (foreseen != Outcome.Accepted) return new Answer(foreseen, null, null, null);
        var runs = new List<(uint First, int Count)>();
        try
        {
            // Once addresses are reserved nobody waits in vain: otherwise whoever gives up has the wallet look for ever more.
            var (height, made) = await MakeAsync(count, runs, cancel);
            // Whoever settles next gives the same indexes away if it does not see this in a journal: then it must not come there any more.
            var answer = await term.SubmitAsync(home, complete(height, made), tenant);
            if (answer.Outcome != Outcome.Accepted || answer.IsRetry) await GiveBackAsync(runs);
            return answer;
        }
        catch (Exception e) when (e is NodeException or WalletMismatchException)
        {
            throw new NodeUnavailableException(e.Message);
        }
    }

    /// <summary>Derives addresses that belong to nobody in any partition, and that the node's wallet looks for.</summary>
    /// <param name="count">How many.</param>
    /// <param name="runs">Takes the runs of indexes that were reserved.</param>
    /// <param name="cancel">Ends the wait for a turn, not what is done in it.</param>
    private async Task<(uint Height, DerivedAddress[] Made)> MakeAsync(int count, List<(uint First, int Count)> runs, CancellationToken cancel)
    {
        var free = new List<DerivedAddress>(count);
        // Asked before anybody can pay what is made now.
        var height = await term.Partitions.First.QueryAsync(ledger => ledger.Cursor?.Height) ?? await FirstHeightAsync(cancel);
        var more = count;
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            var (descriptor, first) = await ReserveAsync(more, cancel);
            runs.Add((first, more));
            var made = await _keys.DeriveAsync(descriptor, first, more, CancellationToken.None);
            var taken = await term.Partitions.QueryAllAsync(ledger => Array.FindAll(made, a => ledger.IsTaken(a.Script)));
            free.AddRange(made.Except(taken.SelectMany(t => t)));
            if (free.Count >= count) return (height, [.. free.Take(count)]);
            // As many in a row as the node gave away before it was restored from a backup.
            more = Math.Min(2 * more, Limits.AddressesAtOnceMax);
        }
        throw new WalletMismatchException($"the node's wallet gives addresses that belong to wallets already, {AttemptsMax} times in a row");
    }

    /// <summary>Before anything was looked at: the newest block of a chain that is there.</summary>
    private async Task<uint> FirstHeightAsync(CancellationToken cancel)
    {
        var chain = await node.GetBlockchainInfoAsync(cancel);
        return chain.InitialBlockDownload
            ? throw new NodeUnavailableException($"the node is still downloading the chain (block {chain.Blocks})")
            : (uint)chain.Blocks;
    }

    /// <summary>Whoever asks next has what nobody was given, if nobody had more since.</summary>
    private async Task GiveBackAsync(List<(uint First, int Count)> runs)
    {
        await _one.WaitAsync();
        try
        {
            foreach (var (first, count) in Enumerable.Reverse(runs))
                if (_next == first + (uint)count) _next = first;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Takes a run of indexes that nobody had: behind all that were journaled, and behind those that the node gave away.</summary>
    private async Task<(WalletDescriptor Descriptor, uint First)> ReserveAsync(int count, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            var prepared = await PrepareAsync(CancellationToken.None);
            var (descriptor, note) = (prepared.Descriptor, prepared.Note);
            if (!prepared.LooksForAll) throw NotYet(descriptor, prepared.Highest!.Value);
            var first = Math.Max(_next, descriptor.Next);
            var last = first + (uint)count - 1;
            if (first > Limits.AddressIndexMax - (uint)count) throw new WalletMismatchException("the wallet's descriptor has no more addresses");
            descriptor = await _keys.WatchAsync(descriptor, last, CancellationToken.None);
            if (descriptor.Range!.Value.Last < last) throw NotYet(descriptor, last);
            // What is noted of a wallet that is being rescanned is that it misses something, until that is over.
            if (prepared.MissesNothing && !(note.UpTo >= last)) await _keys.WriteNoteAsync(descriptor, WholeNote(descriptor) with { Run = note.Run }, CancellationToken.None);
            _next = first + (uint)count;
            return (descriptor, first);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>The wallet, once it is known to be ours and looks for all addresses that were given away.</summary>
    private async Task<Prepared> PrepareAsync(CancellationToken cancel)
    {
        var given = await term.Partitions.QueryAllAsync(ledger => (Highest: ledger.HighestAddress, Chosen: ledger.NewestChosenAddress));
        var highest = given.Select(g => g.Highest).OfType<DepositAddress>().MaxBy(a => a.Origin!.Value.Index);
        var descriptor = await _keys.FindAsync(cancel);
        if (descriptor.Text != _verified)
        {
            if (highest is not null) await VerifyAsync(descriptor, highest, cancel);
            foreach (var chosen in given.Select(g => g.Chosen).OfType<DepositAddress>())
            {
                if (!await IsMineAsync(chosen, cancel)) throw Mismatch(chosen);
            }
            _verified = descriptor.Text;
        }
        var note = await _keys.ReadNoteAsync(descriptor, cancel);
        if (highest is null) return new Prepared(descriptor, note, Highest: null);
        var index = highest.Origin!.Value.Index;
        _next = Math.Max(_next, index + 1);
        return new Prepared(note.UpTo >= index ? descriptor : await WatchAgainAsync(note.UpTo, index, cancel), note, index);
    }

    /// <exception cref="WalletMismatchException">It is not the wallet that the address came from.</exception>
    private async Task VerifyAsync(WalletDescriptor descriptor, DepositAddress highest, CancellationToken cancel)
    {
        var derived = await _keys.DeriveAsync(descriptor, highest.Origin!.Value.Index, 1, cancel);
        // Or it came from a descriptor that the wallet had before.
        if (derived[0].Script != highest.Script && !await IsMineAsync(highest, cancel)) throw Mismatch(highest);
    }

    /// <summary>Has a copy of the wallet from before look for what was given away since, or for some more of it.</summary>
    private async Task<WalletDescriptor> WatchAgainAsync(uint? noted, uint index, CancellationToken cancel)
    {
        var due = await term.Partitions.First.QueryAsync(ledger => ledger.Rescan);
        // What was given away since is above: it asks for no more than that.
        if (_behind is not { } behind || behind.UpTo != noted || !(due <= behind.From))
        {
            var lowest = (await term.Partitions.QueryAllAsync(ledger => ledger.LowestOrigin(noted + 1 ?? 0))).Min() ?? 0;
            // Also what a reorganisation has put below, as far as one is followed at all.
            var from = lowest > Limits.CursorRingMax ? lowest - Limits.CursorRingMax : 0;
            // Durable first: once the wallet looks for them, nothing here would tell that it has to be rescanned.
            var marked = await term.SubmitAsync(new MarkRescan(from, Done: false));
            if (marked.Outcome == Outcome.Accepted) log.WalletFallenBehind(noted, index, from);
            _behind = (noted, from);
        }
        // Asked behind the note: what was asked before it may be of another copy.
        return await _keys.WatchAsync(await _keys.FindAsync(cancel), index, cancel);
    }

    /// <summary>Writes another note into the wallet, if the one there is as it has to be.</summary>
    /// <returns>What was given, or null if it is not.</returns>
    private async Task<string?> NoteAsync(
        Predicate<WalletNote> isExpected, Func<WalletDescriptor, WalletNote, WalletNote> change, string given, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            var descriptor = await _keys.FindAsync(cancel);
            var note = await _keys.ReadNoteAsync(descriptor, cancel);
            if (!isExpected(note)) return null;
            await _keys.WriteNoteAsync(descriptor, change(descriptor, note), cancel);
            return given;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>That a wallet looks for all addresses of its range, and has missed none.</summary>
    private static WalletNote WholeNote(WalletDescriptor descriptor) => new(descriptor.Range!.Value.Last, null);

    private async Task<bool> IsMineAsync(DepositAddress address, CancellationToken cancel) =>
        (await node.GetAddressInfoAsync(TextOf(address), cancel)).IsMine;

    private static NodeUnavailableException NotYet(WalletDescriptor descriptor, uint index) => new(
        $"the node's wallet looks for addresses up to index {descriptor.Range!.Value.Last} and is being told to look for more, up to {index}");

    private WalletMismatchException Mismatch(DepositAddress address) => new(
        $"the node's wallet does not know {TextOf(address)}, an address that was given away: it is another wallet, or a backup from before. "
        + "Restore the hot wallet that the addresses came from");

    private string TextOf(DepositAddress address) => BitcoinAddress.FromScript(address.Script.Span, settings.Network)!;
}
