namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class FreezeRules
{
    [Fact]
    public void A_frozen_wallet_pays_nobody_and_is_paid() => RuleTable.Run(TransferRules.Funded + """

        freeze a                 Accepted         a 1000
        pay a b 1                WalletFrozen     a 1000
        withdraw a S 500         WalletFrozen     a 1000
        withdraw a S max         WalletFrozen     a 1000
        withdraw a A2 500        WalletFrozen
        pay b a 1                InsufficientFunds
        output d2 of A 50        Accepted
        deposit d2 credited      Accepted         a 1050
        unfreeze a               Accepted         a 1050
        pay a b 1                Accepted         a 1049, b 1
        """);

    [Fact]
    public void A_freeze_is_checked_before_what_is_owed_and_before_the_funds() => RuleTable.Run(TransferRules.Funded + """

        pay a b 600              Accepted              a 400, b 600
        deposit d1 frozen        Accepted              a 0 frozen 400 pending 600
        freeze a                 Accepted
        pay a b 5000             WalletFrozen
        # The shape and the names come first.
        pay a b 0                AmountZero
        pay a a 1                SelfTransfer
        pay a nobody 1           PayeeNotFound
        withdraw a S 1           BelowDust
        unfreeze a               Accepted
        pay a b 5000             WalletOwes
        """);

    [Fact]
    public void A_refusal_for_a_freeze_is_remembered() => RuleTable.Run(TransferRules.Funded + """

        freeze a id 1            Accepted
        pay a b 1 id 2           WalletFrozen
        unfreeze a id 3          Accepted
        pay a b 1 id 2           Known                 a 1000
        # An id is one under the wallet, whatever it was used for.
        pay a b 1 id 1           Known                 a 1000
        freeze a id 1            Known
        pay a b 1                Accepted              a 999, b 1
        """);

    [Fact]
    public void The_operator_freezes_any_wallet_and_only_the_operator_lifts_that() => RuleTable.Run(TransferRules.Funded + """

        freeze a by op           Accepted
        unfreeze a               Accepted
        pay a b 1                WalletFrozen
        freeze a                 Accepted
        unfreeze a by op         Accepted
        # The owner's own freeze is still there.
        pay a b 1                WalletFrozen
        unfreeze a               Accepted
        pay a b 1                Accepted              a 999, b 1
        freeze a by x            WalletNotFound
        freeze nobody            WalletNotFound
        freeze nobody by op      WalletNotFound
        freeze op by a           WalletNotFound
        pay a b 1                Accepted              a 998, b 2
        # The operator's own wallet is frozen like any other.
        pay a op 5               Accepted
        freeze op                Accepted
        pay op a 5               WalletFrozen          op 5
        unfreeze op              Accepted
        pay op a 5               Accepted              op 0
        """);

    [Fact]
    public void What_a_frozen_wallet_has_queued_is_not_built()
    {
        var rules = RuleTable.Run(WithdrawalRules.Funded + """
            withdraw a S 400 id 1             Accepted
            freeze a                          Accepted         a 600 held 400
            family 1 cap 100 of a/1           WalletFrozen     a 600 held 400, op 5000
            """);
        Assert.Empty(rules.Book.Ledger.DueWithdrawals());
        rules.Continue("""
            unfreeze a                        Accepted
            family 1 cap 100 of a/1           Accepted         op 4900 held 100
            freeze a by op                    Accepted
            # The family was opened before; nothing of it is signed yet.
            sign 1 1 fee 60                   WalletFrozen
            unfreeze a by op                  Accepted
            sign 1 1 fee 60                   Accepted
            freeze a                          Accepted
            # What is signed may confirm whatever we do.
            sign 1 2 fee 70                   Accepted
            confirm 1 2 B                     Accepted
            finish 1                          Accepted         a 600, op 4930
            # A frozen operator builds nothing.
            unfreeze a                        Accepted
            withdraw a S 400 id 2             Accepted         a 200 held 400
            freeze op                         Accepted
            family 2 cap 1 of a/2             OperatorFundsLow
            """);
    }
}
