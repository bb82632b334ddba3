// Ledgers with one wrong rule each, the plausible kind. The property must find every one, or it proves nothing.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

internal static partial class PlantedBugs
{
    public static Dictionary<string, Func<Book, Subject>> All { get; } = new(PaymentBugs)
    {
        ["a retry is paid again"] = b => new RetryPaysAgain(b),
        ["a refusal is forgotten"] = b => new RefusalForgotten(b),
        ["ids are one for all wallets"] = b => new IdsForAllWallets(b),
        ["the floor holds only with a trusted clock"] = b => new FloorNeedsClock(b),
        ["strangers pay"] = b => new StrangersPay(b),
        ["a payment brings a msat too much"] = b => new Rewriting(b, c =>
            c is Transfer { Amount.Value: > 5_000 and < 1_000_000 } t ? t with { Amount = t.Amount + new Msat(1) } : c),
        ["funds are checked before state"] = b => new Answering(b, (_, o) => o == Outcome.WalletOwes ? Outcome.InsufficientFunds : o),
        ["dust leaves"] = b => new Answering(b, (_, o) => o == Outcome.BelowDust ? Outcome.Accepted : o),
        ["families take what is owed for"] = b => new Answering(b, (c, o) =>
            c is OpenFamily && o == Outcome.WalletOwes ? Outcome.Accepted : o),
        ["own addresses are paid on the chain"] = b => new Rewriting(b, c =>
            c is RequestWithdrawal w && b.Ledger.FindAddress(w.Script) is not null
                ? new RequestWithdrawal(w.Id, w.Wallet, RuleTable.Script("elsewhere"), w.Amount, w.Max) : c),
        ["max keeps a satoshi"] = b => new Rewriting(b, c =>
            c is RequestWithdrawal { Max: true } w && b.Ledger.FindWallet(w.Wallet) is { Available.Value: >= 2_000 } wallet
                ? w with { Max = false, Amount = wallet.Available.RoundDownToSats() - new Sats(1) } : c),
        ["a withdrawal is charged all that it held"] = b => new Rewriting(b, c =>
            c is FinishFamily { Shared.Value: > 0 } f && b.Ledger.FindFamily(f.Family) is { Confirmation: { } seen } family
                ? f with { Shared = family.Attempts[seen.Attempt - 1].Fee } : c),
        ["the fee is held beyond what is accepted"] = b => new Rewriting(b, c => c is RequestWithdrawal { FeeMax: not null } w ? w with { FeeMax = null } : c),
        ["nothing is held for the fee"] = b => new Rewriting(b, c => c is RequestWithdrawal w ? w with { Fee = Sats.Zero } : c),
        ["deadlines are forgotten"] = b => new Rewriting(b, c => c is RequestWithdrawal { Deadline: not null } w ? w with { Deadline = null } : c),
        ["a withdrawal past its deadline is signed for"] = b => new Answering(b, (c, o) =>
            c is (OpenFamily or SignAttempt) && o == Outcome.DeadlineOutOfRange ? Outcome.Accepted : o),
        ["the fee of the first attempt is booked"] = b => new Rewriting(b, c => c is ConfirmFamily { Attempt: > 1 } f ? f with { Attempt = 1 } : c),
        ["the whole fee cap is booked"] = b => new Rewriting(b, c =>
            c is SignAttempt s && s.Fee < b.Ledger.FindFamily(s.Family).FeeCap ? s with { Fee = b.Ledger.FindFamily(s.Family).FeeCap } : c),
        ["a second anchor may be pending"] = b => new Rewriting(b, c => c is OpenFamily { Anchor: not null } f ? f with { Anchor = null } : c),
        ["suspense is credited to the wallet"] = b => new Rewriting(b, c => c is ChangeDeposit { Suspense: true } d ? d with { Suspense = false } : c),
        ["a returning deposit is credited anew"] = b => new CreditedAnew(b),
        ["a deposit that leaves the chain is gone at once"] = b => new Rewriting(b, c =>
            c is ChangeDeposit { To: DepositState.Frozen } d ? d with { To = DepositState.Reversed } : c),
        ["what is owed is not shown"] = b => new Showing(b, w => w with { Owed = 0 }),
        ["a tenant lifts the operator's freeze"] = b => new FreezeLifted(b),
        ["what is owed is checked before the freeze"] = b => new Answering(b, (c, o) =>
            o == Outcome.WalletFrozen && c is Transfer t && b.Ledger.FindWallet(t.Payer) is { Owes: true } ? Outcome.WalletOwes : o),
        ["whoever settles late is heard all the same"] = b => new LateIsHeard(b),
        ["what is frozen stays available"] = b => new Showing(b, w => w with { Available = w.Available + w.Frozen, Frozen = 0 }),
    };

    private sealed class Rewriting(Book book, Func<Command, Command> rewrite) : Subject(book)
    {
        public override ApplyResult Apply(Command command, uint tenant) => base.Apply(rewrite(command), tenant);
    }

    private sealed class Answering(Book book, Func<Command, Outcome, Outcome> answer) : Subject(book)
    {
        public override ApplyResult Apply(Command command, uint tenant)
        {
            var result = base.Apply(command, tenant);
            return result with { Outcome = answer(command, result.Outcome) };
        }
    }

    private sealed class Showing(Book book, Func<ModelWallet, ModelWallet> show) : Subject(book)
    {
        public override ModelWallet Find(WalletId id) => show(base.Find(id));
    }

    private sealed class StrangersPay(Book book) : Subject(book)
    {
        public override ApplyResult Apply(Command command, uint tenant) =>
            base.Apply(command, command is Transfer t && Book.Ledger.FindWallet(t.Payer) is { } payer ? payer.Tenant : tenant);
    }

    private sealed class LateIsHeard(Book book) : Subject(book)
    {
        public override ApplyResult Apply(Command command, uint tenant)
        {
            Book.Term = Book.Ledger.Term;
            return base.Apply(command, tenant);
        }
    }

    private sealed class FreezeLifted(Book book) : Subject(book)
    {
        public override ApplyResult Apply(Command command, uint tenant) => base.Apply(
            command,
            command is SetFrozen { Frozen: false } f && Book.Ledger.FindWallet(f.Wallet) is { Freezes: Freezes.Operator } w && w.Tenant == tenant
                ? Ledger.OperatorTenant : tenant);
    }

    /// <summary>The bugs that need an id of their own, to do a thing again.</summary>
    private abstract class WithFreshIds(Book book) : Subject(book)
    {
        private UInt128 _fresh = (UInt128)1 << 60;

        protected OperationId Fresh() => OperationId.Create(Book.Now, _fresh++);
    }

    private sealed class RetryPaysAgain(Book book) : WithFreshIds(book)
    {
        public override ApplyResult Apply(Command command, uint tenant)
        {
            var result = base.Apply(command, tenant);
            if (result.Outcome == Outcome.Known && command is Transfer t) base.Apply(t with { Id = Fresh() }, tenant);
            return result;
        }
    }

    private sealed class RefusalForgotten(Book book) : WithFreshIds(book)
    {
        private readonly HashSet<OperationId> _refused = [];

        public override ApplyResult Apply(Command command, uint tenant)
        {
            var result = base.Apply(command, tenant);
            if (command is not Transfer t) return result;
            if (result.Outcome == Outcome.InsufficientFunds) _refused.Add(t.Id);
            return result.Outcome == Outcome.Known && _refused.Contains(t.Id) ? base.Apply(t with { Id = Fresh() }, tenant) : result;
        }
    }

    private sealed class IdsForAllWallets(Book book) : Subject(book)
    {
        private readonly Dictionary<OperationId, WalletId> _owners = [];

        public override ApplyResult Apply(Command command, uint tenant) =>
            command is ClientCommand c && !_owners.TryAdd(c.Id, c.Owner) && _owners[c.Id] != c.Owner
                ? new ApplyResult(Outcome.Known, 0, 0)
                : base.Apply(command, tenant);
    }

    private sealed class FloorNeedsClock(Book book) : WithFreshIds(book)
    {
        public override ApplyResult Apply(Command command, uint tenant)
        {
            var result = base.Apply(command, tenant);
            return result.Outcome == Outcome.IdBelowFloor && !Book.ClockTrusted && command is Transfer t
                ? base.Apply(t with { Id = Fresh() }, tenant)
                : result;
        }
    }

    private sealed class CreditedAnew(Book book) : Subject(book)
    {
        private uint _outputs = 1_000_000;

        public override ApplyResult Apply(Command command, uint tenant)
        {
            var returns = command is ChangeDeposit { To: DepositState.Credited, Suspense: false } c
                && Book.Ledger.FindDeposit(c.OutPoint) is { State: DepositState.Frozen, Booked: true };
            var result = base.Apply(command, tenant);
            if (returns) base.Apply((ChangeDeposit)command with { OutPoint = new OutPoint(default, _outputs++) }, tenant);
            return result;
        }
    }
}
