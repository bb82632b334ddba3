using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class TransferRules
{
    /// <summary>Three wallets of tenant 1, one of tenant 2; a has 1,000 satoshis.</summary>
    internal const string Funded = """
        wallet a                 Accepted     a 0
        wallet b                 Accepted     b 0
        wallet c                 Accepted
        wallet x                 Accepted
        address a A              Accepted
        output d1 of A 1000      Accepted     a 0
        deposit d1 credited      Accepted     a 1000
        """;

    [Fact]
    public void A_payment_moves_its_amount_and_nothing_else() => RuleTable.Run(Funded + """

        pay a b 1                Accepted     a 999, b 1
        pay a b 1msat            Accepted     a 998.999, b 1.001
        pay b x 1.001            Accepted     b 0, x 1.001
        pay a b 998.999          Accepted     a 0, b 998.999
        pay b a 998.999          Accepted     a 998.999, b 0
        pay x op 1               Accepted     x 0.001, op 1
        pay op x 1               Accepted     x 1.001, op 0
        """);

    [Fact]
    public void A_payment_is_checked_in_order_id_shape_names_state_funds() => RuleTable.Run(Funded + """

        pay a b 1 id 1           Accepted              a 999, b 1
        # A known id is known, whatever else is wrong with what is asked under it now.
        pay a a 0 id 1           Known                 a 999
        pay a nobody 5000 id 1   Known
        # Shape before names.
        pay nobody b 0           AmountZero
        pay nobody nobody 0      AmountZero
        pay nobody nobody 1      SelfTransfer
        pay a a 5000             SelfTransfer
        # Names: the payer's first; another's wallet is as good as absent.
        pay nobody noone 1       WalletNotFound
        pay a b 1 by x           WalletNotFound
        pay x b 5000 by a        WalletNotFound
        pay a nobody 5000        PayeeNotFound
        # State before funds.
        pay a b 600              Accepted              a 399, b 601
        pay a b 400              InsufficientFunds     a 399, b 601
        deposit d1 frozen        Accepted              a 0 frozen 399 pending 601
        pay a b 400              WalletOwes            a 0 frozen 399 pending 601
        pay a b 1                WalletOwes
        """);

    [Fact]
    public void A_refusal_that_depends_on_state_is_remembered_and_the_others_are_not() => RuleTable.Run(Funded + """

        pay b a 5 id 1           InsufficientFunds
        pay a b 10               Accepted              a 990, b 10
        pay b a 5 id 1           Known                 a 990, b 10
        pay b a 5 id 2           Accepted              a 995, b 5
        pay b a 0 id 3           AmountZero
        pay b b 1 id 3           SelfTransfer
        pay b nobody 1 id 3      PayeeNotFound
        pay b a 1 by x id 3      WalletNotFound
        pay b a 1 id 3           Accepted              a 996, b 4
        """);

    [Fact]
    public void An_id_is_one_under_each_wallet() => RuleTable.Run(Funded + """

        pay a b 10 id 1          Accepted     a 990, b 10
        pay b a 1 id 1           Accepted     a 991, b 9
        pay a b 10 id 1          Known
        withdraw a S 500 id 1    Known
        address a A2 id 1        Known
        wallet c2 id 1           Accepted
        wallet c3 id 1           Known
        """);

    [Fact]
    public void A_stranger_learns_nothing_from_an_id_he_has_seen() => RuleTable.Run(Funded + """

        pay a x 10 id 1          Accepted            a 990, x 10
        pay a x 10 id 1 by x     WalletNotFound
        pay a x 10 id 1          Known
        withdraw a S 500 id 2    Accepted            a 490 held 500
        withdraw a S 500 id 2 by x    WalletNotFound
        address a A2 id 3        Accepted
        address a A3 id 3 by x   WalletNotFound
        """);

    [Fact]
    public void Everything_a_payment_says_is_part_of_its_terms()
    {
        var first = new Transfer(default, RuleTable.Wallet("a"), RuleTable.Wallet("b"), new Msat(5), 7, ByteString.FromUtf8("r"));
        Assert.True(first.HasSameTerms(first with { }));
        Assert.False(first.HasSameTerms(first with { Payee = RuleTable.Wallet("c") }));
        Assert.False(first.HasSameTerms(first with { Amount = new Msat(6) }));
        Assert.False(first.HasSameTerms(first with { Code = 8 }));
        Assert.False(first.HasSameTerms(new Transfer(first.Id, first.Payer, first.Payee, first.Amount, first.Code, ByteString.FromUtf8("s"))));
        Assert.False(first.HasSameTerms(new CreateWallet(first.Id, 1, first.Payer)));
        var wallet = new CreateWallet(default, 1, RuleTable.Wallet("a"));
        Assert.True(wallet.HasSameTerms(wallet with { Wallet = RuleTable.Wallet("b") }));
        Assert.False(wallet.HasSameTerms(first));
        var address = new AssignAddress(default, RuleTable.Wallet("a"), AddressPurpose.Deposit, RuleTable.Script("A"));
        Assert.True(address.HasSameTerms(new AssignAddress(address.Id, address.Wallet, AddressPurpose.Deposit, RuleTable.Script("B"))));
        Assert.False(address.HasSameTerms(address with { Purpose = AddressPurpose.OperatorTopUp }));
        var withdrawal = new RequestWithdrawal(default, RuleTable.Wallet("a"), RuleTable.Script("S"), new Sats(1_000), Max: false);
        Assert.True(withdrawal.HasSameTerms(withdrawal with { }));
        Assert.False(withdrawal.HasSameTerms(withdrawal with { Amount = new Sats(1_001) }));
        Assert.False(withdrawal.HasSameTerms(withdrawal with { Max = true }));
        Assert.True((withdrawal with { Max = true }).HasSameTerms(withdrawal with { Max = true, Amount = new Sats(7) }));
        Assert.False(withdrawal.HasSameTerms(new RequestWithdrawal(default, withdrawal.Wallet, RuleTable.Script("T"), withdrawal.Amount, Max: false)));
    }

    [Fact]
    public void The_history_of_a_wallet_is_a_chain_of_links()
    {
        var rules = RuleTable.Run(Funded + """

            pay a b 10           Accepted
            pay b a 3            Accepted
            withdraw a S 500     Accepted     a 493 held 500, b 7
            """);
        var entries = rules.Book.Records.Select(r => Entry.Read(r)).ToList();
        var balances = new List<long>();
        for (var at = rules.Book.Ledger.FindWallet(RuleTable.Wallet("a"))!.Value.LastSequence; at != 0;)
        {
            var entry = entries[(int)at];
            var link = entry.Command is Transfer t && t.Payee == RuleTable.Wallet("a") ? entry.Second : entry.First;
            balances.Add(link.Available.Value / Limits.MsatPerSat);
            at = link.Previous;
        }
        Assert.Equal([493, 993, 990, 1000, 0], balances);
    }
}
