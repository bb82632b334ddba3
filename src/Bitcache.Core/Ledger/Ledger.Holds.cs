// Holds: money that the payer set aside for one payee. What is captured goes to the payee, the rest back to the payer
// when the hold is closed: by its last capture, by the payee's owner, or by its expiry, which is an entry of its own.
// A freeze of the payer, or what it owes, stops none of these: the money was given away when the hold was placed.
//
// A hold of an amount holds the fee for it as well. A capture takes the fee for what it captures out of that, as far
// as it goes; what is left of it goes back with the rest.

namespace Bitcache.Core;

/// <summary>A hold that is open.</summary>
/// <param name="Left">What may still be captured.</param>
/// <param name="FeeLeft">What is still set aside for fees.</param>
/// <param name="Sequence">Of the entry that placed it.</param>
public readonly record struct OpenHold(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Left, Msat FeeLeft, UnixTime Expires, long Sequence);

public sealed partial class Ledger
{
    private readonly HoldTable _holds = new(secret);
    private readonly StrangerTable _strangers = new();

    /// <summary>Every open hold, the oldest first. Costs a walk over them.</summary>
    public IReadOnlyList<OpenHold> OpenHolds() => [.. _holds.InOrder().Select(hold => Show(hold))];

    public int OpenHoldCount => _holds.Count;

    /// <summary>The open holds that a wallet pays or would be paid by, newest first. Costs what it returns.</summary>
    /// <param name="before">Only those placed by an entry before this one.</param>
    public IReadOnlyList<OpenHold> HoldsOf(WalletId wallet, long before, int max) => SlotOf(_wallets.Find(wallet), wallet) is var slot and not StrangerTable.None
        ? [.. _holds.Of(slot, before).Take(max).Select(hold => Show(_holds.Peek(hold)))]
        : [];

    /// <summary>An open hold, by the wallet that pays and the id of the hold; null once it is closed.</summary>
    public OpenHold? FindHold(WalletId payer, OperationId id) =>
        _wallets.Find(payer) is var slot and >= 0 && _holds.Find(slot, id) is var hold and >= 0 ? Show(_holds.Peek(hold)) : null;

    /// <summary>When the open hold expires that does so first; null without one. Costs nothing.</summary>
    public UnixTime? NextHoldExpiry => _holds.FirstExpiry;

    /// <summary>The hold that is due to be given back, the one that expired first before the others; null when none is.
    /// Costs nothing then.</summary>
    public ExpireHold? NextHoldToExpire(UnixTime now)
    {
        if (_holds.FirstDue(now) is not (var slot and >= 0)) return null;
        ref readonly var hold = ref _holds.Peek(slot);
        return new ExpireHold(_wallets.Peek(hold.Payer).Id, hold.Id);
    }

    private PaymentResult ApplyPlaceHold(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        var ahead = payment.Expires.Milliseconds - context.Time.Milliseconds;
        if (ahead is <= 0 or > Limits.HoldMillisecondsMax) return Result(Refused(Outcome.ExpiryOutOfRange));
        var charged = FeesFor(payer, payee).Of(payment.Amount);
        var refusal = CheckSpending(_wallets.Peek(payer), payment.Amount.Value, charged, context.Time);
        if (refusal == Outcome.None && _holds.CountOf(payer) >= Limits.HoldsOpenPerWalletMax) refusal = Outcome.TooManyHolds;
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        if (refusal != Outcome.None) return Refuse(payment, refusal, payer, payee, context, record);

        // After this point the money is the payee's to capture.
        var fee = new Msat(charged);
        CountSpending(_wallets[payer], payment.Amount, context.Time);
        SetAside(ref _wallets[payer], payment.Amount + fee);
        _holds.Add(new Hold
        {
            Id = payment.Id,
            Expires = payment.Expires,
            Sequence = NextSequence,
            Left = payment.Amount,
            FeeLeft = fee,
            Payer = payer,
            Payee = payee >= 0 ? payee : _strangers.FindOrAdd(payment.Payee),
        });
        var entry = Begin(EntryType.HoldPlaced, context, record);
        PaymentBytes.Write(ref entry.Body, payment, payment.Amount);
        entry.Body.Amount(fee);
        entry.End(context);
        entry.Link(ref _wallets[payer]);
        return Result(entry.Finish(), context, payer, payee) with { Amount = payment.Amount, Fee = fee };
    }

    private PaymentResult ApplyCapture(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        var slot = _holds.Find(payer, payment.Target);
        if (slot < 0 || _holds.Peek(slot).Payee != SlotOf(payee, payment.Payee)) return Result(Refused(Outcome.HoldNotFound));
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        ref var hold = ref _holds[slot];
        if (payment.Amount > hold.Left) return Refuse(payment, Outcome.HoldExceeded, payer, payee, context, record);

        // After this point the capture must succeed.
        var fee = new Msat(Math.Min(hold.FeeLeft.Value, FeesFor(payer, payee).Of(payment.Amount)));
        hold.Left -= payment.Amount;
        hold.FeeLeft -= fee;
        var released = payment.IsClosing || hold.Left.IsZero ? hold.Held : Msat.Zero;
        if (payment.IsClosing || hold.Left.IsZero) _holds.Remove(slot);
        TakeHeld(ref _wallets[payer], payment.Amount + fee + released);
        Credit(ref _wallets[payer], released);
        var leg = Pay(payee, EntryType.HoldCaptured, payment, payment.Amount, NextSequence);
        if (!fee.IsZero) Credit(ref _wallets[_operator], fee);
        var entry = Begin(EntryType.HoldCaptured, context, record);
        PaymentBytes.Write(ref entry.Body, payment, payment.Amount);
        entry.Body.Amount(fee);
        entry.Body.Amount(released);
        entry.End(context);
        if (!released.IsZero) entry.Link(ref _wallets[payer]);
        LinkPayee(ref entry, payee, leg);
        if (!fee.IsZero) entry.Link(ref _wallets[_operator]);
        return Result(entry.Finish(), context, payer, payee) with { Amount = payment.Amount, Fee = fee, Released = released };
    }

    private PaymentResult ApplyRelease(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        var slot = _holds.Find(payer, payment.Target);
        if (slot < 0 || _holds.Peek(slot).Payee != SlotOf(payee, payment.Payee)) return Result(Refused(Outcome.HoldNotFound));
        if (!IsPayees(payment, payee, context)) return Result(Refused(Outcome.PayeeOnly));
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        var released = Close(slot);
        var entry = Begin(EntryType.HoldReleased, context, record);
        PaymentBytes.Write(ref entry.Body, payment, released);
        entry.End(context);
        entry.Link(ref _wallets[payer]);
        return Result(entry.Finish(), context, payer, payee) with { Amount = released, Released = released };
    }

    private ApplyResult ApplyExpireHold(ExpireHold command, in ApplyContext context, Span<byte> record)
    {
        var payer = _wallets.Find(command.Payer);
        var slot = payer < 0 ? -1 : _holds.Find(payer, command.Hold);
        Assert(slot >= 0 && _holds.Peek(slot).Expires <= context.Time, "what expires is an open hold whose time is over");
        var payee = WalletAt(_holds.Peek(slot).Payee);
        var released = Close(slot);
        var entry = Begin(EntryType.HoldExpired, context, record);
        command.WriteBody(ref entry.Body);
        entry.Body.Amount(released);
        entry.End(context, payee: payee);
        entry.Link(ref _wallets[payer]);
        return entry.Finish();
    }

    /// <summary>Gives back what is left of a hold.</summary>
    private Msat Close(int slot)
    {
        var (payer, left) = (_holds.Peek(slot).Payer, _holds.Peek(slot).Held);
        _holds.Remove(slot);
        TakeHeld(ref _wallets[payer], left);
        Credit(ref _wallets[payer], left);
        return left;
    }

    /// <summary>No wallet has less held than its open holds need.</summary>
    private void CheckHolds()
    {
        var held = new Dictionary<int, long>();
        foreach (var hold in _holds.All()) held[hold.Payer] = held.GetValueOrDefault(hold.Payer) + hold.Held.Value;
        foreach (var (payer, sum) in held) Assert(sum <= _wallets.Peek(payer).Held.Value, "what is on hold is held");
    }

    /// <summary>By which a hold names its payee: a wallet's slot or, below zero, a stranger's.</summary>
    private int SlotOf(int wallet, WalletId id) => wallet >= 0 ? wallet : _strangers.Find(id);

    private WalletId WalletAt(int slot) => slot >= 0 ? _wallets.Peek(slot).Id : _strangers[slot];

    private OpenHold Show(in Hold hold) => new(
        hold.Id, WalletAt(hold.Payer), WalletAt(hold.Payee), hold.Left, hold.FeeLeft, hold.Expires, hold.Sequence);
}
