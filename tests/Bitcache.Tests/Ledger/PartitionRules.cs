// What is paid from one partition to another: who has what, what is written, who is told what, and what is refused.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class PartitionRules
{
    private readonly Books _books = new(3);
    private readonly WalletId _a;
    private readonly WalletId _b;
    private readonly WalletId _c;
    private readonly WalletId _x;

    public PartitionRules()
    {
        _books.Deposit(0, _books.Operator, 10_000, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        _a = _books.Open(0, 1, sat: 1_000);
        _b = _books.Open(1, 1, sat: 1_000);
        _c = _books.Open(2, 1);
        _x = _books.Open(1, 2, tenant: Books.Other);
    }

    [Fact]
    public void A_transfer_is_a_debit_here_and_a_credit_there()
    {
        var id = _books.NewId();
        var result = _books.Transfer(_a, _b, 400_000, id);
        Assert.Equal((Outcome.Accepted, 400_000), (result.Outcome, result.Amount.Value));
        Assert.Equal((600_000, 1_000_000, 400_000), (_books.Available(_a), _books.Available(_b), _books.InFlight));

        var debit = _books.Last(0);
        Assert.Equal((EntryType.Transfer, new LegName(1, 1), HistorySides.Payer), (debit.Type, debit.Leg, debit.Sides));
        Assert.Equal(new Msat(600_000), debit.First.Available);
        _books.Deliver(0);
        Assert.Equal((600_000, 1_400_000, 0), (_books.Available(_a), _books.Available(_b), _books.InFlight));
        var credit = _books.Last(1);
        Assert.Equal((EntryType.LegReceived, HistorySides.Payee, new Msat(1_400_000)), (credit.Type, credit.Sides, credit.Second.Available));
        var leg = ((ReceiveLeg)credit.Command).Leg;
        Assert.Equal((0, 1L, debit.Sequence, EntryType.Transfer), (leg.Source, leg.Number, leg.Sequence, leg.Type));
        Assert.Equal((id, _a, _b, 400_000, 7u), (leg.Credit.Id, leg.Credit.Payer, leg.Credit.Payee, leg.Credit.Amount.Value, leg.Credit.Code));
        Assert.Equal("reference"u8, leg.Credit.Reference);
        // The credit's entry is nobody's use of the id: only the payer's is.
        Assert.Null(_books[1].FindId(_a, id));
        Assert.Null(_books[1].FindId(_b, id));
        _books.Check();
    }

    /// <summary>A far payee's balance is another partition's affair, also where the payee is the caller's own.</summary>
    [Fact]
    public void The_payer_is_told_its_own_balance_and_nobody_that_of_a_far_payee()
    {
        var here = _books.Open(0, 2);
        Assert.Equal((new Msat(999_000), (Msat?)new Msat(1_000)), Told(_books.Transfer(_a, here, 1_000)));
        Assert.Equal((new Msat(998_000), (Msat?)null), Told(_books.Transfer(_a, _b, 1_000)));
        Assert.Equal((new Msat(997_000), (Msat?)null), Told(_books.Transfer(_a, _x, 1_000)));
        var hold = _books.NewId();
        Assert.Equal((new Msat(996_000), (Msat?)null), Told(_books.Hold(_a, _x, 1_000, hold)));
        // Whoever captures owns the payee, and is not told what the payer has.
        Assert.Equal(((Msat?)null, (Msat?)null), Told(_books.OnHold(PaymentKind.Capture, _a, _x, hold, 1_000, tenant: Books.Other)));

        static (Msat?, Msat?) Told(PaymentResult result) => (result.PayerAvailable, result.PayeeAvailable);
    }

    [Fact]
    public void What_is_paid_up_to_an_amount_sends_what_was_there()
    {
        Assert.Equal(1_000_000, _books.Transfer(_a, _c, 5_000_000, flags: PaymentFlags.UpTo).Amount.Value);
        Assert.Equal((EntryType.TransferUpTo, new LegName(2, 1)), (_books.Last(0).Type, _books.Last(0).Leg));
        Assert.Equal(Outcome.InsufficientFunds, _books.Transfer(_a, _c, 5, flags: PaymentFlags.UpTo).Outcome);
        _books.Check();
        _books.Deliver(0);
        Assert.Equal(1_000_000, _books.Available(_c));
        _books.Check();
    }

    [Fact]
    public void A_fee_stays_in_the_payers_partition()
    {
        for (var number = 0; number < 3; number++) _books.Apply(number, new SetFees(_books.NewId(), Books.Shop, new FeeSchedule(new Msat(1_000), 10_000, Msat.Zero)), Ledger.OperatorTenant);
        var operatorHad = _books[1].OperatorWallet.Available.Value;
        var result = _books.Transfer(_b, _c, 100_000);
        Assert.Equal((100_000, 2_000), (result.Amount.Value, result.Fee.Value));
        var entry = _books.Last(1);
        Assert.Equal((EntryType.TransferCharged, HistorySides.Payer | HistorySides.Operator, new LegName(2, 1)), (entry.Type, entry.Sides, entry.Leg));
        Assert.Equal((operatorHad + 2_000, 100_000), (_books[1].OperatorWallet.Available.Value, _books.InFlight));
        Assert.Equal(new Msat(operatorHad + 2_000), entry.Third.Available);
        _books.DeliverAll();
        Assert.Equal((898_000, 100_000), (_books.Available(_b), _books.Available(_c)));
        _books.Check();
    }

    [Fact]
    public void A_split_pays_who_is_here_at_once_and_sends_to_the_others()
    {
        var here = _books.Open(1, 5);
        var id = _books.NewId();
        var result = _books.Split(_b, id, (here, 1), (_a, 20), (_c, 300), (_books.Operator, 4_000), (_x, 50_000));
        Assert.Equal((Outcome.Accepted, 5), (result.Outcome, result.Sequences));
        // The operator has an account in each partition.
        Assert.Equal((1, 50_000, 320), (_books.Available(here), _books.Available(_x), _books.InFlight));
        Assert.Equal(4_000, _books[1].OperatorWallet.Available.Value);
        LegName?[] legs = [null, new LegName(0, 1), new LegName(2, 1), null, null];
        Assert.Equal(legs, Enumerable.Range(0, 5).Select(part => _books.EntryAt(1, result.Sequence + part).Leg));
        Assert.Equal([result.Sequence + 1, result.Sequence + 2], _books.SentBy(1).Select(leg => leg.Sequence));
        _books.Check();
        _books.DeliverAll();
        Assert.Equal((1_000_020, 300), (_books.Available(_a), _books.Available(_c)));
        Assert.Equal(Outcome.Known, _books.Split(_b, id, (here, 1)).Outcome);
        _books.Check();
    }

    [Fact]
    public void The_largest_split_may_be_paid_to_far_wallets_alone()
    {
        (WalletId, long)[] parts = [.. Enumerable.Range(0, Limits.SplitPayeesMax).Select(i => (_books.Open(1 + (i % 2), 10 + i), 10L + i))];
        var result = _books.Split(_a, _books.NewId(), parts);
        Assert.Equal((Outcome.Accepted, Limits.SplitPayeesMax), (result.Outcome, result.Sequences));
        _books.Check();
        _books.DeliverAll();
        Assert.All(parts, part => Assert.Equal(part.Item2, _books.Available(part.Item1)));
        _books.Check();
    }

    [Fact]
    public void A_refund_of_a_far_payment_is_bounded_where_it_is_paid()
    {
        var id = _books.NewId();
        var original = _books.Transfer(_a, _b, 100_000, id).Sequence;
        _books.DeliverAll();
        Assert.Equal(Outcome.Accepted, _books.Refund(_b, _a, id, original, 60_000).Outcome);
        Assert.Equal((EntryType.PaymentRefunded, new LegName(0, 1)), (_books.Last(1).Type, _books.Last(1).Leg));
        Assert.Equal(Outcome.RefundExceeds, _books.Refund(_b, _a, id, original, 40_001).Outcome);
        Assert.Equal(60_000, _books[1].RefundedOf(0, original).Value);
        _books.Check();
        Assert.Equal(Outcome.Accepted, _books.Refund(_b, _a, id, original, 40_000).Outcome);
        Assert.Equal(Outcome.RefundExceeds, _books.Refund(_b, _a, id, original, 1).Outcome);
        _books.DeliverAll();
        Assert.Equal((1_000_000, 1_000_000), (_books.Available(_a), _books.Available(_b)));
        _books.Check();
    }

    [Fact]
    public void Originals_of_one_sequence_in_two_partitions_are_two()
    {
        // Until the next entry of each partition has the same sequence.
        while (_books[2].NextSequence < _books[0].NextSequence) _books.Open(2, (int)_books[2].NextSequence + 20);
        while (_books[0].NextSequence < _books[2].NextSequence) _books.Open(0, (int)_books[0].NextSequence + 20);
        _books.Deposit(2, _c, 1_000, AddressPurpose.Deposit, Books.Shop);
        _books.Deposit(0, _a, 1_000, AddressPurpose.Deposit, Books.Shop);
        var (first, second) = (_books.NewId(), _books.NewId());
        var sequence = _books.Transfer(_a, _b, 500, first).Sequence;
        Assert.Equal(sequence, _books.Transfer(_c, _b, 9_000, second).Sequence);
        _books.DeliverAll();
        Assert.Equal(Outcome.Accepted, _books.Refund(_b, _c, second, sequence, 8_000).Outcome);
        Assert.Equal(Outcome.Accepted, _books.Refund(_b, _a, first, sequence, 500).Outcome);
        Assert.Equal(Outcome.RefundExceeds, _books.Refund(_b, _c, second, sequence, 1_001).Outcome);
        Assert.Equal((500, 8_000), (_books[1].RefundedOf(0, sequence).Value, _books[1].RefundedOf(2, sequence).Value));
        _books.Check();
    }

    /// <summary>The operator has an account everywhere, and what it pays is decided in the first partition.</summary>
    [Fact]
    public void What_the_operator_paid_is_refunded_to_the_account_beside_the_payer()
    {
        while (_books[0].NextSequence < _books[1].NextSequence + 10) _books.Open(0, (int)_books[0].NextSequence + 20);
        var id = _books.NewId();
        var sequence = _books.Transfer(_books.Operator, _b, 3_000, id, tenant: Ledger.OperatorTenant).Sequence;
        _books.DeliverAll();
        Assert.True(sequence > _books[1].NextSequence);
        Assert.Equal(Outcome.Accepted, _books.Refund(_b, _books.Operator, id, sequence, 2_000).Outcome);
        Assert.Equal(Outcome.RefundExceeds, _books.Refund(_b, _books.Operator, id, sequence, 1_001).Outcome);
        Assert.Equal((2_000, 2_000), (_books[1].OperatorWallet.Available.Value, _books[1].RefundedOf(0, sequence).Value));
        _books.Check();
    }

    [Fact]
    public void What_was_paid_to_the_operator_beside_the_payer_is_refunded_by_the_first_account()
    {
        var id = _books.NewId();
        var sequence = _books.Transfer(_b, _books.Operator, 3_000, id).Sequence;
        Assert.Equal((3_000, 0), (_books[1].OperatorWallet.Available.Value, _books.InFlight));
        Assert.Equal(Outcome.Accepted, _books.Refund(_books.Operator, _b, id, sequence, 3_000, Ledger.OperatorTenant).Outcome);
        Assert.Equal(Outcome.RefundExceeds, _books.Refund(_books.Operator, _b, id, sequence, 1, Ledger.OperatorTenant).Outcome);
        _books.DeliverAll();
        Assert.Equal((1_000_000, 3_000), (_books.Available(_b), _books[1].OperatorWallet.Available.Value));
        _books.Check();
    }

    [Fact]
    public void A_withdrawal_to_an_address_of_a_far_wallet_settles_inside()
    {
        var script = _books.AssignScript(1, _b);
        var id = _books.NewId();
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_a, script, 600, id: id).Outcome);
        var entry = _books.Last(0);
        Assert.Equal((EntryType.WithdrawalSettledInside, _b, new LegName(1, 1)), (entry.Type, entry.Payee, entry.Leg));
        Assert.Equal(WithdrawalState.SettledInside, _books[0].FindWithdrawal(new WithdrawalKey(_a, id))!.State);
        // Neither is it told that the script is one of ours, nor is a stranger's rule broken by it.
        Assert.Equal(Outcome.BelowDust, _books.Withdraw(_a, script, 1).Outcome);
        Assert.Equal(Outcome.InsufficientFunds, _books.Withdraw(_a, script, 401).Outcome);
        _books.Check();
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_a, script, 0, max: true).Outcome);
        Assert.Equal(Outcome.InsufficientFunds, _books.Withdraw(_a, script, 0, max: true).Outcome);
        _books.DeliverAll();
        Assert.Equal((0, 2_000_000), (_books.Available(_a), _books.Available(_b)));
        _books.Check();
    }

    [Fact]
    public void What_is_in_suspense_here_goes_to_a_wallet_that_is_far()
    {
        var output = new OutPoint(new Txid(new Hash256(6, 6)), 1);
        var deposit = new ChangeDeposit(output, DepositState.Credited, true, _books.AssignScript(0, _a), new Sats(7), new BlockHash(default), 100);
        foreach (var to in new[] { DepositState.Credited, DepositState.Final })
            Assert.Equal(Outcome.Accepted, _books.Apply(0, deposit with { To = to }, Ledger.OperatorTenant).Outcome);
        var (id, there) = (_books.NewId(), _books.Available(_b));
        // That it is there was not asked.
        Assert.Equal(Outcome.WalletNotFound, Assign(_books.NewId(), exists: false).Outcome);
        Assert.Equal(Outcome.Accepted, Assign(id, exists: true).Outcome);
        Assert.Equal(Outcome.Known, Assign(id, exists: true).Outcome);
        Assert.Equal(Outcome.SuspenseNotFound, Assign(_books.NewId(), exists: true).Outcome);
        var entry = _books.Last(0);
        Assert.Equal((EntryType.SuspenseAssigned, new LegName(1, 1), HistorySides.None), (entry.Type, entry.Leg, entry.Sides));
        Assert.Equal((0, 7_000), (_books[0].Totals.Suspense, _books.InFlight));
        // Also sent again from the entry, and from a snapshot.
        _books.Check();
        _books.Reload();
        _books.DeliverAll();
        Assert.Equal((there + 7_000, 0), (_books.Available(_b), _books.InFlight));
        Assert.Equal(EntryType.SuspenseAssigned, ((ReceiveLeg)_books.Last(1).Command).Leg.Type);
        _books.Check();

        ApplyResult Assign(OperationId id, bool exists) =>
            _books.Apply(0, new AssignSuspense(id, output, _b) { ExistsElsewhere = exists }, Ledger.OperatorTenant);
    }

    [Fact]
    public void A_withdrawal_is_charged_and_given_back_where_its_wallet_lives()
    {
        _books.Deposit(1, _books.Operator, 1_000, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        _books.Deposit(1, _b, 1_000, AddressPurpose.Deposit, Books.Shop);
        // An address of a wallet that lives elsewhere costs no mining either.
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_b, _books.AssignScript(0, _a), 300, fee: 9).Outcome);
        Assert.Equal((1_700_000, 0), (_books.Available(_b), _books.Held(_b)));
        var (paid, late) = (_books.NewId(), _books.NewId());
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_b, RuleTable.Script("S"), 400, id: paid, fee: 30).Outcome);
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_b, RuleTable.Script("R"), 330, id: late, fee: 30, deadline: new UnixTime(_books.Now.Milliseconds + 5_000)).Outcome);
        Assert.Equal((910_000, 790_000), (_books.Available(_b), _books.Held(_b)));
        foreach (var command in new Command[]
        {
            new OpenFamily(1, new Sats(100), null, [new WithdrawalKey(_b, paid)]),
            new SignAttempt(1, 1, default, new Sats(60), ByteString.Empty),
            new ConfirmFamily(1, 1, 7, default, ByteString.Empty, 0, []),
            new FinishFamily(1, new Sats(20)),
            new ChargeWithdrawal(new WithdrawalKey(_b, paid)),
        }) Assert.Equal(Outcome.Accepted, _books.Apply(1, command, Ledger.OperatorTenant).Outcome);
        // The account of its partition paid the miner, and is credited.
        Assert.Equal((960_000, 10_000_000), (_books[1].OperatorWallet.Available.Value, _books[0].OperatorWallet.Available.Value));
        Assert.Equal((920_000, 360_000), (_books.Available(_b), _books.Held(_b)));

        _books.Now = new UnixTime(_books.Now.Milliseconds + 5_000);
        Assert.Null(_books[0].NextWithdrawalToExpire(_books.Now));
        Assert.Equal(Outcome.Accepted, _books.Apply(1, _books[1].NextWithdrawalToExpire(_books.Now)!, Ledger.OperatorTenant).Outcome);
        Assert.Equal((1_280_000, 0), (_books.Available(_b), _books.Held(_b)));
        _books.DeliverAll();
        _books.Check();
    }

    [Fact]
    public void A_withdrawal_to_an_address_of_the_operator_goes_to_its_account_here()
    {
        var script = _books.AssignScript(0, _books.Operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_b, script, 400).Outcome);
        Assert.Equal((400_000, 0), (_books[1].OperatorWallet.Available.Value, _books.InFlight));
        _books.Check();
        // What is refused is replayed by the rule for strangers' scripts: nothing in the entry says whose it is.
        Assert.Equal(Outcome.BelowDust, _books.Withdraw(_b, script, 1).Outcome);
        Assert.Equal(Outcome.Accepted, _books.Withdraw(_b, script, 400).Outcome);
        Assert.Equal(Outcome.BelowDust, _books.Withdraw(_b, script, 201).Outcome);
        Assert.Equal(Outcome.InsufficientFunds, _books.Withdraw(_b, script, 0, max: true).Outcome);
        Assert.Equal(Outcome.InsufficientFunds, _books.Withdraw(_b, script, 400).Outcome);
        _books.Check();
    }

    [Fact]
    public void The_operator_moves_its_money_from_account_to_account()
    {
        var id = _books.NewId();
        var move = new MoveOperatorFunds(id, _books.Operator, 2, Books.FeeCap);
        Assert.Equal(Outcome.Accepted, _books.Apply(0, move, Ledger.OperatorTenant).Outcome);
        Assert.Equal((EntryType.OperatorFundsMoved, HistorySides.Payer, new LegName(2, 1)), (_books.Last(0).Type, _books.Last(0).Sides, _books.Last(0).Leg));
        Assert.Equal(Outcome.Known, _books.Apply(0, move, Ledger.OperatorTenant).Outcome);
        _books.Check();
        _books.DeliverAll();
        Assert.Equal((9_900_000, 100_000), (_books[0].OperatorWallet.Available.Value, _books[2].OperatorWallet.Available.Value));
        Assert.Equal(Outcome.OperatorFundsLow, _books.Apply(1, new MoveOperatorFunds(_books.NewId(), _books.Operator, 0, new Msat(1)), Ledger.OperatorTenant).Outcome);
        Assert.Equal(Outcome.AmountZero, _books.Apply(0, new MoveOperatorFunds(_books.NewId(), _books.Operator, 1, Msat.Zero), Ledger.OperatorTenant).Outcome);
        Assert.Throws<LedgerInvariantException>(() => _books.Apply(0, new MoveOperatorFunds(_books.NewId(), _books.Operator, 0, new Msat(1)), Ledger.OperatorTenant));
        Assert.Throws<LedgerInvariantException>(() => _books.Apply(0, new MoveOperatorFunds(_books.NewId(), _books.Operator, 1, new Msat(1)), Books.Shop));
        _books.Check();
    }

    [Fact]
    public void What_is_refused_sends_nothing()
    {
        var nobody = _books.Wallet(1, 99);
        Assert.Equal(Outcome.PayeeNotFound, _books.Transfer(_a, nobody, 1).Outcome);
        Assert.Equal(Outcome.PayeeNotFound, _books.Hold(_a, nobody, 1, _books.NewId()).Outcome);
        Assert.Equal(Outcome.PayeeNotFound, _books.Split(_a, _books.NewId(), (_b, 1), (nobody, 1)).Outcome);
        // Who lives here and is not there is not believed to be elsewhere.
        Assert.Equal(Outcome.PayeeNotFound, _books.Pay(new Payment { Kind = PaymentKind.Transfer, Id = _books.NewId(), Payer = _a, Payee = _books.Wallet(0, 99), Amount = new Msat(1), Facts = PayeeFacts.All }).Outcome);
        Assert.Equal(Outcome.AmountZero, _books.Transfer(_a, _b, 0).Outcome);
        Assert.Equal(Outcome.WalletNotFound, _books.Transfer(_a, _b, 1, tenant: Books.Other).Outcome);

        var (poor, frozen) = (_books.NewId(), _books.NewId());
        Assert.Equal(Outcome.InsufficientFunds, _books.Transfer(_a, _b, 1_000_001, poor).Outcome);
        Assert.Equal(Outcome.InsufficientFunds, _books.Split(_a, _books.NewId(), (_b, 999_999), (_c, 2)).Outcome);
        _books.Apply(0, new SetFrozen(_books.NewId(), _a, true), Books.Shop);
        Assert.Equal(Outcome.WalletFrozen, _books.Transfer(_a, _b, 1, frozen).Outcome);
        _books.Apply(0, new SetFrozen(_books.NewId(), _a, false), Books.Shop);
        _books.Apply(0, new SetLimits(_books.NewId(), _a, new SpendingLimits(new Msat(10), Msat.Zero, Msat.Zero)), Books.Shop);
        Assert.Equal(Outcome.LimitExceeded, _books.Transfer(_a, _b, 11).Outcome);
        Assert.Empty(_books.SentBy(0));
        Assert.All(_books.RecordsOf(0), record => Assert.Null(Entry.Read(record).Leg));
        // A refusal is remembered, whoever the payee is.
        Assert.Equal(Outcome.Known, _books.Transfer(_a, _b, 1, poor).Outcome);
        Assert.Equal(Outcome.Known, _books.Transfer(_a, _b, 1, frozen).Outcome);
        _books.Check();
    }

    [Fact]
    public void A_retry_sends_nothing_whether_or_not_the_payee_is_found_again()
    {
        var id = _books.NewId();
        Assert.Equal(Outcome.Accepted, _books.Transfer(_a, _b, 5, id).Outcome);
        Assert.Equal(Outcome.Known, _books.Transfer(_a, _b, 5, id).Outcome);
        Assert.Equal(Outcome.Known, _books.Pay(new Payment { Kind = PaymentKind.Transfer, Id = id, Payer = _a, Payee = _b, Amount = new Msat(5) }, facts: PayeeFacts.None).Outcome);
        Assert.Single(_books.SentBy(0));
        _books.Check();
    }

    [Fact]
    public void A_credit_repays_what_its_payee_owes_and_reaches_a_frozen_wallet()
    {
        _books.Apply(1, new SetFrozen(_books.NewId(), _x, true), Books.Other);
        _books.Transfer(_a, _x, 70);
        _books.DeliverAll();
        Assert.Equal(70, _books.Available(_x));
        _books.Check();
    }
}
