using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class WithdrawalRules
{
    internal const string Funded = """
        wallet a                 Accepted
        wallet b                 Accepted
        wallet x                 Accepted
        address a A              Accepted
        address b B              Accepted
        topup op T               Accepted
        output d1 of A 1000      Accepted
        output t1 of T 5000      Accepted
        deposit d1 credited      Accepted     a 1000
        deposit t1 credited      Accepted     op 5000

        """;

    [Fact]
    public void A_withdrawal_is_held_until_it_is_paid() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted     a 600 held 400
        withdraw a S 330 id 2             Accepted     a 270 held 730
        family 1 cap 100 of a/1,a/2       Accepted     a 270 held 730, op 4900 held 100
        sign 1 1 fee 60                   Accepted     a 270 held 730, op 4900 held 100
        confirm 1 1 B                     Accepted     a 270 held 730, op 4900 held 100
        finish 1                          Accepted     a 270, op 4940
        """);

    [Fact]
    public void A_request_is_checked_in_order_id_shape_names_state_funds() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted              a 600 held 400
        withdraw a S 0 id 1               Known
        withdraw nobody S 0               AmountZero
        withdraw nobody S 1               WalletNotFound
        withdraw a S 1 by x               WalletNotFound
        # The anchor's script belongs to the operator's transactions.
        withdraw a anchor 400             AnchorAddress
        withdraw a anchor max             AnchorAddress
        # Dust does not leave: nodes would not relay it.
        withdraw a S 329                  BelowDust
        withdraw a S 330                  Accepted              a 270 held 730
        withdraw a S 9000                 InsufficientFunds     a 270 held 730
        deposit d1 frozen                 Accepted              a 0 held 730 frozen 270 pending 730
        withdraw a S 329                  BelowDust
        withdraw a S 9000                 WalletOwes
        withdraw a S max                  WalletOwes
        withdraw a B 9000                 WalletOwes
        """);

    [Fact]
    public void A_wallet_has_so_many_withdrawals_under_way_and_no_more()
    {
        var rules = RuleTable.Run(Funded + """
            output d2 of A 5000000            Accepted
            deposit d2 credited               Accepted
            """);
        var (ledger, record) = (rules.Book.Ledger, new byte[Limits.RecordBytesMax]);
        var a = RuleTable.Wallet("a");
        var context = new ApplyContext(rules.Book.Now, 1, 1, ClockTrusted: true);
        RequestWithdrawal Ask(int i) => new(OperationId.Create(Book.Start, (UInt128)(1_000_000 + i)), a, RuleTable.Script("S"), new Sats(330), Max: false);
        var model = Model.After(Book.GenesisCommand, Book.Start);
        model = model with { Wallets = model.Wallets.Add(a, new ModelWallet(1, 10_000_000_000)), Now = Book.Start };
        for (var i = 3; i < Limits.WithdrawalsOpenPerWalletMax; i++)
        {
            Assert.Equal(Outcome.Accepted, ledger.Apply(Ask(i), context, record).Outcome);
            model = model with { Withdrawals = model.Withdrawals.Add(new WithdrawalKey(a, Ask(i).Id), new ModelWithdrawal(330_000, WithdrawalState.Queued, 0, i)) };
        }
        rules.Continue("""
            withdraw a S 330 id 1                         Accepted
            withdraw a S 330 approval 1 key k id 2        Accepted
            family 1 cap 100 of a/1                       Accepted
            withdraw a S 330 id 3                         Accepted
            # The funds are looked at first, and the refusal is remembered.
            withdraw a S 9000000                          InsufficientFunds
            withdraw a S 330 id more                      TooManyWithdrawals
            # What settles inside is not under way, and another wallet has its own.
            withdraw a B 400                              Accepted
            withdraw b S 330                              Accepted
            cancel a 3                                    Accepted
            withdraw a S 330 id more                      Known
            withdraw a S 330 id 4                         Accepted
            withdraw a S 330                              TooManyWithdrawals
            decline a 2 key k                             Accepted
            withdraw a S 330                              Accepted
            withdraw a S 330                              TooManyWithdrawals
            # What is signed is under way until it is final.
            sign 1 1 fee 60                               Accepted
            confirm 1 1 B                                 Accepted
            withdraw a S 330                              TooManyWithdrawals
            finish 1                                      Accepted
            withdraw a S 330                              Accepted
            withdraw a S 330                              TooManyWithdrawals
            # It was not always so.
            withdraw a S 330 uncounted                    Accepted
            withdraw a S 330                              TooManyWithdrawals
            """);
        Assert.Equal(Limits.WithdrawalsOpenPerWalletMax + 1, ledger.OpenWithdrawalsOf(a));
        // A start finds as many.
        var loaded = KeptState.Of(ledger).Load();
        Assert.Equal(Limits.WithdrawalsOpenPerWalletMax + 1, loaded.OpenWithdrawalsOf(a));
        for (var i = 0; i < 3; i++) (_, model) = model.Apply(Ask(i), 1);
        Assert.Equal(Outcome.TooManyWithdrawals, model.Apply(Ask(Limits.WithdrawalsOpenPerWalletMax), 1).Outcome);
    }

    [Fact]
    public void What_was_refused_is_remembered_in_the_window_and_what_was_accepted_for_ever()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1             Accepted
            withdraw a S 9000 id 2            InsufficientFunds
            withdraw a S 9000 id 3 uncounted  InsufficientFunds
            withdraw a S 9000 id 2            Known
            wait 600000
            floor 100                         Accepted
            withdraw a S 400 id 1             Known
            withdraw a S 400 id 2             IdBelowFloor
            # So it once was.
            withdraw a S 9000 id 3            Known
            """);
        Assert.Equal(rules.Book.Ledger.StateHash(), Book.Replay(rules.Book.Records).StateHash());
    }

    [Fact]
    public void Max_takes_whole_satoshis_and_leaves_the_rest()
    {
        var rules = RuleTable.Run(Funded + """
            pay a b 0.001                     Accepted              a 999.999
            withdraw a S max id 1             Accepted              a 0.999 held 999
            # A retry of the same words is the same request, whatever max would mean now.
            withdraw a S max id 1             Known                 a 0.999 held 999
            withdraw a S max id 2             InsufficientFunds     a 0.999 held 999
            pay op a 329                      Accepted              a 329.999 held 999
            withdraw a S max id 3             InsufficientFunds     a 329.999 held 999
            pay op a 0.001                    Accepted              a 330 held 999
            withdraw a S max id 4             Accepted              a 0 held 1329
            withdraw a S max id 5             InsufficientFunds
            withdraw a B max id 6             InsufficientFunds
            """);
        var requested = rules.Book.Records.Select(r => Entry.Read(r)).Where(e => e.Type == EntryType.WithdrawalRequested);
        Assert.Equal([999, 330], requested.Select(e => ((RequestWithdrawal)e.Command).Amount.Value));
    }

    [Fact]
    public void A_withdrawal_to_an_address_of_ours_settles_inside()
    {
        var rules = RuleTable.Run(Funded + """
            # Dust is for nodes: inside, any satoshi moves.
            withdraw a B 1 id 1               Accepted              a 999, b 1
            withdraw a B 1 id 1               Known                 a 999, b 1
            withdraw a B 5000                 InsufficientFunds     a 999, b 1
            withdraw a B 0                    AmountZero
            withdraw a A 10                   SelfTransfer
            withdraw a A max                  SelfTransfer
            withdraw a T 9 id 2               Accepted              a 990, op 5009
            pay a b 0.5                       Accepted              a 989.5, b 1.5
            withdraw a B max id 3             Accepted              a 0.5, b 990.5
            withdraw a B max                  InsufficientFunds     a 0.5
            # What is paid inside repays like any other credit.
            deposit d1 reversed               Accepted              a 0 owed 999.5
            withdraw b A 900                  Accepted              a 0 owed 99.5, b 90.5
            """);
        var settled = rules.Book.Ledger.FindWithdrawal(new WithdrawalKey(RuleTable.Wallet("a"), rules.Id("3")))!;
        Assert.Equal((WithdrawalState.SettledInside, new Sats(989), RuleTable.Wallet("b")), (settled.State, settled.Amount, settled.Payee));
        Assert.Equal(0, rules.Book.Ledger.QueuedWithdrawals);
        Assert.Equal(0, rules.Book.Ledger.Totals.Withdrawn);
    }

    [Fact]
    public void Families_hold_their_fee_cap_and_book_the_fee_of_the_attempt_that_confirmed()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1             Accepted
            family 1 cap 100 of a/1           Accepted     op 4900 held 100
            sign 1 1 fee 40                   Accepted
            sign 1 2 fee 70                   Accepted
            sign 1 3 fee 100                  Accepted
            sign 1 4 fee 101                  Impossible
            sign 1 5 fee 90                   Impossible
            confirm 1 3 B                     Accepted
            confirm 1 3 B                     Unchanged
            sign 1 4 fee 100                  Impossible
            # The block is replaced by one in which another attempt confirms.
            unconfirm 1                       Accepted
            unconfirm 1                       Unchanged
            finish 1                          Impossible
            confirm 1 2 C                     Accepted
            confirm 1 1 D                     Accepted
            confirm 1 2 E                     Accepted     op 4900 held 100, a 600 held 400
            confirm 1 4 F                     Impossible
            confirm 1 0 F                     Impossible
            finish 1                          Accepted     op 4930, a 600
            finish 1                          Impossible
            abandon 1                         Impossible
            unconfirm 1                       Unchanged    op 4930, a 600
            """);
        Assert.Equal((400_000, 70_000), (rules.Book.Ledger.Totals.Withdrawn, rules.Book.Ledger.Totals.MiningFees));
    }

    [Fact]
    public void A_family_is_checked_in_order_state_anchor_funds() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted
        family 2 cap 100 of a/1           Impossible
        family 0 cap 100 of a/1           Impossible
        family 1 cap 100 of a/2           Impossible
        family 1 cap 100 of x/1           Impossible
        family 1 cap 100 of a/1,a/1       Impossible
        family 1 cap 5001 of a/1          OperatorFundsLow      op 5000, a 600 held 400
        family 1 cap 5000 of a/1          Accepted              op 0 held 5000, a 600 held 400
        # One live family each.
        family 2 cap 0 of a/1             Impossible
        withdraw b S 400                  InsufficientFunds
        withdraw a S 400 id 3             Accepted              a 200 held 800
        family 2 cap 1 of a/3             OperatorFundsLow
        abandon 1                         Accepted              op 5000
        family 2 cap 1000 of a/3,a/1      Accepted              op 4000 held 1000
        confirm 2 1 B                     Impossible
        finish 2                          Impossible
        unconfirm 2                       Unchanged
        confirm 3 1 B                     Impossible
        abandon 3                         Impossible
        finish 0                          Impossible
        unconfirm 9                       Impossible
        """);

    [Fact]
    public void A_family_of_which_nothing_was_signed_gives_everything_back()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1             Accepted
            withdraw a S 340 id 2             Accepted
            family 1 cap 100 of a/1           Accepted     a 260 held 740, op 4900 held 100
            abandon 1                         Accepted     a 260 held 740, op 5000
            abandon 1                         Impossible
            sign 1 1 fee 5                    Impossible
            """);
        // Oldest first, also after one came back.
        Assert.Equal(["1", "2"], Due(rules));
        rules.Continue("""
            family 2 cap 100 of a/1,a/2       Accepted     op 4900 held 100
            sign 2 1 fee 30                   Accepted
            # Whatever is signed may confirm one day.
            abandon 2                         Impossible   op 4900 held 100
            confirm 2 1 B                     Accepted
            abandon 2                         Impossible
            finish 2                          Accepted     a 260, op 4970
            """);

        static IEnumerable<string> Due(RuleTable rules) =>
            rules.Book.Ledger.DueWithdrawals().Select(w => w.Key.Id == rules.Id("1") ? "1" : "2");
    }

    [Fact]
    public void A_withdrawal_that_no_family_holds_is_taken_back_once()
    {
        var rules = RuleTable.Run(Funded + """
            withdraw a S 400 id 1             Accepted              a 600 held 400
            withdraw a S 350 id 2             Accepted              a 250 held 750
            cancel nobody 1                   WalletNotFound
            # The wallet before the withdrawal: a stranger learns nothing.
            cancel a 1 by x                   WalletNotFound
            cancel a 9 by x                   WalletNotFound
            cancel a 9                        WithdrawalNotFound
            # An id is its wallet's alone.
            cancel b 1                        WithdrawalNotFound
            cancel a 1                        Accepted              a 650 held 350
            cancel a 1                        Unchanged             a 650 held 350
            # The id stays that of the request.
            withdraw a S 400 id 1             Known                 a 650 held 350
            family 1 cap 100 of a/2,a/1       WithdrawalNotQueued   op 5000, a 650 held 350
            family 1 cap 100 of a/2           Accepted              op 4900 held 100
            cancel a 2                        WithdrawalNotQueued   a 650 held 350
            # Of a family that is given up it waits again.
            abandon 1                         Accepted              op 5000
            cancel a 2                        Accepted              a 1000
            family 2 cap 100 of a/2           WithdrawalNotQueued   op 5000
            """);
        Assert.Equal(0, rules.Book.Ledger.QueuedWithdrawals);
        Assert.Empty(rules.Book.Ledger.DueWithdrawals());
        Assert.All(rules.Book.Ledger.WithdrawalsOf(RuleTable.Wallet("a")), w => Assert.Equal(WithdrawalState.Cancelled, w.State));
    }

    [Fact]
    public void What_a_transaction_pays_beside_its_withdrawals_is_known_as_our_own_change()
    {
        var rules = RuleTable.Run(Funded + """
            address b C                       Accepted
            withdraw a S 400 id 1             Accepted
            family 1 cap 100 of a/1           Accepted
            """);
        var (ledger, change) = (rules.Book.Ledger, new ByteString([0x51, 32, .. new byte[32]]));
        var (anchor, address) = (ledger.Genesis!.AnchorScript, RuleTable.Script("C"));
        var outputs = new (long Sat, ByteString Script)[] { (400, RuleTable.Script("S")), (200, anchor), (0, new ByteString([0x6a, 0])), (300, change), (50, address) };
        byte[] raw = [2, 0, 0, 0, 1, .. new byte[36], 0, 0xff, 0xff, 0xff, 0xff, (byte)outputs.Length,
            .. outputs.SelectMany(o => (byte[])[.. BitConverter.GetBytes(o.Sat), (byte)o.Script.Length, .. o.Script.Span]), 0, 0, 0, 0];
        Assert.True(Core.Bitcoin.BitcoinTransaction.TryParse(raw, out var transaction));
        rules.Book.Apply(new SignAttempt(1, 1, transaction.Txid, new Sats(50), new ByteString(raw)), Ledger.OperatorTenant);
        foreach (var one in new[] { ledger, KeptState.Of(ledger).Load() })
            Assert.Equal([false, false, false, true, false], outputs.Select(o => one.IsOwnChange(o.Script)));
        // Of what is archived there is nothing but that.
        rules.Continue("""
            confirm 1 1 B                     Accepted
            finish 1                          Accepted
            archive 1                         Accepted
            """);
        Assert.Equal(0, ledger.FindFamily(1).Attempts[0].Transaction.Length);
        foreach (var one in new[] { ledger, KeptState.Of(ledger).Load(), Book.Replay(rules.Book.Records) })
            Assert.Equal([false, false, false, true, false], outputs.Select(o => one.IsOwnChange(o.Script)));
    }

    [Fact]
    public void What_left_or_was_settled_or_refused_cannot_be_taken_back() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted
        withdraw a B 100 id 2             Accepted              a 500 held 400, b 100
        withdraw a S 9000 id 3            InsufficientFunds
        cancel a 2                        WithdrawalNotQueued
        cancel a 3                        WithdrawalNotFound
        family 1 cap 100 of a/1           Accepted
        sign 1 1 fee 60                   Accepted
        cancel a 1                        WithdrawalNotQueued
        confirm 1 1 B                     Accepted
        cancel a 1                        WithdrawalNotQueued
        finish 1                          Accepted              a 500
        cancel a 1                        WithdrawalNotQueued   a 500
        """);

    [Fact]
    public void A_wallet_that_is_frozen_or_owes_takes_back_what_it_asked_for_and_repays_with_it() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted              a 600 held 400
        withdraw a S 350 id 2             Accepted              a 250 held 750
        freeze a by op                    Accepted
        cancel a 1                        Accepted              a 650 held 350
        pay a b 600                       WalletFrozen
        unfreeze a by op                  Accepted
        deposit d1 reversed               Accepted              a 0 held 350 owed 350
        cancel a 2                        Accepted              a 0
        """);

    [Fact]
    public void What_a_wallet_owes_keeps_its_withdrawals_out_of_families()
    {
        var rules = RuleTable.Run(Funded + """
            pay a b 500                       Accepted
            withdraw a S 400 id 1             Accepted     a 100 held 400
            withdraw b S 400 id 2             Accepted     b 100 held 400
            deposit d1 frozen                 Accepted     a 0 held 400 frozen 100 pending 900
            family 1 cap 100 of b/2,a/1       WalletOwes   a 0 held 400 frozen 100 pending 900, b 100 held 400, op 5000
            family 1 cap 100 of b/2           Accepted     op 4900 held 100
            deposit d1 credited               Accepted     a 100 held 400
            family 2 cap 100 of a/1           Accepted     op 4800 held 200
            # What is not signed yet is not signed.
            deposit d1 frozen                 Accepted     a 0 held 400 frozen 100 pending 900
            sign 2 1 fee 30                   WalletOwes   a 0 held 400 frozen 100 pending 900, op 4800 held 200
            deposit d1 credited               Accepted     a 100 held 400
            sign 2 1 fee 30                   Accepted
            # What is signed already goes on.
            deposit d1 frozen                 Accepted     a 0 held 400 frozen 100 pending 900
            confirm 2 1 B                     Accepted
            finish 2                          Accepted     a 0 frozen 100 pending 900
            """);
        Assert.Empty(rules.Book.Ledger.DueWithdrawals());
    }

    [Fact]
    public void An_operator_that_owes_builds_nothing() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted
        pay op b 5000                     Accepted
        deposit t1 frozen                 Accepted              op 0 pending 5000
        pay b op 1000                     Accepted              op 1000 pending 5000
        family 1 cap 100 of a/1           OperatorFundsLow      op 1000 pending 5000
        deposit t1 credited               Accepted              op 1000
        family 1 cap 100 of a/1           Accepted              op 900 held 100
        deposit t1 reversed               Accepted              op 0 held 100 owed 4100
        # What remains of the cap repays first.
        sign 1 1 fee 30                   Accepted
        confirm 1 1 B                     Accepted
        finish 1                          Accepted              op 0 owed 4030
        """);

    [Fact]
    public void What_a_signer_was_given_is_taken_back_whatever_has_happened_since_and_nothing_else_is() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1             Accepted
        family 1 cap 100 of a/1           Accepted              op 4900 held 100
        deposit d1 frozen                 Accepted              a 0 held 400 frozen 600 pending 400
        prepare 1 1 fee 30                WalletOwes
        deposit d1 credited               Accepted              a 600 held 400
        prepare 1 1 fee 101               Impossible
        prepare 1 1 fee 30                Accepted              a 600 held 400, op 4900 held 100
        # It may be on its way, so that it is neither built anew nor given up.
        prepare 1 1 fee 40                Impossible
        abandon 1                         Impossible
        cancel a 1                        WithdrawalNotQueued
        confirm 1 1 B                     Impossible
        sign 1 1 fee 31                   Impossible
        deposit d1 frozen                 Accepted              a 0 held 400 frozen 600 pending 400
        sign 1 1 fee 30 at 9              Accepted
        # A replacement is signed elsewhere, too; the one before it may confirm meanwhile.
        prepare 1 2 fee 60                Accepted
        confirm 1 1 B                     Accepted
        sign 1 2 fee 60 at 15             Impossible
        unconfirm 1                       Accepted
        sign 1 2 fee 60 at 15             Accepted
        confirm 1 2 C                     Accepted
        finish 1                          Accepted              a 0 frozen 600 pending 400, op 4940
        """);

    [Fact]
    public void At_most_one_anchor_is_unconfirmed() => RuleTable.Run(Funded + """
        withdraw a S 400 id 1                  Accepted
        family 1 cap 100 anchor 1              Accepted         op 4900 held 100
        # Withdrawals may leave without an anchor.
        family 2 cap 100 of a/1 anchor 2       AnchorPending    op 4900 held 100
        # The state before the funds.
        family 2 cap 9000 of a/1 anchor 2      AnchorPending
        family 2 cap 100 of a/1                Accepted         op 4800 held 200
        sign 1 1 fee 10                        Accepted
        family 3 cap 100 anchor 2              AnchorPending
        confirm 1 1 B                          Accepted
        family 3 cap 100 anchor 2              Accepted         op 4700 held 300
        family 4 cap 100 anchor 3              AnchorPending
        # It must spend an anchor that is no longer in a block.
        unconfirm 1                            Accepted
        sign 3 1 fee 10                        AnchorPending
        abandon 3                              Accepted         op 4800 held 200
        family 4 cap 100 anchor 3              AnchorPending
        confirm 1 1 C                          Accepted
        finish 1                               Accepted         op 4890 held 100
        family 4 cap 100 anchor 3              Accepted         op 4790 held 200
        """);
}
