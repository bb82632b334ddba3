using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>Addresses of our own derivation, many at once, and the rescans that make up for lost ones.</summary>
[Trait("suite", "core")]
public sealed class AddressRules
{
    private const string Wallets = """
        wallet a                          Accepted
        wallet b                          Accepted

        """;

    [Fact]
    public void Many_addresses_are_given_at_once_or_none()
    {
        var rules = RuleTable.Run(Wallets + """
            addresses nobody A,B              WalletNotFound
            addresses a A,B by x id 1         WalletNotFound
            addresses a A,B,C index 3 id 1    Accepted
            addresses a D,E,F index 6 id 1    Known
            # One that is taken spoils all, also if it is the anchor's, and the refusal is not remembered.
            addresses b D,B,E id 2            AddressTaken
            addresses b D,anchor id 2         AddressTaken
            addresses b D,E,D id 2            AddressTaken
            address b D index 20              Accepted
            addresses b E,F id 2              Accepted
            """);
        Assert.Equal(["A", "B", "C"], Names(rules, "a", "A", "B", "C", "D", "E", "F"));
        Assert.Equal(["D", "E", "F"], Names(rules, "b", "A", "B", "C", "D", "E", "F"));
        var all = rules.Book.Ledger.AddressesOf(RuleTable.Wallet("a"));
        Assert.Equal([3u, 4u, 5u], all.Select(a => a.Origin!.Value.Index));
        Assert.Single(all.Select(a => a.Sequence).Distinct());
    }

    [Fact]
    public void Deposits_to_each_of_many_addresses_are_booked_to_their_wallet() => RuleTable.Run(Wallets + """
        addresses a A,B                   Accepted
        addresses b C                     Accepted
        output d1 of B 100                Accepted
        deposit d1 credited               Accepted              a 100
        output d2 of C 50                 Accepted
        deposit d2 credited               Accepted              a 100, b 50
        withdraw a C 30                   Accepted              a 70, b 80
        """);

    [Fact]
    public void As_many_as_a_wallet_may_have_and_no_more()
    {
        var rules = RuleTable.Run(Wallets);
        var (ledger, record) = (rules.Book.Ledger, new byte[Limits.RecordBytesMax]);
        var context = new ApplyContext(rules.Book.Now, 1, 1, ClockTrusted: true);
        AssignAddresses Many(int number, int count) => new(
            OperationId.Create(rules.Book.Now, (UInt128)(1_000_000 + number)), RuleTable.Wallet("a"), AddressPurpose.Deposit, 0,
            [.. Enumerable.Range(0, count).Select(i => new DerivedAddress((uint)i, new ByteString([.. BitConverter.GetBytes(number), .. BitConverter.GetBytes(i)])))]);
        var rounds = (Limits.AddressesPerWalletMax / Limits.AddressesAtOnceMax) - 1;
        for (var i = 0; i < rounds; i++) Assert.Equal(Outcome.Accepted, ledger.Apply(Many(i, Limits.AddressesAtOnceMax), context, record).Outcome);
        Assert.Equal(Outcome.Accepted, ledger.Apply(Many(rounds, 1), context, record).Outcome);
        var left = Limits.AddressesPerWalletMax - (rounds * Limits.AddressesAtOnceMax) - 1;
        Assert.Equal(Outcome.TooManyAddresses, ledger.Foresee(Many(-1, left + 1), context));
        Assert.Equal(Outcome.TooManyAddresses, ledger.Apply(Many(-1, left + 1), context, record).Outcome);
        Assert.Equal(Outcome.Accepted, ledger.Foresee(Many(-1, left), context));
        Assert.Equal(Outcome.Accepted, ledger.Apply(Many(-1, left), context, record).Outcome);
        Assert.Throws<ArgumentOutOfRangeException>(() => Many(0, Limits.AddressesAtOnceMax + 1));
    }

    [Fact]
    public void The_highest_index_and_the_lowest_height_above_an_index_are_known()
    {
        var rules = RuleTable.Run(Wallets);
        var ledger = rules.Book.Ledger;
        Assert.Equal((null, null, null), (ledger.HighestAddress, ledger.NewestChosenAddress, ledger.LowestOrigin(0)));
        rules.Continue("""
            address a A                       Accepted
            address a B index 7 at 100        Accepted
            addresses b C,D index 30 at 90    Accepted
            address b E index 12 at 95        Accepted
            address b F                       Accepted
            """);
        Check(ledger);
        // As well after a snapshot.
        Check(KeptState.Of(ledger).Load());

        static void Check(Ledger ledger)
        {
            Assert.Equal(31u, ledger.HighestAddress!.Origin!.Value.Index);
            Assert.Equal(RuleTable.Script("F"), ledger.NewestChosenAddress!.Script);
            Assert.Equal([90u, 90u, 90u, null], new uint?[] { ledger.LowestOrigin(0), ledger.LowestOrigin(13), ledger.LowestOrigin(31), ledger.LowestOrigin(32) });
        }
    }

    [Fact]
    public void A_rescan_is_due_from_the_lowest_block_that_was_named_until_it_is_done()
    {
        var rules = RuleTable.Run("""
            rescan 90 done                    Unchanged
            rescan 90                         Accepted
            rescan 90                         Unchanged
            rescan 95                         Unchanged
            rescan 80                         Accepted
            # What was begun before is not all of it.
            rescan 90 done                    Unchanged
            """);
        Assert.Equal(80u, rules.Book.Ledger.Rescan);
        Assert.Equal(80u, KeptState.Of(rules.Book.Ledger).Load().Rescan);
        rules.Continue("""
            rescan 80 done                    Accepted
            rescan 80 done                    Unchanged
            rescan 0                          Accepted
            """);
        Assert.Equal(0u, rules.Book.Ledger.Rescan);
        rules.Continue("rescan 0 done             Accepted");
        Assert.Null(rules.Book.Ledger.Rescan);
        Assert.Null(KeptState.Of(rules.Book.Ledger).Load().Rescan);
    }

    [Fact]
    public void An_address_without_an_origin_is_laid_out_as_it_always_was()
    {
        var rules = RuleTable.Run(Wallets + """
            address a A id 1                  Accepted
            address a B index 7 at 100 id 2   Accepted
            """);
        var (chosen, derived) = (rules.Book.Records[^2], rules.Book.Records[^1]);
        Assert.Equal(chosen.Length + 8, derived.Length);
        Assert.Null(((AssignAddress)Entry.Read(chosen).Command).Origin);
        Assert.Equal(new AddressOrigin(7, 100), ((AssignAddress)Entry.Read(derived).Command).Origin);
        Assert.Equal("0000000700000064", Convert.ToHexStringLower(derived.AsSpan(derived.Length - Entry.SaltBytes - 8, 8)));
    }

    /// <summary>Of some scripts those that belong to a wallet.</summary>
    private static IEnumerable<string> Names(RuleTable rules, string wallet, params string[] scripts) =>
        scripts.Where(s => rules.Book.Ledger.FindAddress(RuleTable.Script(s))?.Wallet == RuleTable.Wallet(wallet));
}
