using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>What bounds and what burdens a payment: what is there, spending limits, fees.</summary>
[Trait("suite", "core")]
public sealed class SpendingRules
{
    // Half an hour before a full hour, and hours before a day's end.
    private const long ToNextHour = 3_600_000 - (1_800_000_000_000 % 3_600_000);

    [Fact]
    public void A_payment_up_to_an_amount_moves_what_is_there()
    {
        var rules = RuleTable.Run(TransferRules.Funded + """

            pay a b 300 upto id 1              Accepted            a 700, b 300
            pay a b 900 upto id 2              Accepted            a 0, b 1000
            # A retry asks for the same, whatever is there by now.
            pay b a 50                         Accepted            a 50, b 950
            pay a b 900 upto id 2              Known               a 50, b 950
            pay a b 50                         Accepted            a 0, b 1000
            pay a b 900 upto id 3              InsufficientFunds   a 0, b 1000
            pay a b 900 upto id 3              Known
            pay a b 0 upto                     AmountZero
            pay a a 5 upto                     SelfTransfer
            pay a nobody 5 upto                PayeeNotFound
            freeze a                           Accepted
            pay a b 5 upto                     WalletFrozen
            """);
        var second = rules.Book.EntryAt(rules.Book.Ledger.FindId(RuleTable.Wallet("a"), rules.Id("2"))!.Value);
        var transfer = (Transfer)second.Command;
        Assert.Equal((EntryType.TransferUpTo, new Msat(700_000), new Msat(900_000)), (second.Type, transfer.Amount, transfer.UpTo));
        Assert.True(transfer.HasSameTerms(transfer with { Amount = new Msat(1) }));
        Assert.False(transfer.HasSameTerms(transfer with { UpTo = new Msat(1) }));
        Assert.False(transfer.HasSameTerms(transfer with { UpTo = null }));
        Assert.False((transfer with { UpTo = null }).HasSameTerms(transfer));
    }

    [Fact]
    public void What_was_asked_is_not_in_the_statement_that_the_payee_sees()
    {
        static string Leaf(string asked) => Convert.ToHexString(Entry.StatementOf(
            RuleTable.Run(TransferRules.Funded + $"\npay a b {asked} upto id 1  Accepted  a 0, b 1000").Book.Records[^1]));
        Assert.Equal(Leaf("1000"), Leaf("5000"));
    }

    [Fact]
    public void Limits_hold_by_payment_by_clock_hour_and_by_day() => RuleTable.Run(TransferRules.Funded + $"""

        limits a 100 150 200               Accepted
        pay a b 100.001                    LimitExceeded       a 1000
        pay a b 100                        Accepted            a 900
        pay a b 51                         LimitExceeded       a 900
        pay a b 50 id 1                    Accepted            a 850
        pay a b 0.001 id 2                 LimitExceeded
        wait {ToNextHour - 1}
        pay a b 0.001 id 2                 Known               a 850
        pay a b 0.001                      LimitExceeded
        wait 1
        pay a b 51                         LimitExceeded       a 850
        pay a b 50                         Accepted            a 800
        pay a b 0.001                      LimitExceeded       a 800
        wait 86400000
        # The ids of these tables are a day old by now, and may be: nothing raised the floor.
        pay a b 100                        Accepted            a 700
        # Limits can be lifted, one by one.
        limits a 0 150 0                   Accepted
        pay a b 51                         LimitExceeded
        limits a 0 0 0                     Accepted
        pay a b 700                        Accepted            a 0
        """);

    [Fact]
    public void What_was_spent_counts_under_new_limits_once_there_were_some() => RuleTable.Run(TransferRules.Funded + """

        pay a b 100                        Accepted
        limits a 0 0 0                     Accepted
        pay a b 100                        Accepted            a 800
        limits a 0 150 0                   Accepted
        pay a b 51                         LimitExceeded
        pay a b 50                         Accepted            a 750
        """);

    [Fact]
    public void A_hold_counts_wholly_and_withdrawals_and_captures_do_not_count() => RuleTable.Run(WithdrawalRules.Funded + """
        limits a 0 500 0                   Accepted
        withdraw a S 400                   Accepted            a 600 held 400
        hold a b 300 id h                  Accepted            a 300 held 700
        capture a b h 100                  Accepted
        capture a b h 100 close            Accepted            a 400 held 400, b 200
        # 300 of 500 are gone, though only 200 were captured.
        pay a b 201                        LimitExceeded
        pay a b 900 upto                   Accepted            a 200 held 400, b 400
        pay a b 900 upto                   LimitExceeded       a 200 held 400
        """);

    [Fact]
    public void Limits_are_set_by_the_owner_and_by_the_operator() => RuleTable.Run(TransferRules.Funded + """

        limits a 10 0 0 by op id 1         Accepted
        limits a 10 0 0 by op id 1         Known
        pay a b 11                         LimitExceeded
        limits a 0 0 0 by x                WalletNotFound
        limits nobody 1 1 1                WalletNotFound
        limits a 11 0 0                    Accepted
        pay a b 11                         Accepted            a 989
        """);

    [Fact]
    public void Money_that_goes_round_does_not_overflow_what_was_spent()
    {
        var all = Limits.SupplySatMax;
        RuleTable.Run($"""
            wallet a                           Accepted
            wallet b                           Accepted
            address a A                        Accepted
            output d of A {all}                Accepted
            deposit d credited                 Accepted
            limits a 0 0 {all}                 Accepted
            limits b 0 0 0                     Accepted
            pay a b {all}                      Accepted
            pay b a {all}                      Accepted
            limits a 0 0 0                     Accepted
            pay a b {all}                      Accepted
            pay b a {all}                      Accepted
            pay a b {all}                      Accepted            a 0, b {all}
            pay b a 1                          Accepted
            limits a 0 0 {all}                 Accepted
            pay a b 0.001                      LimitExceeded
            """);
    }

    [Fact]
    public void A_fee_is_paid_on_top_and_goes_to_the_operator() => RuleTable.Run(TransferRules.Funded + """

        fees 1 flat 0.5 ppm 10000 min 2    Accepted
        # The minimum, then half a satoshi and one in a hundred, rounded down to a msat.
        pay a b 1                          Accepted            a 997, b 1, op 2
        pay a b 200                        Accepted            a 794.5, b 201, op 4.5
        pay a b 200.199                    Accepted            a 591.8, b 401.199, op 7.001
        # The payer's tenant decides, and nobody pays for paying the operator.
        pay a x 100                        Accepted            a 489.8, x 100, op 9.001
        pay x a 100                        Accepted            a 589.8, x 0, op 9.001
        pay a op 89.8                      Accepted            a 500, op 98.801
        pay op a 8.801                     Accepted            a 508.801, op 90
        # Amount and fee must both be there.
        pay a b 503.27                     InsufficientFunds
        pay a b 600 upto                   Accepted            a 0, b 904.468
        fees 1                             Accepted
        pay b a 904                        Accepted            b 0.468
        """);

    [Fact]
    public void The_part_of_an_amount_is_rounded_down_whatever_its_size()
    {
        var random = new Random(3);
        for (var i = 0; i < 10_000; i++)
        {
            var amount = random.NextInt64(Limits.SupplyMsatMax >> random.Next(60));
            var parts = random.Next(Limits.FeePartsPerMillionMax + 1);
            Assert.Equal((long)((Int128)amount * parts / 1_000_000), new FeeSchedule(default, parts, default).Of(new Msat(amount)));
        }
    }

    [Fact]
    public void Up_to_an_amount_leaves_room_for_the_fee_and_no_more()
    {
        foreach (var schedule in new FeeSchedule[] { new(default, 0, default), new(new Msat(7), 3_333, new Msat(5)), new(default, 1_000_000, default), new(new Msat(9), 0, new Msat(900)) })
        {
            for (var available = 0; available < 3_000; available++)
            {
                var most = schedule.MostWithin(new Msat(available));
                if (!most.IsZero) Assert.True(most.Value + schedule.Of(most) <= available);
                Assert.True(most.Value + 1 + schedule.Of(new Msat(most.Value + 1)) > available);
            }
        }
    }

    [Fact]
    public void The_largest_amounts_and_fees_do_not_overflow()
    {
        var all = new Msat(Limits.SupplyMsatMax);
        var dearest = new FeeSchedule(all, Limits.FeePartsPerMillionMax, all);
        Assert.Equal(2 * Limits.SupplyMsatMax, dearest.Of(all));
        Assert.Equal(Msat.Zero, dearest.MostWithin(all));
        Assert.Equal(new Msat(Limits.SupplyMsatMax / 2), new FeeSchedule(default, Limits.FeePartsPerMillionMax, default).MostWithin(all));
        Assert.Equal(all, default(FeeSchedule).MostWithin(all));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FeeSchedule(default, Limits.FeePartsPerMillionMax + 1, default));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FeeSchedule(default, -1, default));
        RuleTable.Run(TransferRules.Funded + $"""

            fees 1 flat {Limits.SupplySatMax} ppm 1000000   Accepted
            pay a b {Limits.SupplySatMax}      InsufficientFunds
            pay a b {Limits.SupplySatMax} upto   InsufficientFunds
            hold a b {Limits.SupplySatMax}     InsufficientFunds   a 1000
            """);
    }

    [Fact]
    public void A_hold_holds_the_fee_and_captures_take_it_from_there()
    {
        var rules = RuleTable.Run(TransferRules.Funded + """

            fees 1 flat 1 ppm 10000            Accepted
            hold a b 100 id h                  Accepted            a 898 held 102
            capture a b h 50                   Accepted            a 898 held 50.5, b 50, op 1.5
            # Of the fee 0.5 is left, and no more is taken.
            capture a b h 40                   Accepted            a 898 held 10, b 90, op 2
            capture a b h 10                   Accepted            a 898, b 100, op 2
            hold a b 100 id h2                 Accepted            a 796 held 102
            capture a b h2 50 close            Accepted            a 846.5, b 150, op 3.5
            hold a b 100 id h3                 Accepted            a 744.5 held 102
            release a b h3                     Accepted            a 846.5
            hold a b 100 for 5 id h4           Accepted
            # What was agreed on bounds the fee; a lower one is for the payer.
            fees 1 flat 50                     Accepted
            capture a b h4 10                  Accepted            a 744.5 held 90, b 160, op 5.5
            fees 1                             Accepted
            hold a b 100 for 5 id h5           Accepted            a 644.5 held 190
            wait 5
            expire a h4                        Accepted            a 734.5 held 100
            expire a h5                        Accepted            a 834.5
            hold a op 100 id h6                Accepted            a 734.5 held 100
            """);
        var captured = rules.Book.Records.Select(r => Entry.Read(r)).Where(e => e.Type == EntryType.HoldCaptured).ToList();
        Assert.Equal([1_500, 500, 0, 1_500, 2_000], captured.Select(e => e.Fee.Value));
        Assert.Equal([0, 0, 0, 50_500, 0], captured.Select(e => e.Released.Value));
    }

    [Fact]
    public void Fees_are_the_operators_to_set()
    {
        var book = new Book();
        var fees = new SetFees(OperationId.Create(Book.Start, 1), 1, new FeeSchedule(new Msat(1), 2, new Msat(3)));
        Assert.Throws<LedgerInvariantException>(() => book.Apply(fees, 1));
        Assert.Equal(Outcome.Accepted, book.Apply(fees, Ledger.OperatorTenant).Outcome);
        Assert.Equal(fees.Schedule, book.Ledger.FeesOf(1));
        Assert.Equal(default, book.Ledger.FeesOf(2));
        Assert.False(fees.HasSameTerms(fees with { Tenant = 2 }));
        Assert.False(fees.HasSameTerms(fees with { Schedule = default }));
        Assert.True(fees.HasSameTerms(fees with { }));
    }
}
