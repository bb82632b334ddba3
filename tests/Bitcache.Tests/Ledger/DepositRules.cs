using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class DepositRules
{
    [Theory]
    // from, to, allowed. An output that is in a state got there by the shortest way.
    [InlineData("none", "seen", true)]
    [InlineData("none", "credited", true)]
    [InlineData("none", "frozen", false)]
    [InlineData("none", "reversed", false)]
    [InlineData("none", "final", false)]
    [InlineData("seen", "seen", false)]
    [InlineData("seen", "seen in C", true)]
    [InlineData("seen", "credited", true)]
    [InlineData("seen", "frozen", true)]
    [InlineData("seen", "reversed", true)]
    [InlineData("seen", "final", false)]
    [InlineData("credited", "none", false)]
    [InlineData("credited", "seen", false)]
    [InlineData("credited", "seen in C", false)]
    [InlineData("credited", "credited", false)]
    [InlineData("credited", "credited in C", false)]
    [InlineData("credited", "frozen", true)]
    [InlineData("credited", "reversed", true)]
    [InlineData("credited", "final", true)]
    [InlineData("credited frozen", "seen", false)]
    [InlineData("credited frozen", "credited", true)]
    [InlineData("credited frozen", "frozen", false)]
    [InlineData("credited frozen", "frozen in C", false)]
    [InlineData("credited frozen", "reversed", true)]
    [InlineData("credited frozen", "final", false)]
    [InlineData("seen frozen", "seen", true)]
    [InlineData("seen frozen", "credited", true)]
    [InlineData("seen frozen", "reversed", true)]
    [InlineData("seen frozen", "final", false)]
    [InlineData("credited reversed", "seen", false)]
    [InlineData("credited reversed", "credited", false)]
    [InlineData("credited reversed", "frozen", false)]
    [InlineData("credited reversed", "reversed", false)]
    [InlineData("credited reversed", "final", false)]
    [InlineData("credited final", "seen", false)]
    [InlineData("credited final", "credited", false)]
    [InlineData("credited final", "frozen", false)]
    [InlineData("credited final", "reversed", false)]
    [InlineData("credited final", "final", false)]
    public void A_deposit_takes_only_these_steps(string from, string to, bool allowed)
    {
        foreach (var suspense in new[] { false, true })
        {
            var book = new RuleTable();
            book.Continue("wallet a  Accepted\naddress a A  Accepted");
            var steps = from == "none" ? [] : from.Split(' ');
            foreach (var step in steps) Assert.Equal(Outcome.Accepted, Change(step));
            var balance = book.Book.Ledger.FindWallet(RuleTable.Wallet("a"))!.Value;
            Assert.Equal(allowed ? Outcome.Accepted : Outcome.Unchanged, Change(to));
            if (!allowed) Assert.Equal(balance, book.Book.Ledger.FindWallet(RuleTable.Wallet("a"))!.Value);

            Outcome Change(string step) => book.Book.Apply(
                new ChangeDeposit(
                    RuleTable.Output("d"), Enum.Parse<DepositState>(step.Split(' ')[0], ignoreCase: true), suspense, RuleTable.Script("A"),
                    new Sats(100), RuleTable.Block(step.EndsWith('C') ? "C" : "B"), 5),
                Ledger.OperatorTenant).Outcome;
        }
    }

    private const string Credited = """
        wallet a                 Accepted
        wallet b                 Accepted
        address a A              Accepted
        output d1 of A 1000      Accepted     a 0
        deposit d1 credited      Accepted     a 1000
        """;

    [Fact]
    public void Frozen_with_all_money_there_it_is_set_aside_and_returns() => RuleTable.Run(Credited + """

        deposit d1 frozen        Accepted              a 0 frozen 1000
        # Nothing is owed, there is just nothing available.
        pay a b 1                InsufficientFunds
        deposit d1 credited      Accepted              a 1000
        deposit d1 frozen        Accepted              a 0 frozen 1000
        deposit d1 credited      Accepted              a 1000
        deposit d1 final         Accepted              a 1000
        deposit d1 frozen        Unchanged             a 1000
        """);

    [Fact]
    public void Frozen_with_a_part_spent_the_rest_stops_outflow_until_it_returns() => RuleTable.Run(Credited + """

        pay a b 600              Accepted              a 400, b 600
        deposit d1 frozen        Accepted              a 0 frozen 400 pending 600, b 600
        pay a b 1                WalletOwes
        # Credits arrive, and stay where they are as long as the deposit may return.
        pay b a 700              InsufficientFunds
        pay b a 100              Accepted              a 100 frozen 400 pending 600, b 500
        pay a b 1                WalletOwes            a 100 frozen 400 pending 600
        withdraw a S 330         WalletOwes
        deposit d1 credited      Accepted              a 500, b 500
        pay a b 500              Accepted              a 0, b 1000
        """);

    [Fact]
    public void Frozen_with_all_money_spent_it_is_owed_whole() => RuleTable.Run(Credited + """

        pay a b 1000             Accepted              a 0, b 1000
        deposit d1 frozen        Accepted              a 0 pending 1000, b 1000
        pay b a 1                Accepted              a 1 pending 1000, b 999
        pay a b 1                WalletOwes
        deposit d1 credited      Accepted              a 1, b 999
        pay a b 1                Accepted              a 0, b 1000
        """);

    [Fact]
    public void Reversed_with_all_money_there_it_is_gone() => RuleTable.Run(Credited + """

        deposit d1 frozen        Accepted              a 0 frozen 1000
        deposit d1 reversed      Accepted              a 0
        pay a b 1                InsufficientFunds
        deposit d1 credited      Unchanged             a 0
        """);

    [Fact]
    public void Reversed_straight_away_it_takes_what_is_there_and_the_rest_is_owed() => RuleTable.Run(Credited + """

        pay a b 600              Accepted              a 400, b 600
        deposit d1 reversed      Accepted              a 0 owed 600, b 600
        """);

    [Fact]
    public void What_is_owed_is_repaid_by_incoming_credits_and_never_twice() => RuleTable.Run(Credited + """

        pay a b 600              Accepted              a 400, b 600
        deposit d1 frozen        Accepted              a 0 frozen 400 pending 600, b 600
        # What arrived meanwhile repays first.
        pay b a 100              Accepted              a 100 frozen 400 pending 600, b 500
        deposit d1 reversed      Accepted              a 0 owed 500, b 500
        pay a b 1                WalletOwes
        pay b a 200              Accepted              a 0 owed 300, b 300
        pay a b 1                WalletOwes
        deposit d1 reversed      Unchanged             a 0 owed 300
        deposit d1 credited      Unchanged             a 0 owed 300
        output d2 of A 250       Accepted              a 0 owed 300
        deposit d2 credited      Accepted              a 0 owed 50
        pay b a 60.001           Accepted              a 10.001, b 239.999
        pay a b 10.001           Accepted              a 0, b 250
        """);

    [Fact]
    public void More_than_enough_that_arrived_meanwhile_settles_a_reversal_at_once() => RuleTable.Run(Credited + """

        pay a b 600              Accepted
        deposit d1 frozen        Accepted              a 0 frozen 400 pending 600, b 600
        output d2 of A 700       Accepted
        deposit d2 credited      Accepted              a 700 frozen 400 pending 600
        deposit d1 reversed      Accepted              a 100
        pay a b 100              Accepted              a 0, b 700
        """);

    [Fact]
    public void Several_deposits_of_one_wallet_freeze_and_return_each_for_itself() => RuleTable.Run(Credited + """

        output d2 of A 500       Accepted
        deposit d2 credited      Accepted              a 1500
        pay a b 1200             Accepted              a 300, b 1200
        deposit d1 frozen        Accepted              a 0 frozen 300 pending 700
        deposit d2 frozen        Accepted              a 0 frozen 300 pending 1200
        deposit d2 credited      Accepted              a 0 frozen 300 pending 700
        pay a b 1                WalletOwes
        deposit d1 credited      Accepted              a 300
        deposit d2 frozen        Accepted              a 0 frozen 300 pending 200
        deposit d1 frozen        Accepted              a 0 frozen 300 pending 1200
        deposit d1 reversed      Accepted              a 0 frozen 300 owed 1000 pending 200
        # The returning part repays what is owed for the other.
        deposit d2 credited      Accepted              a 0 owed 700
        pay b a 700              Accepted              a 0, b 500
        pay b a 500              Accepted              a 500, b 0
        """);

    [Fact]
    public void A_deposit_in_suspense_is_nobodys_balance() => RuleTable.Run(Credited + """

        output d2 of A 20                 Accepted
        deposit d2 credited suspense      Accepted      a 1000, suspense 20
        deposit d2 frozen suspense        Accepted      a 1000, suspense 20
        deposit d2 credited suspense      Accepted      a 1000, suspense 20
        # Where a deposit was booked, there it stays.
        deposit d2 frozen                 Impossible    a 1000, suspense 20
        deposit d2 frozen suspense        Accepted
        deposit d2 reversed suspense      Accepted      a 1000, suspense 0
        output d3 of A 30                 Accepted
        deposit d3 credited suspense      Accepted      a 1000, suspense 30
        deposit d3 reversed suspense      Accepted      a 1000, suspense 0
        output d4 of A 40                 Accepted
        deposit d4 credited suspense      Accepted
        deposit d4 final suspense         Accepted      a 1000, suspense 40
        deposit d1 frozen suspense        Impossible    a 1000
        """);

    [Fact]
    public void An_address_is_good_for_ever()
    {
        var rules = RuleTable.Run(Credited + "\n\ndeposit d1 final   Accepted");
        const long Year = 365 * 24 * 3_600_000L;
        rules.Book.Wait(Year);
        rules.Continue("floor 90000000   Accepted");
        // Ids of a year ago are forgotten; the address is not, also not in a ledger that was loaded.
        var loaded = KeptState.Of(rules.Book.Ledger).Load();
        Assert.Equal(RuleTable.Wallet("a"), loaded.FindAddress(RuleTable.Script("A"))!.Wallet);
        rules.Continue("""
            output d2 of A 500       Accepted
            deposit d2 credited      Accepted     a 1500
            """);
        var again = new AssignAddress(OperationId.Create(rules.Book.Now, 7), RuleTable.Wallet("b"), AddressPurpose.Deposit, RuleTable.Script("A"));
        Assert.Equal(Outcome.AddressTaken, rules.Book.Apply(again, tenant: 1).Outcome);
    }

    [Fact]
    public void Money_held_for_a_withdrawal_is_not_frozen_but_waits() => RuleTable.Run(Credited + """

        withdraw a S 700 id 1    Accepted              a 300 held 700
        deposit d1 frozen        Accepted              a 0 held 700 frozen 300 pending 700
        deposit d1 reversed      Accepted              a 0 held 700 owed 700
        """);

    [Fact]
    public void A_top_up_is_counted_apart_and_belongs_to_the_operator()
    {
        var rules = RuleTable.Run(Credited + """

            topup a T                WalletNotFound
            topup op T               Accepted
            address a T              AddressTaken
            output t1 of T 5000      Accepted     op 0
            deposit t1 credited      Accepted     op 5000
            pay op b 4000            Accepted     op 1000, b 4000
            deposit t1 frozen        Accepted     op 0 frozen 1000 pending 4000
            pay op b 1               WalletOwes
            deposit t1 reversed      Accepted     op 0 owed 4000
            pay b op 4000            Accepted     op 0
            """);
        var totals = rules.Book.Ledger.Totals;
        Assert.Equal((1_000_000, 5_000_000, 5_000_000), (totals.Deposited, totals.ToppedUp, totals.Reversed));
    }

    [Fact]
    public void An_output_keeps_its_script_and_amount_and_pays_an_address_of_ours()
    {
        var rules = RuleTable.Run(Credited);
        Assert.Throws<LedgerInvariantException>(() => rules.Book.Apply(Change("d1", "A", 999), Ledger.OperatorTenant));
        Assert.Throws<LedgerInvariantException>(() => rules.Book.Apply(Change("d1", "B", 1000), Ledger.OperatorTenant));
        Assert.Throws<LedgerInvariantException>(() => rules.Book.Apply(Change("d2", "B", 1000), Ledger.OperatorTenant));
        rules.Continue("deposit d1 final  Accepted  a 1000");

        static ChangeDeposit Change(string output, string address, long sat) => new(
            RuleTable.Output(output), DepositState.Frozen, Suspense: false, RuleTable.Script(address), new Sats(sat), RuleTable.Block("B"), 5);
    }

    [Fact]
    public void Addresses_are_given_once_and_for_ever() => RuleTable.Run(Credited + """

        address b A              AddressTaken
        address a A              AddressTaken
        address nobody B         WalletNotFound
        address a B by x         WalletNotFound
        address b B id 1         Accepted
        address b C id 1         Known
        # The anchor's script is the operator's.
        address b anchor         AddressTaken
        """);

    [Fact]
    public void A_wallet_has_only_so_many_addresses()
    {
        var rules = RuleTable.Run(Credited);
        var (ledger, record) = (rules.Book.Ledger, new byte[Limits.RecordBytesMax]);
        var b = RuleTable.Wallet("b");
        var context = new ApplyContext(rules.Book.Now, 1, 1, ClockTrusted: true);
        AssignAddress Address(int i) => new(OperationId.Create(rules.Book.Now, (UInt128)(1_000_000 + i)), b, AddressPurpose.Deposit, new ByteString(BitConverter.GetBytes(i)));
        var addresses = Enumerable.Range(1, Limits.AddressesPerWalletMax).ToList();
        foreach (var i in addresses.SkipLast(1)) Assert.Equal(Outcome.Accepted, ledger.Apply(Address(i), context, record).Outcome);
        Assert.Equal(Outcome.Accepted, ledger.Foresee(Address(0), context));
        Assert.Equal(Outcome.WalletNotFound, ledger.Foresee(Address(0), context with { Tenant = 2 }));
        Assert.Equal(Outcome.Known, ledger.Foresee(Address(1), context));
        Assert.Equal(Outcome.Accepted, ledger.Apply(Address(addresses[^1]), context, record).Outcome);
        Assert.Equal(Outcome.TooManyAddresses, ledger.Foresee(Address(0), context));
        rules.Continue("""
            # It is looked at before the script, and the refusal is not remembered.
            address b B id one too many   TooManyAddresses
            address b A id one too many   TooManyAddresses
            address a B                   Accepted
            """);
        var model = Model.After(Book.GenesisCommand, Book.Start);
        model = model with
        {
            Wallets = model.Wallets.Add(b, new ModelWallet(1)),
            Now = rules.Book.Now,
            Addresses = model.Addresses.AddRange(addresses.Select(i => KeyValuePair.Create(Address(i).Script, b))),
        };
        Assert.Equal(Outcome.TooManyAddresses, model.Apply(Address(0), 1).Outcome);
    }

    [Fact]
    public void More_bitcoin_than_there_will_ever_be_is_refused_before_anything_changes()
    {
        var rules = RuleTable.Run("""
            wallet a                        Accepted
            wallet b                        Accepted
            address a A                     Accepted
            address b B                     Accepted
            output d1 of A 2099999999999000  Accepted
            output d2 of B 1000             Accepted
            output d3 of A 1                Accepted
            deposit d1 credited             Accepted     a 2099999999999000
            deposit d2 credited             Accepted     b 1000
            """);
        var hash = rules.Book.Ledger.StateHash();
        rules.Continue("""
            deposit d3 credited             Impossible   a 2099999999999000, b 1000
            """);
        Assert.Equal(hash, rules.Book.Ledger.StateHash());
        rules.Continue("""
            pay b a 1000                    Accepted     a 2100000000000000, b 0
            deposit d1 frozen               Accepted     a 1000 frozen 2099999999999000
            deposit d1 credited             Accepted     a 2100000000000000
            deposit d1 reversed             Accepted     a 1000
            deposit d3 credited             Accepted     a 1001
            """);
    }
}
