// The ledger's rules once more, as short as they can be said: immutable, without records, links or indexes, and
// written from the rules alone. It decides each command for itself; the property holds the ledger to it.

using System.Collections.Immutable;
using Bitcache.Core;

namespace Bitcache.Simulation;

internal sealed record ModelWallet(uint Tenant, long Available = 0, long Held = 0, long Frozen = 0, long Owed = 0, long Pending = 0, Freezes Freezes = Freezes.None)
{
    public bool Owes => Owed + Pending > 0;
    public Outcome? Stopped => Freezes != Freezes.None ? Outcome.WalletFrozen : Owes ? Outcome.WalletOwes : null;
    public ModelWallet Credit(long msat) => this with { Owed = Math.Max(0, Owed - msat), Available = Available + Math.Max(0, msat - Owed) };
    public ModelWallet Debit(long msat) => this with { Available = Available - msat };
    public ModelWallet Hold(long msat) => this with { Available = Available - msat, Held = Held + msat };
    public ModelWallet Unhold(long msat) => this with { Held = Held - msat };
}

internal sealed record ModelDeposit(WalletId Wallet, long Msat, DepositState State, bool Suspense, bool Booked, BlockHash Block, long Frozen, long Owed, bool Assigned = false)
{
    public bool IsInSuspense => Suspense && Booked && !Assigned && State != DepositState.Reversed;
}

internal sealed record ModelWithdrawal(long Msat, WithdrawalState State, long Family, long Order)
{
    /// <summary>What is held for mining, what it costs of that, and when it goes back, in msat and Unix milliseconds.</summary>
    public long Fee { get; init; }
    public long Charge { get; init; }
    public long? Deadline { get; init; }
    public long Held => Msat + Fee;
    public bool Waits => State is WithdrawalState.Queued or WithdrawalState.AwaitingApproval;
    public bool IsOpen => Waits || State == WithdrawalState.InFamily;
    public bool IsLate(UnixTime now) => Deadline <= now.Milliseconds;
    public ByteString AskedBy { get; init; }
}

internal sealed record ModelFamily(
    long Cap, bool Anchor, ImmutableList<WithdrawalKey> Pays, FamilyState State, ImmutableList<long> Fees, int Attempt, BlockHash Block)
{
    /// <summary>The fee of an attempt that is with its signer.</summary>
    public long? Prepared { get; init; }
    /// <summary>The fees of the children, and the attempt that they pay for.</summary>
    public ImmutableList<long> Children { get; init; } = [];
    public int Parent { get; init; }
    public bool Archived { get; init; }
}

internal sealed partial record Model(
    UnixTime Now, bool ClockTrusted, UnixTime Floor, long Entries,
    ImmutableDictionary<WalletId, ModelWallet> Wallets,
    ImmutableDictionary<(WalletId Owner, OperationId Id), bool> Ids,
    ImmutableDictionary<ByteString, WalletId> Addresses,
    ImmutableDictionary<OutPoint, ModelDeposit> Deposits,
    ImmutableDictionary<WithdrawalKey, ModelWithdrawal> Withdrawals,
    ImmutableList<ModelFamily> Families,
    long Epochs)
{
    private const long FiveMinutes = 300_000;
    private const long TenSeconds = 10_000;
    /// <summary>Ids are counted by slices of time of so many milliseconds.</summary>
    private const long Slice = 1_024;
    private const long TaprootDust = 330;

    /// <summary>The operator's own wallet.</summary>
    public required WalletId Operator { get; init; }

    /// <summary>Whether a stranger has the anchor's output, and whose it was.</summary>
    public long StoppedAt { get; init; }

    /// <summary>How many ids may be more than ten seconds ahead.</summary>
    public int AheadIdsMax { get; init; } = 8 << 20;

    /// <summary>The block from which the node's wallet is to be rescanned.</summary>
    public uint? Rescan { get; init; }

    /// <summary>The newest term of the settlement, and the one under which the next command is sent.</summary>
    public long Term { get; init; }
    public long Under { get; init; }

    /// <summary>The script that every anchor pays and nothing else may.</summary>
    public required ByteString AnchorScript { get; init; }

    /// <summary>Whether the operator has stopped withdrawals.</summary>
    public bool Stopped { get; init; }

    /// <summary>What there is after the genesis entry.</summary>
    public static Model After(Genesis genesis, UnixTime time) => new(
        time, ClockTrusted: true, default, Entries: 1,
        ImmutableDictionary<WalletId, ModelWallet>.Empty.Add(genesis.Operator, new ModelWallet(0)),
        ImmutableDictionary<(WalletId, OperationId), bool>.Empty, ImmutableDictionary<ByteString, WalletId>.Empty,
        ImmutableDictionary<OutPoint, ModelDeposit>.Empty, ImmutableDictionary<WithdrawalKey, ModelWithdrawal>.Empty, [], 0)
    {
        Operator = genesis.Operator,
        AnchorScript = genesis.AnchorScript,
    };

    /// <summary>The newest epoch with a statement.</summary>
    public long Stated { get; init; }

    public IEnumerable<WithdrawalKey> Queued => Withdrawals.Where(w => w.Value.State == WithdrawalState.Queued).OrderBy(w => w.Value.Order).Select(w => w.Key);
    public IEnumerable<WithdrawalKey> Due => Stopped ? [] : Queued.Where(k => Wallets[k.Wallet].Stopped is null);

    /// <summary>The outcome and what follows from it; no outcome where the caller broke a rule that callers keep.</summary>
    public (Outcome? Outcome, Model After) Apply(Command command, uint tenant)
    {
        if (IsSettlements(command) && Under != Term) return (Outcome.TermOver, this);
        if (command is CancelWithdrawal cancel)
        {
            var (taken, without) = Cancel(cancel, tenant);
            return taken == Outcome.Accepted ? (taken, without with { Entries = Entries + 1 }) : (taken, this);
        }
        if (command is DecideWithdrawal decide)
        {
            var (taken, without) = DecideOn(decide);
            return taken == Outcome.Accepted ? (taken, without with { Entries = Entries + 1 }) : (taken, this);
        }
        if (command is StopWithdrawals { IsNamed: false } follow)
            return follow.Stopped == Stopped ? (Outcome.Unchanged, this) : (Outcome.Accepted, this with { Stopped = follow.Stopped, Entries = Entries + 1 });
        if (command is ClientCommand named)
        {
            var refusal = Identify(named, tenant);
            if (refusal is not null) return (refusal, this);
            // Epochs are numbered by their caller, who keeps the order.
            if (named is EpochCut cut && cut.Epoch > Epochs + 1) return (null, this);
            var (outcome, after) = Decide(named, tenant);
            if (outcome is not (Outcome.Accepted or Outcome.InsufficientFunds or Outcome.WalletOwes or Outcome.WalletFrozen
                or Outcome.LimitExceeded or Outcome.HoldExceeded or Outcome.RefundExceeds or Outcome.TooManyHolds
                or Outcome.TooManyWithdrawals)) return (outcome, this);
            var forEver = outcome == Outcome.Accepted && command is RequestWithdrawal or AssignAddress or AssignAddresses;
            var taken = outcome == Outcome.Accepted && named is Split split ? split.Parts.Count : 1;
            return (outcome, after with { Ids = after.Ids.Add((named.Owner, named.Id), forEver), Entries = Entries + taken });
        }
        var decided = command switch
        {
            ChangeDeposit c => Change(c),
            OpenFamily c => Open(c),
            PrepareAttempt c => Prepare(c),
            SignAttempt c => Sign(c),
            ConfirmFamily c => OnFamily(c.Family, f => f.State is FamilyState.Signed or FamilyState.Confirmed && c.Attempt >= 1 && c.Attempt <= f.Fees.Count
                ? f.State == FamilyState.Confirmed && f.Block == c.Block ? f : f with { State = FamilyState.Confirmed, Attempt = c.Attempt, Block = c.Block } : null),
            UnconfirmFamily c => OnFamily(c.Family, f => f.State == FamilyState.Confirmed ? f with { State = FamilyState.Signed, Attempt = 0, Block = default } : f),
            FinishFamily c => Finish(c),
            ExpireWithdrawal c => ExpireLate(c.Withdrawal),
            ChargeWithdrawal c => Charge(c.Withdrawal),
            DeclareFamilyDead c => c.Family == StoppedAt ? (null, this) : Bury(c.Family),
            SignChild c => Pay(c, OnFamily(c.Family, f => SignChild(c, f))),
            StopSettlement c => Stop(c),
            ArchiveFamily c => OnFamily(c.Family, f => MayArchive(c, f) ? f with { Archived = true } : null),
            AbandonFamily c => GiveUp(c.Family, f => f is { State: FamilyState.Opened, Prepared: null }, FamilyState.Abandoned),
            ExpireHold c => Expire(c),
            RaiseFloor c => c.Floor <= Floor ? (Outcome.Unchanged, this) : c.Floor > Now ? (null, this) : (Outcome.Accepted, Raise(c.Floor)),
            MarkRescan c => (c.Done ? c.FromHeight != Rescan : c.FromHeight >= Rescan)
                ? (Outcome.Unchanged, this) : (Outcome.Accepted, this with { Rescan = c.Done ? null : c.FromHeight }),
            StateEpoch c => c.Statement.Epoch <= Stated || c.Statement.Epoch > Epochs ? (null, this) : (Outcome.Accepted, this with { Stated = c.Statement.Epoch }),
            // What the operator's side writes down: it moves nothing.
            LogCut or MoveCursor or ConfirmClock => (Outcome.Accepted, this),
            BeginTerm c => c.Term > Term ? (Outcome.Accepted, this with { Term = c.Term }) : (Outcome.TermOver, this),
            _ => throw new ArgumentOutOfRangeException(nameof(command)),
        };
        return decided.Item1 == Outcome.Accepted ? (Outcome.Accepted, decided.Item2 with { Entries = Entries + 1 }) : (decided.Item1, this);
    }

    private bool IsSettlements(Command command) => command is ChangeDeposit or MoveCursor or MarkRescan or OpenFamily or PrepareAttempt or SignAttempt
        or Core.SignChild or ConfirmFamily or UnconfirmFamily or FinishFamily or AbandonFamily or ArchiveFamily or DeclareFamilyDead or StopSettlement
        or ChargeWithdrawal or MoveOperatorFunds or LogCut or EpochCut or StateEpoch or RotateKey
        or AssignAddress or AssignAddresses or AssignSuspense or SettleDeposit or SetFees or StopWithdrawals || (command is SetFrozen f && f.Wallet == Operator);

    private Outcome? Identify(ClientCommand c, uint tenant)
    {
        var forOperator = c is SetFrozen or SetLimits && tenant == 0;
        var forPayee = c is CaptureHold or ReleaseHold && IsOwn(((PaymentCommand)c).Payee, tenant);
        if (Wallets.TryGetValue(c.Owner, out var owner) && owner.Tenant != tenant && !forOperator && !forPayee) return Outcome.WalletNotFound;
        if (Ids.ContainsKey((c.Owner, c.Id))) return Outcome.Known;
        if (c.Id.Time < Floor) return Outcome.IdBelowFloor;
        if (c.Id.Time.Milliseconds <= Now.Milliseconds + TenSeconds) return null;
        if (ClockTrusted && c.Id.Time.Milliseconds > Now.Milliseconds + FiveMinutes) return Outcome.IdAhead;
        var ahead = Ids.Count(i => i.Key.Id.Time.Milliseconds / Slice > (Now.Milliseconds + TenSeconds) / Slice);
        return ahead >= AheadIdsMax ? Outcome.IdAhead : null;
    }

    private (Outcome, Model) Decide(ClientCommand command, uint tenant) => command switch
    {
        CreateWallet c => (Outcome.Accepted, this with { Wallets = Wallets.Add(c.Wallet, new ModelWallet(tenant)) }),
        EpochCut c => c.Epoch <= Epochs ? (Outcome.Unchanged, this) : (Outcome.Accepted, this with { Epochs = c.Epoch }),
        StopWithdrawals c => (Outcome.Accepted, this with { Stopped = c.Stopped }),
        PaymentCommand c => Pay(c, tenant),
        Split c => PayAll(c),
        SetLimits c => !Wallets.ContainsKey(c.Wallet) ? (Outcome.WalletNotFound, this) : (Outcome.Accepted, this with
        {
            Spending = Spending.SetItem(c.Wallet, Spending.GetValueOrDefault(c.Wallet, new ModelSpending(c.Limits, [])) with { Limits = c.Limits }),
        }),
        SetFees c => (Outcome.Accepted, this with { Fees = Fees.SetItem(c.Tenant, c.Schedule) }),
        SetFrozen c => !Wallets.ContainsKey(c.Wallet) ? (Outcome.WalletNotFound, this) : (Outcome.Accepted, With(c.Wallet, w => Freeze(w, c.Frozen, tenant))),
        AssignAddress c => Assign(c.Wallet, [c.Script], tenant),
        AssignAddresses c => Assign(c.Wallet, [.. c.Addresses.Select(a => a.Script)], tenant),
        RequestWithdrawal c => Withdraw(c, tenant),
        AssignSuspense c => Assign(c),
        SettleDeposit c => Settle(c),
        _ => throw new ArgumentOutOfRangeException(nameof(command)),
    };

    private (Outcome, Model) Assign(WalletId wallet, ByteString[] scripts, uint tenant) =>
        !IsOwn(wallet, tenant) ? (Outcome.WalletNotFound, this)
        : Addresses.Count(a => a.Value == wallet) + scripts.Length > AddressesMax ? (Outcome.TooManyAddresses, this)
        : scripts.Any(s => Addresses.ContainsKey(s) || s == AnchorScript) || scripts.Distinct().Count() < scripts.Length ? (Outcome.AddressTaken, this)
        : (Outcome.Accepted, this with { Addresses = Addresses.AddRange(scripts.Select(s => KeyValuePair.Create(s, wallet))) });

    private static ModelWallet Freeze(ModelWallet w, bool frozen, uint tenant)
    {
        var own = tenant == 0 ? Freezes.Operator : Freezes.Owner;
        return w with { Freezes = frozen ? w.Freezes | own : w.Freezes & ~own };
    }

    private bool IsOwn(WalletId id, uint tenant) => Wallets.TryGetValue(id, out var wallet) && wallet.Tenant == tenant;

    private Model With(WalletId id, Func<ModelWallet, ModelWallet> change) => this with { Wallets = Wallets.SetItem(id, change(Wallets[id])) };

    private (Outcome, Model) Assign(AssignSuspense c)
    {
        if (!Deposits.TryGetValue(c.OutPoint, out var d) || !d.IsInSuspense) return (Outcome.SuspenseNotFound, this);
        if (d.State != DepositState.Final) return (Outcome.SuspenseNotFinal, this);
        if (!Wallets.ContainsKey(c.Wallet)) return (Outcome.WalletNotFound, this);
        return (Outcome.Accepted, With(c.Wallet, w => w.Credit(d.Msat)) with { Deposits = Deposits.SetItem(c.OutPoint, d with { Assigned = true }) });
    }

    private (Outcome, Model) Settle(SettleDeposit c)
    {
        if (!Deposits.TryGetValue(c.OutPoint, out var d) || d.State != DepositState.Frozen) return (Outcome.FrozenNotFound, this);
        if (c.Released && !d.Booked) return (Outcome.DepositNotCredited, this);
        var (after, next) = (d.Booked && !d.Suspense, c.Released) switch
        {
            (true, true) => (With(d.Wallet, w => Release(w, d).Credit(d.Frozen)), d with { Frozen = 0, Owed = 0 }),
            (true, false) => TakeBack(d),
            _ => (this, d),
        };
        return (Outcome.Accepted, after with { Deposits = Deposits.SetItem(c.OutPoint, next with { State = c.Released ? DepositState.Final : DepositState.Reversed }) });
    }

    private (Outcome?, Model) Change(ChangeDeposit c)
    {
        if (!Addresses.TryGetValue(c.Script, out var owner)) return (null, this);
        var d = Deposits.GetValueOrDefault(c.OutPoint) ?? new ModelDeposit(owner, c.Amount.ToMsat().Value, DepositState.None, c.Suspense, false, default, 0, 0);
        if (d.Booked && d.Suspense != c.Suspense) return (null, this);
        var moved = d.Block != c.Block;
        var allowed = $"{d.State} {c.To}" switch
        {
            "None Seen" or "None Credited" or "Seen Credited" or "Seen Frozen" or "Seen Reversed" => true,
            "Seen Seen" => moved,
            "Credited Frozen" or "Credited Reversed" or "Credited Final" or "Frozen Credited" or "Frozen Reversed" => true,
            "Frozen Seen" => !d.Booked,
            _ => false,
        };
        if (!allowed) return (Outcome.Unchanged, this);
        d = d with { Suspense = c.Suspense, Block = c.Block };
        var (after, next) = c.To switch
        {
            DepositState.Credited when d.Suspense => (this, d with { Booked = true }),
            DepositState.Credited when !d.Booked => (With(owner, w => w.Credit(d.Msat)), d with { Booked = true }),
            DepositState.Credited => (With(owner, w => Release(w, d).Credit(d.Frozen)), d with { Frozen = 0, Owed = 0 }),
            DepositState.Frozen when d.Booked && !d.Suspense => SetAside(d),
            DepositState.Reversed when d.Booked && !d.Suspense => TakeBack(d),
            _ => (this, d),
        };
        return (Outcome.Accepted, after with { Deposits = Deposits.SetItem(c.OutPoint, next with { State = c.To }) });
    }

    private static ModelWallet Release(ModelWallet w, ModelDeposit d) => w with { Frozen = w.Frozen - d.Frozen, Pending = w.Pending - d.Owed };

    private (Model, ModelDeposit) SetAside(ModelDeposit d)
    {
        var there = Math.Min(Wallets[d.Wallet].Available, d.Msat);
        var after = With(d.Wallet, w => w with { Available = w.Available - there, Frozen = w.Frozen + there, Pending = w.Pending + d.Msat - there });
        return (after, d with { Frozen = there, Owed = d.Msat - there });
    }

    /// <summary>The frozen part goes; the rest is taken from what there is, and what is missing is owed.</summary>
    private (Model, ModelDeposit) TakeBack(ModelDeposit d)
    {
        var missing = d.State == DepositState.Frozen ? d.Owed : d.Msat;
        var after = With(d.Wallet, w =>
        {
            var taken = Math.Min(w.Available, missing);
            return Release(w, d) with { Available = w.Available - taken, Owed = w.Owed + missing - taken };
        });
        return (after, d with { Frozen = 0, Owed = 0 });
    }

    private (Outcome?, Model) Open(OpenFamily c)
    {
        var each = c.Withdrawals.All(k =>
            Withdrawals.TryGetValue(k, out var w) && w.State is WithdrawalState.Queued or WithdrawalState.Cancelled or WithdrawalState.Expired);
        if (c.Family != Families.Count + 1 || !each || c.Withdrawals.Distinct().Count() != c.Withdrawals.Count) return (null, this);
        if (c.Withdrawals.Any(k => Withdrawals[k].State != WithdrawalState.Queued)) return (Outcome.WithdrawalNotQueued, this);
        if (c.Withdrawals.Any(k => Withdrawals[k].IsLate(Now))) return (Outcome.DeadlineOutOfRange, this);
        if (StoppedOf(c.Anchor is not null, c.Withdrawals) is { } stopped) return (stopped, this);
        if (StoppedAt > 0) return (Outcome.SettlementStopped, this);
        if (c.Anchor is not null && Families.Any(f => f.Anchor && f.State is (FamilyState.Opened or FamilyState.Signed))) return (Outcome.AnchorPending, this);
        var (purse, cap) = (Wallets[Operator], c.FeeCap.ToMsat().Value);
        if (purse.Stopped is not null || purse.Available < cap) return (Outcome.OperatorFundsLow, this);
        var family = new ModelFamily(cap, c.Anchor is not null, [.. c.Withdrawals], FamilyState.Opened, [], 0, default);
        return (Outcome.Accepted, (this with { Families = Families.Add(family) }).Move(family, WithdrawalState.InFamily, c.Family).With(Operator, w => w.Hold(cap)));
    }

    private Outcome? StoppedOf(bool anchor, IReadOnlyCollection<WithdrawalKey> keys) => Stopped && (!anchor || keys.Count > 0) ? Outcome.WithdrawalsStopped : keys.Select(k => Wallets[k.Wallet].Stopped).FirstOrDefault(s => s is not null);

    private Model Move(ModelFamily family, WithdrawalState state, long number) => this with
    {
        Withdrawals = Withdrawals.SetItems(family.Pays.Select(k => KeyValuePair.Create(k, Withdrawals[k] with { State = state, Family = number }))),
    };

    /// <summary>A step of a family; the same family means that there is nothing to change, none that it is not allowed.</summary>
    private (Outcome?, Model) Sign(SignAttempt c)
    {
        var fee = c.Fee.ToMsat().Value;
        var signed = OnFamily(c.Family, f => TakesAttempt(f, c.Attempt, fee) && (f.Prepared is not { } prepared || prepared == fee)
            ? f with { State = FamilyState.Signed, Fees = f.Fees.Add(fee), Prepared = null } : null);
        return signed.Item1 != Outcome.Accepted || Families[(int)c.Family - 1].Prepared is not null ? signed : MaySign(c.Family, c.Attempt, signed);
    }

    private (Outcome?, Model) Prepare(PrepareAttempt c)
    {
        var fee = c.Fee.ToMsat().Value;
        var prepared = OnFamily(c.Family, f => TakesAttempt(f, c.Attempt, fee) && f.Prepared is null ? f with { Prepared = fee } : null);
        return prepared.Item1 != Outcome.Accepted ? prepared : MaySign(c.Family, c.Attempt, prepared);
    }

    private static bool TakesAttempt(ModelFamily family, int attempt, long fee) =>
        family.State is FamilyState.Opened or FamilyState.Signed && family.Children.IsEmpty && attempt == family.Fees.Count + 1 && fee <= family.Cap;

    /// <summary>Nothing is signed first for somebody who may not pay, or ahead of an earlier anchor.</summary>
    private (Outcome?, Model) MaySign(long number, int attempt, (Outcome?, Model) signed)
    {
        var family = Families[(int)number - 1];
        if (attempt > 1) return Stopped && (!family.Anchor || family.Pays.Count > 0) ? (Outcome.WithdrawalsStopped, this) : signed;
        if (family.Pays.Any(k => Withdrawals[k].IsLate(Now))) return (Outcome.DeadlineOutOfRange, this);
        if (StoppedOf(family.Anchor, family.Pays) is { } stopped) return (stopped, this);
        if (StoppedAt > 0) return (Outcome.SettlementStopped, this);
        var before = Families.Take((int)number - 1).Any(f => f.Anchor && f.State is (FamilyState.Opened or FamilyState.Signed));
        return family.Anchor && before ? (Outcome.AnchorPending, this) : signed;
    }

    private (Outcome?, Model) OnFamily(long number, Func<ModelFamily, ModelFamily?> step)
    {
        if (number < 1 || number > Families.Count) return (null, this);
        var family = Families[(int)number - 1];
        return step(family) switch
        {
            null => (null, this),
            var same when ReferenceEquals(same, family) => (Outcome.Unchanged, this),
            var next => (Outcome.Accepted, this with { Families = Families.SetItem((int)number - 1, next) }),
        };
    }

    private static ModelFamily? SignChild(SignChild c, ModelFamily f)
    {
        if (f.State is not (FamilyState.Signed or FamilyState.Confirmed) || f.Prepared is not null || c.Attempt < 1 || c.Attempt > f.Fees.Count) return null;
        if (c.Child != f.Children.Count + 1 || (c.Child > 1 && c.Attempt != f.Parent) || (f.State == FamilyState.Confirmed && c.Attempt != f.Attempt)) return null;
        return f.Fees[c.Attempt - 1] + c.Fee.ToMsat().Value <= f.Cap ? f with { Parent = c.Attempt, Children = f.Children.Add(c.Fee.ToMsat().Value) } : null;
    }

    private (Outcome?, Model) Pay(SignChild c, (Outcome?, Model) signed) =>
        signed.Item1 == Outcome.Accepted && Stopped && Families[(int)c.Family - 1] is var f && (!f.Anchor || f.Pays.Count > 0) ? (Outcome.WithdrawalsStopped, this) : signed;

    private (Outcome?, Model) Stop(StopSettlement c)
    {
        var anchor = c.Family >= 1 && c.Family <= Families.Count ? Families[(int)c.Family - 1] : null;
        if (anchor is not { Anchor: true, State: FamilyState.Confirmed or FamilyState.Final }) return (null, this);
        return StoppedAt > 0 ? (Outcome.Unchanged, this) : (Outcome.Accepted, this with { StoppedAt = c.Family });
    }

    private (Outcome?, Model) Finish(FinishFamily c)
    {
        var (number, shared) = (c.Family, c.Shared.ToMsat().Value);
        long Fee(ModelFamily f) => f.Fees[f.Attempt - 1] + (c.Child > 0 ? f.Children[c.Child - 1] : 0);
        var (outcome, after) = OnFamily(number, f => f.State == FamilyState.Confirmed
            && (c.Child == 0 || (c.Child <= f.Children.Count && f.Parent == f.Attempt)) && shared <= Fee(f) ? f with { State = FamilyState.Final } : null);
        if (outcome is null) return (null, this);
        var family = after.Families[(int)number - 1];
        var fee = Fee(family);
        after = after.Leave(family, number, shared);
        foreach (var key in family.Pays) after = after.With(key.Wallet, w => w.Unhold(Withdrawals[key].Msat));
        return (outcome, after.With(Operator, w => w.Unhold(family.Cap).Credit(family.Cap - fee)));
    }

    /// <summary>All but the newest final anchor, whose output the next one spends. Transactions have no bytes here.</summary>
    private bool MayArchive(ArchiveFamily c, ModelFamily f) =>
        !f.Archived && c.Transaction.Length == 0
        && (f.State == FamilyState.Dead || (f.State == FamilyState.Final && (!f.Anchor || Families.Skip((int)c.Family).Any(n => n.Anchor && n.State == FamilyState.Final))));

    /// <summary>A family ends without having paid: what it was for waits again.</summary>
    private (Outcome?, Model) Bury(long number) =>
        GiveUp(number, f => f.State == FamilyState.Signed || f is { State: FamilyState.Opened, Prepared: not null }, FamilyState.Dead);

    private (Outcome?, Model) GiveUp(long number, Func<ModelFamily, bool> may, FamilyState to)
    {
        var (outcome, after) = OnFamily(number, f => may(f) ? f with { State = to, Prepared = null } : null);
        if (outcome is null) return (null, this);
        var family = after.Families[(int)number - 1];
        return (outcome, after.Move(family, WithdrawalState.Queued, 0).With(Operator, w => w.Unhold(family.Cap).Credit(family.Cap)));
    }

    private Model Raise(UnixTime floor) => this with
    {
        Floor = floor,
        Ids = Ids.RemoveRange(Ids.Where(i => !i.Value && i.Key.Id.Time < floor).Select(i => i.Key)),
    };
}
