// What a withdrawal costs its wallet, and until when it may wait.
//
// The most that it is charged for mining is held with its amount when it is asked for. When its transaction is final the
// withdrawals of the family share the part of the real fee that falls to them, in proportion to what each has held, and
// each is then charged by an entry of its own: to the operator, who paid the miner, goes the charge, and the rest back.
//
// One that has a deadline goes back when journaled time passes it while the withdrawal waits. A family is not opened or
// signed with it any more then, so that the money is never in two places.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    // Those whose transaction is final and which are not charged yet.
    private readonly List<WithdrawalKey> _uncharged = [];
    // Those that wait, for approval too, and have a deadline: the earliest first, then the oldest.
    private readonly SortedSet<(UnixTime Deadline, long Sequence, WithdrawalKey Key)> _deadlines =
        new(Comparer<(UnixTime Deadline, long Sequence, WithdrawalKey Key)>.Create((a, b) =>
            a.Deadline != b.Deadline ? a.Deadline.CompareTo(b.Deadline) : a.Sequence.CompareTo(b.Sequence)));

    /// <summary>Withdrawals whose transaction is final and whose share of its fee is not booked yet.</summary>
    public IReadOnlyList<WithdrawalKey> UnchargedWithdrawals() => [.. _uncharged];

    /// <summary>When the first hold expires or withdrawal's deadline is over; null without one. Costs next to nothing.</summary>
    public UnixTime? NextExpiry => _deadlines.Count == 0 || NextHoldExpiry <= _deadlines.Min.Deadline ? NextHoldExpiry : _deadlines.Min.Deadline;

    /// <summary>The withdrawal that waits and is to be given back, the one whose deadline was over first before the others;
    /// null when none is.</summary>
    public ExpireWithdrawal? NextWithdrawalToExpire(UnixTime now) =>
        _deadlines.Count > 0 && _deadlines.Min is var first && first.Deadline <= now ? new ExpireWithdrawal(first.Key) : null;

    /// <summary>The earliest deadline of a family's withdrawals: from then on it gets no first signature.</summary>
    public UnixTime? DeadlineOf(Family family) => DeadlineOf(family.Withdrawals);

    private UnixTime? DeadlineOf(IReadOnlyList<WithdrawalKey> withdrawals) => withdrawals.Min(key => _withdrawals[key].Deadline);

    private static bool MayExpireAt(UnixTime? deadline, UnixTime now) =>
        deadline is not { } time || time.Milliseconds - now.Milliseconds is > 0 and <= Limits.WithdrawalDeadlineMillisecondsMax;

    private void Queue(Withdrawal withdrawal)
    {
        _queued.Add(withdrawal.Sequence, withdrawal.Key);
        if (withdrawal.Deadline is { } deadline) _deadlines.Add((deadline, withdrawal.Sequence, withdrawal.Key));
    }

    /// <summary>They do not wait any more.</summary>
    private void Unqueue(IReadOnlyList<WithdrawalKey> withdrawals)
    {
        foreach (var key in withdrawals)
        {
            var withdrawal = _withdrawals[key];
            _queued.Remove(withdrawal.Sequence);
            if (withdrawal.Deadline is { } deadline) _deadlines.Remove((deadline, withdrawal.Sequence, key));
        }
    }

    private ApplyResult ApplyExpireWithdrawal(ExpireWithdrawal command, in ApplyContext context, Span<byte> record)
    {
        var withdrawal = FindWithdrawal(command.Withdrawal);
        Assert(
            withdrawal is { State: WithdrawalState.Queued or WithdrawalState.AwaitingApproval } && withdrawal.Deadline <= context.Time,
            "what is given back for its deadline waits, and its deadline is over");
        return GiveBack(withdrawal!, WithdrawalState.Expired, EntryType.WithdrawalExpired, command, context, record);
    }

    /// <summary>What was held for a withdrawal that waits is its wallet's again.</summary>
    private ApplyResult GiveBack(
        Withdrawal withdrawal, WithdrawalState state, EntryType type, Command command, in ApplyContext context, Span<byte> record)
    {
        Bind(withdrawal.Key, state, family: 0);
        Unqueue([withdrawal.Key]);
        _awaiting.Remove(withdrawal.Key);
        ref var wallet = ref _wallets[_wallets.Find(withdrawal.Key.Wallet)];
        TakeHeld(ref wallet, withdrawal.Held);
        Credit(ref wallet, withdrawal.Held);
        var entry = Begin(type, context, record);
        command.WriteBody(ref entry.Body);
        entry.Body.Amount(withdrawal.Held);
        entry.End(context);
        command.WritePrivate(ref entry.Body);
        entry.Link(ref wallet);
        return entry.Finish();
    }

    /// <summary>The withdrawal's transaction is final. What it costs is known now, and booked by an entry of its own.</summary>
    /// <param name="shared">The part of the fee that the family's withdrawals share.</param>
    /// <param name="held">What they hold for that together.</param>
    private void MarkSent(WithdrawalKey key, long family, Sats shared, Sats held)
    {
        var withdrawal = _withdrawals[key] with { State = WithdrawalState.Paid, Family = family };
        if (withdrawal.Fee > Sats.Zero)
        {
            // Rounded down: what is left of the fee the operator bears.
            var share = shared < held ? (long)((Int128)shared.Value * withdrawal.Fee.Value / held.Value) : withdrawal.Fee.Value;
            withdrawal = withdrawal with { State = WithdrawalState.Sent, Charge = new Sats(share) };
            _uncharged.Add(key);
        }
        Keep(withdrawal);
    }

    private ApplyResult ApplyChargeWithdrawal(ChargeWithdrawal command, in ApplyContext context, Span<byte> record)
    {
        var key = command.Withdrawal;
        if (FindWithdrawal(key) is { State: WithdrawalState.Paid }) return Refused(Outcome.Unchanged);
        Assert(_uncharged.Remove(key), "what is charged is a withdrawal whose transaction is final");
        var withdrawal = _withdrawals[key];
        Assert(withdrawal.Charge <= withdrawal.Fee, "a withdrawal is charged what was held for it at most");

        // After this point the charge is the operator's, who paid the miner, and the rest the wallet's.
        var (charge, rest) = (withdrawal.Charge.ToMsat(), (withdrawal.Fee - withdrawal.Charge).ToMsat());
        Bind(key, WithdrawalState.Paid, withdrawal.Family);
        ref var wallet = ref _wallets[_wallets.Find(key.Wallet)];
        TakeHeld(ref wallet, charge + rest);
        Credit(ref wallet, rest);
        Credit(ref _wallets[_operator], charge);
        var entry = Begin(EntryType.WithdrawalCharged, context, record);
        command.WriteBody(ref entry.Body);
        entry.Body.Amount(charge);
        entry.Body.Amount(rest);
        entry.End(context);
        entry.Link(ref wallet);
        if (!charge.IsZero) entry.Link(ref _wallets[_operator]);
        return entry.Finish();
    }
}
