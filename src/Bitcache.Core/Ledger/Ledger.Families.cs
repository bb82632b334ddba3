// How a family ends otherwise than by confirming, the children that pay for one, the stop of all settlement, and what is kept of
// a family that ended.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>What ended settlement for good: a stranger spent the output that only the next anchor may spend.</summary>
    public FinalSpend? SettlementStop { get; private set; }

    /// <summary>What made a transaction of our own impossible for good, if its family is dead.</summary>
    public FinalSpend? FindLoss(Txid transaction) =>
        _families.Dead.FirstOrDefault(f => f.Transactions.Any(t => t.Txid == transaction))?.Spend;

    private ApplyResult ApplyDeclareFamilyDead(DeclareFamilyDead command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(
            family is { State: FamilyState.Signed } or { State: FamilyState.Opened, Prepared: not null },
            "a family dies with its transactions, signed ones and those with their signer, of which none is in a block");
        Assert(family.Spend is null, "what a stranger took of an anchor was in a block for good");
        Assert(!family.Txids.Contains(command.Cause.Spender), "no family dies by a transaction of its own");
        Assert(
            family.Withdrawals.All(k => _withdrawals[k] is { State: WithdrawalState.InFamily } w && w.Family == family.Number),
            "what a family pays for is in no other");
        GiveBack(family);
        _families.Replace(family with { State = FamilyState.Dead, Spend = command.Cause, Prepared = null });
        return Write(EntryType.FamilyDied, command, context, record).Finish();
    }

    private ApplyResult ApplySignChild(SignChild command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(family.State is FamilyState.Signed or FamilyState.Confirmed, "what a child pays for was signed and is not final");
        Assert(family.Prepared is null, "what is with its signer may replace the attempt");
        Assert(command.Attempt >= 1 && command.Attempt <= family.Attempts.Count, "a child spends of one of the attempts");
        Assert(family.Children.Count == 0 || family.ParentAttempt == command.Attempt, "all children spend of the same attempt");
        Assert(family.Confirmation is not { } confirmed || confirmed.Attempt == command.Attempt, "a child spends of the attempt that is in a block");
        Assert(command.Child == family.Children.Count + 1, "children are numbered in order");
        Assert(family.Attempts[command.Attempt - 1].Fee + command.Fee <= family.FeeCap, "mining fees stay within what is held for them");
        if (CheckStop(family.Anchor, family.Withdrawals) is var stop and not Outcome.None) return Refused(stop);
        _families.Replace(family with
        {
            ParentAttempt = command.Attempt,
            Children = [.. family.Children, new Child(command.Child, command.Txid, command.Fee, command.Transaction, command.Height)],
        });
        NoteChange(family, command.Transaction);
        return Write(EntryType.ChildSigned, command, context, record).Finish();
    }

    private ApplyResult ApplyStopSettlement(StopSettlement command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(family.Anchor is not null && family.Confirmation is not null, "only the output of an anchor in a block is watched");
        Assert(
            command.Cause.Output.Txid == family.Attempts[family.Confirmation!.Attempt - 1].Txid, "the output is that of the anchor that is in a block");
        Assert(!IsOwn(command.Cause.Spender), "no transaction of our own ends settlement");
        if (SettlementStop is not null) return Refused(Outcome.Unchanged);
        SettlementStop = command.Cause;
        _families.Replace(family with { Spend = command.Cause });
        return Write(EntryType.SettlementStopped, command, context, record).Finish();
    }

    /// <summary>Families that ended and may be archived, the oldest first.</summary>
    public IReadOnlyList<ArchiveFamily> FamiliesToArchive(int most) =>
        [.. _families.Ended.Where(MayArchive).Take(most).Select(f => new ArchiveFamily(f.Number, ToKeep(f)))];

    // The next anchor spends an output of the newest: that one is asked for its transaction until another is as deep.
    private bool MayArchive(Family family) =>
        family.State == FamilyState.Dead || family.Anchor is null
        || _families.AnchorsFromNewest.First(f => f.State == FamilyState.Final).Number > family.Number;

    private static ByteString ToKeep(Family family) =>
        family is { Anchor: not null, State: FamilyState.Final } ? family.Attempts[family.Confirmation!.Attempt - 1].Transaction : ByteString.Empty;

    private ApplyResult ApplyArchiveFamily(ArchiveFamily command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(family.HasEnded && family.Archived == 0, "a family is archived once, when it has ended");
        Assert(MayArchive(family), "the newest anchor that is final is not archived");
        Assert(command.Transaction == ToKeep(family), "the transaction of a final anchor stands in the entry that archives it");
        _families.Replace(family with
        {
            Archived = NextSequence,
            Change = [.. family.Transactions.SelectMany(t => ChangeOf(family, t.Transaction)).Distinct()],
            Attempts = [.. family.Attempts.Select(a => a with { Transaction = ByteString.Empty })],
            Children = [.. family.Children.Select(c => c with { Transaction = ByteString.Empty })],
        });
        return Write(EntryType.FamilyArchived, command, context, record).Finish();
    }

    /// <summary>A family that did not die and has such a spend is an anchor whose output is gone.</summary>
    private static FinalSpend? FindStop(IEnumerable<Family> families) =>
        families.FirstOrDefault(f => f is { Spend: not null, State: not FamilyState.Dead })?.Spend;
}
