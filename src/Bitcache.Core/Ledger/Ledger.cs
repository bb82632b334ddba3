// Every money rule of one partition. Apply is the only way in: it decides, and past the point of no return it
// changes balances and writes one entry. It draws nothing, waits for nothing and reads no clock: time and salt
// are given, so that replaying the entries rebuilds the same state, byte for byte.
//
// The order of checks is part of the contract: the owner, the id (known? too old? too far ahead?), the shape, what is named,
// the state, the funds. Refusals from state and funds are journaled and remembered, the others are not.

namespace Bitcache.Core;

/// <summary>What comes to a command from outside: the batch's time, the caller's tenant, the entry's salt.</summary>
/// <param name="ClockTrusted">Whether ids may be refused for how far they are ahead of time (see <see cref="ConfirmClock"/>).</param>
/// <param name="IsReplay">Whether it was journaled before: then its id had passed the checks of its time, and its term was the present one.</param>
/// <param name="Term">Under which the settlement sends it (see <see cref="BeginTerm"/>); of no account to other commands.</param>
public readonly record struct ApplyContext(UnixTime Time, uint Tenant, UInt128 Salt, bool ClockTrusted, bool IsReplay = false, long Term = 0);

/// <summary>A rule that can only be broken by a bug or by damaged memory was broken: the process must stop.</summary>
public sealed class LedgerInvariantException(string message) : Exception(message);

/// <summary>The state and rules of one partition. Owned by one thread.</summary>
/// <param name="partition">Its number.</param>
/// <param name="secret">Keys the hashes of the tables in memory, against clients that choose ids to collide. What is
/// decided does not depend on it.</param>
public sealed partial class Ledger(int partition, ulong secret = 0)
{
    /// <summary>The tenant of the operator: owns the operator's wallet, sends the commands that come from the chain.</summary>
    public const uint OperatorTenant = 0;

    private readonly WalletTable _wallets = new(secret);
    private readonly IdWindow _ids = new(secret);
    private readonly Totals _totals = new();
    private int _operator = -1;

    public int Partition => partition;

    /// <summary>The sequence of the next entry; 0 is the genesis entry.</summary>
    public long NextSequence { get; private set; }

    /// <summary>The newest journaled time. Never runs backwards.</summary>
    public UnixTime Time { get; private set; }

    /// <summary>Ids with an earlier time of their own are refused.</summary>
    public UnixTime Floor { get; private set; }

    public Genesis? Genesis { get; private set; }

    /// <summary>The time of the genesis entry.</summary>
    public UnixTime Begun { get; private set; }

    public int WalletCount => _wallets.Count;
    public int WindowIds => _ids.Count;

    /// <summary>The ids above the floor and the memory that they take: what the window's bounds are about.</summary>
    public (int Ids, long Bytes) WindowUse => _ids.Use;

    /// <summary>Memory of the wallets and of the ids that are remembered.</summary>
    public (long Wallets, long WindowIds) MemoryBytes => (_wallets.Bytes, _ids.Bytes);
    public Totals Totals => _totals with { };

    /// <summary>Applies a command and writes its record to <paramref name="record"/>, which must hold
    /// <see cref="Limits.RecordBytesMax"/> bytes. Nothing is written when the result is not journaled.</summary>
    public ApplyResult Apply(Command command, in ApplyContext context, Span<byte> record)
    {
        Assert(context.Time >= Time, "time does not run backwards");
        Assert(Genesis is not null || command is Bitcache.Core.Genesis, "the first entry is the genesis entry");
        // Before every rule that only the settlement keeps: what a late one sends is refused, and breaks nothing.
        if (IsUnderTerm(command) && !context.IsReplay && context.Term != Term) return Refused(Outcome.TermOver);
        Assert(
            command is ClientCommand and not (EpochCut or SetFees or MoveOperatorFunds or StopWithdrawals or DecideWithdrawal or AssignSuspense or SettleDeposit or RotateKey) || context.Tenant == OperatorTenant, "the chain, the clock and the cuts are the operator's");
        if (command is PaymentCommand payment) return Apply(payment.ToPayment(), context, record).ToApplyResult();
        if (command is ClientCommand { IsNamed: true } named
            && Identify(named, context) is { Outcome: not Outcome.Accepted } known) return known;
        return command switch
        {
            Genesis c => ApplyGenesis(c, context, record),
            CreateWallet c => ApplyCreateWallet(c, context, record),
            AssignAddress c => ApplyAssignAddress(c, context, record),
            AssignAddresses c => ApplyAssignAddresses(c, context, record),
            ChangeDeposit c => ApplyChangeDeposit(c, context, record),
            AssignSuspense c => ApplyAssignSuspense(c, context, record),
            SettleDeposit c => ApplySettleDeposit(c, context, record),
            MoveCursor c => ApplyMoveCursor(c, context, record),
            MarkRescan c => ApplyMarkRescan(c, context, record),
            RequestWithdrawal c => ApplyRequestWithdrawal(c, context, record),
            CancelWithdrawal c => ApplyCancelWithdrawal(c, context, record),
            ExpireWithdrawal c => ApplyExpireWithdrawal(c, context, record),
            ChargeWithdrawal c => ApplyChargeWithdrawal(c, context, record),
            StopWithdrawals c => ApplyStopWithdrawals(c, context, record),
            DecideWithdrawal c => ApplyDecideWithdrawal(c, context, record),
            OpenFamily c => ApplyOpenFamily(c, context, record),
            PrepareAttempt c => ApplyPrepareAttempt(c, context, record),
            SignAttempt c => ApplySignAttempt(c, context, record),
            ConfirmFamily c => ApplyConfirmFamily(c, context, record),
            UnconfirmFamily c => ApplyUnconfirmFamily(c, context, record),
            FinishFamily c => ApplyFinishFamily(c, context, record),
            AbandonFamily c => ApplyAbandonFamily(c, context, record),
            ArchiveFamily c => ApplyArchiveFamily(c, context, record),
            DeclareFamilyDead c => ApplyDeclareFamilyDead(c, context, record),
            SignChild c => ApplySignChild(c, context, record),
            StopSettlement c => ApplyStopSettlement(c, context, record),
            LogCut c => ApplyLogCut(c, context, record),
            EpochCut c => ApplyEpochCut(c, context, record),
            StateEpoch c => ApplyStateEpoch(c, context, record),
            RaiseFloor c => ApplyRaiseFloor(c, context, record),
            ConfirmClock c => Write(EntryType.ClockConfirmed, c, context, record).Finish(),
            SetFrozen c => ApplySetFrozen(c, context, record),
            SetLimits c => ApplySetLimits(c, context, record),
            SetFees c => ApplySetFees(c, context, record),
            ReceiveLeg c => Apply(c.Leg, context, record),
            AcknowledgeLegs c => ApplyAcknowledgeLegs(c, context, record),
            MoveOperatorFunds c => ApplyMoveOperatorFunds(c, context, record),
            Split c => ApplySplit(c, context, record),
            ExpireHold c => ApplyExpireHold(c, context, record),
            RotateKey c => ApplyRotateKey(c, context, record),
            BeginTerm c => ApplyBeginTerm(c, context, record),
            _ => throw new ArgumentException($"unknown command {command.GetType().Name}", nameof(command)),
        };
    }

    /// <summary>Applies a journaled entry again and holds the result against the journal's bytes.</summary>
    /// <param name="scratch">Room for a record, used to compare.</param>
    /// <exception cref="LedgerInvariantException">The entry does not follow from the state before it.</exception>
    /// <exception cref="FormatException">The bytes are not a record.</exception>
    public void Replay(ReadOnlySpan<byte> record, Span<byte> scratch)
    {
        var entry = Entry.Read(record);
        var context = new ApplyContext(entry.Time, entry.Tenant, entry.Salt, ClockTrusted: false, IsReplay: true);
        var result = entry.Command switch
        {
            PaymentCommand payment => Apply(payment.ToPayment() with { Facts = PayeeFacts.All }, context, scratch).ToApplyResult(),
            // Perhaps from before they were counted: then it was not held to the bound.
            RequestWithdrawal withdrawal when entry.Outcome == Outcome.Accepted => Apply(withdrawal with { IsUncounted = true }, context, scratch),
            _ => Apply(entry.Command, context, scratch),
        };
        RequireSame(record, scratch[..result.BytesWritten], result.Outcome, result.Sequence);
    }

    /// <summary>A copy of a wallet, or null.</summary>
    public Wallet? FindWallet(WalletId id) => _wallets.Find(id) is var slot and >= 0 ? _wallets.Show(slot) : null;

    public Wallet OperatorWallet => _wallets.Show(_operator);

    /// <summary>The sequence of the entry that an id left, or null.</summary>
    public long? FindId(WalletId owner, OperationId id) => _ids.Find(OwnerKey(owner, _wallets.Find(owner)), id);

    /// <summary>How many ids may be ahead of time. No part of the state: what is refused for it is not remembered.</summary>
    public int AheadIdsMax { get; set; } = Limits.AheadIdsMax;

    /// <summary>Over how many slices of the window these may be spread. No part of the state either.</summary>
    public int AheadSlicesMax { get; set; } = Limits.AheadSlicesMax;

    /// <summary>The floor at which <see cref="WindowUse"/> is at most so much, or null if it is not more now.</summary>
    public UnixTime? FloorFor(int ids, long bytes) => _ids.FloorFor(ids, bytes);

    private ApplyResult Identify(ClientCommand command, in ApplyContext context)
    {
        var slot = _wallets.Find(command.Owner);
        // A stranger who guesses an id, or saw it as a payee, must not learn from it what came of it.
        var mayAsk = slot < 0 || IsOwn(slot, context) || (command.IsForOperatorToo && context.Tenant == OperatorTenant);
        return mayAsk ? Identify(OwnerKey(command.Owner, slot), command.Id, context) : Refused(Outcome.WalletNotFound);
    }

    private ApplyResult Identify(long owner, OperationId id, in ApplyContext context)
    {
        if (_ids.Find(owner, id) is { } sequence) return new ApplyResult(Outcome.Known, sequence, 0);
        // Below the floor ids are forgotten: one that is new and one that was paid long ago look alike. So this holds
        // whether or not the clock is trusted; the floor itself is journaled.
        if (id.Time < Floor) return Refused(Outcome.IdBelowFloor);
        if (!context.IsReplay && IsTooFarAhead(id, context)) return Refused(Outcome.IdAhead);
        return new ApplyResult(Outcome.Accepted, 0, 0);
    }

    /// <summary>Whether an id's time lies far ahead, or a little, and too many do so already. What is far, only a clock tells
    /// that is trusted. How many may be ahead holds whatever the clock: the floor could never pass the ids that it let in.</summary>
    private bool IsTooFarAhead(OperationId id, in ApplyContext context)
    {
        var ahead = id.Time.Milliseconds - context.Time.Milliseconds;
        if (ahead <= Limits.IdAheadMillisecondsFree) return false;
        if (context.ClockTrusted && ahead > Limits.IdAheadMillisecondsMax) return true;
        var (ids, slices) = _ids.CountAhead(new UnixTime(context.Time.Milliseconds + Limits.IdAheadMillisecondsFree));
        return ids >= AheadIdsMax || slices >= AheadSlicesMax;
    }

    private ApplyResult ApplyGenesis(Genesis command, in ApplyContext context, Span<byte> record)
    {
        // Of two processes of a cluster that begin a ledger, one is first.
        if (Genesis is not null) return Refused(Outcome.Unchanged);
        Assert(NextSequence == 0, "the genesis entry is the first");
        Assert(partition >= 0 && partition < command.Partitions, "a partition is one of those that the genesis entry names");
        Assert(!command.Operator.IsNone, "the operator has a wallet");
        (Genesis, Begun) = (command, context.Time);
        _operator = _wallets.Add(command.Operator, OperatorTenant);
        return Write(EntryType.Genesis, command, context, record).Finish();
    }

    private ApplyResult ApplyCreateWallet(CreateWallet command, in ApplyContext context, Span<byte> record)
    {
        Assert(_wallets.Find(command.Wallet) < 0 && !command.Wallet.IsNone, "wallet ids are drawn from 128 random bits");
        Assert(command.Tenant == context.Tenant, "a wallet belongs to the tenant that asked for it");
        // After this point the wallet must come to be.
        Remember(command, forEver: false);
        var slot = _wallets.Add(command.Wallet, context.Tenant);
        var entry = Write(EntryType.WalletCreated, command, context, record);
        entry.Link(ref _wallets[slot]);
        return entry.Finish();
    }

    private ApplyResult ApplyRaiseFloor(RaiseFloor command, in ApplyContext context, Span<byte> record)
    {
        if (command.Floor <= Floor) return Refused(Outcome.Unchanged);
        Assert(command.Floor <= context.Time, "the floor stays below journaled time");
        Floor = command.Floor;
        _ids.ForgetBelow(Floor);
        return Write(EntryType.FloorRaised, command, context, record).Finish();
    }

    private void Remember(ClientCommand command, bool forEver) =>
        _ids.Add(OwnerKey(command.Owner, _wallets.Find(command.Owner)), command.Id, NextSequence, forEver);

    /// <summary>Under which an id is unique: the wallet's slot or, for the making of wallets, the tenant.</summary>
    private static long OwnerKey(WalletId owner, int slot) =>
        slot >= 0 ? slot : owner.Value <= uint.MaxValue ? -1 - (long)(uint)owner.Value : long.MinValue;

    /// <summary>The slot of a wallet that belongs to the caller, or -1: others' wallets are as good as absent.</summary>
    private int FindOwn(WalletId id, in ApplyContext context)
    {
        var slot = _wallets.Find(id);
        return slot >= 0 && IsOwn(slot, context) ? slot : -1;
    }

    private bool IsOwn(int slot, in ApplyContext context) => _wallets.Peek(slot).Tenant == context.Tenant;

    private static ApplyResult Refused(Outcome outcome) => new(outcome, 0, 0);

    private static void Assert(bool holds, string rule)
    {
        if (!holds) throw new LedgerInvariantException("broken rule: " + rule);
    }
}
