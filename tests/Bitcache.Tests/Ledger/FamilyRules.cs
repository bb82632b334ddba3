using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>How a family ends otherwise than by confirming, the children that pay for one, and the stop of settlement.</summary>
[Trait("suite", "core")]
public sealed class FamilyRules
{
    private const string Signed = WithdrawalRules.Funded + """
        withdraw a S 400 id 1             Accepted              a 600 held 400
        withdraw a S 350 id 2             Accepted              a 250 held 750
        family 1 cap 100 of a/1,a/2       Accepted              op 4900 held 100
        sign 1 1 fee 30                   Accepted

        """;

    [Fact]
    public void What_a_dead_family_was_to_pay_waits_for_one_new_family()
    {
        var rules = RuleTable.Run(Signed + """
            sign 1 2 fee 60                   Accepted
            die 1 by x                        Accepted              op 5000, a 250 held 750
            die 1 by x                        Impossible
            # Nothing of it comes back.
            sign 1 3 fee 70                   Impossible
            confirm 1 1 B                     Impossible
            abandon 1                         Impossible
            finish 1                          Impossible            op 5000, a 250 held 750
            """);
        Assert.Equal(2, rules.Book.Ledger.QueuedWithdrawals);
        var dead = rules.Book.Ledger.FindFamily(1);
        Assert.Equal((FamilyState.Dead, false, 120u), (dead.State, dead.IsLive, dead.Spend!.Height));
        rules.Continue("""
            family 2 cap 100 of a/2,a/1       Accepted              op 4900 held 100
            # In one live family, and in no other.
            family 3 cap 100 of a/1           Impossible
            sign 2 1 fee 20                   Accepted
            die 1 by x                        Impossible
            confirm 2 1 B                     Accepted
            finish 2                          Accepted              op 4980, a 250
            family 3 cap 100 of a/1           Impossible
            """);
    }

    [Fact]
    public void What_waits_again_waits_in_its_old_place_and_may_be_taken_back()
    {
        var rules = RuleTable.Run(Signed + """
            pay a b 100                       Accepted
            die 1 by x                        Accepted              op 5000, a 150 held 750
            cancel a 1                        Accepted              a 550 held 350
            cancel a 1                        Unchanged
            """);
        Assert.Equal([rules.Id("2")], rules.Book.Ledger.DueWithdrawals().Select(w => w.Key.Id));
    }

    [Fact]
    public void Only_a_family_that_is_signed_and_in_no_block_can_die() => RuleTable.Run(Signed + """
        confirm 1 1 B                     Accepted
        die 1 by x                        Impossible
        unconfirm 1                       Accepted
        # Nor by its own transactions.
        die 1 by tx11                     Impossible
        child 1 1 1 fee 20                Accepted
        die 1 by child11                  Impossible
        die 1 by x                        Accepted              op 5000
        family 2 cap 100                  Accepted              op 4900 held 100
        die 2 by x                        Impossible
        confirm 2 1 B                     Impossible
        die 9 by x                        Impossible            op 4900 held 100
        """);

    [Fact]
    public void What_is_only_with_its_signer_dies_as_well_and_is_not_taken_back_then() => RuleTable.Run(WithdrawalRules.Funded + """
        withdraw a S 400 id 1             Accepted              a 600 held 400
        family 1 cap 100 of a/1           Accepted              op 4900 held 100
        die 1 by x                        Impossible
        prepare 1 1 fee 30                Accepted
        die 1 by tx11                     Impossible
        die 1 by x                        Accepted              op 5000
        sign 1 1 fee 30                   Impossible
        abandon 1                         Impossible
        family 2 cap 100 of a/1           Accepted              op 4900 held 100
        """);

    [Fact]
    public void A_dead_anchor_lets_the_next_one_come() => RuleTable.Run(WithdrawalRules.Funded + """
        family 1 cap 100 anchor 1         Accepted              op 4900 held 100
        sign 1 1 fee 10                   Accepted
        family 2 cap 100 anchor 2         AnchorPending
        die 1 by x                        Accepted              op 5000
        family 2 cap 100 anchor 2         Accepted              op 4900 held 100
        sign 2 1 fee 10                   Accepted
        """);

    [Fact]
    public void A_child_is_paid_out_of_what_is_held_and_booked_when_it_is_final() => RuleTable.Run(Signed + """
        # Together they cost 100 at most.
        child 1 1 1 fee 71                Impossible
        child 1 2 1 fee 10                Impossible
        child 1 0 1 fee 10                Impossible
        child 1 1 2 fee 10                Impossible
        child 1 1 1 fee 40                Accepted              op 4900 held 100
        # From now on the child is bumped, and nothing else.
        sign 1 2 fee 60                   Impossible
        child 1 1 1 fee 50                Impossible
        child 1 1 2 fee 70                Accepted              op 4900 held 100
        confirm 1 1 B                     Accepted
        finish 1 child 3                  Impossible
        finish 1 child 1                  Accepted              op 4930, a 250
        child 1 1 3 fee 10                Impossible
        """);

    [Fact]
    public void A_child_of_another_attempt_than_the_confirmed_one_costs_nothing() => RuleTable.Run(Signed + """
        sign 1 2 fee 50                   Accepted
        child 1 2 1 fee 40                Accepted
        child 1 1 2 fee 40                Impossible
        confirm 1 1 B                     Accepted
        # What it spends is not there.
        child 1 2 2 fee 45                Impossible
        finish 1 child 1                  Impossible
        finish 1                          Accepted              op 4970, a 250
        """);

    [Fact]
    public void A_child_may_be_lost_and_its_parent_is_paid() => RuleTable.Run(Signed + """
        child 1 1 1 fee 40                Accepted
        confirm 1 1 B                     Accepted
        child 1 1 2 fee 70                Accepted
        unconfirm 1                       Accepted
        confirm 1 1 C                     Accepted
        finish 1                          Accepted              op 4970, a 250
        """);

    [Fact]
    public void Nothing_is_opened_or_signed_once_a_stranger_has_the_anchors_output()
    {
        var rules = RuleTable.Run(Signed + """
            # No anchor, no output of one.
            taken 1 by x                      Impossible
            family 2 cap 100 anchor 1         Accepted              op 4800 held 200
            sign 2 1 fee 10                   Accepted
            taken 2 by x                      Impossible
            confirm 2 1 B                     Accepted
            taken 2 by x of tx11              Impossible
            taken 2 by tx11                   Impossible
            finish 2                          Accepted              op 4890 held 100
            family 3 cap 100                  Accepted              op 4790 held 200
            taken 2 by x                      Accepted              op 4790 held 200
            taken 2 by y                      Unchanged
            sign 3 1 fee 10                   SettlementStopped
            abandon 3                         Accepted              op 4890 held 100
            family 4 cap 100                  SettlementStopped
            # Payments go on, and withdrawals wait until they are taken back.
            pay a b 50                        Accepted              a 200 held 750
            """);
        Assert.Equal(RuleTable.Block("B120"), rules.Book.Ledger.SettlementStop!.Block);
        rules.Continue("""
            family 4 cap 100                  SettlementStopped
            # What was sent before goes on to its end.
            sign 1 2 fee 60                   Accepted
            confirm 1 2 C                     Accepted
            finish 1                          Accepted              op 4930, a 200
            """);
        Assert.Equal(rules.Book.Ledger.SettlementStop, Book.Replay(rules.Book.Records).SettlementStop);
    }

    [Fact]
    public void A_family_is_archived_once_when_it_has_ended()
    {
        var rules = RuleTable.Run(Signed + """
            archive 1                         Impossible
            sign 1 2 fee 60                   Accepted
            child 1 2 1 fee 20                Accepted
            confirm 1 2 B                     Accepted
            archive 1                         Impossible
            finish 1 child 1                  Accepted              op 4920, a 250
            # It is no anchor: no receipt needs its transaction.
            archive 1 keep 2                  Impossible
            archive 1                         Accepted              op 4920, a 250
            archive 1                         Impossible
            family 2 cap 100                  Accepted
            abandon 2                         Accepted
            # Of this one nothing was signed.
            archive 2                         Impossible
            family 3 cap 100                  Accepted
            sign 3 1 fee 30                   Accepted
            die 3 by x                        Accepted
            archive 3                         Accepted              op 4920, a 250
            """);
        var ledger = rules.Book.Ledger;
        var (family, dead) = (ledger.FindFamily(1), ledger.FindFamily(3));
        Assert.All(family.Transactions.Concat(dead.Transactions), t => Assert.Equal(ByteString.Empty, t.Transaction));
        // What an operator may be asked for years later is there.
        Assert.Equal([new Sats(30), new Sats(60)], family.Attempts.Select(a => a.Fee));
        Assert.Equal((new Sats(80), 2, RuleTable.Block("B")), (family.FeePaid, family.Confirmation!.Attempt, family.Confirmation.Block));
        Assert.All(family.Txids.Concat(dead.Txids), txid => Assert.True(ledger.IsOwn(txid)));
        Assert.Equal(FamilyState.Dead, dead.State);
        Assert.Equal(EntryType.FamilyArchived, rules.Book.EntryAt(family.Archived).Type);
        Assert.Empty(ledger.FamiliesToArchive(9));
        var loaded = KeptState.Of(ledger).Load();
        Assert.Equal((ledger.StateHash(), family.Archived), (loaded.StateHash(), loaded.FindFamily(1).Archived));
        Assert.Empty(loaded.FamiliesToArchive(9));
    }

    [Fact]
    public void The_transaction_of_an_anchor_is_kept_in_the_entry_and_here_until_the_next_one_is_final()
    {
        var rules = RuleTable.Run(WithdrawalRules.Funded + """
            family 1 cap 100 anchor 1         Accepted
            sign 1 1 fee 10                   Accepted
            sign 1 2 fee 20                   Accepted
            confirm 1 2 B                     Accepted
            finish 1                          Accepted
            archive 1 keep 2                  Impossible
            family 2 cap 100 anchor 2         Accepted
            sign 2 1 fee 10                   Accepted
            confirm 2 1 C                     Accepted
            # It may leave the chain again, and be spent by what is built in its place.
            archive 1 keep 2                  Impossible
            """);
        Assert.Empty(rules.Book.Ledger.FamiliesToArchive(9));
        rules.Continue("""
            finish 2                          Accepted
            archive 1                         Impossible
            archive 1 keep 1                  Impossible
            archive 2 keep 1                  Impossible
            """);
        var archive = Assert.Single(rules.Book.Ledger.FamiliesToArchive(9));
        Assert.Equal((1, ByteString.FromUtf8("signed 2")), (archive.Family, archive.Transaction));
        rules.Continue("archive 1 keep 2                  Accepted");
        var (first, second) = (rules.Book.Ledger.FindFamily(1), rules.Book.Ledger.FindFamily(2));
        Assert.Equal(archive, rules.Book.EntryAt(first.Archived).Command);
        Assert.All(first.Attempts, a => Assert.Equal(0, a.Transaction.Length));
        Assert.Equal((0, ByteString.FromUtf8("signed 1")), (second.Archived, second.Attempts[0].Transaction));
        Assert.Equal(first, rules.Book.Ledger.FindConfirmedAnchor(0));
        Assert.Empty(rules.Book.Ledger.FamiliesToArchive(9));
    }
}
