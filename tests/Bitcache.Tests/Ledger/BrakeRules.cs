using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>Withdrawals that are stopped, and those that wait for a second person.</summary>
[Trait("suite", "core")]
public sealed class BrakeRules
{
    private const string Funded = WithdrawalRules.Funded;

    [Fact]
    public void While_withdrawals_are_stopped_nothing_that_pays_one_is_opened_or_signed_and_anchors_go_on()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1                  Accepted
            withdraw a S 350 id 2                  Accepted              a 250 held 750
            family 1 cap 100 of a/1                Accepted              op 4900 held 100
            stop id s1                             Accepted
            # Asking goes on, and so does what stays inside.
            withdraw a B 10 id 3                   Accepted              a 240 held 750, b 10
            family 2 cap 100 of a/2                WithdrawalsStopped    op 4900 held 100
            # The stop before the anchor and the funds.
            family 2 cap 9000 of a/2 anchor 1      WithdrawalsStopped
            sign 1 1 fee 10                        WithdrawalsStopped
            family 2 cap 100 anchor 1              Accepted              op 4800 held 200
            sign 2 1 fee 10                        Accepted
            sign 2 2 fee 20                        Accepted
            # It may be given up, and taken back.
            abandon 1                              Accepted              op 4900 held 100
            cancel a 1                             Accepted              a 640 held 350
            resume id r1                           Accepted
            family 3 cap 100 of a/2                Accepted
            sign 3 1 fee 10                        Accepted
            # What is signed is followed, and not replaced.
            stop id s2                             Accepted
            sign 3 2 fee 20                        WithdrawalsStopped
            confirm 3 1 B                          Accepted
            unconfirm 3                            Accepted
            confirm 3 1 C                          Accepted
            finish 3                               Accepted              a 640, op 4890 held 100
            """);
        Assert.True(rules.Book.Ledger.WithdrawalsStopped);
        Assert.True(rules.Book.Reopen().Ledger.WithdrawalsStopped);
    }

    [Fact]
    public void What_is_due_comes_back_when_withdrawals_go_on()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1             Accepted
            stop                              Accepted
            """);
        Assert.Empty(rules.Book.Ledger.DueWithdrawals());
        Assert.Equal(1, rules.Book.Ledger.QueuedWithdrawals);
        rules.Continue("resume                Accepted");
        Assert.Single(rules.Book.Ledger.DueWithdrawals());
    }

    [Fact]
    public void A_word_that_comes_again_late_changes_nothing()
    {
        var rules = RuleTable.Run(Funded + """
            # Also one that changed nothing when it came first.
            resume id r1                      Accepted
            stop id s1                        Accepted
            resume id r1                      Known
            stop id s1                        Known
            stop id s2                        Accepted
            resume id r2                      Accepted
            stop id s2                        Known
            stop id s1                        Known
            # A partition that follows another one writes down only what changes.
            follow resume                     Unchanged
            follow stop                       Accepted
            follow stop                       Unchanged
            """);
        Assert.True(rules.Book.Ledger.WithdrawalsStopped);
    }

    [Fact]
    public void From_an_amount_on_a_withdrawal_waits_for_another_key_than_the_one_that_asked()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 399 id 1 approval 400 key k1     Accepted              a 601 held 399
            withdraw a S 400 id 2 approval 400 key k1     Accepted              a 201 held 799
            approve nobody 2 key k2                       WalletNotFound
            approve a 9 key k2                            WithdrawalNotFound
            approve b 2 key k2                            WithdrawalNotFound
            approve a 2 key k1                            SecondPersonNeeded    a 201 held 799
            approve a 2 key k2                            Accepted              a 201 held 799
            approve a 2 key k2                            Unchanged
            # It is decided, also for the one who asked.
            approve a 2 key k1                            Unchanged
            decline a 2 key k2                            WithdrawalNotAwaiting
            # What never waited needs no word.
            approve a 1 key k1                            Unchanged
            decline a 1 key k2                            WithdrawalNotAwaiting
            family 1 cap 100 of a/1,a/2                   Accepted              op 4900 held 100
            approve a 2 key k2                            Unchanged
            sign 1 1 fee 10                               Accepted
            confirm 1 1 B                                 Accepted
            finish 1                                      Accepted              a 201, op 4990
            approve a 2 key k2                            Unchanged
            decline a 2 key k2                            WithdrawalNotAwaiting
            """);
        Assert.Empty(rules.Book.Ledger.AwaitingWithdrawals());
    }

    [Fact]
    public void What_waits_for_approval_is_in_no_family_and_queues_by_the_time_it_was_asked_for()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1 approval 1 key k1       Accepted              a 600 held 400
            withdraw a S 330 id 2                         Accepted              a 270 held 730
            family 1 cap 100 of a/1                       Impossible
            """);
        Assert.Equal([rules.Id("1")], rules.Book.Ledger.AwaitingWithdrawals().Select(w => w.Key.Id));
        Assert.Equal([rules.Id("2")], rules.Book.Ledger.DueWithdrawals().Select(w => w.Key.Id));
        rules.Continue("approve a 1 key k2            Accepted              a 270 held 730");
        Assert.Equal([rules.Id("1"), rules.Id("2")], rules.Book.Ledger.DueWithdrawals().Select(w => w.Key.Id));
        Assert.Equal(rules.Book.Ledger.StateHash(), Book.Replay(rules.Book.Records).StateHash());
    }

    [Fact]
    public void What_is_declined_or_cancelled_gives_its_money_back_once() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1 approval 400 key k1     Accepted              a 600 held 400
        withdraw a S 500 id 2 approval 400 key k1     Accepted              a 100 held 900
        # Whoever asked may say no.
        decline a 1 key k1                            Accepted              a 500 held 500
        decline a 1 key k2                            Unchanged             a 500 held 500
        approve a 1 key k2                            WithdrawalNotAwaiting
        cancel a 1                                    WithdrawalNotQueued
        cancel a 2                                    Accepted              a 1000
        cancel a 2                                    Unchanged
        approve a 2 key k2                            WithdrawalNotAwaiting
        decline a 2 key k2                            WithdrawalNotAwaiting  a 1000
        # Money that comes back repays what is owed.
        withdraw a S 600 id 3 approval 400 key k1     Accepted              a 400 held 600
        deposit d1 reversed                           Accepted              a 0 held 600 owed 600
        decline a 3 key k2                            Accepted              a 0
        """);

    [Fact]
    public void All_that_there_is_counts_as_the_amount_and_what_stays_inside_needs_nobody() => RuleTable.Run(Funded + """
        withdraw a B 500 id 1 approval 400 key k1     Accepted              a 500, b 500
        approve a 1 key k2                            WithdrawalNotAwaiting
        withdraw a S max id 2 approval 500 key k1     Accepted              a 0 held 500
        decline a 2 key k2                            Accepted              a 500
        withdraw a S max id 3 approval 501 key k1     Accepted              a 0 held 500
        decline a 3 key k2                            WithdrawalNotAwaiting
        cancel a 3                                    Accepted              a 500
        withdraw a S 9000 id 4 approval 1 key k1      InsufficientFunds     a 500
        """);

    [Fact]
    public void A_ledger_that_is_loaded_remembers_who_asked()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1 approval 1 key k1       Accepted
            stop                                          Accepted
            """);
        var loaded = KeptState.Of(rules.Book.Ledger).Load();
        Assert.Equal(rules.Book.Ledger.StateHash(), loaded.StateHash());
        Assert.True(loaded.WithdrawalsStopped);
        Assert.Equal(ByteString.FromUtf8("k1"), Assert.Single(loaded.AwaitingWithdrawals()).AskedBy);
    }
}
