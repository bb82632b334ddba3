using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class RefundRules
{
    private const string Paid = TransferRules.Funded + """

        pay a b 100 id p                   Accepted            a 900, b 100

        """;

    [Fact]
    public void Refunds_in_parts_never_pass_what_was_paid()
    {
        var rules = RuleTable.Run(Paid + """
            pay a b 500                        Accepted            a 400, b 600
            refund b a p 30 id 1               Accepted            a 430, b 570
            refund b a p 30 id 1               Known               a 430, b 570
            refund b a p 70.001 id 2           RefundExceeds       a 430, b 570
            refund b a p 70 id 3               Accepted            a 500, b 500
            refund b a p 0.001 id 4            RefundExceeds       a 500, b 500
            refund b a p 70.001 id 2           Known
            """);
        var sequence = rules.Book.Ledger.FindId(RuleTable.Wallet("a"), rules.Id("p"))!.Value;
        Assert.Equal(new Msat(100_000), rules.Book.Ledger.RefundedOf(0, sequence));
        Assert.Equal(Msat.Zero, rules.Book.Ledger.RefundedOf(0, sequence + 1));
    }

    [Fact]
    public void What_was_refunded_is_remembered_when_ids_are_forgotten()
    {
        var rules = RuleTable.Run(Paid + "refund b a p 60  Accepted  a 960, b 40");
        var again = (RefundPayment)rules.Book.EntryAt(rules.Book.Ledger.NextSequence - 1).Command;
        rules.Continue("wait 3600000\nfloor 100  Accepted");
        var id = OperationId.Create(rules.Book.Now, 1);
        Assert.Equal(Outcome.RefundExceeds, rules.Book.Apply(again with { Id = id, Amount = new Msat(40_001) }, 1).Outcome);
        Assert.Equal(Outcome.Accepted, rules.Book.Apply(again with { Id = new OperationId(id.Value + 1), Amount = new Msat(40_000) }, 1).Outcome);
    }

    [Fact]
    public void A_refund_is_checked_in_order_id_shape_names_state_original_funds() => RuleTable.Run(Paid + """
        refund b a p 0                     AmountZero
        refund b a p 5 by x                WalletNotFound
        pay b c 95                         Accepted            b 5
        refund b a p 101                   RefundExceeds
        refund b a p 6                     InsufficientFunds   b 5
        freeze b                           Accepted
        refund b a p 101                   WalletFrozen
        unfreeze b                         Accepted
        # A limit on spending is none on giving back.
        limits b 1 1 1                     Accepted
        refund b a p 5                     Accepted            a 905, b 0
        """);

    [Fact]
    public void A_capture_and_a_payment_up_to_an_amount_are_refunded_for_what_they_moved() => RuleTable.Run(TransferRules.Funded + """

        hold a b 300 id h                  Accepted
        capture a b h 100 id c             Accepted            a 700 held 200, b 100
        refund b a c 101                   RefundExceeds
        refund b a c 100                   Accepted            a 800 held 200, b 0
        pay a b 5000 upto id u             Accepted            a 0 held 200, b 800
        refund b a u 800.001               RefundExceeds
        refund b a u 800                   Accepted            a 800 held 200, b 0
        """);

    [Fact]
    public void A_refund_of_what_was_not_journaled_before_is_a_callers_mistake()
    {
        var book = RuleTable.Run(Paid).Book;
        var refund = new RefundPayment(
            OperationId.Create(Book.Start, 99), RuleTable.Wallet("b"), RuleTable.Wallet("a"), new Msat(5), 0, ByteString.Empty, 0, new Msat(10), default);
        foreach (var sequence in new[] { 0, -1, book.Ledger.NextSequence, long.MaxValue })
            Assert.Throws<LedgerInvariantException>(() => book.Apply(refund with { OriginalSequence = sequence }, 1));
        Assert.Throws<LedgerInvariantException>(() => book.Apply(refund with { OriginalSequence = 8, OriginalAmount = Msat.Zero }, 1));
    }

    [Fact]
    public void Only_what_moved_money_to_a_payee_can_be_refunded()
    {
        EntryType[] refundable = [EntryType.Transfer, EntryType.TransferUpTo, EntryType.TransferCharged, EntryType.HoldCaptured, EntryType.SplitPaid];
        foreach (var entry in GoldenJournal.Read().Select(r => Entry.Read(r))) Assert.Equal(refundable.Contains(entry.Type), entry.Moved is not null);
    }

    [Fact]
    public void Many_originals_are_each_remembered()
    {
        var book = RuleTable.Run(TransferRules.Funded).Book;
        var (a, b) = (RuleTable.Wallet("a"), RuleTable.Wallet("b"));
        var scratch = new byte[Limits.RecordBytesMax];
        var context = new ApplyContext(Book.Start, 1, 1, ClockTrusted: true);
        var paid = new List<(OperationId Id, long Sequence)>();
        for (var i = 0; i < 500; i++)
        {
            var id = OperationId.Create(Book.Start, (UInt128)(10_000 + i));
            paid.Add((id, book.Ledger.Apply(new Transfer(id, a, b, new Msat(1_000), 0, ByteString.Empty), context, scratch).Sequence));
        }
        foreach (var (i, (original, sequence)) in paid.Index())
        {
            var id = OperationId.Create(Book.Start, (UInt128)(20_000 + i));
            var refund = new RefundPayment(id, b, a, new Msat(1 + i), 0, ByteString.Empty, sequence, new Msat(1_000), original);
            Assert.Equal(Outcome.Accepted, book.Ledger.Apply(refund, context, scratch).Outcome);
        }
        Assert.All(paid.Index(), p => Assert.Equal(1 + p.Index, book.Ledger.RefundedOf(0, p.Item.Sequence).Value));
    }

    [Fact]
    public void A_refund_names_its_original_and_keeps_to_its_terms()
    {
        var rules = RuleTable.Run(Paid + "refund b a p 60 id r  Accepted");
        var refund = (RefundPayment)Entry.ReadStatement(Entry.StatementOf(rules.Book.Records[^1])).Command;
        Assert.Equal((8, rules.Id("p"), RuleTable.Wallet("a")), (refund.OriginalSequence, refund.Original, refund.Payee));
        Assert.True(refund.HasSameTerms(refund with { OriginalAmount = new Msat(7) }));
        Assert.False(refund.HasSameTerms(refund with { Amount = new Msat(7) }));
        Assert.False(refund.HasSameTerms(refund with { OriginalSequence = 9 }));
        Assert.False(refund.HasSameTerms(refund with { Original = default }));
    }
}
