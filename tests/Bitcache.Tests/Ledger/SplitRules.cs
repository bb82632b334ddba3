using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class SplitRules
{
    [Fact]
    public void A_split_pays_all_or_nobody()
    {
        var rules = RuleTable.Run(TransferRules.Funded + """

            split a b:100,c:200,x:300.5 id s   Accepted            a 399.5, b 100, c 200, x 300.5
            split a b:100,c:200,x:300.5 id s   Known               a 399.5
            split a b:200,c:200                InsufficientFunds   a 399.5, b 100, c 200
            split a op:399.5                   Accepted            a 0, op 399.5
            # Each part is given back for itself.
            refund c a s 200.001               RefundExceeds
            refund c a s 150                   Accepted            a 150, c 50
            refund c a s 50.001                RefundExceeds
            refund b a s 100                   Accepted            a 250, b 0
            """);
        var sequence = rules.Book.Ledger.FindId(RuleTable.Wallet("a"), rules.Id("s"))!.Value;
        Assert.Equal([100_000, 150_000, 0], Enumerable.Range(0, 3).Select(i => rules.Book.Ledger.RefundedOf(0, sequence + i).Value));
    }

    [Fact]
    public void A_split_is_checked_in_order_id_shape_names_state_limits_funds() => RuleTable.Run(TransferRules.Funded + $"""

        split a b:1 id s                   Accepted            a 999
        split a b:0,a:0 id s               Known
        split a b:0,a:1                    AmountZero
        split a b:1,a:1,b:1                SelfTransfer
        split a b:1,nobody:1,b:1           PayeeTwice
        split nobody b:1,noone:1           WalletNotFound
        split a b:1,c:1 by x               WalletNotFound
        split a b:5000,nobody:1            PayeeNotFound
        limits a 100 0 0                   Accepted
        freeze a                           Accepted
        split a b:5000,c:1                 WalletFrozen
        unfreeze a                         Accepted
        # The sum is one payment under the limits.
        split a b:60,c:60                  LimitExceeded
        split a b:60,c:40                  Accepted            a 899, b 61, c 40
        limits a 0 0 0                     Accepted
        split a b:{Limits.SupplySatMax},c:{Limits.SupplySatMax}   InsufficientFunds
        split a b:800,c:99.001             InsufficientFunds   a 899
        """);

    [Fact]
    public void Every_part_pays_its_fee_and_the_operator_pays_none() => RuleTable.Run(TransferRules.Funded + """

        fees 1 flat 1 ppm 10000            Accepted
        split a b:100,c:200                Accepted            a 695, b 100, c 200, op 5
        split a b:100,op:200               Accepted            a 393, b 200, op 207
        split op b:3,c:4                   Accepted            b 203, c 204, op 200
        split a b:389.2                    InsufficientFunds
        """);

    [Fact]
    public void Each_part_has_a_statement_a_salt_and_a_sequence_of_its_own()
    {
        var rules = RuleTable.Run(TransferRules.Funded + "\nsplit a b:100,c:200,x:300 id s ref hi  Accepted\npay b c 1  Accepted");
        var book = rules.Book;
        var record = book.Records[^2];
        var (first, count) = Entry.SequencesOf(record);
        Assert.Equal((book.Ledger.FindId(RuleTable.Wallet("a"), rules.Id("s"))!.Value, 3), (first, count));
        Assert.Equal(first + 3, Entry.Read(book.Records[^1]).Sequence);
        string[] payees = ["b", "c", "x"];
        for (var i = 0; i < count; i++)
        {
            var statement = Entry.StatementOf(record, first + i).ToArray();
            var alone = Entry.ReadStatement(statement);
            var part = Assert.Single(((Split)alone.Command).Parts);
            Assert.Equal((first + i, EntryType.SplitPaid, RuleTable.Wallet(payees[i])), (alone.Sequence, alone.Type, part.Payee));
            Assert.Equal(new Msat(100_000 * (i + 1)), part.Amount);
            // Nobody else is in it.
            Assert.All(payees.Where(p => p != payees[i]), other => Assert.Equal(-1, statement.AsSpan().IndexOf(Bytes(other))));
            var seen = Entry.Read(record, first + i);
            Assert.Equal((first + i, i, part.Payee, part.Salt), (seen.Sequence, seen.Part, seen.Payee, seen.Salt));
            Assert.Equal(new HistoryLink(LinkBefore(payees[i]), part.Amount), seen.Second);
        }
        Assert.Equal(3, Enumerable.Range(0, 3).Select(i => Entry.Read(record, first + i).Salt).Distinct().Count());
        Assert.Throws<ArgumentOutOfRangeException>(() => Entry.StatementOf(record, first - 1).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => Entry.StatementOf(record, first + 3).ToArray());

        static byte[] Bytes(string wallet)
        {
            var bytes = new byte[WalletId.Bytes];
            RuleTable.Wallet(wallet).Write(bytes);
            return bytes;
        }

        // The entry that made the wallet: the second, third and fourth of the table.
        static long LinkBefore(string wallet) => wallet switch { "b" => 2, "c" => 3, _ => 4 };
    }

    [Fact]
    public void A_part_without_a_salt_is_a_callers_mistake_and_changes_nothing()
    {
        var book = RuleTable.Run(TransferRules.Funded).Book;
        SplitPart Part(string payee, UInt128 salt) => new(RuleTable.Wallet(payee), new Msat(1), 0, ByteString.Empty, salt);
        var id = OperationId.Create(Book.Start, 99);
        Assert.Throws<LedgerInvariantException>(() => book.Apply(new Split(id, RuleTable.Wallet("a"), [Part("b", 0), Part("c", 0)]), 1));
        Assert.Equal(new Msat(1_000_000), book.Ledger.FindWallet(RuleTable.Wallet("a"))!.Value.Available);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Split(id, RuleTable.Wallet("a"), []));
    }

    [Fact]
    public void The_largest_split_is_written_and_replayed()
    {
        var book = RuleTable.Run(TransferRules.Funded).Book;
        var reference = new ByteString(new byte[Limits.ReferenceBytesMax]);
        for (var i = 0; i < Limits.SplitPayeesMax; i++)
            book.Apply(new CreateWallet(OperationId.Create(Book.Start, (UInt128)(1_000 + i)), 1, new WalletId((UInt128)(5_000 + i))), 1);
        SplitPart[] parts = [.. Enumerable.Range(0, Limits.SplitPayeesMax).Select(i =>
            new SplitPart(new WalletId((UInt128)(5_000 + i)), new Msat(1 + i), uint.MaxValue, reference, (UInt128)(i + 1)))];
        var split = new Split(OperationId.Create(Book.Start, 1), RuleTable.Wallet("a"), parts);
        var result = book.Apply(split, 1);
        Assert.Equal((Outcome.Accepted, Limits.SplitPayeesMax), (result.Outcome, result.Sequences));
        var refused = new Split(OperationId.Create(Book.Start, 2), RuleTable.Wallet("b"), [parts[^1] with { Amount = new Msat(Limits.SupplyMsatMax) }, .. parts[..^1]]);
        Assert.Equal((Outcome.InsufficientFunds, 1), (book.Apply(refused, 1).Outcome, Entry.SequencesOf(book.Records[^1]).Count));
        Assert.Equal(book.Ledger.StateHash(), Book.Replay(book.Records).StateHash());
    }

    [Fact]
    public void Salts_are_no_part_of_a_splits_terms_and_everything_else_is()
    {
        SplitPart[] parts = [new(RuleTable.Wallet("b"), new Msat(1), 7, ByteString.FromUtf8("r"), 1), new(RuleTable.Wallet("c"), new Msat(2), 7, ByteString.Empty, 2)];
        Split With(params SplitPart[] other) => new(default, RuleTable.Wallet("a"), other);
        var split = With(parts);
        Assert.True(split.HasSameTerms(With(parts[0] with { Salt = 8 }, parts[1] with { Salt = 9 })));
        Assert.False(split.HasSameTerms(With(parts[0])));
        Assert.False(split.HasSameTerms(With(parts[1], parts[0])));
        Assert.False(split.HasSameTerms(With(parts[0] with { Amount = new Msat(3) }, parts[1])));
        Assert.False(split.HasSameTerms(With(parts[0] with { Code = 8 }, parts[1])));
        Assert.False(split.HasSameTerms(With(parts[0] with { Payee = RuleTable.Wallet("x") }, parts[1])));
        Assert.False(split.HasSameTerms(With(parts[0] with { Reference = ByteString.Empty }, parts[1])));
    }
}
