// Planted bugs in holds, refunds, limits and fees.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

internal static partial class PlantedBugs
{
    private static Dictionary<string, Func<Book, Subject>> PaymentBugs => new()
    {
        ["a capture of too much takes what is left"] = b => new Rewriting(b, c =>
            c is CaptureHold h && HoldOf(b, h.Payer, h.Hold) is { } hold && h.Amount > hold.Left ? h with { Amount = hold.Left } : c),
        ["a last capture takes the whole hold"] = b => new Rewriting(b, c =>
            c is CaptureHold { Close: true } h && HoldOf(b, h.Payer, h.Hold) is { } hold && h.Amount < hold.Left ? h with { Amount = hold.Left } : c),
        ["a last capture leaves the rest on hold"] = b => new Rewriting(b, c => c is CaptureHold { Close: true } h ? h with { Close = false } : c),
        ["any payee captures"] = b => new Rewriting(b, c =>
            c is CaptureHold h && HoldOf(b, h.Payer, h.Hold) is { } hold && hold.Payee != h.Payee
                ? new CaptureHold(h.Id, h.Payer, hold.Payee, h.Amount, h.Code, h.Reference, h.Hold, h.Close) : c),
        ["strangers capture"] = b => new Impersonating(b, c => c is CaptureHold h ? h.Payer : default),
        ["the payer takes a hold back"] = b => new Impersonating(b, c => c is ReleaseHold h ? h.Payee : default),
        ["a freeze stops captures"] = b => new Answering(b, (c, o) =>
            o == Outcome.Accepted && c is CaptureHold h && b.Ledger.FindWallet(h.Payer) is { IsFrozen: true } ? Outcome.WalletFrozen : o),
        ["the oldest hold expires first"] = b => new Expiring(b, now => b.Ledger.OpenHolds().FirstOrDefault(h => h.Expires <= now)),
        ["a hold expires a millisecond late"] = b => new Expiring(b, now =>
            b.Ledger.OpenHolds().OrderBy(h => h.Expires.Milliseconds).FirstOrDefault(h => h.Expires < now)),
        ["what was refunded before is not counted"] = b => new Rewriting(b, c =>
            c is RefundPayment r && b.Ledger.RefundedOf(0, r.OriginalSequence) is { IsZero: false } before
                ? r with { OriginalAmount = r.OriginalAmount + before } : c),
        ["funds are checked before the original"] = b => new Answering(b, (c, o) =>
            o == Outcome.RefundExceeds && c is RefundPayment r && b.Ledger.FindWallet(r.Payer)!.Value.Available < r.Amount ? Outcome.InsufficientFunds : o),
        ["funds are checked before limits"] = b => new Answering(b, (c, o) =>
            o == Outcome.LimitExceeded && c is Transfer t && b.Ledger.FindWallet(t.Payer)!.Value.Available < t.Amount ? Outcome.InsufficientFunds : o),
        ["up to an amount forgets the fee"] = b => new Rewriting(b, c =>
            c is Transfer { UpTo: { IsZero: false } most } t && b.Ledger.FindWallet(t.Payer) is { Available: { IsZero: false } there }
                ? t with { UpTo = null, Amount = Msat.Min(most, there) } : c),
        ["a split pays its first payee only"] = b => new Rewriting(b, c =>
            c is Split { Parts: { Count: > 1 } parts } s ? new Split(s.Id, s.Payer, [parts[0]]) : c),
        ["a split pays a payee twice"] = b => new Answering(b, (c, o) => o == Outcome.PayeeTwice ? Outcome.Accepted : o),
        ["a split pays one fee"] = b => new Rewriting(b, c =>
            c is Split { Parts.Count: > 1 } s && s.Parts.Sum(p => p.Amount.Value / 2) < 1_000_000 && b.Ledger.FindWallet(s.Payer) is { } payer
                && b.Ledger.FeesOf(payer.Tenant) is { Flat.Value: > 0 and < 100_000 } fees && s.Parts.All(p => p.Payee != Book.Operator)
                ? new Split(s.Id, s.Payer, [.. s.Parts.Select((p, i) => i == 0 ? p with { Amount = p.Amount + fees.Flat } : p)]) : c),
        ["paying the operator costs a fee"] = b => new Rewriting(b, c =>
            c is Transfer { UpTo: null } t && t.Payee == Book.Operator && !t.Amount.IsZero && b.Ledger.FindWallet(t.Payer) is { } payer
                && b.Ledger.FeesOf(payer.Tenant).Of(t.Amount) is > 0 and < 100_000 and var fee
                ? t with { Amount = t.Amount + new Msat(fee) } : c),
    };

    private static OpenHold? HoldOf(Book book, WalletId payer, OperationId id) => book.Ledger.FindHold(payer, id);

    /// <summary>Commands pass as if the owner of a wallet had sent them.</summary>
    private sealed class Impersonating(Book book, Func<Command, WalletId> owner) : Subject(book)
    {
        public override ApplyResult Apply(Command command, uint tenant) =>
            base.Apply(command, Book.Ledger.FindWallet(owner(command))?.Tenant ?? tenant);
    }

    private sealed class Expiring(Book book, Func<UnixTime, OpenHold> next) : Subject(book)
    {
        public override ExpireHold? NextHoldToExpire(UnixTime now) => next(now) is { Sequence: > 0 } hold ? new ExpireHold(hold.Payer, hold.Id) : null;
    }
}
