// With the entries themselves: that each is what its leaf is the hash of, that the balances which follow from them are those in
// the published trees, and what of Bitcoin they speak of.

using System.Globalization;

namespace Bitcache.Core.Audit;

internal sealed class EntriesAudit
{
    private const long ProgressEvery = 1 << 6;

    private readonly AuditInputs _inputs;
    private readonly IAuditFolder _entries;
    private readonly MerkleLog _log;
    private readonly AllocatedTrees _trees;
    private readonly AuditSteps _steps;
    private readonly IReadOnlyList<VerifierKey> _keys;
    private readonly Dictionary<long, CheckedEpoch> _published;
    private readonly long _first;
    private readonly Dictionary<long, CutBalances> _cuts;
    private readonly StatementReplay _replay;
    private readonly BalanceAudit _balances;
    // Of the epochs whose balances nobody has kept, although something may be stated about them yet.
    private long _newestDropped;
    private long _newestStated;

    /// <param name="trees">Of the epochs.</param>
    /// <param name="last">The last audit's replay, to go on with; null to replay everything.</param>
    public EntriesAudit(
        AuditInputs inputs, IAuditFolder entries, Pins pins, IReadOnlyList<VerifierKey> keys, MerkleLog log, IReadOnlyList<CheckedEpoch> epochs, AllocatedTrees trees,
        KeptReplay? last, AuditSteps steps)
    {
        (_inputs, _entries, _keys, _log, _trees, _steps) = (inputs, entries, keys, log, trees, steps);
        _published = epochs.ToDictionary(e => e.Statement.Epoch);
        _balances = new BalanceAudit(trees, steps);
        (_first, _replay, _cuts) = last is null ? (0, new StatementReplay(pins), []) : (last.Entries, last.Replay, last.Cuts);
        (_replay.WhenCut, _replay.WhenStated) = (Keep, CheckStated);
        // Only a node can be asked about them, and there may be millions.
        if (inputs.Chain is null) return;
        _replay.WhenDeposited = Deposits.Add;
        _replay.WhenFinal = (family, paid) => Booked.Add(new BookedPayment(family.Confirmed!, family.Transactions.FindLast(t => t.Attempt == family.Confirmed!.Attempt && t.Child == 0)!.Txid, paid));
    }

    /// <summary>Withdrawals that the entries book as paid for good.</summary>
    public List<BookedPayment> Booked { get; } = [];

    /// <summary>When each epoch was cut about which something was stated.</summary>
    public Dictionary<long, UnixTime> Cuts { get; } = [];

    /// <summary>Deposits that they book as final.</summary>
    public List<ReplayDeposit> Deposits { get; } = [];

    /// <summary>What the next audit goes on with, once everything holds. Null if it might need balances that were not kept: so many
    /// epochs in a row have no statement; then what an earlier audit kept is good still.</summary>
    /// <param name="isInChain">Whether a node was asked about all that is booked as final.</param>
    public KeptReplay? Kept(bool isInChain) => _newestDropped > _newestStated ? null : new(_log.Size, _log.Root(), isInChain, _replay, _cuts);

    /// <summary>Replays the log from where the last audit ended.</summary>
    public bool Check()
    {
        foreach (var tile in LogTile.Between(_first, _log.Size).TakeWhile(tile => tile.Level == 0))
        {
            if (tile.Number % ProgressEvery == 0) _inputs.Progress("entries", tile.First, _log.Size);
            if (!CheckBundle(tile)) return false;
        }
        return CheckKeys() && _steps.Passed(string.Create(CultureInfo.InvariantCulture, $"{_log.Size - _first} entries{(_first == 0 ? "" : " that are new")} are those that the log was made of; replayed, nothing moves that was not there, and what is inside is what came from Bitcoin"));
    }

    /// <summary>The newest rotations that are published may not be in the log yet.</summary>
    private bool CheckKeys()
    {
        if (_replay.FirstKeys is { Count: > 0 } first && !first.Contains(Sha256.Of(_keys[0].PublicKey)))
            return _steps.Failed(AuditFault.KeysChanged, $"the ledger began with another key for its checkpoints, SHA-256 {first[0]}, than the pinned one", AuditPaths.Pins);
        var named = _replay.Keys;
        for (var i = 0; i < named.Count; i++)
        {
            if (i + 1 < _keys.Count && named[i].Span.SequenceEqual(_keys[i + 1].PublicKey)) continue;
            return _steps.Failed(AuditFault.KeysChanged, $"the entries name key {Convert.ToHexStringLower(named[i].Span)} as number {i + 2} of the log, and {AuditPaths.Rotations} does not", AuditPaths.Rotations);
        }
        return true;
    }

    private bool CheckBundle(LogTile tile)
    {
        var path = tile.Bundle.ToString();
        if (_entries.Read(path, EntryBundle.BytesMax) is not { } bytes) return _steps.Failed(AuditFault.FileMissing, $"{path} is not in the auditors' folder", path);
        if (!EntryBundle.TryRead(bytes, tile.Width, out var entries)) return _steps.Failed(AuditFault.FileMalformed, $"{path} does not hold {tile.Width} entries", path);
        var hasher = new LeafHasher(tile.Width);
        foreach (var entry in entries) hasher.Add(entry.Span);
        var same = hasher.Finish().CommonPrefixLength(_log.Tile(tile));
        if (same < tile.Width) return _steps.Failed(AuditFault.EntryAltered, $"entry {tile.First + same} in {path} is not the one that the log has there", path, tile.ToString());
        for (var i = (int)Math.Max(0, _first - tile.First); i < entries.Count; i++)
        {
            if (!Apply(tile.First + i, entries[i].Span, path)) return false;
        }
        return true;
    }

    /// <summary>What an entry is found to be, the replay says by its exception: it is deep inside then.</summary>
    private bool Apply(long index, ReadOnlySpan<byte> entry, string path)
    {
        try
        {
            return _replay.Apply(index, entry);
        }
        catch (ImpossibleEntryException e)
        {
            return _steps.Failed(e.Fault, $"entry {index}: {e.Message}", path);
        }
        catch (OverflowException)
        {
            return _steps.Failed(AuditFault.EntryImpossible, $"entry {index}: it comes to an amount that is none", path);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return _steps.Failed(AuditFault.EntryMalformed, $"entry {index} cannot be read: {e.Message}", path);
        }
    }

    /// <summary>Until something is stated about it; of most epochs that is soon. A ledger, too, keeps so many at most: one that has
    /// more to state cannot have known what it states. About those that are not published something may be stated before the next
    /// audit, which goes on with them.</summary>
    private void Keep(CutBalances cut)
    {
        _cuts.Add(cut.Epoch, cut);
        if (_cuts.Keys.Count(_published.ContainsKey) > Limits.EpochsKeptMax)
            throw new ImpossibleEntryException($"it cuts epoch {cut.Epoch}, with {Limits.EpochsKeptMax} before it that are stated later", AuditFault.CloseOutOfOrder);
        var open = _cuts.Keys.Where(number => !_published.ContainsKey(number)).ToArray();
        if (open.Length <= Limits.EpochsKeptMax) return;
        _cuts.Remove(open.Min());
        _newestDropped = Math.Max(_newestDropped, open.Min());
    }

    private bool CheckStated(EpochStatement statement, long index)
    {
        var path = AuditPaths.Of(statement.Epoch, AuditPaths.Close);
        if (!_published.TryGetValue(statement.Epoch, out var epoch)) return _steps.Failed(AuditFault.EpochWithheld, $"entry {index} states what is owed at epoch {statement.Epoch}, which is not published", path);
        if (epoch.Index != index) return _steps.Failed(AuditFault.EpochRewritten, $"epoch {statement.Epoch} is stated by entry {index} and by entry {epoch.Index}, which is published", path);
        if (!_cuts.TryGetValue(statement.Epoch, out var cut)) return _steps.Failed(AuditFault.CloseOutOfOrder, $"entry {index} states what is owed at epoch {statement.Epoch}, which is not cut before it, or was stated already", path);
        foreach (var older in _cuts.Keys.Where(number => number <= statement.Epoch).ToArray()) _cuts.Remove(older);
        // Of several partitions the cut of the log that covers all of their cuts is some entries behind the last.
        if (cut.Partitions == 1 ? statement.CutSize != cut.LastCut + 1 : statement.CutSize <= cut.LastCut)
            return _steps.Failed(AuditFault.CloseOutOfOrder, $"epoch {statement.Epoch} is said to be cut at {statement.CutSize} entries, and its cut is entry {cut.LastCut}", path);
        Cuts.Add(statement.Epoch, cut.Time);
        _newestStated = statement.Epoch;
        if (!_balances.Check(epoch, cut)) return false;
        if (_published.Keys.Where(number => number > statement.Epoch).DefaultIfEmpty().Min() is var next and > 0) _trees.Begin(next);
        return true;
    }
}
