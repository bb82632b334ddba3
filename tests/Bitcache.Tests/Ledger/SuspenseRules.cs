using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class SuspenseRules
{
    private const string InSuspense = """
        wallet a                          Accepted
        wallet b                          Accepted
        address a A                       Accepted
        output d of A 20                  Accepted
        deposit d credited suspense       Accepted      a 0, suspense 20
        """;

    [Fact]
    public void What_is_final_goes_to_a_wallet_once() => RuleTable.Run(InSuspense + """

        # A reorganisation may take it back: the wallet would have to give what it never had.
        assign d b                        SuspenseNotFinal   b 0, suspense 20
        deposit d final suspense          Accepted           suspense 20
        assign d nobody                   WalletNotFound     suspense 20
        assign d b id 1                   Accepted           b 20, suspense 0
        assign d b id 1                   Known              b 20, suspense 0
        # Nor under another id, nor to another wallet.
        assign d b id 2                   SuspenseNotFound   b 20
        assign d a id 3                   SuspenseNotFound   a 0, b 20
        pay b a 20                        Accepted           a 20, b 0
        """);

    [Fact]
    public void Only_what_is_in_suspense_can_be_assigned() => RuleTable.Run(InSuspense + """

        assign nothing b                  SuspenseNotFound
        output e of A 30                  Accepted
        assign e b                        SuspenseNotFound
        deposit e credited                Accepted           a 30, suspense 20
        deposit e final                   Accepted
        assign e b                        SuspenseNotFound   a 30, b 0, suspense 20
        # Seen for suspense, as a coinbase is.
        output f of A 40                  Accepted
        assign f b                        SuspenseNotFound
        deposit d frozen suspense         Accepted
        assign d b                        SuspenseNotFinal   b 0, suspense 20
        deposit d reversed suspense       Accepted           suspense 0
        assign d b                        SuspenseNotFound   b 0
        """);

    [Fact]
    public void A_wallet_that_owes_repays_with_it_and_a_frozen_one_gets_it() => RuleTable.Run(InSuspense + """

        deposit d final suspense          Accepted
        output e of A 15                  Accepted
        deposit e credited                Accepted           a 15
        pay a b 15                        Accepted           a 0, b 15
        deposit e reversed                Accepted           a 0 owed 15
        freeze a by op                    Accepted
        assign d a                        Accepted           a 5, suspense 0
        """);

    [Fact]
    public void It_is_the_operators_to_assign_and_may_be_for_the_operator_itself()
    {
        var rules = RuleTable.Run(InSuspense + "\ndeposit d final suspense   Accepted");
        var command = new AssignSuspense(OperationId.Create(Book.Start, 7), RuleTable.Output("d"), Book.Operator);
        Assert.Throws<LedgerInvariantException>(() => rules.Book.Apply(command, tenant: 1));
        rules.Continue("assign d op    Accepted   op 20, suspense 0");
    }

    [Fact]
    public void What_is_in_suspense_is_listed_newest_first_and_leaves_the_list()
    {
        var rules = RuleTable.Run("wallet a  Accepted\nwallet b  Accepted\naddress a A  Accepted");
        foreach (var name in new[] { "1", "2", "3", "4", "5" })
            rules.Continue($"output {name} of A 10  Accepted\ndeposit {name} credited suspense  Accepted\ndeposit {name} final suspense  Accepted");
        Assert.Equal(["5", "4", "3", "2", "1"], Listed());
        rules.Continue("assign 4 b  Accepted   b 10, suspense 40");
        Assert.Equal(["5", "3", "2", "1"], Listed());
        var first = rules.Book.Ledger.Suspense(long.MaxValue, 2);
        Assert.Equal([RuleTable.Output("5"), RuleTable.Output("3")], first.Items.Select(d => d.OutPoint));
        var rest = rules.Book.Ledger.Suspense(first.Next!.Value, 2);
        Assert.Equal([RuleTable.Output("2"), RuleTable.Output("1")], rest.Items.Select(d => d.OutPoint));
        Assert.Null(rest.Next);
        Assert.Empty(rules.Book.Ledger.Suspense(0, 2).Items);
        // Also in a ledger that was loaded.
        var loaded = KeptState.Of(rules.Book.Ledger).Load();
        Assert.Equal(first.Items, loaded.Suspense(long.MaxValue, 2).Items);
        Assert.Equal(new Assignment(RuleTable.Wallet("b"), rules.Book.Ledger.NextSequence - 1), loaded.FindDeposit(RuleTable.Output("4"))!.Assigned);
        Assert.Equal(rules.Book.Ledger.StateHash(), loaded.StateHash());

        IEnumerable<string> Listed() => rules.Book.Ledger.Suspense(long.MaxValue, 10).Items
            .Select(d => Enumerable.Range(1, 5).Select(n => $"{n}").Single(n => RuleTable.Output(n) == d.OutPoint));
    }
}
