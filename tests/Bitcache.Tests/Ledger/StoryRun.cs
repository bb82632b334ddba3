// Runs a list of operations against the ledger and the model side by side, and compares them after every command.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

internal sealed class StoryRun(Func<Book, Subject> subject, Checks checks = Checks.Invariants)
{
    private readonly Dictionary<int, (ByteString Script, Sats Amount)> _outputs = [];
    private readonly List<(ClientCommand Command, uint Tenant)> _sent = [];
    // What was placed and what was paid, with where and how much: what later operations name.
    private readonly List<PlaceHold> _placed = [];
    private readonly List<Paid> _paid = [];

    private sealed record Paid(WalletId Payer, WalletId Payee, OperationId Id, Msat Amount, long Sequence);
    private Book _book = new(Checks.None);
    private Subject _subject = null!;
    private Model _model = Model.After(Book.GenesisCommand, Book.Start);

    public static void Check(Story story) => new StoryRun(book => new Subject(book)).Run(story);

    /// <summary>The journal that a list of operations leaves, and the state's hash at its end.</summary>
    public static (List<byte[]> Records, Hash256 Hash) Journal(Story story)
    {
        var run = new StoryRun(book => new Subject(book), Checks.None);
        run.Run(story);
        return (run._book.Records, run._book.Ledger.StateHash());
    }

    public void Run(Story story)
    {
        _subject = subject(_book);
        Begin();
        foreach (var op in story.Ops) Step(op);
        Assert.Equal(_book.Ledger.StateHash(), Book.Replay(_book.Records).StateHash());
    }

    /// <summary>Three wallets of two tenants with an address and some money each, and an operator with some. It is looked at
    /// as a whole: every story begins so, and a fifth of the time went into each of these commands anew.</summary>
    private void Begin()
    {
        for (var i = 0; i < 3; i++)
        {
            Do(new CreateWallet(Id(100 + i), TenantOf(i), Wallet(i)), TenantOf(i));
            Do(new AssignAddress(Id(110 + i), Wallet(i), AddressPurpose.Deposit, Script(i)), TenantOf(i));
            Step(new Op.Deposit(i, i, 1_000, DepositState.Credited, Suspense: false, 0));
        }
        Do(new AssignAddress(Id(120), Book.Operator, AddressPurpose.OperatorTopUp, Script(9)), Ledger.OperatorTenant);
        _book.Checks = checks;
        Step(new Op.Deposit(3, 9, 3_000, DepositState.Credited, Suspense: false, 0));
    }

    private static WalletId Wallet(int number) => number < 0 ? Book.Operator : new WalletId((UInt128)(1_000 + number));
    private static uint TenantOf(int wallet) => wallet < 0 ? Ledger.OperatorTenant : wallet == 2 ? 2u : 1u;
    private static ByteString Script(int number) => number < 0 ? Book.AnchorScript : RuleTable.Script("script " + number);
    private static ByteString Key(int number) => ByteString.FromUtf8("key " + number);
    private static OutPoint Output(int number) => new(default, (uint)number);
    // By a transaction of nobody's: ours have the id that is all zeros here.
    private static FinalSpend Spend => new(Output(1), new Txid(new Hash256(0, 7)), 9, Block(1));
    private static BlockHash Block(int number) => new(new Hash256(0, (UInt128)(number + 1)));

    /// <summary>An id of the present; 0 and 1 are those of clients whose clocks are wrong.</summary>
    private OperationId Id(int number)
    {
        var skew = number switch { 0 => Limits.IdAheadMillisecondsMax + 1, 1 => -60_000, _ => 0 };
        return OperationId.Create(new UnixTime(_book.Now.Milliseconds + skew), (UInt128)number);
    }

    private void Step(Op op)
    {
        switch (op)
        {
            case Op.Create o when !_model.Wallets.ContainsKey(Wallet(o.Wallet)):
                Do(new CreateWallet(Id(o.Id), TenantOf(o.Wallet), Wallet(o.Wallet)), TenantOf(o.Wallet));
                break;
            case Op.Pay o:
                var transfer = new Transfer(Id(o.Id), Wallet(o.From), Wallet(o.To), new Msat(o.Msat), 0, ByteString.Empty)
                {
                    UpTo = o.UpTo ? new Msat(o.Msat) : null,
                };
                Do(transfer, TenantOf(o.From) + (o.ByStranger ? 1u : 0u));
                break;
            case Op.Hold o:
                var expires = new UnixTime(_book.Now.Milliseconds + o.Milliseconds);
                Do(new PlaceHold(Id(o.Id), Wallet(o.From), Wallet(o.To), new Msat(o.Msat), 0, ByteString.Empty, expires), TenantOf(o.From));
                break;
            case Op.Capture o when Back(_placed, o.Which) is { } hold:
                var (payee, tenantOf) = Sent(hold, o.By);
                Do(new CaptureHold(Id(o.Id), hold.Payer, payee, new Msat(o.Msat), 0, ByteString.Empty, hold.Id, o.Close), tenantOf);
                break;
            case Op.Release o when Back(_placed, o.Which) is { } hold:
                (payee, tenantOf) = Sent(hold, o.By);
                Do(new ReleaseHold(Id(o.Id), hold.Payer, payee, default, 0, ByteString.Empty, hold.Id), tenantOf);
                break;
            // The partition's own question first; sometimes a hold whose time is not over.
            case Op.Expire { Which: >= 0 } when _subject.NextHoldToExpire(_book.Now) is { } due: Do(due, Ledger.OperatorTenant); break;
            case Op.Expire { Which: -1 } when Back(_placed, 0) is { } hold: Do(new ExpireHold(hold.Payer, hold.Id), Ledger.OperatorTenant); break;
            case Op.Split o:
                var parts = o.Parts.Select(p => new SplitPart(Wallet(p.To), new Msat(p.Msat), 0, ByteString.Empty, 1));
                Do(new Split(Id(o.Id), Wallet(o.From), [.. parts]), TenantOf(o.From) + (o.ByStranger ? 1u : 0u));
                break;
            case Op.Refund o when Back(_paid, o.Which) is { } paid:
                Do(
                    new RefundPayment(Id(o.Id), paid.Payee, paid.Payer, new Msat(o.Msat), 0, ByteString.Empty, paid.Sequence, paid.Amount, paid.Id),
                    _model.Wallets[paid.Payee].Tenant);
                break;
            case Op.Limit o:
                var limits = new SpendingLimits(new Msat(o.Each), new Msat(o.Hour), new Msat(o.Day));
                Do(new SetLimits(Id(o.Id), Wallet(o.Wallet), limits), o.ByOperator ? Ledger.OperatorTenant : TenantOf(o.Wallet));
                break;
            case Op.Fees o:
                var schedule = new FeeSchedule(new Msat(o.Flat), o.Parts, new Msat(o.Minimum));
                Do(new SetFees(Id(2_000_000 + _sent.Count), (uint)o.Tenant, schedule), Ledger.OperatorTenant);
                break;
            case Op.Address o:
                Do(new AssignAddress(Id(o.Id), Wallet(o.Wallet), AddressPurpose.Deposit, Script(o.Script)), TenantOf(o.Wallet));
                break;
            case Op.Deposit o:
                _outputs.TryAdd(o.Output, (Script(o.Script), new Sats(o.Sat)));
                var (script, amount) = _outputs[o.Output];
                var known = _model.Deposits.GetValueOrDefault(Output(o.Output));
                var suspense = known is { Booked: true } ? known.Suspense : o.Suspense;
                Do(new ChangeDeposit(Output(o.Output), o.To, suspense, script, amount, Block(o.Block), 5), Ledger.OperatorTenant);
                break;
            case Op.Assign o:
                Do(new AssignSuspense(Id(3_000_000 + o.Id), Output(o.Output), Wallet(o.Wallet)), Ledger.OperatorTenant);
                break;
            case Op.Settle o:
                Do(new SettleDeposit(Id(4_000_000 + o.Id), Output(o.Output), o.Released, Key(0), ByteString.FromUtf8("why")), Ledger.OperatorTenant);
                break;
            case Op.Freeze o:
                Do(new SetFrozen(Id(o.Id), Wallet(o.Wallet), o.Frozen), o.ByOperator ? Ledger.OperatorTenant : TenantOf(o.Wallet));
                break;
            case Op.Withdraw o:
                var withdrawal = new RequestWithdrawal(Id(o.Id), Wallet(o.Wallet), Script(o.Script), new Sats(o.Sat), o.Max)
                {
                    Fee = new Sats(o.Fee),
                    FeeMax = o.FeeMax is { } feeMax ? new Sats(feeMax) : null,
                    Deadline = o.Within is { } within ? new UnixTime(_book.Now.Milliseconds + within) : null,
                    ApprovalFrom = o.ApprovalFrom is { } from ? new Sats(from) : null,
                    AskedBy = Key(0),
                };
                Do(withdrawal, TenantOf(o.Wallet));
                break;
            case Op.ExpireWithdrawal { Which: >= 0 } when _subject.NextWithdrawalToExpire(_book.Now) is { } late: Do(late, Ledger.OperatorTenant); break;
            case Op.ExpireWithdrawal { Which: -1 } when _model.Withdrawals.Count > 0:
                Do(new ExpireWithdrawal(_model.Withdrawals.MaxBy(w => w.Value.Order).Key), Ledger.OperatorTenant);
                break;
            case Op.Charge o when _model.Withdrawals.Count > 0:
                var charged = _model.Uncharged.Any() && o.Which > 0 ? _model.Uncharged.Last() : _model.Withdrawals.MaxBy(w => w.Value.Order).Key;
                Do(new ChargeWithdrawal(charged), Ledger.OperatorTenant);
                break;
            case Op.Decide o when _model.Withdrawals.Count > 0:
                var asked = _model.Withdrawals.OrderByDescending(w => w.Value.Order).ElementAt(o.Which % _model.Withdrawals.Count).Key;
                Do(new DecideWithdrawal(asked.Id, asked.Wallet, o.Approved, Key(o.Key)), Ledger.OperatorTenant);
                break;
            case Op.StopAll o:
                Do(new StopWithdrawals(o.Follows ? default : Id(3_000_000 + _sent.Count), o.Stopped), Ledger.OperatorTenant);
                break;
            case Op.Cancel o when _model.Withdrawals.Count > 0:
                var recent = _model.Withdrawals.OrderByDescending(w => w.Value.Order).ElementAt(o.Which % _model.Withdrawals.Count).Key;
                Do(new CancelWithdrawal(recent.Id, recent.Wallet), _model.Wallets[recent.Wallet].Tenant + (o.ByStranger ? 1u : 0u));
                break;
            case Op.Open o:
                var keys = (o.Due ? _model.Due : _model.Queued).Take(o.Queued);
                var anchor = o.Anchor ? new AnchorTerms(1, 1, default) : null;
                Do(new OpenFamily(_model.Families.Count + 1, new Sats(o.Cap), anchor, [.. keys]), Ledger.OperatorTenant);
                break;
            case Op.Sign o when Family(o.Family) is { } number:
                var unsigned = _model.Families[(int)number - 1];
                var fee = unsigned.Prepared is { } prepared ? new Msat(prepared).RoundDownToSats() : new Sats(o.Fee);
                Do(new SignAttempt(number, unsigned.Fees.Count + 1, default, fee, ByteString.Empty, (uint)(o.Fee % 3)), Ledger.OperatorTenant);
                break;
            case Op.Prepare o when Family(o.Family) is { } number:
                Do(new PrepareAttempt(number, _model.Families[(int)number - 1].Fees.Count + 1, default, new Sats(o.Fee), ByteString.FromUtf8("psbt")), Ledger.OperatorTenant);
                break;
            case Op.Confirm o when Family(o.Family) is { } number:
                var attempt = Math.Max(0, _model.Families[(int)number - 1].Fees.Count - o.Attempt);
                Do(new ConfirmFamily(number, attempt, 6, Block(o.Block), ByteString.Empty, 0, []), Ledger.OperatorTenant);
                break;
            case Op.Unconfirm o when Family(o.Family) is { } number: Do(new UnconfirmFamily(number), Ledger.OperatorTenant); break;
            case Op.Finish o when Family(o.Family) is { } number: Do(new FinishFamily(number, new Sats(o.Shared), o.Child), Ledger.OperatorTenant); break;
            case Op.Abandon o when Family(o.Family) is { } number: Do(new AbandonFamily(number), Ledger.OperatorTenant); break;
            case Op.Die o when Family(o.Family) is { } number: Do(new DeclareFamilyDead(number, Spend), Ledger.OperatorTenant); break;
            case Op.Archive o when Family(o.Family) is { } number: Do(new ArchiveFamily(number, ByteString.Empty), Ledger.OperatorTenant); break;
            case Op.SignChild o when Family(o.Family) is { } number:
                var of = Math.Max(0, _model.Families[(int)number - 1].Fees.Count - o.Attempt);
                Do(new SignChild(number, of, _model.Families[(int)number - 1].Children.Count + 1, default, new Sats(o.Fee), ByteString.Empty, 5), Ledger.OperatorTenant);
                break;
            case Op.Stop o when Family(o.Family) is { } number: Do(new StopSettlement(number, Spend), Ledger.OperatorTenant); break;
            case Op.CutEpoch o:
                // There is a statement about the one before, or it comes too late.
                if (_model.Epochs > 0) Do(new StateEpoch(RuleTable.Statement(_model.Epochs)), Ledger.OperatorTenant);
                Do(new EpochCut(Id(1_000_000 + _sent.Count), _model.Epochs + o.Skip), Ledger.OperatorTenant);
                break;
            case Op.TakeOver o:
                Do(new BeginTerm(_model.Term + 1 - o.Late, Key(1)), Ledger.OperatorTenant);
                _book.Term = Math.Max(0, _model.Term - o.Late);
                break;
            case Op.RaiseFloor o: Do(new RaiseFloor(new UnixTime(_book.Now.Milliseconds - o.Back)), Ledger.OperatorTenant); break;
            case Op.Wait o: _book.Wait(o.Milliseconds); break;
            case Op.WaitForHold o when _model.Holds.Count > 0:
                _book.Wait(Math.Max(0, _model.Holds.Values.Min(h => h.Expires.Milliseconds) - _book.Now.Milliseconds - o.Early));
                break;
            case Op.TrustClock o: _book.ClockTrusted = o.Trusted; break;
            case Op.Resend o when _sent.Count > 0:
                var (command, tenant) = _sent[^(1 + Math.Min(o.Which, _sent.Count - 1))];
                // Refused for its id at first, while another request made its wallet: a server draws a new one for each.
                if (command is CreateWallet made && _model.Wallets.ContainsKey(made.Wallet) && !_model.Ids.ContainsKey((made.Owner, made.Id))) break;
                Do(command, tenant);
                break;
            case Op.Restart: Restart(); break;
        }
    }

    private static T? Back<T>(List<T> list, int which) where T : class => list.Count == 0 ? null : list[^(1 + Math.Min(which, list.Count - 1))];

    /// <summary>The payee that a caller names, and the caller's tenant.</summary>
    private (WalletId Payee, uint Tenant) Sent(PlaceHold hold, Caller by) => by switch
    {
        Caller.Payer => (hold.Payee, _model.Wallets[hold.Payer].Tenant),
        Caller.Payee => (hold.Payee, _model.Wallets[hold.Payee].Tenant),
        Caller.Stranger => (hold.Payee, 77),
        Caller.OtherPayee => (Wallet(2), TenantOf(2)),
        _ => throw new ArgumentOutOfRangeException(nameof(by)),
    };

    /// <summary>One of the newest families, counted back.</summary>
    private long? Family(int back) => _model.Families.Count is > 0 and var count ? count - (back % count) : null;

    private void Restart()
    {
        _book = _book.Reopen();
        _subject = subject(_book);
    }

    private void Do(Command command, uint tenant)
    {
        if (command is ClientCommand named) _sent.Add((named, tenant));
        (var expected, _model) = (_model with { Now = _book.Now, ClockTrusted = _book.ClockTrusted, Under = _book.Term }).Apply(command, tenant);
        if (expected is null)
        {
            // Whoever breaks a rule stops the process; the ledger is as it was.
            var hash = _book.Ledger.StateHash();
            Assert.Throws<LedgerInvariantException>(() => _subject.Apply(command, tenant));
            Assert.Equal(hash, _book.Ledger.StateHash());
        }
        else
        {
            var was = _subject.Apply(command, tenant).Outcome;
            if (was != expected) Assert.Fail($"{command}: {was}, by the rules {expected}");
            if (was == Outcome.Accepted && command is (PaymentCommand or Split)) Remember(_book.Ledger.NextSequence - 1);
        }
        if (_book.Checks != Checks.None) Compare(command);
    }

    private void Remember(long newest)
    {
        var entry = _book.EntryAt(newest);
        if (entry.Command is PlaceHold hold) _placed.Add(hold);
        if (entry.Command is Transfer or CaptureHold && entry.Command is PaymentCommand p) _paid.Add(new Paid(p.Payer, p.Payee, p.Id, p.Amount, newest));
        if (entry.Command is Split s)
            _paid.AddRange(s.Parts.Select((part, i) => new Paid(s.Payer, part.Payee, s.Id, part.Amount, newest - s.Parts.Count + 1 + i)));
    }

    private void ComparePayments()
    {
        var ledger = _book.Ledger;
        Same.Items(
            _model.Holds.OrderBy(h => h.Value.Order).Select(h => (h.Key.Payer, h.Key.Id, h.Value.Payee, h.Value.Left, h.Value.Fee, h.Value.Expires)),
            ledger.OpenHolds().Select(h => (h.Payer, h.Id, h.Payee, h.Left.Value, h.FeeLeft.Value, h.Expires)));
        foreach (var (payer, id) in _model.Holds.Keys) Assert.NotNull(ledger.FindHold(payer, id));
        var due = _subject.NextHoldToExpire(_book.Now);
        Same.Value((_model with { Now = _book.Now }).DueHold, due is null ? null : (due.Payer, due.Hold));
        Assert.All(_model.Refunded, r => Same.Value(r.Value, ledger.RefundedOf(0, r.Key).Value));
        Assert.All(_model.Spending, s => Same.Value(s.Value.Limits, ledger.LimitsOf(s.Key)));
        Assert.All(_model.Fees, f => Same.Value(f.Value, ledger.FeesOf(f.Key)));
    }

    private void Compare(Command command)
    {
        ComparePayments();
        var ledger = _book.Ledger;
        foreach (var (id, w) in _model.Wallets)
        {
            var shown = _subject.Find(id);
            if (shown != w) Assert.Fail($"{command} left {shown}, by the rules {w}");
        }
        Same.Value((_model.Entries, _model.Ids.Count, _model.Floor), (ledger.NextSequence, ledger.WindowIds, ledger.Floor));
        foreach (var (outPoint, d) in _model.Deposits)
        {
            var was = ledger.FindDeposit(outPoint)!;
            Same.Value((d.State, d.Suspense, d.Booked, d.Frozen, d.Owed), (was.State, was.Suspense, was.Booked, was.FrozenPart.Value, was.OwedPart.Value));
            Same.Value(d.Assigned, was.Assigned is not null);
        }
        foreach (var (key, w) in _model.Withdrawals)
        {
            var was = ledger.FindWithdrawal(key)!;
            Same.Value((w.State, w.Msat, w.Family), (was.State, was.Amount.ToMsat().Value, was.Family));
            Same.Value((w.Fee, w.Charge, w.Deadline), (was.Fee.ToMsat().Value, was.Charge.ToMsat().Value, was.Deadline?.Milliseconds));
        }
        Same.Set(_model.Uncharged, ledger.UnchargedWithdrawals());
        Same.Value((_model with { Now = _book.Now }).LateWithdrawal, _subject.NextWithdrawalToExpire(_book.Now)?.Withdrawal);
        Same.Items(_model.Due, ledger.DueWithdrawals().Select(w => w.Key));
        Same.Value((_model.Stopped, _model.Term), (ledger.WithdrawalsStopped, ledger.Term));
        Same.Items(
            _model.Withdrawals.Where(w => w.Value.State == WithdrawalState.AwaitingApproval).OrderBy(w => w.Value.Order).Select(w => w.Key),
            ledger.AwaitingWithdrawals().Select(w => w.Key));
        Same.Items(
            _model.Families.Select(f => (f.State, f.Cap, f.Fees.Count, f.Attempt, f.Children.Count, f.Archived)),
            ledger.Families().Select(f => (f.State, f.FeeCap.ToMsat().Value, f.Attempts.Count, f.Confirmation?.Attempt ?? 0, f.Children.Count, f.Archived > 0)));
        Same.Value(_model.StoppedAt > 0, ledger.SettlementStop is not null);
    }
}

/// <summary>What the property looks at: the ledger itself, or one that was tampered with.</summary>
internal class Subject(Book book)
{
    protected Book Book => book;

    public virtual ApplyResult Apply(Command command, uint tenant) => book.Apply(command, tenant);

    public virtual ExpireHold? NextHoldToExpire(UnixTime now) => book.Ledger.NextHoldToExpire(now);

    public virtual ExpireWithdrawal? NextWithdrawalToExpire(UnixTime now) => book.Ledger.NextWithdrawalToExpire(now);

    public virtual ModelWallet Find(WalletId id)
    {
        var w = book.Ledger.FindWallet(id)!.Value;
        return new ModelWallet(w.Tenant, w.Available.Value, w.Held.Value, w.Frozen.Value, w.Owed.Value, w.OwedPending.Value, w.Freezes);
    }
}
