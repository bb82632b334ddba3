// Cuts of the log: where its order is fixed.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>The newest cut of the log, or null before the first.</summary>
    public LogCut? LastLogCut { get; private set; }

    /// <summary>The newest entry that is worth a new checkpoint: cuts of the log alone are not.</summary>
    public long LastContentSequence { get; private set; }

    private ApplyResult ApplyLogCut(LogCut command, in ApplyContext context, Span<byte> record)
    {
        Assert(command.Round == (LastLogCut?.Round ?? 0) + 1, "cuts of the log are numbered in order");
        Assert(command.Through.Count == Genesis!.Partitions, "a cut names every partition");
        Assert(command.Through[partition] < NextSequence, "a cut covers what was journaled before it");
        Assert(LastLogCut is null || command.Through[partition] >= LastLogCut.Through[partition], "the log only grows");
        LastLogCut = command;
        return Write(EntryType.LogCut, command, context, record).Finish();
    }
}
