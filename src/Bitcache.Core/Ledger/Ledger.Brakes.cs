// The operator's brakes: while withdrawals are stopped nothing is signed but anchors, and a large withdrawal is held back until
// a second person approves it.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    // Those that wait for a second person, in the order of their entries.
    private readonly List<WithdrawalKey> _awaiting = [];

    /// <summary>Whether the operator has stopped all withdrawals. What is signed may be on its way, and is followed.</summary>
    public bool WithdrawalsStopped { get; private set; }

    /// <summary>Withdrawals that wait for a second person's approval, oldest first.</summary>
    public IReadOnlyList<Withdrawal> AwaitingWithdrawals() => [.. _awaiting.Select(k => _withdrawals[k])];

    /// <summary>Whether nothing of a family may be signed now because withdrawals are stopped.</summary>
    public bool IsStopped(Family family) => CheckStop(family.Anchor, family.Withdrawals) != Outcome.None;

    /// <summary>An anchor alone pays nobody, and is never stopped.</summary>
    private Outcome CheckStop(AnchorTerms? anchor, IReadOnlyList<WithdrawalKey> withdrawals) =>
        WithdrawalsStopped && (anchor is null || withdrawals.Count > 0) ? Outcome.WithdrawalsStopped : Outcome.None;

    /// <summary>What the families that were opened after a moment pay, or paid: it left by them, or may yet.</summary>
    public IReadOnlyList<(UnixTime Opened, Sats Amount)> OpenedSince(UnixTime after)
    {
        var opened = new List<(UnixTime, Sats)>();
        for (var number = _families.Count; number >= 1 && FindFamily(number) is var family && family.Opened > after; number--)
        {
            if (family.IsLive || family.State == FamilyState.Final)
                opened.Add((family.Opened, new Sats(family.Withdrawals.Sum(key => _withdrawals[key].Amount.Value))));
        }
        return opened;
    }

    private ApplyResult ApplyStopWithdrawals(StopWithdrawals command, in ApplyContext context, Span<byte> record)
    {
        // What somebody asked for is remembered also where it changes nothing, or a retry that comes late would.
        if (!command.IsNamed && command.Stopped == WithdrawalsStopped) return Refused(Outcome.Unchanged);
        if (command.IsNamed) Remember(command, forEver: false);
        WithdrawalsStopped = command.Stopped;
        return Write(EntryType.WithdrawalsStopSet, command, context, record).Finish();
    }

    /// <summary>It waits for approval, and at most until its deadline.</summary>
    private void Await(Withdrawal withdrawal)
    {
        _awaiting.Add(withdrawal.Key);
        if (withdrawal.Deadline is { } deadline) _deadlines.Add((deadline, withdrawal.Sequence, withdrawal.Key));
    }

    private ApplyResult ApplyDecideWithdrawal(DecideWithdrawal command, in ApplyContext context, Span<byte> record)
    {
        if (_wallets.Find(command.Wallet) < 0) return Refused(Outcome.WalletNotFound);
        var key = new WithdrawalKey(command.Wallet, command.Id);
        if (FindWithdrawal(key) is not { } withdrawal) return Refused(Outcome.WithdrawalNotFound);
        if (withdrawal.State != WithdrawalState.AwaitingApproval) return Refused(IsDecided(withdrawal, command) ? Outcome.Unchanged : Outcome.WithdrawalNotAwaiting);
        if (command.Approved && command.By == withdrawal.AskedBy) return Refused(Outcome.SecondPersonNeeded);

        // After this point it is decided: it waits with the others, or its money is the wallet's again.
        if (!command.Approved) return GiveBack(withdrawal, WithdrawalState.Declined, EntryType.WithdrawalDecided, command, context, record);
        _awaiting.Remove(key);
        Bind(key, WithdrawalState.Queued, family: 0);
        Queue(_withdrawals[key]);
        var entry = Begin(EntryType.WithdrawalDecided, context, record);
        command.WriteBody(ref entry.Body);
        entry.Body.Amount(Msat.Zero);
        entry.End(context);
        command.WritePrivate(ref entry.Body);
        return entry.Finish();
    }

    /// <summary>Whether a withdrawal is already where a word on it would bring it.</summary>
    private static bool IsDecided(Withdrawal withdrawal, DecideWithdrawal command) => command.Approved
        ? withdrawal.State is WithdrawalState.Queued or WithdrawalState.InFamily or WithdrawalState.Sent or WithdrawalState.Paid
        : withdrawal.State == WithdrawalState.Declined;
}
