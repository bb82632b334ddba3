// The model's payments: what each moves, said once more and otherwise than the ledger says it. Spending is a list of
// what was spent and when, the fee is computed with big numbers, and the most that can be paid is searched for.

using System.Collections.Immutable;
using System.Numerics;
using Bitcache.Core;

namespace Bitcache.Simulation;

internal sealed record ModelHold(WalletId Payee, long Left, long Fee, UnixTime Expires, long Order);

internal sealed record ModelSpending(SpendingLimits Limits, ImmutableList<(long Time, long Msat)> Spent);

internal sealed partial record Model
{
    private const long Hour = 3_600_000;
    private const long Month = 31 * 24 * Hour;
    private const int HoldsMax = 10_000;
    private const int AddressesMax = 10_000;

    public ImmutableDictionary<(WalletId Payer, OperationId Id), ModelHold> Holds { get; init; } = ImmutableDictionary<(WalletId, OperationId), ModelHold>.Empty;
    public ImmutableDictionary<long, long> Refunded { get; init; } = ImmutableDictionary<long, long>.Empty;
    public ImmutableDictionary<WalletId, ModelSpending> Spending { get; init; } = ImmutableDictionary<WalletId, ModelSpending>.Empty;
    public ImmutableDictionary<uint, FeeSchedule> Fees { get; init; } = ImmutableDictionary<uint, FeeSchedule>.Empty;

    /// <summary>The hold that must be given back first.</summary>
    public (WalletId Payer, OperationId Id)? DueHold => Holds.Where(h => h.Value.Expires <= Now)
        .OrderBy(h => h.Value.Expires.Milliseconds).ThenBy(h => h.Value.Order).Select(h => ((WalletId, OperationId)?)h.Key).FirstOrDefault();

    private (Outcome, Model) Pay(PaymentCommand c, uint tenant)
    {
        if (c is not ReleaseHold && c.Amount.Value == 0 && c is not Transfer { UpTo.Value: > 0 }) return (Outcome.AmountZero, this);
        if (c.Payer == c.Payee) return (Outcome.SelfTransfer, this);
        if (!Wallets.TryGetValue(c.Payer, out var payer)) return (Outcome.WalletNotFound, this);
        if (!Wallets.ContainsKey(c.Payee)) return (Outcome.PayeeNotFound, this);
        return c switch
        {
            Transfer t => PayNow(t, payer),
            PlaceHold h => Place(h, payer),
            CaptureHold h => Capture(h),
            ReleaseHold h => GiveBack(h, tenant),
            RefundPayment r => Refund(r, payer),
            _ => throw new ArgumentOutOfRangeException(nameof(c)),
        };
    }

    private (Outcome, Model) PayNow(Transfer c, ModelWallet payer)
    {
        if (payer.Stopped is { } stopped) return (stopped, this);
        var msat = (c.UpTo ?? c.Amount).Value;
        if (c.UpTo is not null)
        {
            msat = Math.Min(msat, Room(c.Payer));
            if (msat == 0) return (Outcome.LimitExceeded, this);
            msat = Most(msat, m => m + Fee(c.Payer, c.Payee, m) <= payer.Available);
            if (msat == 0) return (Outcome.InsufficientFunds, this);
        }
        if (msat > Room(c.Payer)) return (Outcome.LimitExceeded, this);
        if (msat + Fee(c.Payer, c.Payee, msat) > payer.Available) return (Outcome.InsufficientFunds, this);
        var fee = (long)Fee(c.Payer, c.Payee, msat);
        return (Outcome.Accepted, Spend(c.Payer, msat).With(c.Payer, w => w.Debit(msat + fee)).With(c.Payee, w => w.Credit(msat)).With(Operator, w => w.Credit(fee)));
    }

    private (Outcome, Model) PayAll(Split c)
    {
        if (c.Parts.Any(p => p.Amount.Value == 0)) return (Outcome.AmountZero, this);
        if (c.Parts.Any(p => p.Payee == c.Payer)) return (Outcome.SelfTransfer, this);
        if (c.Parts.Select(p => p.Payee).ToHashSet().Count != c.Parts.Count) return (Outcome.PayeeTwice, this);
        if (!Wallets.TryGetValue(c.Payer, out var payer)) return (Outcome.WalletNotFound, this);
        if (c.Parts.Any(p => !Wallets.ContainsKey(p.Payee))) return (Outcome.PayeeNotFound, this);
        if (payer.Stopped is { } stopped) return (stopped, this);
        var sum = c.Parts.Aggregate(BigInteger.Zero, (s, p) => s + p.Amount.Value);
        var fees = c.Parts.Aggregate(BigInteger.Zero, (s, p) => s + Fee(c.Payer, p.Payee, p.Amount.Value));
        if (sum > Room(c.Payer)) return (Outcome.LimitExceeded, this);
        if (sum + fees > payer.Available) return (Outcome.InsufficientFunds, this);
        var after = Spend(c.Payer, (long)sum).With(c.Payer, w => w.Debit((long)(sum + fees))).With(Operator, w => w.Credit((long)fees));
        return (Outcome.Accepted, c.Parts.Aggregate(after, (m, p) => m.With(p.Payee, w => w.Credit(p.Amount.Value))));
    }

    private (Outcome, Model) Place(PlaceHold c, ModelWallet payer)
    {
        if (c.Expires <= Now || c.Expires.Milliseconds - Now.Milliseconds > Month) return (Outcome.ExpiryOutOfRange, this);
        if (payer.Stopped is { } stopped) return (stopped, this);
        if (c.Amount.Value > Room(c.Payer)) return (Outcome.LimitExceeded, this);
        if (c.Amount.Value + Fee(c.Payer, c.Payee, c.Amount.Value) > payer.Available) return (Outcome.InsufficientFunds, this);
        if (Holds.Count(h => h.Key.Payer == c.Payer) >= HoldsMax) return (Outcome.TooManyHolds, this);
        var fee = (long)Fee(c.Payer, c.Payee, c.Amount.Value);
        var hold = new ModelHold(c.Payee, c.Amount.Value, fee, c.Expires, Entries);
        return (Outcome.Accepted, (Spend(c.Payer, c.Amount.Value) with { Holds = Holds.Add((c.Payer, c.Id), hold) }).With(c.Payer, w => w.Hold(c.Amount.Value + fee)));
    }

    private (Outcome, Model) Capture(CaptureHold c)
    {
        var (key, msat) = ((c.Payer, c.Hold), c.Amount.Value);
        if (!Holds.TryGetValue(key, out var hold) || hold.Payee != c.Payee) return (Outcome.HoldNotFound, this);
        if (msat > hold.Left) return (Outcome.HoldExceeded, this);
        var fee = (long)BigInteger.Min(hold.Fee, Fee(c.Payer, c.Payee, msat));
        var after = With(c.Payer, w => w.Unhold(msat + fee)).With(c.Payee, w => w.Credit(msat)).With(Operator, w => w.Credit(fee));
        hold = hold with { Left = hold.Left - msat, Fee = hold.Fee - fee };
        return (Outcome.Accepted, c.Close || hold.Left == 0 ? after.Close(key, hold) : after with { Holds = Holds.SetItem(key, hold) });
    }

    private (Outcome, Model) GiveBack(ReleaseHold c, uint tenant)
    {
        if (!Holds.TryGetValue((c.Payer, c.Hold), out var hold) || hold.Payee != c.Payee) return (Outcome.HoldNotFound, this);
        return IsOwn(c.Payee, tenant) ? (Outcome.Accepted, Close((c.Payer, c.Hold), hold)) : (Outcome.PayeeOnly, this);
    }

    private (Outcome?, Model) Expire(ExpireHold c) => Holds.TryGetValue((c.Payer, c.Hold), out var hold) && hold.Expires <= Now
        ? (Outcome.Accepted, Close((c.Payer, c.Hold), hold))
        : (null, this);

    private Model Close((WalletId Payer, OperationId Id) key, ModelHold hold) =>
        (this with { Holds = Holds.Remove(key) }).With(key.Payer, w => w.Unhold(hold.Left + hold.Fee).Credit(hold.Left + hold.Fee));

    private (Outcome, Model) Refund(RefundPayment c, ModelWallet payer)
    {
        var refunded = Refunded.GetValueOrDefault(c.OriginalSequence) + c.Amount.Value;
        if (payer.Stopped is { } stopped) return (stopped, this);
        if (refunded > c.OriginalAmount.Value) return (Outcome.RefundExceeds, this);
        if (c.Amount.Value > payer.Available) return (Outcome.InsufficientFunds, this);
        var after = this with { Refunded = Refunded.SetItem(c.OriginalSequence, refunded) };
        return (Outcome.Accepted, after.With(c.Payer, w => w.Debit(c.Amount.Value)).With(c.Payee, w => w.Credit(c.Amount.Value)));
    }

    /// <summary>What the limits of a wallet leave for one payment.</summary>
    private long Room(WalletId wallet)
    {
        if (!Spending.TryGetValue(wallet, out var s)) return long.MaxValue;
        long Left(Msat limit, long window) => limit.Value == 0
            ? long.MaxValue
            : Math.Max(0, limit.Value - s.Spent.Where(p => p.Time / window == Now.Milliseconds / window).Sum(p => p.Msat));
        var each = s.Limits.PerPayment.Value == 0 ? long.MaxValue : s.Limits.PerPayment.Value;
        return Math.Min(each, Math.Min(Left(s.Limits.PerHour, Hour), Left(s.Limits.PerDay, 24 * Hour)));
    }

    private Model Spend(WalletId wallet, long msat) => Spending.TryGetValue(wallet, out var s)
        ? this with { Spending = Spending.SetItem(wallet, s with { Spent = s.Spent.Add((Now.Milliseconds, msat)) }) }
        : this;

    private BigInteger Fee(WalletId payer, WalletId payee, BigInteger msat)
    {
        if (Wallets[payer].Tenant == 0 || payee == Operator || !Fees.TryGetValue(Wallets[payer].Tenant, out var fees)) return 0;
        return BigInteger.Max(fees.Minimum.Value, fees.Flat.Value + (msat * fees.PartsPerMillion / 1_000_000));
    }

    /// <summary>The largest number up to a bound for which something holds that holds for all below it.</summary>
    private static long Most(long bound, Func<BigInteger, bool> holds)
    {
        var (low, high) = (0L, bound);
        while (low < high)
        {
            var middle = high - ((high - low) / 2);
            if (holds(middle)) low = middle;
            else high = middle - 1;
        }
        return low;
    }
}
