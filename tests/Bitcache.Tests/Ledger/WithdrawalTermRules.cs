using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>What a withdrawal costs its wallet, and until when it may wait.</summary>
[Trait("suite", "core")]
public sealed class WithdrawalTermRules
{
    private const string Funded = WithdrawalRules.Funded;

    [Fact]
    public void The_fee_is_held_with_the_amount_and_shared_when_the_transaction_is_final()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 fee 30 id 1          Accepted     a 570 held 430
            withdraw a R 400 fee 60 id 2          Accepted     a 110 held 890
            family 1 cap 100 of a/1,a/2           Accepted     op 4900 held 100
            sign 1 1 fee 40                       Accepted
            charge a 1                            Impossible
            sign 1 2 fee 70                       Accepted
            confirm 1 2 B                         Accepted
            charge a 1                            Impossible
            # More than mining cost is nobody's share.
            finish 1 shared 71                    Impossible   a 110 held 890, op 4900 held 100
            finish 1 shared 50                    Accepted     a 110 held 90, op 4930
            # In proportion to what was quoted, in whole satoshis: 16 2/3 and 33 1/3.
            charge a 1                            Accepted     a 124 held 60, op 4946
            charge a 1                            Unchanged    a 124 held 60, op 4946
            charge a 2                            Accepted     a 151, op 4979
            """);
        var (first, second) = (Find(rules, "1"), Find(rules, "2"));
        Assert.Equal((WithdrawalState.Paid, 30, 16), (first.State, first.Fee.Value, first.Charge.Value));
        Assert.Equal((WithdrawalState.Paid, 60, 33), (second.State, second.Fee.Value, second.Charge.Value));
        Assert.Equal((800_000, 70_000), (rules.Book.Ledger.Totals.Withdrawn, rules.Book.Ledger.Totals.MiningFees));
        // The entry says what was charged and what went back, to both.
        var entry = Entry.Read(rules.Book.Records[^1]);
        Assert.Equal((EntryType.WithdrawalCharged, new Msat(33_000), new Msat(27_000)), (entry.Type, entry.Fee, entry.Released));
        Assert.Equal((new Msat(151_000), new Msat(4_979_000)), (entry.First.Available, entry.Third.Available));
    }

    [Fact]
    public void A_withdrawal_is_never_charged_more_than_was_held_for_it() => RuleTable.Run(Funded + """
        withdraw a S 400 fee 30 id 1          Accepted     a 570 held 430
        withdraw a R 400 id 2                 Accepted     a 170 held 830
        family 1 cap 100 of a/1,a/2           Accepted
        sign 1 1 fee 100                      Accepted
        confirm 1 1 B                         Accepted
        # The second was asked for when nobody paid a share.
        finish 1 shared 50                    Accepted     a 170 held 30, op 4900
        charge a 2                            Unchanged
        charge a 1                            Accepted     a 170, op 4930
        """);

    [Fact]
    public void What_never_left_costs_nothing() => RuleTable.Run(Funded + """
        withdraw a S 400 fee 30 id 1          Accepted     a 570 held 430
        family 1 cap 100 of a/1               Accepted
        abandon 1                             Accepted     a 570 held 430, op 5000
        cancel a 1                            Accepted     a 1000
        charge a 1                            Impossible
        # Inside there is no mining, and the operator pays all of it anyway.
        withdraw a B 400 fee 30 feemax 0      Accepted     a 600, b 400
        withdraw op S 400 fee 30 feemax 0     Accepted     op 4600 held 400
        """);

    [Fact]
    public void A_fee_above_what_the_client_accepts_is_refused_and_not_remembered() => RuleTable.Run(Funded + """
        # The shape and what is named come before it, the state and the funds after.
        withdraw a S 329 fee 31 feemax 30             BelowDust
        withdraw a S 9000 fee 31 feemax 30 id 1       FeeAboveMax          a 1000
        freeze a by op                                Accepted
        withdraw a S 400 fee 31 feemax 30 id 1        FeeAboveMax
        unfreeze a by op                              Accepted
        withdraw a S 400 fee 30 feemax 30 id 1        Accepted             a 570 held 430
        # What mining costs now changes nothing about a request that was made.
        withdraw a S 400 fee 99 feemax 30 id 1        Known                a 570 held 430
        withdraw a S 400 fee 1 feemax 0               FeeAboveMax
        """);

    [Fact]
    public void Amount_and_fee_are_held_or_nothing_is()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 971 fee 30               InsufficientFunds    a 1000
            withdraw a S 970 fee 1001             InsufficientFunds    a 1000
            withdraw a S max fee 1001             InsufficientFunds    a 1000
            withdraw a S max fee 671              InsufficientFunds    a 1000
            pay a b 0.5                           Accepted             a 999.5
            withdraw a S max fee 30 id 1          Accepted             a 0.5 held 999
            """);
        Assert.Equal((969, 30), (Find(rules, "1").Amount.Value, Find(rules, "1").Fee.Value));
        // More than all the money there is.
        Assert.Equal(Outcome.InsufficientFunds, rules.Book.Apply(Request(new Sats(Limits.SupplySatMax), new Sats(Limits.SupplySatMax)), 1).Outcome);
        Assert.Equal(Outcome.InsufficientFunds, rules.Book.Apply(Request(new Sats(400), new Sats(Limits.SupplySatMax)), 1).Outcome);

        RequestWithdrawal Request(Sats amount, Sats fee) =>
            new(rules.Id($"{amount} {fee}"), RuleTable.Wallet("a"), RuleTable.Script("S"), amount, Max: false) { Fee = fee };
    }

    [Fact]
    public void What_is_owed_is_repaid_with_what_comes_back() => RuleTable.Run(Funded + """
        withdraw a S 400 fee 100 id 1         Accepted     a 500 held 500
        family 1 cap 100 of a/1               Accepted
        sign 1 1 fee 40                       Accepted
        confirm 1 1 B                         Accepted
        deposit d1 reversed                   Accepted     a 0 held 500 owed 500
        finish 1 shared 40                    Accepted     a 0 held 100 owed 500
        charge a 1                            Accepted     a 0 owed 440, op 5000
        """);

    [Fact]
    public void A_withdrawal_that_waits_past_its_deadline_goes_back_with_its_fee()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 until 0              DeadlineOutOfRange
            withdraw a S 400 until -1             DeadlineOutOfRange
            withdraw a S 400 until 31536000001    DeadlineOutOfRange   a 1000
            # Shape comes before names.
            withdraw nobody S 400 until 0         DeadlineOutOfRange
            withdraw a S 400 fee 30 until 5000 id 1   Accepted         a 570 held 430
            withdraw a R 330 until 31536000000 id 2   Accepted         a 240 held 760
            late a 1                              Impossible
            wait 4999
            late a 1                              Impossible
            """);
        Assert.Null(rules.Book.Ledger.NextWithdrawalToExpire(rules.Book.Now));
        Assert.Equal(new UnixTime(Book.Start.Milliseconds + 5_000), rules.Book.Ledger.NextExpiry);
        rules.Book.Wait(1);
        Assert.Equal(new WithdrawalKey(RuleTable.Wallet("a"), rules.Id("1")), rules.Book.Ledger.NextWithdrawalToExpire(rules.Book.Now)!.Withdrawal);
        rules.Continue("""
            # Time alone keeps it out of families.
            family 1 cap 100 of a/1               DeadlineOutOfRange   a 240 held 760, op 5000
            late a 1                              Accepted             a 670 held 330
            late a 1                              Impossible
            late a 2                              Impossible
            cancel a 1                            WithdrawalNotQueued
            family 1 cap 100 of a/1               WithdrawalNotQueued
            withdraw a S 400 fee 30 id 1          Known
            """);
        Assert.Equal(WithdrawalState.Expired, Find(rules, "1").State);
        Assert.Null(rules.Book.Ledger.NextWithdrawalToExpire(rules.Book.Now));
    }

    [Fact]
    public void A_deadline_is_one_until_the_first_signature()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 until 5000 id 1      Accepted     a 600 held 400
            withdraw a R 400 until 5000 id 2      Accepted     a 200 held 800
            family 1 cap 100 of a/1               Accepted
            family 2 cap 100 of a/2               Accepted
            sign 2 1 fee 20                       Accepted
            wait 5000
            # In a family it is nobody's to give back.
            late a 1                              Impossible
            sign 1 1 fee 20                       DeadlineOutOfRange
            abandon 1                             Accepted     a 200 held 800
            late a 1                              Accepted     a 600 held 400
            # What was signed may confirm whatever the time.
            late a 2                              Impossible
            sign 2 2 fee 30                       Accepted
            confirm 2 2 B                         Accepted
            finish 2                              Accepted     a 600
            late a 2                              Impossible
            """);
        Assert.Empty(rules.Book.Ledger.DueWithdrawals());
    }

    [Fact]
    public void Those_that_are_late_are_given_back_in_the_order_of_their_deadlines_also_after_a_restart()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S1 330 until 7000 id 1     Accepted
            withdraw a S2 330 until 5000 id 2     Accepted
            withdraw b S3 330                     InsufficientFunds
            pay a b 340                           Accepted
            withdraw b S4 330 until 5000 id 3     Accepted
            withdraw op S5 330 id 4               Accepted
            family 1 cap 100 of a/2,op/4          Accepted
            abandon 1                             Accepted
            wait 5000
            """);
        var ledger = KeptState.Of(rules.Book.Ledger).Load();
        Assert.Equal(rules.Book.Ledger.NextExpiry, ledger.NextExpiry);
        Assert.Equal([rules.Id("2"), rules.Id("3")], GiveBackAll(rules.Book.Ledger, command => rules.Book.Apply(command, Ledger.OperatorTenant)));
        rules.Book.Wait(2_000);
        Assert.Equal([rules.Id("1")], GiveBackAll(rules.Book.Ledger, command => rules.Book.Apply(command, Ledger.OperatorTenant)));
        Assert.Null(rules.Book.Ledger.NextExpiry);

        List<OperationId> GiveBackAll(Ledger from, Func<Command, ApplyResult> apply)
        {
            var given = new List<OperationId>();
            while (from.NextWithdrawalToExpire(rules.Book.Now) is { } late)
            {
                Assert.Equal(Outcome.Accepted, apply(late).Outcome);
                given.Add(late.Withdrawal.Id);
            }
            return given;
        }
    }

    private static Withdrawal Find(RuleTable rules, string id) =>
        rules.Book.Ledger.FindWithdrawal(new WithdrawalKey(RuleTable.Wallet("a"), rules.Id(id)))!;
}
