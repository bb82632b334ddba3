using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class HoldRules
{
    private const string Held = TransferRules.Funded + """

        hold a b 600 for 5000 id h         Accepted            a 400 held 600, b 0

        """;

    [Fact]
    public void A_hold_is_captured_in_parts_until_nothing_is_left()
    {
        var rules = RuleTable.Run(Held + """
            capture a b h 100 id 1             Accepted            a 400 held 500, b 100
            capture a b h 400.5 id 2           Accepted            a 400 held 99.5, b 500.5
            capture a b h 100 id 3             HoldExceeded        a 400 held 99.5, b 500.5
            capture a b h 100 id 3             Known
            capture a b h 99.5 id 4            Accepted            a 400, b 600
            # It is closed; what came of its captures is still known.
            capture a b h 1 id 5               HoldNotFound        a 400, b 600
            capture a b h 99.5 id 4            Known               a 400, b 600
            release a b h                      HoldNotFound
            """);
        Assert.Equal(0, rules.Book.Ledger.OpenHoldCount);
        Assert.Null(rules.Book.Ledger.FindHold(RuleTable.Wallet("a"), rules.Id("h")));
    }

    [Fact]
    public void The_last_capture_may_give_the_rest_back() => RuleTable.Run(Held + """
        capture a b h 100 close            Accepted            a 900, b 100
        capture a b h 1                    HoldNotFound
        hold a b 600 id h2                 Accepted            a 300 held 600
        capture a b h2 600 close           Accepted            a 300, b 700
        """);

    [Fact]
    public void The_payees_owner_gives_a_hold_back_and_the_payers_does_not() => RuleTable.Run(TransferRules.Funded + """

        hold a x 600 id h                  Accepted            a 400 held 600
        release a x h by a                 PayeeOnly           a 400 held 600
        capture a x h 100 by a             Accepted            a 400 held 500, x 100
        release a x h by x id r            Accepted            a 900, x 100
        release a x h by x id r            Known
        release a x h by x                 HoldNotFound
        """);

    [Fact]
    public void A_stranger_cannot_touch_a_hold_and_learns_nothing_of_it() => RuleTable.Run(TransferRules.Funded + """

        wallet y by op                     Accepted
        hold a b 600 id h                  Accepted            a 400 held 600
        capture a b h 100 id 1             Accepted            a 400 held 500
        # The owner of neither wallet, with the id of a hold, with a known id, with one that was never used.
        capture a b h 100 by x             WalletNotFound
        capture a b h 100 id 1 by x        WalletNotFound
        release a b h by x                 WalletNotFound
        # The owner of a wallet that is not the hold's payee.
        capture a x h 100 by x             HoldNotFound        a 400 held 500, x 0
        release a x h by x                 HoldNotFound
        capture a c h 100                  HoldNotFound
        capture b a h 100                  HoldNotFound
        capture a y h 100 by op            HoldNotFound
        """);

    [Fact]
    public void A_hold_is_checked_in_order_id_shape_names_expiry_state_limits_funds_number() => RuleTable.Run(Held + """
        hold a b 5 id h                    Known
        hold nobody b 0                    AmountZero
        hold a a 5                         SelfTransfer
        hold nobody b 5                    WalletNotFound
        hold a b 5 by x                    WalletNotFound
        hold a nobody 5                    PayeeNotFound
        hold a b 5000 for 0                ExpiryOutOfRange
        hold a b 5000 for -1               ExpiryOutOfRange
        hold a b 5000 for 2678400001       ExpiryOutOfRange
        hold a b 401                       InsufficientFunds   a 400 held 600
        limits a 399 0 0                   Accepted
        hold a b 401                       LimitExceeded
        freeze a                           Accepted
        hold a b 401                       WalletFrozen
        unfreeze a                         Accepted
        hold a b 399 for 2678400000        Accepted            a 1 held 999
        """);

    [Fact]
    public void A_capture_is_checked_in_order_id_shape_names_hold_state() => RuleTable.Run(Held + """
        capture a b h 0                    AmountZero
        capture a a h 1                    SelfTransfer
        capture nobody b h 1               WalletNotFound
        capture a nobody h 1 by a          PayeeNotFound
        capture a b nohold 9000            HoldNotFound
        capture a b h 9000 id 1            HoldExceeded
        capture a b h 1 id 1               Known               a 400 held 600
        """);

    [Fact]
    public void A_freeze_or_what_is_owed_does_not_stop_what_was_held_before() => RuleTable.Run(Held + """
        freeze a                           Accepted
        capture a b h 100                  Accepted            a 400 held 500, b 100
        freeze b                           Accepted
        capture a b h 100                  Accepted            a 400 held 400, b 200
        # Of the deposit 400 are there; 600 are set aside or spent.
        deposit d1 frozen                  Accepted            a 0 held 400 frozen 400 pending 600
        capture a b h 100                  Accepted            a 0 held 300 frozen 400 pending 600, b 300
        deposit d1 reversed                Accepted            a 0 held 300 owed 600
        # What comes back repays first.
        capture a b h 100 close            Accepted            a 0 owed 400, b 400
        """);

    [Fact]
    public void Holds_expire_by_entries_of_their_own_the_first_due_first()
    {
        var rules = RuleTable.Run(TransferRules.Funded + """

            hold a b 10 for 3000 id h1         Accepted
            hold a c 20 for 1000 id h2         Accepted
            hold a b 30 for 3000 id h3         Accepted
            hold a b 40 for 2000 id h4         Accepted
            hold a b 50 for 9000 id h5         Accepted            a 850 held 150
            capture a b h4 40                  Accepted            a 850 held 110
            expire a h2                        Impossible
            """);
        Assert.Null(rules.Book.Ledger.NextHoldToExpire(new UnixTime(Book.Start.Milliseconds + 999)));
        rules.Book.Wait(3_000);
        var order = new List<OperationId>();
        while (rules.Book.Ledger.NextHoldToExpire(rules.Book.Now) is { } due)
        {
            Assert.Equal(Outcome.Accepted, rules.Book.Apply(due, Ledger.OperatorTenant).Outcome);
            order.Add(due.Hold);
        }
        Assert.Equal([rules.Id("h2"), rules.Id("h1"), rules.Id("h3")], order);
        rules.Continue("""
            expire a h5                        Impossible
            expire a h2                        Impossible          a 910 held 50
            # An expiry that is not journaled yet stops nothing.
            wait 6000
            capture a b h5 20                  Accepted            a 910 held 30, b 60
            expire a h5                        Accepted            a 940
            """);
    }

    [Fact]
    public void The_id_of_a_hold_is_not_used_again_while_it_is_open() => RuleTable.Run(Held + """
        wait 3600000
        # The window forgets the id; the floor keeps it from being taken.
        floor 100                          Accepted
        hold a b 5 id h                    IdBelowFloor
        expire a h                         Accepted            a 1000
        """);

    [Fact]
    public void Many_holds_are_found_and_expire_in_order_whatever_is_closed_between()
    {
        var book = RuleTable.Run(TransferRules.Funded).Book;
        var ledger = book.Ledger;
        var random = new Random(7);
        var open = new List<(PlaceHold Hold, long Sequence)>();
        var (a, b) = (RuleTable.Wallet("a"), RuleTable.Wallet("b"));
        var scratch = new byte[Limits.RecordBytesMax];
        for (var i = 0; i < 3_000; i++)
        {
            // Ids with equal low bits stand side by side in the index.
            var id = OperationId.Create(Book.Start, (UInt128)(((ulong)i << 40) + (ulong)(i % 7)));
            var hold = new PlaceHold(id, a, b, new Msat(1 + random.Next(9)), 0, ByteString.Empty, new UnixTime(Book.Start.Milliseconds + 1 + random.Next(50)));
            var context = new ApplyContext(Book.Start, 1, (UInt128)i, ClockTrusted: true);
            var placed = ledger.Apply(hold, context, scratch);
            Assert.Equal(Outcome.Accepted, placed.Outcome);
            open.Add((hold, placed.Sequence));
            if (random.Next(3) > 0) continue;
            var at = random.Next(open.Count);
            var release = new ReleaseHold(OperationId.Create(Book.Start, (UInt128)i << 64), a, b, default, 0, ByteString.Empty, open[at].Hold.Id);
            Assert.Equal(Outcome.Accepted, ledger.Apply(release with { Id = new OperationId(release.Id.Value + (UInt128)i) }, context, scratch).Outcome);
            open.RemoveAt(at);
        }
        Assert.Equal(open.Select(h => h.Hold.Id), ledger.OpenHolds().Select(h => h.Id));
        Assert.All(open, h => Assert.Equal(h.Hold.Amount, ledger.FindHold(a, h.Hold.Id)!.Value.Left));
        // Both sides list them, newest first, and as many of them as are asked for.
        foreach (var side in new[] { a, b })
        {
            Assert.Equal(ledger.OpenHolds().Reverse(), ledger.HoldsOf(side, long.MaxValue, int.MaxValue));
            Assert.Equal(ledger.OpenHolds().Where(h => h.Sequence < open[100].Sequence).Reverse().Take(7), ledger.HoldsOf(side, open[100].Sequence, 7));
        }
        ledger.CheckEveryBalance();
        var later = new UnixTime(Book.Start.Milliseconds + 100);
        var due = open.OrderBy(h => h.Hold.Expires.Milliseconds).ThenBy(h => h.Sequence).Select(h => h.Hold.Id).ToList();
        foreach (var id in due)
        {
            var next = ledger.NextHoldToExpire(later)!;
            Assert.Equal(id, next.Hold);
            ledger.Apply(next, new ApplyContext(later, Ledger.OperatorTenant, 1, ClockTrusted: true), scratch);
        }
        Assert.Null(ledger.NextHoldToExpire(later));
        Assert.Equal((0, Msat.Zero), (ledger.OpenHoldCount, ledger.FindWallet(a)!.Value.Held));
        Assert.Empty(ledger.HoldsOf(a, long.MaxValue, 1));
        Assert.Empty(ledger.HoldsOf(b, long.MaxValue, 1));
    }

    [Fact]
    public void A_wallet_has_so_many_open_holds_and_no_more()
    {
        var rules = RuleTable.Run(TransferRules.Funded);
        var (ledger, record) = (rules.Book.Ledger, new byte[Limits.RecordBytesMax]);
        var (a, b, expires) = (RuleTable.Wallet("a"), RuleTable.Wallet("b"), new UnixTime(Book.Start.Milliseconds + 1_000));
        var context = new ApplyContext(Book.Start, 1, 1, ClockTrusted: true);
        PlaceHold Hold(int i) => new(OperationId.Create(Book.Start, (UInt128)(1_000_000 + i)), a, b, new Msat(1), 0, ByteString.Empty, expires);
        var model = Model.After(Book.GenesisCommand, Book.Start);
        model = model with { Wallets = model.Wallets.Add(a, new ModelWallet(1, 1_000_000)).Add(b, new ModelWallet(1)), Now = Book.Start };
        for (var i = 1; i < Limits.HoldsOpenPerWalletMax; i++)
        {
            Assert.Equal(Outcome.Accepted, ledger.Apply(Hold(i), context, record).Outcome);
            model = model with { Holds = model.Holds.Add((a, Hold(i).Id), new ModelHold(b, 1, 0, expires, i)) };
        }
        rules.Continue("""
            hold a b 1 id last                 Accepted
            # The funds are looked at first, and the refusal is remembered.
            hold a b 5000                      InsufficientFunds
            hold a b 1 id more                 TooManyHolds
            # Another payer, and the payee of all of them.
            pay a b 1                          Accepted
            hold b a 1                         Accepted
            capture a b last 1                 Accepted
            hold a b 1 id more                 Known
            hold a b 1                         Accepted
            hold a b 1                         TooManyHolds
            """);
        (var outcome, model) = model.Apply(Hold(0), 1);
        Assert.Equal(Outcome.Accepted, outcome);
        Assert.Equal(Outcome.TooManyHolds, model.Apply(Hold(Limits.HoldsOpenPerWalletMax), 1).Outcome);
    }

    [Fact]
    public void A_release_says_the_same_when_it_is_asked_for_again()
    {
        var rules = RuleTable.Run(Held);
        var (ledger, record) = (rules.Book.Ledger, new byte[Limits.RecordBytesMax]);
        var release = new ReleaseHold(
            rules.Id("r"), RuleTable.Wallet("a"), RuleTable.Wallet("b"), default, 0, ByteString.Empty, rules.Id("h")).ToPayment();
        var context = new ApplyContext(rules.Book.Now, 1, 1, ClockTrusted: true);
        var first = ledger.Apply(release, context, record);
        Assert.Equal((new Msat(600_000), new Msat(600_000)), (first.Amount, first.Released));
        var entry = Entry.Read(record.AsSpan(0, first.BytesWritten));
        var again = ledger.Apply(release, context, record);
        Assert.Equal(Outcome.Known, again.Outcome);
        Assert.Equal((first.Amount, first.Released), (again.Recalled(entry).Amount, again.Recalled(entry).Released));
    }

    [Fact]
    public void Everything_that_is_said_of_a_hold_is_part_of_its_terms()
    {
        var (a, b, none) = (RuleTable.Wallet("a"), RuleTable.Wallet("b"), ByteString.Empty);
        var hold = new PlaceHold(default, a, b, new Msat(5), 7, none, Book.Start);
        Assert.True(hold.HasSameTerms(hold with { }));
        Assert.False(hold.HasSameTerms(hold with { Payee = a }));
        Assert.False(hold.HasSameTerms(hold with { Amount = new Msat(6) }));
        Assert.False(hold.HasSameTerms(hold with { Code = 8 }));
        Assert.False(hold.HasSameTerms(hold with { Expires = new UnixTime(1) }));
        Assert.False(hold.HasSameTerms(new Transfer(default, a, b, new Msat(5), 7, none)));
        var capture = new CaptureHold(default, a, b, new Msat(5), 7, none, default, Close: false);
        Assert.True(capture.HasSameTerms(capture with { }));
        Assert.False(capture.HasSameTerms(capture with { Amount = new Msat(6) }));
        Assert.False(capture.HasSameTerms(capture with { Close = true }));
        Assert.False(capture.HasSameTerms(capture with { Hold = new OperationId(1) }));
        var release = new ReleaseHold(default, a, b, new Msat(5), 7, none, default);
        // The amount is what went back: no part of what was asked.
        Assert.True(release.HasSameTerms(release with { Amount = Msat.Zero }));
        Assert.False(release.HasSameTerms(release with { Hold = new OperationId(1) }));
    }
}
