// Cuts: where the log is ordered, and where an epoch ends.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly RowList<Epoch> _epochs = new(ChainRows.Epochs);

    /// <summary>The newest cut of the log, or null before the first.</summary>
    public LogCut? LastLogCut { get; private set; }

    /// <summary>The newest entry that is worth a new checkpoint: cuts of the log alone are not.</summary>
    public long LastContentSequence { get; private set; }

    public Epoch? LastEpoch => _epochs.Count == 0 ? null : _epochs[^1];

    public Epoch? FindEpoch(long number) => number >= 1 && number <= _epochs.Count ? _epochs[(int)number - 1] : null;

    /// <summary>Closed epochs before a place among them, newest first.</summary>
    public RecordPage<Epoch> Epochs(long before, int most)
    {
        var end = (int)Math.Clamp(before, 0, _epochs.Count);
        var first = Math.Max(0, end - most);
        return new RecordPage<Epoch>([.. Enumerable.Range(first, end - first).Reverse().Select(at => _epochs[at])], first > 0 ? first : null);
    }

    private ApplyResult ApplyLogCut(LogCut command, in ApplyContext context, Span<byte> record)
    {
        Assert(command.Round == (LastLogCut?.Round ?? 0) + 1, "cuts of the log are numbered in order");
        Assert(command.Through.Count == Genesis!.Partitions, "a cut names every partition");
        Assert(command.Through[partition] < NextSequence, "a cut covers what was journaled before it");
        Assert(LastLogCut is null || command.Through[partition] >= LastLogCut.Through[partition], "the log only grows");
        LastLogCut = command;
        return Write(EntryType.LogCut, command, context, record).Finish();
    }

    private ApplyResult ApplyEpochCut(EpochCut command, in ApplyContext context, Span<byte> record)
    {
        if (command.Epoch <= _epochs.Count) return Refused(Outcome.Unchanged);
        Assert(command.Epoch == _epochs.Count + 1, "epochs are numbered in order");
        CheckEveryBalance();
        if (command.IsNamed) Remember(command, forEver: false);
        _epochs.Add(new Epoch(command.Epoch, context.Time, NextSequence + 1));
        return Write(EntryType.EpochCut, command, context, record).Finish();
    }
}
