using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class TimeAndCutRules
{
    private const uint Tenant = 1;
    private const long Hour = 3_600_000;

    private static CreateWallet Create(long atMilliseconds, ulong number) =>
        new(OperationId.Create(new UnixTime(atMilliseconds), number), Tenant, new WalletId(1_000 + number));

    [Fact]
    public void An_id_far_ahead_of_journaled_time_is_refused()
    {
        var book = new Book();
        var edge = book.Now.Milliseconds + Limits.IdAheadMillisecondsMax;
        Assert.Equal(Outcome.IdAhead, book.Apply(Create(edge + 1, 1), Tenant).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(Create(edge, 1), Tenant).Outcome);
        // While the clock is not trusted, no id is refused for how far it is ahead.
        book.ClockTrusted = false;
        Assert.Equal(Outcome.Accepted, book.Apply(Create(edge + Hour, 2), Tenant).Outcome);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Ids_that_are_ahead_are_bounded_in_number_and_in_the_seconds_they_are_spread_over(bool clockTrusted)
    {
        const int Second = 1_024;
        var book = new Book { ClockTrusted = clockTrusted };
        (book.Ledger.AheadIdsMax, book.Ledger.AheadSlicesMax) = (4, 3);
        var ahead = book.Now.Milliseconds + 60_000;
        foreach (var (i, time) in new[] { ahead, ahead, ahead, ahead + Second }.Index()) Assert.Equal(Outcome.Accepted, book.Apply(Create(time, (ulong)i), Tenant).Outcome);
        Assert.Equal(Outcome.IdAhead, book.Apply(Create(ahead, 4), Tenant).Outcome);
        book.Ledger.AheadIdsMax = 100;
        Assert.Equal(Outcome.Accepted, book.Apply(Create(ahead + (2 * Second), 5), Tenant).Outcome);
        Assert.Equal(Outcome.IdAhead, book.Apply(Create(ahead, 6), Tenant).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(Create(book.Now.Milliseconds, 7), Tenant).Outcome);
        // When their time has come there is room again, be it by steps or at once.
        book.Wait(51_500);
        Assert.Equal(Outcome.Accepted, book.Apply(Create(ahead + (3 * Second), 8), Tenant).Outcome);
        book.Wait(Hour);
        Assert.Equal(Outcome.Accepted, book.Apply(Create(ahead + Hour + (10 * Second), 9), Tenant).Outcome);
        // What was journaled once is replayed whatever the bounds are.
        Assert.Equal(book.Ledger.StateHash(), Book.Replay(book.Records).StateHash());
    }

    [Fact]
    public void Below_the_floor_ids_are_forgotten_and_therefore_refused()
    {
        var book = new Book();
        var start = book.Now.Milliseconds;
        Assert.Equal(Outcome.Accepted, book.Apply(Create(start, 1), Tenant).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(Create(start + 1, 2), Tenant).Outcome);
        book.Wait(Hour);
        Assert.Equal(Outcome.Accepted, book.Apply(new RaiseFloor(new UnixTime(start + 1)), Ledger.OperatorTenant).Outcome);
        Assert.Equal(1, book.Ledger.WindowIds);
        Assert.Equal(Outcome.IdBelowFloor, book.Apply(Create(start, 1), Tenant).Outcome);
        Assert.Equal(Outcome.IdBelowFloor, book.Apply(Create(start, 3), Tenant).Outcome);
        Assert.Equal(Outcome.Known, book.Apply(Create(start + 1, 2), Tenant).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(Create(start + 1, 4), Tenant).Outcome);
    }

    [Fact]
    public void Without_a_trusted_clock_a_forgotten_id_is_still_refused()
    {
        // Otherwise a late retry would be paid a second time.
        var rules = RuleTable.Run(TransferRules.Funded + "\npay a b 10 id 1  Accepted  a 990, b 10");
        rules.Book.Wait(Hour);
        rules.Book.Apply(new RaiseFloor(rules.Book.Now), Ledger.OperatorTenant);
        rules.Book.ClockTrusted = false;
        rules.Continue("pay a b 10 id 1  IdBelowFloor  a 990, b 10");
    }

    [Fact]
    public void Ids_of_withdrawals_that_were_accepted_and_of_addresses_are_kept_for_ever()
    {
        var rules = RuleTable.Run(TransferRules.Funded + """

            withdraw a S 500 id 1      Accepted              a 500 held 500
            withdraw a S 600 id 2      InsufficientFunds     a 500 held 500
            address a A2 id 3          Accepted
            """);
        rules.Book.Wait(Hour);
        Assert.Equal(Outcome.Accepted, rules.Book.Apply(new RaiseFloor(rules.Book.Now), Ledger.OperatorTenant).Outcome);
        rules.Continue("""
            withdraw a S 500 id 1      Known                 a 500 held 500
            withdraw a S 600 id 2      IdBelowFloor
            address a A2 id 3          Known
            pay a b 1 id 4             IdBelowFloor          a 500 held 500
            # The id comes before everything else.
            pay a a 0 id 4             IdBelowFloor
            pay nobody a 1 id 4        IdBelowFloor
            """);
        Assert.Equal(rules.Book.Ledger.StateHash(), Book.Replay(rules.Book.Records).StateHash());
    }

    [Fact]
    public void The_floor_only_rises_and_never_above_journaled_time()
    {
        var book = new Book();
        book.Wait(Hour);
        Assert.Equal(Outcome.Accepted, book.Apply(new RaiseFloor(Book.Start), Ledger.OperatorTenant).Outcome);
        Assert.Equal(Outcome.Unchanged, book.Apply(new RaiseFloor(Book.Start), Ledger.OperatorTenant).Outcome);
        Assert.Equal(Outcome.Unchanged, book.Apply(new RaiseFloor(new UnixTime(0)), Ledger.OperatorTenant).Outcome);
        Assert.Throws<LedgerInvariantException>(
            () => book.Apply(new RaiseFloor(new UnixTime(book.Now.Milliseconds + 1)), Ledger.OperatorTenant));
        Assert.Equal(Book.Start, book.Ledger.Floor);
    }

    [Fact]
    public void Time_never_runs_backwards()
    {
        var book = new Book();
        book.Wait(5);
        Assert.Equal(Outcome.Accepted, book.Apply(new ConfirmClock(), Ledger.OperatorTenant).Outcome);
        book.Wait(-1);
        Assert.Throws<LedgerInvariantException>(() => book.Apply(new ConfirmClock(), Ledger.OperatorTenant));
        book.Wait(1);
        Assert.Equal(Outcome.Accepted, book.Apply(new ConfirmClock(), Ledger.OperatorTenant).Outcome);
    }

    [Fact]
    public void The_genesis_entry_is_the_first_and_the_only_one()
    {
        var book = new Book();
        // Of two processes that begin a ledger one is first, and the other is told so.
        var again = book.Apply(Book.GenesisCommand, Ledger.OperatorTenant);
        Assert.Equal((Outcome.Unchanged, false), (again.Outcome, again.IsJournaled));
        var context = new ApplyContext(Book.Start, Ledger.OperatorTenant, 0, ClockTrusted: true);
        var empty = new Ledger(0);
        Assert.Throws<LedgerInvariantException>(() => empty.Apply(new ConfirmClock(), context, new byte[1_000]));
        // Its partition is one of its partitions, its operator has a wallet.
        Assert.Throws<LedgerInvariantException>(() => new Ledger(1).Apply(Book.GenesisCommand, context, new byte[1_000]));
        Assert.Throws<LedgerInvariantException>(() => empty.Apply(Book.GenesisCommand with { Operator = default }, context, new byte[1_000]));
        Assert.Equal(0, empty.NextSequence);
    }

    [Fact]
    public void Commands_of_the_chain_and_of_the_clock_are_the_operators()
    {
        var book = new Book();
        foreach (var command in new Command[]
        {
            new MoveCursor(1, default), new OpenFamily(1, Sats.Zero, null, []), new EpochCut(default, 1), new LogCut(1, [0]), new ConfirmClock(),
            new RaiseFloor(new UnixTime(1)), new ChangeDeposit(default, DepositState.Seen, false, ByteString.Empty, Sats.Zero, default, 1),
        })
        {
            Assert.Throws<LedgerInvariantException>(() => book.Apply(command, Tenant));
        }
        Assert.Equal(1, book.Ledger.NextSequence);
    }

    [Fact]
    public void A_wallet_belongs_to_the_tenant_that_made_it()
    {
        var book = new Book();
        var mine = Create(book.Now.Milliseconds, 1);
        // The entry keeps one tenant: under two, replay would remember the id elsewhere.
        Assert.Throws<LedgerInvariantException>(() => book.Apply(mine, Tenant + 1));
        Assert.Throws<LedgerInvariantException>(() => book.Apply(mine with { Wallet = default }, Tenant));
        Assert.Throws<LedgerInvariantException>(() => book.Apply(mine with { Wallet = Book.Operator }, Tenant));
        Assert.Equal(Outcome.Accepted, book.Apply(mine, Tenant).Outcome);
        Assert.Equal(Tenant, book.Ledger.FindWallet(mine.Wallet)!.Value.Tenant);
        // The same id under another tenant is another operation.
        Assert.Equal(Outcome.Accepted, book.Apply(mine with { Tenant = 2, Wallet = new WalletId(77) }, 2).Outcome);
    }

    [Fact]
    public void Many_wallets_are_found_also_when_their_ids_collide()
    {
        var book = new Book(Checks.None);
        // Equal low bits are one place in the index; the table grows several times on the way.
        WalletId[] wallets = [.. Enumerable.Range(1, 5_000).Select(i => new WalletId(i % 2 == 0 ? (UInt128)i << 64 : (UInt128)(1_000 * i)))];
        foreach (var (i, wallet) in wallets.Index())
            Assert.Equal(Outcome.Accepted, book.Apply(new CreateWallet(OperationId.Create(book.Now, (UInt128)i), Tenant, wallet), Tenant).Outcome);
        Assert.Equal(wallets.Length + 1, book.Ledger.WalletCount);
        Assert.All([Book.Operator, .. wallets], wallet => Assert.Equal(wallet, book.Ledger.FindWallet(wallet)?.Id));
        Assert.Null(book.Ledger.FindWallet(new WalletId((UInt128)5_001 << 64)));
        Assert.Equal(book.Ledger.StateHash(), Book.Replay(book.Records).StateHash());
    }

    [Fact]
    public void Cuts_are_numbered_and_the_log_only_grows()
    {
        var rules = RuleTable.Run("""
            logcut 2 0       Impossible
            # A cut covers what was journaled before it, and the genesis entry was.
            logcut 1 1       Impossible
            logcut 1 0       Accepted
            epochcut 2       Impossible
            epochcut 1       Accepted
            epochcut 1       Unchanged
            epochcut 0       Unchanged
            logcut 2 2       Accepted
            logcut 3 1       Impossible
            logcut 2 3       Impossible
            logcut 3 3       Accepted
            epochcut 2       Accepted
            logcut 4 5       Accepted
            """);
        // The size of the log right after the entries of the epochs' cuts themselves: sequences 2 and 5.
        Assert.Equal([6L, 3L], rules.Book.Ledger.Epochs(long.MaxValue, 9).Items.Select(e => e.Entries));
        // A cut of the log alone is not worth another one.
        Assert.Equal(5, rules.Book.Ledger.LastContentSequence);
        Assert.Throws<LedgerInvariantException>(() => rules.Book.Apply(new LogCut(5, [6, 6]), Ledger.OperatorTenant));
    }

    [Fact]
    public void An_epoch_that_was_closed_has_one_statement_and_none_about_an_earlier_one_follows()
    {
        var rules = RuleTable.Run("""
            state 1          Impossible
            epochcut 1       Accepted
            epochcut 2       Accepted
            epochcut 3       Accepted
            state 4          Impossible
            state 2          Accepted
            state 2          Impossible
            state 1          Impossible
            state 3          Accepted
            """);
        var ledger = rules.Book.Ledger;
        Assert.Equal([3L, 2L], ledger.Epochs(long.MaxValue, 9).Items.Where(e => e.Statement is not null).Select(e => e.Number));
        Assert.Equal((3, ledger.NextSequence - 1), (ledger.LastStatedEpoch!.Number, ledger.LastStatedEpoch.Stated));
        Assert.Equal(RuleTable.Statement(2), ledger.FindEpoch(2)!.Statement);
        // The statement is the log's leaf, as it stands.
        Assert.Equal(RuleTable.Statement(3), ((StateEpoch)Entry.ReadStatement(Entry.StatementOf(rules.Book.Records[^1])).Command).Statement);
    }

    [Fact]
    public void Balances_of_an_epoch_are_those_at_its_cut_until_they_are_given_back()
    {
        var rules = RuleTable.Run("""
            wallet a                 Accepted
            wallet b                 Accepted
            address a A              Accepted
            output d of A 5000       Accepted
            wait 600000
            deposit d credited       Accepted
            """);
        var ledger = rules.Book.Ledger;
        ledger.KeepsBalances = true;
        rules.Continue("epochcut 1   Accepted");
        var kept = ledger.HoldBalances(1)!;
        var before = Enumerable.Range(0, kept.WalletCount).Select(slot => kept[slot]).ToArray();
        rules.Continue("""
            pay a b 1000             Accepted
            wallet c                 Accepted
            withdraw b S1 400        Accepted
            """);
        Assert.Equal(before, Enumerable.Range(0, kept.WalletCount).Select(slot => kept[slot]));
        Assert.Equal((5_000_000, 5_000_000), (before.Single(w => !w.Available.IsZero).Available.Value, kept.Totals.Available));
        Assert.Same(kept, ledger.FindBalances(1));
        ledger.Release(kept);
        Assert.False(ledger.HasBalances);
        Assert.Throws<LedgerInvariantException>(() => ledger.Release(kept));
    }

    [Fact]
    public void Balances_that_somebody_reads_stay_and_of_the_others_those_of_the_newest_epoch()
    {
        var rules = RuleTable.Run("wallet a   Accepted");
        var ledger = rules.Book.Ledger;
        ledger.KeepsBalances = true;
        for (var epoch = 1; epoch <= 3; epoch++) rules.Continue($"epochcut {epoch}   Accepted");
        Assert.Equal("3", Kept(ledger));
        var held = ledger.HoldBalances(3)!;
        Assert.Null(ledger.HoldBalances(2));
        rules.Continue("""
            epochcut 4               Accepted
            epochcut 5               Accepted
            """);
        Assert.Equal("3 5", Kept(ledger));
        rules.Continue("state 3          Accepted");
        Assert.Equal("3 5", Kept(ledger));
        rules.Continue("state 5          Accepted");
        Assert.Equal("3", Kept(ledger));
        Assert.Equal(1, ledger.LetGo(new HashSet<EpochBalances> { held }));
        ledger.ReleaseThrough(2);
        Assert.Equal("3", Kept(ledger));
        ledger.ReleaseThrough(3);
        Assert.False(ledger.HasBalances);
    }

    [Fact]
    public void Of_an_epoch_that_comes_when_too_many_are_read_no_balances_are_kept_and_a_replay_keeps_those_of_the_newest()
    {
        var rules = RuleTable.Run("wallet a   Accepted");
        rules.Book.Ledger.KeepsBalances = true;
        for (var epoch = 1; epoch <= Limits.EpochsKeptMax + 2; epoch++)
        {
            rules.Continue($"epochcut {epoch}   Accepted");
            rules.Book.Ledger.HoldBalances(epoch);
        }
        Assert.Equal("1 2 3 4", Kept(rules.Book.Ledger));

        var (replayed, scratch) = (new Ledger(0) { KeepsBalances = true }, new byte[Limits.RecordBytesMax]);
        foreach (var record in rules.Book.Records) replayed.Replay(record, scratch);
        Assert.Equal([Limits.EpochsKeptMax + 2L], replayed.Balances.Select(b => b.Epoch));
        Assert.Equal(rules.Book.Ledger.StateHash(), replayed.StateHash());
    }

    private static string Kept(Ledger ledger) => string.Join(' ', ledger.Balances.Select(b => b.Epoch));

    [Fact]
    public void Epochs_are_read_a_page_at_a_time()
    {
        var rules = RuleTable.Run(string.Join('\n', Enumerable.Range(1, 7).Select(i => $"epochcut {i}  Accepted")));
        var pages = new List<long[]>();
        for (long? before = long.MaxValue; before is { } place;)
        {
            var page = rules.Book.Ledger.Epochs(place, 3);
            pages.Add([.. page.Items.Select(e => e.Number)]);
            before = page.Next;
        }
        Assert.Equal([[7, 6, 5], [4, 3, 2], [1]], pages);
        Assert.Empty(rules.Book.Ledger.Epochs(0, 3).Items);
        Assert.Equal([null, 1, 7, null], new long[] { 0, 1, 7, 8 }.Select(n => rules.Book.Ledger.FindEpoch(n)?.Number));
    }

    [Fact]
    public void The_cursor_keeps_a_ring_of_blocks_to_step_back_along()
    {
        var rules = RuleTable.Run("""
            cursor 1 B1      Accepted
            cursor 1 B1      Unchanged
            cursor 2 B2      Accepted
            cursor 2 C2      Accepted
            cursor 1 B1      Accepted
            """);
        Assert.Equal([1u, 2u, 2u], rules.Book.Ledger.CursorRing().Select(c => c.Height));
        Assert.Equal(new ChainCursor(1, RuleTable.Block("B1")), rules.Book.Ledger.Cursor);
        for (var height = 10; height < 10 + (2 * Limits.CursorRingMax); height++) rules.Continue($"cursor {height} B  Accepted");
        Assert.Equal(Limits.CursorRingMax, rules.Book.Ledger.CursorRing().Count);
    }
}
