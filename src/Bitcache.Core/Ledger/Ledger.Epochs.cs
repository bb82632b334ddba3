// The end of an epoch: the cut, what everybody had right behind it, and the statement about it that closes the books.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly RowList<Epoch> _epochs = new(ChainRows.Epochs);
    private readonly List<EpochBalances> _balances = [];

    public Epoch? LastEpoch => _epochs.Count == 0 ? null : _epochs[^1];

    /// <summary>The newest epoch about which a statement was made; null before the first.</summary>
    public Epoch? LastStatedEpoch { get; private set; }

    /// <summary>Whether balances are kept as they are at each cut, until somebody has read them. No part of the state.</summary>
    public bool KeepsBalances { get; set; }

    /// <summary>Whether somebody may be reading what was kept.</summary>
    public bool HasBalances => _balances.Count > 0;

    /// <summary>All that is kept, the oldest first.</summary>
    public IReadOnlyList<EpochBalances> Balances => _balances;

    public Epoch? FindEpoch(long number) => number >= 1 && number <= _epochs.Count ? _epochs[(int)number - 1] : null;

    /// <summary>Closed epochs before a place among them, newest first.</summary>
    public RecordPage<Epoch> Epochs(long before, int most)
    {
        var end = (int)Math.Clamp(before, 0, _epochs.Count);
        var first = Math.Max(0, end - most);
        return new RecordPage<Epoch>([.. Enumerable.Range(first, end - first).Reverse().Select(at => _epochs[at])], first > 0 ? first : null);
    }

    /// <summary>What everybody had when an epoch was closed; null if it was not kept, or was given back.</summary>
    public EpochBalances? FindBalances(long epoch) => _balances.Find(b => b.Epoch == epoch);

    /// <summary>The same for somebody who reads them from now on: they stay until he gives them back.</summary>
    public EpochBalances? HoldBalances(long epoch)
    {
        var kept = FindBalances(epoch);
        if (kept is not null) kept.IsHeld = true;
        return kept;
    }

    /// <summary>Nobody reads these any more, but somebody may again.</summary>
    /// <returns>How many of them are here.</returns>
    public int LetGo(IReadOnlySet<EpochBalances> balances)
    {
        var here = _balances.FindAll(balances.Contains);
        here.ForEach(kept => kept.IsHeld = false);
        return here.Count;
    }

    /// <summary>Nobody reads the balances of an epoch any more.</summary>
    public void Release(EpochBalances balances)
    {
        Assert(_balances.Remove(balances), "balances are given back once, to the ledger that they are of");
        _wallets.Release();
    }

    /// <summary>Gives back what nobody reads of the epochs up to one, because nobody will any more.</summary>
    public void ReleaseThrough(long epoch)
    {
        foreach (var kept in _balances.Where(b => !b.IsHeld && b.Epoch <= epoch).ToArray()) Release(kept);
    }

    private ApplyResult ApplyEpochCut(EpochCut command, in ApplyContext context, Span<byte> record)
    {
        if (command.Epoch <= _epochs.Count) return Refused(Outcome.Unchanged);
        Assert(command.Epoch == _epochs.Count + 1, "epochs are numbered in order");
        CheckEveryBalance();
        if (command.IsNamed) Remember(command, forEver: false);
        _epochs.Add(new Epoch(command.Epoch, context.Time, NextSequence + 1));
        if (KeepsBalances) KeepBalances();
        return Write(EntryType.EpochCut, command, context, record).Finish();
    }

    private ApplyResult ApplyStateEpoch(StateEpoch command, in ApplyContext context, Span<byte> record)
    {
        Assert(partition == 0, "the first partition has the statements about all");
        Assert(FindEpoch(command.Statement.Epoch) is { Statement: null }, "one statement is made about an epoch that was closed");
        Assert(command.Statement.Epoch > (LastStatedEpoch?.Number ?? 0), "statements follow the epochs' order");
        var at = (int)command.Statement.Epoch - 1;
        _epochs[at] = LastStatedEpoch = _epochs[at] with { Statement = command.Statement, Stated = NextSequence };
        ReleaseThrough(command.Statement.Epoch);
        return Write(EntryType.EpochStated, command, context, record).Finish();
    }

    /// <summary>Every process that has the partition keeps the newest, whoever closes the books: it may be the one that does so next.
    /// What somebody reads stays beside it, and of an epoch that comes when too many are read nothing is kept: no statement will
    /// be made about it.</summary>
    private void KeepBalances()
    {
        ReleaseThrough(_epochs.Count);
        if (_balances.Count == Limits.EpochsKeptMax) return;
        _balances.Add(new EpochBalances(partition, _epochs.Count, Totals, _wallets.Capture(), _legs.Lanes()));
    }
}
