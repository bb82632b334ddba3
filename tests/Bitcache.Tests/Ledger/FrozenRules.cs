using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>What the operator says of deposits that are frozen.</summary>
[Trait("suite", "core")]
public sealed class FrozenRules
{
    private const string Frozen = """
        wallet a                          Accepted
        wallet b                          Accepted
        address a A                       Accepted
        output d of A 100                 Accepted
        deposit d credited                Accepted      a 100
        pay a b 60                        Accepted      a 40, b 60
        deposit d frozen                  Accepted      a 0 frozen 40 pending 60

        """;

    [Fact]
    public void What_is_released_is_the_wallets_again_and_final() => RuleTable.Run(Frozen + """
        settle d released id 1            Accepted          a 40, b 60
        settle d released id 1            Known             a 40
        # The same id for something else; another id for the same.
        settle d reversed id 1            Known             a 40
        settle d reversed id 2            FrozenNotFound    a 40
        # The node may remember, forget and change its mind: nothing more comes of it.
        deposit d credited                Unchanged
        deposit d frozen                  Unchanged
        deposit d reversed                Unchanged         a 40, b 60
        pay a b 40                        Accepted          a 0, b 100
        """);

    [Fact]
    public void What_is_reversed_is_gone_and_what_was_spent_of_it_is_owed() => RuleTable.Run(Frozen + """
        settle d reversed id 1            Accepted          a 0 owed 60, b 60
        settle d reversed id 1            Known             a 0 owed 60
        settle d released id 2            FrozenNotFound    a 0 owed 60
        # Each output is credited at most once, whatever comes back.
        deposit d seen                    Unchanged
        deposit d credited                Unchanged         a 0 owed 60
        pay b a 60                        Accepted          a 0, b 0
        """);

    [Fact]
    public void What_came_in_since_repays_what_is_reversed() => RuleTable.Run(Frozen + """
        output e of A 25                  Accepted
        deposit e credited                Accepted          a 25 frozen 40 pending 60
        settle d reversed                 Accepted          a 0 owed 35
        """);

    [Fact]
    public void Only_what_is_frozen_can_be_settled() => RuleTable.Run(Frozen + """
        settle nothing released           FrozenNotFound
        output e of A 30                  Accepted
        settle e released                 FrozenNotFound
        settle e reversed                 FrozenNotFound
        deposit e credited                Accepted          a 30 frozen 40 pending 60
        settle e reversed                 FrozenNotFound    a 30 frozen 40 pending 60
        deposit e final                   Accepted
        settle e reversed                 FrozenNotFound
        # It came back by itself.
        deposit d credited                Accepted          a 70
        settle d reversed                 FrozenNotFound    a 70
        """);

    [Fact]
    public void What_was_never_credited_is_not_credited_by_a_word() => RuleTable.Run(Frozen + """
        output e of A 30                  Accepted
        deposit e frozen                  Accepted          a 0 frozen 40 pending 60
        settle e released id 1            DepositNotCredited
        settle e reversed id 1            Accepted          a 0 frozen 40 pending 60
        deposit e seen                    Unchanged
        settle e reversed id 1            Known
        """);

    [Fact]
    public void What_is_in_suspense_stays_there_or_leaves_it() => RuleTable.Run(Frozen + """
        output e of A 30                  Accepted
        deposit e credited suspense       Accepted          suspense 30
        output f of A 20                  Accepted
        deposit f credited suspense       Accepted          suspense 50
        deposit e frozen suspense         Accepted
        deposit f frozen suspense         Accepted          suspense 50
        settle e reversed                 Accepted          suspense 20
        assign f b                        SuspenseNotFinal
        settle f released                 Accepted          suspense 20
        assign f b                        Accepted          b 80, suspense 0
        """);

    [Fact]
    public void The_entry_says_who_and_why_and_the_statement_says_neither()
    {
        var rules = RuleTable.Run(Frozen + "settle d reversed id 1 key k7 why lost  Accepted");
        var record = rules.Book.Records[^1];
        var entry = Entry.Read(record);
        var command = (SettleDeposit)entry.Command;
        Assert.Equal(("k7", "lost", false), (command.By.ToUtf8(), command.Reason.ToUtf8(), command.Released));
        Assert.Equal((EntryType.DepositSettled, new Msat(100_000), HistorySides.Payer), (entry.Type, entry.Released, entry.Sides));
        Assert.Equal(Msat.Zero, entry.First.Available);
        var leaf = Entry.ReadStatement(Entry.StatementOf(record, entry.Sequence));
        Assert.Equal(new SettleDeposit(command.Id, command.OutPoint, false, ByteString.Empty, ByteString.Empty), leaf.Command);
        Assert.True(EntryId.TryRead(record, out var id));
        Assert.Equal(command.Id, id.Id);
        // Id, output and word, and how much it is; the salt, who, why, and the wallet's link.
        var body = Convert.ToHexStringLower(record.AsSpan(Entry.RecordHeaderBytes + Entry.StatementHeaderBytes));
        Assert.Matches($"^01a3185c50007000[0-9a-f]{{16}}[0-9a-f]{{64}}000000000000000000000186a0[0-9a-f]{{32}}026b37046c6f7374[0-9a-f]{{16}}0000000000000000$", body);
    }

    [Fact]
    public void They_are_listed_newest_first_and_leave_the_list()
    {
        var rules = RuleTable.Run("wallet a  Accepted\naddress a A  Accepted");
        foreach (var name in new[] { "1", "2", "3", "4" })
            rules.Continue($"output {name} of A 10  Accepted\ndeposit {name} credited  Accepted\ndeposit {name} frozen  Accepted");
        var ledger = rules.Book.Ledger;
        var first = ledger.FrozenDeposits(long.MaxValue, 3);
        Assert.Equal(new[] { "4", "3", "2" }.Select(RuleTable.Output), first.Items.Select(d => d.OutPoint));
        var rest = ledger.FrozenDeposits(first.Next!.Value, 3);
        Assert.Equal((RuleTable.Output("1"), null), (Assert.Single(rest.Items).OutPoint, rest.Next));
        rules.Continue("settle 3 released  Accepted\nsettle 4 reversed  Accepted");
        Assert.Equal(new[] { "2", "1" }.Select(RuleTable.Output), ledger.FrozenDeposits(long.MaxValue, 9).Items.Select(d => d.OutPoint));
        Assert.Empty(ledger.FrozenDeposits(0, 9).Items);
    }
}
