// The model's withdrawals: what is held, what goes back, what mining them costs their wallets.

using System.Numerics;
using Bitcache.Core;

namespace Bitcache.Simulation;

internal sealed partial record Model
{
    private const long Year = 365 * 24 * Hour;
    private const int WithdrawalsMax = 10_000;

    /// <summary>The withdrawal that must be given back first.</summary>
    public WithdrawalKey? LateWithdrawal => Withdrawals.Where(w => w.Value.Waits && w.Value.IsLate(Now)).Select(w => w.Key)
        .OrderBy(k => Withdrawals[k].Deadline).ThenBy(k => Withdrawals[k].Order).Select(k => (WithdrawalKey?)k).FirstOrDefault();

    /// <summary>Those whose transaction is final and whose share of its fee is not booked.</summary>
    public IEnumerable<WithdrawalKey> Uncharged => Withdrawals.Where(w => w.Value.State == WithdrawalState.Sent).OrderBy(w => w.Value.Order).Select(w => w.Key);

    private (Outcome, Model) Withdraw(RequestWithdrawal c, uint tenant)
    {
        if (!c.Max && c.Amount.Value == 0) return (Outcome.AmountZero, this);
        if (c.Deadline is { } time && (time <= Now || time.Milliseconds > Now.Milliseconds + Year)) return (Outcome.DeadlineOutOfRange, this);
        if (c.Script == AnchorScript) return (Outcome.AnchorAddress, this);
        if (!IsOwn(c.Wallet, tenant)) return (Outcome.WalletNotFound, this);
        var wallet = Wallets[c.Wallet];
        var inside = Addresses.TryGetValue(c.Script, out var payee);
        if (inside && payee == c.Wallet) return (Outcome.SelfTransfer, this);
        var least = inside ? 1 : TaprootDust;
        var fee = inside || c.Wallet == Operator ? 0 : c.Fee.Value;
        var sat = c.Max ? Math.Max(0, (wallet.Available / 1000) - fee) : c.Amount.Value;
        if (!c.Max && sat < least) return (Outcome.BelowDust, this);
        if (fee > c.FeeMax?.Value) return (Outcome.FeeAboveMax, this);
        if (wallet.Stopped is { } stopped) return (stopped, this);
        if (wallet.Available < (sat + fee) * 1000 || sat < least) return (Outcome.InsufficientFunds, this);
        if (!inside && Withdrawals.Count(w => w.Key.Wallet == c.Wallet && w.Value.IsOpen) >= WithdrawalsMax) return (Outcome.TooManyWithdrawals, this);
        var state = inside ? WithdrawalState.SettledInside : sat >= c.ApprovalFrom?.Value ? WithdrawalState.AwaitingApproval : WithdrawalState.Queued;
        var withdrawal = new ModelWithdrawal(sat * 1000, state, 0, Entries)
        {
            AskedBy = c.AskedBy,
            Fee = fee * 1000,
            Deadline = c.Deadline?.Milliseconds,
        };
        var after = this with { Withdrawals = Withdrawals.Add(new WithdrawalKey(c.Wallet, c.Id), withdrawal) };
        return (Outcome.Accepted, inside
            ? after.With(c.Wallet, w => w.Debit(sat * 1000)).With(payee, w => w.Credit(sat * 1000))
            : after.With(c.Wallet, w => w.Hold(withdrawal.Held)));
    }

    private (Outcome?, Model) Cancel(CancelWithdrawal c, uint tenant)
    {
        var key = new WithdrawalKey(c.Wallet, c.Id);
        if (!IsOwn(c.Wallet, tenant)) return (Outcome.WalletNotFound, this);
        if (!Withdrawals.TryGetValue(key, out var withdrawal)) return (Outcome.WithdrawalNotFound, this);
        if (withdrawal.State == WithdrawalState.Cancelled) return (Outcome.Unchanged, this);
        return withdrawal.Waits ? (Outcome.Accepted, GiveBack(key, WithdrawalState.Cancelled)) : (Outcome.WithdrawalNotQueued, this);
    }

    private (Outcome?, Model) DecideOn(DecideWithdrawal c)
    {
        var key = new WithdrawalKey(c.Wallet, c.Id);
        if (!Wallets.ContainsKey(c.Wallet)) return (Outcome.WalletNotFound, this);
        if (!Withdrawals.TryGetValue(key, out var withdrawal)) return (Outcome.WithdrawalNotFound, this);
        return (withdrawal.State, c.Approved) switch
        {
            (WithdrawalState.AwaitingApproval, true) => c.By == withdrawal.AskedBy
                ? (Outcome.SecondPersonNeeded, this)
                : (Outcome.Accepted, this with { Withdrawals = Withdrawals.SetItem(key, withdrawal with { State = WithdrawalState.Queued }) }),
            (WithdrawalState.AwaitingApproval, false) => (Outcome.Accepted, GiveBack(key, WithdrawalState.Declined)),
            (WithdrawalState.Queued or WithdrawalState.InFamily or WithdrawalState.Sent or WithdrawalState.Paid, true) or (WithdrawalState.Declined, false) =>
                (Outcome.Unchanged, this),
            _ => (Outcome.WithdrawalNotAwaiting, this),
        };
    }

    private (Outcome?, Model) ExpireLate(WithdrawalKey key) =>
        Withdrawals.TryGetValue(key, out var withdrawal) && withdrawal.Waits && withdrawal.IsLate(Now)
            ? (Outcome.Accepted, GiveBack(key, WithdrawalState.Expired))
            : (null, this);

    private Model GiveBack(WithdrawalKey key, WithdrawalState state)
    {
        var withdrawal = Withdrawals[key];
        var after = this with { Withdrawals = Withdrawals.SetItem(key, withdrawal with { State = state }) };
        return after.With(key.Wallet, w => w.Unhold(withdrawal.Held).Credit(withdrawal.Held));
    }

    /// <summary>Each pays what it holds, or all together what they share, in proportion and in whole satoshis.</summary>
    private Model Leave(ModelFamily family, long number, long shared)
    {
        var held = family.Pays.Aggregate(BigInteger.Zero, (sum, key) => sum + Withdrawals[key].Fee);
        return this with { Withdrawals = Withdrawals.SetItems(family.Pays.Select(key => KeyValuePair.Create(key, Gone(Withdrawals[key])))) };

        ModelWithdrawal Gone(ModelWithdrawal w) => w with
        {
            State = w.Fee == 0 ? WithdrawalState.Paid : WithdrawalState.Sent,
            Family = number,
            Charge = w.Fee == 0 ? 0 : (long)BigInteger.Min(w.Fee, shared / 1000 * w.Fee / held * 1000),
        };
    }

    private (Outcome?, Model) Charge(WithdrawalKey key)
    {
        if (!Withdrawals.TryGetValue(key, out var w) || w.State is not (WithdrawalState.Sent or WithdrawalState.Paid)) return (null, this);
        if (w.State == WithdrawalState.Paid) return (Outcome.Unchanged, this);
        var after = this with { Withdrawals = Withdrawals.SetItem(key, w with { State = WithdrawalState.Paid }) };
        return (Outcome.Accepted, after.With(key.Wallet, p => p.Unhold(w.Fee).Credit(w.Fee - w.Charge)).With(Operator, o => o.Credit(w.Charge)));
    }
}
