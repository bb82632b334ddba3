// Withdrawals are held when asked for, bound to one family of transactions, and settled when one transaction of
// the family is final. A withdrawal is in at most one live family, and while it is in none its owner may take it back.

using Bitcache.Core.Bitcoin;

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly RecordTable<WithdrawalKey, Withdrawal> _withdrawals = new(ChainRows.Withdrawals, w => w.Key, w => w.Key.Wallet);
    private readonly FamilyTable _families = new();
    // Those that wait, by the sequence of the entry that asked for each.
    private readonly SortedDictionary<long, WithdrawalKey> _queued = [];
    // How many of each wallet are under way; of most none.
    private readonly Dictionary<WalletId, int> _open = [];
    // What attempts pay beside the withdrawals: scripts that the hot wallet made for itself.
    private readonly HashSet<ByteString> _change = [];

    /// <summary>All there ever were: for audits, and not for what is done at every turn.</summary>
    public IReadOnlyList<Family> Families() => [.. _families.All];
    public IReadOnlyList<Family> LiveFamilies() => [.. _families.Live];

    /// <summary>Families of which no transaction can ever confirm any more.</summary>
    public IReadOnlyList<Family> DeadFamilies() => [.. _families.Dead];

    /// <summary>The newest family that carries an anchor and was not given up.</summary>
    public Family? NewestAnchor => _families.AnchorsFromNewest.FirstOrDefault();

    /// <summary>The newest one whose anchor is in a block.</summary>
    public Family? NewestConfirmedAnchor => _families.AnchorsFromNewest.FirstOrDefault(f => f.Confirmation is not null);

    /// <summary>The first anchor of all, once no reorganisation will take it: what auditors write down.</summary>
    public Family? FirstFinalAnchor => _families.AnchorsFrom(static _ => true).FirstOrDefault(f => f.Confirmation is not null) is { State: FamilyState.Final } first ? first : null;

    /// <summary>The first family whose anchor is in a block and covers an entry of the log.</summary>
    public Family? FindConfirmedAnchor(long index) =>
        _families.AnchorsFrom(anchor => anchor.TreeSize > index).FirstOrDefault(f => f.Confirmation is not null);

    /// <summary>The first family of which something is signed and whose anchor covers an epoch.</summary>
    public Family? FindAnchorOf(long epoch) =>
        _families.AnchorsFrom(anchor => anchor.Epoch >= epoch).FirstOrDefault(f => f.Attempts.Count > 0);

    /// <summary>Whether a transaction was signed for one of the families, whatever became of it.</summary>
    public bool IsOwn(Txid transaction) => _families.Has(transaction);

    /// <exception cref="LedgerInvariantException">There is no such family.</exception>
    public Family FindFamily(long number)
    {
        Assert(number >= 1 && number <= _families.Count, "a family that is named was opened");
        return _families[number];
    }

    public long NextFamily => _families.Count + 1;

    /// <summary>Whether one of our own transactions paid a script, and paid no withdrawal by it: then it is the hot wallet's own,
    /// and unless it is an address of somebody's, nobody's.</summary>
    public bool IsOwnChange(ByteString script) => _change.Contains(script) && !_addresses.Contains(script);

    public Withdrawal? FindWithdrawal(WithdrawalKey key) => _withdrawals.Find(key);

    public IReadOnlyList<Withdrawal> WithdrawalsOf(WalletId wallet) => _withdrawals.Of(wallet);

    /// <summary>A wallet's withdrawals before a place among them, newest first.</summary>
    public RecordPage<Withdrawal> WithdrawalsOf(WalletId wallet, long before, int most) => _withdrawals.Of(wallet, before, most);

    /// <summary>Withdrawals that may be built now, oldest first; those of wallets that are frozen or owe wait, and all while the
    /// operator has stopped them. Some may be past their deadline, about to go back.</summary>
    public IReadOnlyList<Withdrawal> DueWithdrawals() =>
        WithdrawalsStopped ? [] : [.. _queued.Values.Where(k => CheckPayer(k) == Outcome.None).Select(k => _withdrawals[k])];

    public int QueuedWithdrawals => _queued.Count;

    /// <summary>How many withdrawals of a wallet are under way. Costs a look-up.</summary>
    public int OpenWithdrawalsOf(WalletId wallet) => _open.GetValueOrDefault(wallet);

    /// <summary>Whether a wallet that a family would pay for is frozen or owes, or the operator has stopped withdrawals: the family
    /// must not be signed then.</summary>
    /// <returns><see cref="Outcome.None"/> if all may pay, otherwise why one of them may not.</returns>
    public Outcome CheckPayers(Family family) => CheckPayers(family.Anchor, family.Withdrawals);

    private Outcome CheckPayers(AnchorTerms? anchor, IReadOnlyList<WithdrawalKey> withdrawals) =>
        CheckStop(anchor, withdrawals) is var stopped and not Outcome.None ? stopped : withdrawals.Select(CheckPayer).FirstOrDefault(refusal => refusal != Outcome.None);

    private Outcome CheckPayer(WithdrawalKey key) => CheckState(_wallets.Peek(_wallets.Find(key.Wallet)));

    /// <summary>Whether a family waits for an earlier anchor, which its own first input must spend.</summary>
    public bool WaitsForAnchor(Family family) =>
        family.Anchor is not null && _families.Live.Any(f => f.Number < family.Number && f.IsAnchorUnconfirmed);

    private ApplyResult ApplyRequestWithdrawal(RequestWithdrawal command, in ApplyContext context, Span<byte> record)
    {
        if (!command.Max && command.Amount == Sats.Zero) return Refused(Outcome.AmountZero);
        if (!MayExpireAt(command.Deadline, context.Time)) return Refused(Outcome.DeadlineOutOfRange);
        if (command.Script == Genesis!.AnchorScript) return Refused(Outcome.AnchorAddress);
        var slot = FindOwn(command.Wallet, context);
        if (slot < 0) return Refused(Outcome.WalletNotFound);
        // A refusal does not tell who owns the script, so that one of another partition is held to the rule for strangers'.
        var own = _addresses.Find(command.Script);
        var payee = own?.Wallet ?? command.OwnerElsewhere;
        var least = own is null ? Dust.Threshold(command.Script) : new Sats(1);
        if (payee == command.Wallet) return Refused(Outcome.SelfTransfer);
        if (!command.Max && command.Amount < least) return Refused(Outcome.BelowDust);
        // What is settled inside costs no mining, and what the operator withdraws it pays for itself.
        if (!payee.IsNone || slot == _operator) command = command with { Fee = Sats.Zero };
        if (command.Fee > command.FeeMax) return Refused(Outcome.FeeAboveMax);
        var available = _wallets.Peek(slot).Available.RoundDownToSats();
        var amount = !command.Max ? command.Amount : available > command.Fee ? available - command.Fee : Sats.Zero;
        var refusal = CheckState(_wallets.Peek(slot));
        if (refusal == Outcome.None && (amount < least || available.Value < amount.Value + command.Fee.Value)) refusal = Outcome.InsufficientFunds;
        if (refusal == Outcome.None && payee.IsNone && !command.IsUncounted && OpenWithdrawalsOf(command.Wallet) >= Limits.WithdrawalsOpenPerWalletMax) refusal = Outcome.TooManyWithdrawals;
        Remember(command, forEver: refusal == Outcome.None || command.IsUncounted);
        var awaits = payee.IsNone && amount >= command.ApprovalFrom;
        command = command with { ApprovalFrom = null };
        if (refusal != Outcome.None) return Refuse(command, refusal, context, record);

        // After this point the withdrawal must succeed.
        command = command with { Amount = amount, ApprovalFrom = awaits ? Sats.Zero : null };
        return payee.IsNone ? HoldUntilPaid(command, slot, context, record) : SettleInside(command, slot, payee, context, record);
    }

    private ApplyResult Refuse(RequestWithdrawal command, Outcome refusal, in ApplyContext context, Span<byte> record)
    {
        var entry = Write(EntryType.WithdrawalRefused, command, context, record, refusal);
        if (!command.IsUncounted) entry.Forget();
        return entry.Finish();
    }

    /// <summary>A withdrawal to the chain waits for a family of transactions, a large one for a second person before that.</summary>
    private ApplyResult HoldUntilPaid(RequestWithdrawal command, int slot, in ApplyContext context, Span<byte> record)
    {
        ref var wallet = ref _wallets[slot];
        SetAside(ref wallet, command.Amount.ToMsat() + command.Fee.ToMsat());
        var awaits = command.ApprovalFrom is not null;
        Enter(command, context.Time, awaits ? WithdrawalState.AwaitingApproval : WithdrawalState.Queued, default);
        var entry = Write(EntryType.WithdrawalRequested, command, context, record);
        if (awaits) entry.Await();
        entry.Link(ref wallet);
        return entry.Finish();
    }

    /// <summary>A withdrawal to one of our own deposit addresses never touches the chain.</summary>
    private ApplyResult SettleInside(RequestWithdrawal command, int slot, WalletId owner, in ApplyContext context, Span<byte> record)
    {
        var (payee, amount) = (_wallets.Find(owner), command.Amount.ToMsat());
        Debit(ref _wallets[slot], amount);
        var payment = new Payment { Kind = PaymentKind.Transfer, Id = command.Id, Payer = command.Wallet, Payee = owner };
        var leg = Pay(payee, EntryType.WithdrawalSettledInside, payment, amount, NextSequence);
        Enter(command, context.Time, WithdrawalState.SettledInside, owner);
        var entry = Write(EntryType.WithdrawalSettledInside, command, context, record, payee: owner);
        entry.Link(ref _wallets[slot]);
        LinkPayee(ref entry, payee, leg);
        return entry.Finish();
    }

    private void Enter(RequestWithdrawal command, UnixTime time, WithdrawalState state, WalletId payee)
    {
        var key = new WithdrawalKey(command.Wallet, command.Id);
        var withdrawal = new Withdrawal(key, command.Script, command.Amount, time, NextSequence, state, Family: 0, payee)
        {
            Fee = command.Fee,
            Deadline = command.Deadline,
            AskedBy = state == WithdrawalState.AwaitingApproval ? command.AskedBy : ByteString.Empty,
        };
        Keep(withdrawal);
        if (state == WithdrawalState.Queued) Queue(withdrawal);
        if (state == WithdrawalState.AwaitingApproval) Await(withdrawal);
    }

    /// <summary>Nothing leaves the ledger by it, so a wallet that is frozen or owes may cancel, too.</summary>
    private ApplyResult ApplyCancelWithdrawal(CancelWithdrawal command, in ApplyContext context, Span<byte> record)
    {
        var slot = FindOwn(command.Wallet, context);
        if (slot < 0) return Refused(Outcome.WalletNotFound);
        var key = new WithdrawalKey(command.Wallet, command.Id);
        if (FindWithdrawal(key) is not { } withdrawal) return Refused(Outcome.WithdrawalNotFound);
        if (withdrawal.State == WithdrawalState.Cancelled) return Refused(Outcome.Unchanged);
        if (withdrawal.State is not (WithdrawalState.Queued or WithdrawalState.AwaitingApproval)) return Refused(Outcome.WithdrawalNotQueued);

        // After this point the money is the wallet's again.
        return GiveBack(withdrawal, WithdrawalState.Cancelled, EntryType.WithdrawalCancelled, command, context, record);
    }

    private ApplyResult ApplyOpenFamily(OpenFamily command, in ApplyContext context, Span<byte> record)
    {
        Assert(command.Family == NextFamily, "families are numbered in order");
        Assert(command.Withdrawals.Distinct().Count() == command.Withdrawals.Count, "a family pays each withdrawal once");
        var states = command.Withdrawals.Select(key => FindWithdrawal(key)?.State).ToArray();
        Assert(
            states.All(s => s is WithdrawalState.Queued or WithdrawalState.Cancelled or WithdrawalState.Expired),
            "a withdrawal is in exactly one live family");
        // Since the caller looked, one may have been given back, or a deposit taken back: what is not built yet waits.
        if (!Array.TrueForAll(states, s => s == WithdrawalState.Queued)) return Refused(Outcome.WithdrawalNotQueued);
        if (DeadlineOf(command.Withdrawals) <= context.Time) return Refused(Outcome.DeadlineOutOfRange);
        if (CheckPayers(command.Anchor, command.Withdrawals) is var stopped and not Outcome.None) return Refused(stopped);
        if (SettlementStop is not null) return Refused(Outcome.SettlementStopped);
        if (command.Anchor is not null && _families.Live.Any(f => f.IsAnchorUnconfirmed)) return Refused(Outcome.AnchorPending);
        ref var operatorWallet = ref _wallets[_operator];
        if (CheckOutflow(operatorWallet, command.FeeCap.ToMsat()) != Outcome.None) return Refused(Outcome.OperatorFundsLow);

        // After this point the family exists; its fee cap is held, so that mining is never paid with users' money.
        SetAside(ref operatorWallet, command.FeeCap.ToMsat());
        foreach (var key in command.Withdrawals) Bind(key, WithdrawalState.InFamily, command.Family);
        Unqueue(command.Withdrawals);
        _families.Add(new Family(
            command.Family, context.Time, command.FeeCap, command.Anchor, command.Withdrawals, FamilyState.Opened, [], null));
        return Write(EntryType.FamilyOpened, command, context, record).Finish();
    }

    private ApplyResult ApplyPrepareAttempt(PrepareAttempt command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        CheckAttempt(family, command.Attempt, command.Fee);
        Assert(family.Prepared is null, "what was handed to a signer is not built anew");
        if (family.Attempts.Count == 0 && CheckSigning(family, context.Time) is var refusal and not Outcome.None) return Refused(refusal);
        if (CheckStop(family.Anchor, family.Withdrawals) is var stop and not Outcome.None) return Refused(stop);
        _families.Replace(family with { Prepared = new Preparation(command.Attempt, command.Txid, command.Fee, command.Psbt) });
        return Write(EntryType.AttemptPrepared, command, context, record).Finish();
    }

    private ApplyResult ApplySignAttempt(SignAttempt command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        CheckAttempt(family, command.Attempt, command.Fee);
        Assert(
            family.Prepared is not { } prepared || (prepared.Txid, prepared.Fee) == (command.Txid, command.Fee), "a signer signs what it was given");
        // What a signer was given it may have sent: too late to refuse.
        if (family is { Attempts.Count: 0, Prepared: null } && CheckSigning(family, context.Time) is var refusal and not Outcome.None) return Refused(refusal);
        if (family.Prepared is null && CheckStop(family.Anchor, family.Withdrawals) is var stop and not Outcome.None) return Refused(stop);
        var attempt = new Attempt(command.Attempt, command.Txid, command.Fee, command.Transaction, command.Height);
        _families.Replace(family with { State = FamilyState.Signed, Attempts = [.. family.Attempts, attempt], Prepared = null });
        NoteChange(family, attempt.Transaction);
        return Write(EntryType.AttemptSigned, command, context, record).Finish();
    }

    private static void CheckAttempt(Family family, int attempt, Sats fee)
    {
        Assert(family.State is FamilyState.Opened or FamilyState.Signed, "only an unconfirmed family takes another attempt");
        Assert(family.Children.Count == 0, "a family with a child is bumped by its child alone");
        Assert(attempt == family.Attempts.Count + 1, "attempts are numbered in order");
        Assert(fee <= family.FeeCap, "a mining fee stays within what is held for it");
    }

    private void NoteChange(Family family, ByteString raw) => _change.UnionWith(ChangeOf(family, raw));

    /// <summary>What a transaction pays the hot wallet itself: all but the withdrawals and the anchor.</summary>
    private IEnumerable<ByteString> ChangeOf(Family family, ByteString raw)
    {
        if (!BitcoinTransaction.TryParse(raw.Span, out var transaction)) return [];
        var paid = family.Withdrawals.Select(key => _withdrawals[key].Script).ToHashSet();
        // What is longer is no address of anybody's.
        return transaction.Outputs.Where(o => o.Value > Sats.Zero && o.Script.Length <= Limits.ScriptBytesMax)
            .Select(o => new ByteString(o.Script)).Where(script => !paid.Contains(script) && script != Genesis!.AnchorScript);
    }

    /// <summary>Whether a family may get its first transaction now: things may have changed since it was opened.</summary>
    private Outcome CheckSigning(Family family, UnixTime now)
    {
        if (DeadlineOf(family) <= now) return Outcome.DeadlineOutOfRange;
        // A reorganisation may have taken a payer's deposit, or the anchor that this one must spend.
        if (CheckPayers(family) is var stopped and not Outcome.None) return stopped;
        if (SettlementStop is not null) return Outcome.SettlementStopped;
        return WaitsForAnchor(family) ? Outcome.AnchorPending : Outcome.None;
    }

    private ApplyResult ApplyConfirmFamily(ConfirmFamily command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(family.State is FamilyState.Signed or FamilyState.Confirmed, "what confirms was signed");
        Assert(command.Attempt >= 1 && command.Attempt <= family.Attempts.Count, "what confirms is one of the attempts");
        if (family.Confirmation is { } known && known.Block == command.Block) return Refused(Outcome.Unchanged);
        _families.Replace(family with
        {
            State = FamilyState.Confirmed,
            Confirmation = new Confirmation(
                command.Attempt, command.Height, command.Block, command.Header, command.Position, command.Siblings),
        });
        return Write(EntryType.FamilyConfirmed, command, context, record).Finish();
    }

    private ApplyResult ApplyUnconfirmFamily(UnconfirmFamily command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        if (family.State != FamilyState.Confirmed) return Refused(Outcome.Unchanged);
        _families.Replace(family with { State = FamilyState.Signed, Confirmation = null });
        return Write(EntryType.FamilyUnconfirmed, command, context, record).Finish();
    }

    private ApplyResult ApplyFinishFamily(FinishFamily command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(family.State == FamilyState.Confirmed, "what becomes final was confirmed");
        Assert(command.Child == 0 || (command.Child <= family.Children.Count && family.ParentAttempt == family.Confirmation!.Attempt), "a child that is final spends of the attempt that is");
        family = family with { State = FamilyState.Final, FinalChild = command.Child };
        var fee = family.FeePaid.ToMsat();
        Assert(command.Shared.ToMsat() <= fee, "withdrawals share no more than mining cost");
        var held = new Sats(family.Withdrawals.Sum(key => _withdrawals[key].Fee.Value));
        foreach (var key in family.Withdrawals)
        {
            var amount = _withdrawals[key].Amount.ToMsat();
            TakeHeld(ref _wallets[_wallets.Find(key.Wallet)], amount);
            _totals.Withdrawn += amount.Value;
            MarkSent(key, family.Number, command.Shared, held);
        }
        ref var operatorWallet = ref _wallets[_operator];
        TakeHeld(ref operatorWallet, family.FeeCap.ToMsat());
        Credit(ref operatorWallet, family.FeeCap.ToMsat() - fee);
        _totals.MiningFees += fee.Value;
        _families.Replace(family with { Prepared = null });
        return Write(EntryType.FamilyFinished, command, context, record).Finish();
    }

    private ApplyResult ApplyAbandonFamily(AbandonFamily command, in ApplyContext context, Span<byte> record)
    {
        var family = FindFamily(command.Family);
        Assert(
            family is { State: FamilyState.Opened, Prepared: null }, "a family with a transaction that is signed, or with its signer, is never abandoned");
        GiveBack(family);
        _families.Replace(family with { State = FamilyState.Abandoned });
        return Write(EntryType.FamilyAbandoned, command, context, record).Finish();
    }

    /// <summary>What a family pays for waits again, in its old place, and what mining might have cost is free.</summary>
    private void GiveBack(Family family)
    {
        foreach (var key in family.Withdrawals)
        {
            Bind(key, WithdrawalState.Queued, family: 0);
            Queue(_withdrawals[key]);
        }
        ref var operatorWallet = ref _wallets[_operator];
        TakeHeld(ref operatorWallet, family.FeeCap.ToMsat());
        Credit(ref operatorWallet, family.FeeCap.ToMsat());
    }

    private void Keep(Withdrawal withdrawal)
    {
        var wasOpen = FindWithdrawal(withdrawal.Key) is { IsOpen: true };
        _withdrawals.Set(withdrawal);
        if (withdrawal.IsOpen != wasOpen) CountOpen(withdrawal.Key.Wallet, wasOpen ? -1 : 1);
    }

    private void CountOpen(WalletId wallet, int more)
    {
        var count = OpenWithdrawalsOf(wallet) + more;
        if (count == 0) _open.Remove(wallet);
        else _open[wallet] = count;
    }

    private void Bind(WithdrawalKey key, WithdrawalState state, long family) =>
        Keep(_withdrawals[key] with { State = state, Family = family, AskedBy = ByteString.Empty });
}
