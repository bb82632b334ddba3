// A throw in the middle of Apply would leave memory ahead of the journal. What a command carries from outside is
// therefore bounded before there is a command at all.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class BoundRules
{
    private static ByteString Bytes(int length) => new(new byte[length]);

    public static TheoryData<string, int> Bounds => new()
    {
        { "reference", Limits.ReferenceBytesMax },
        { "address", Limits.ScriptBytesMax },
        { "withdrawal", Limits.ScriptBytesMax },
        { "deposit", Limits.ScriptBytesMax },
        { "anchor", Limits.ScriptBytesMax },
        { "origin", Limits.OriginBytesMax },
        { "keys", Limits.KeysMax },
        { "partitions", Limits.PartitionsMax },
        { "transaction", Limits.SignedTransactionBytesMax },
        { "attempt", ushort.MaxValue },
        { "withdrawals", Limits.FamilyWithdrawalsMax },
        { "partitions cut", Limits.PartitionsMax },
        { "header", Limits.BlockHeaderBytes },
        { "siblings", Limits.MerkleSiblingsMax },
        { "parts", Limits.SplitPayeesMax },
        { "part's reference", Limits.ReferenceBytesMax },
        { "hold's reference", Limits.ReferenceBytesMax },
    };

    private static Command With(string field, int size) => field switch
    {
        "reference" => new Transfer(default, default, default, default, 0, Bytes(size)),
        "address" => new AssignAddress(default, default, AddressPurpose.Deposit, Bytes(size)),
        "withdrawal" => new RequestWithdrawal(default, default, Bytes(size), default, Max: false),
        "deposit" => new ChangeDeposit(default, DepositState.Seen, false, Bytes(size), default, default, 0),
        "anchor" => new Genesis("o", 1, 1, Book.Operator, Bytes(size), []),
        "origin" => new Genesis(new string('o', size), 1, 1, Book.Operator, Bytes(1), []),
        "keys" => new Genesis("o", 1, 1, Book.Operator, Bytes(1), new KeyFingerprint[size]),
        "partitions" => new Genesis("o", 1, size, Book.Operator, Bytes(1), []),
        "transaction" => new SignAttempt(1, 1, default, default, Bytes(size)),
        "attempt" => new SignAttempt(1, size, default, default, default),
        "withdrawals" => new OpenFamily(1, default, null, new WithdrawalKey[size]),
        "partitions cut" => new LogCut(1, new long[size]),
        "header" => new ConfirmFamily(1, 1, 1, default, Bytes(size), 0, []),
        "siblings" => new ConfirmFamily(1, 1, 1, default, default, 0, new Hash256[size]),
        "parts" => new Split(default, default, [.. Enumerable.Repeat(new SplitPart(default, default, 0, Bytes(Limits.ReferenceBytesMax), 0), size)]),
        "part's reference" => new Split(default, default, [new SplitPart(default, default, 0, Bytes(size), 0)]),
        "hold's reference" => new PlaceHold(default, default, default, default, 0, Bytes(size), default),
        _ => throw new ArgumentOutOfRangeException(nameof(field)),
    };

    [Theory]
    [MemberData(nameof(Bounds))]
    public void A_command_that_would_not_fit_its_entry_cannot_be_made(string field, int max)
    {
        var largest = With(field, max);
        var record = new byte[Limits.RecordBytesMax];
        var writer = new ByteWriter(record);
        largest.WriteBody(ref writer);
        largest.WritePrivate(ref writer);
        Assert.ThrowsAny<ArgumentException>(() => With(field, max + 1));
    }

    [Fact]
    public void A_command_does_not_change_with_the_list_it_was_made_from()
    {
        var keys = new List<WithdrawalKey> { new(Book.Operator, default) };
        var family = new OpenFamily(1, default, null, keys);
        keys.Clear();
        Assert.Single(family.Withdrawals);
    }

    [Fact]
    public void The_largest_commands_are_written_and_replayed()
    {
        var rules = RuleTable.Run(WithdrawalRules.Funded);
        var book = rules.Book;
        var (a, b) = (RuleTable.Wallet("a"), RuleTable.Wallet("b"));
        Assert.Equal(Outcome.Accepted, book.Apply(new Transfer(rules.Id("1"), a, b, new Msat(1), uint.MaxValue, Bytes(Limits.ReferenceBytesMax)), 1).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(new AssignAddress(rules.Id("2"), a, AddressPurpose.Deposit, Bytes(Limits.ScriptBytesMax)), 1).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(new OpenFamily(1, new Sats(10), new AnchorTerms(long.MaxValue, long.MaxValue, default), []), 0).Outcome);
        Assert.Equal(Outcome.Accepted, book.Apply(new SignAttempt(1, 1, default, new Sats(1), Bytes(Limits.SignedTransactionBytesMax), uint.MaxValue), 0).Outcome);
        var path = new Hash256[Limits.MerkleSiblingsMax];
        Assert.Equal(Outcome.Accepted, book.Apply(new ConfirmFamily(1, 1, uint.MaxValue, default, Bytes(80), uint.MaxValue, path), 0).Outcome);
        Assert.Equal(book.Ledger.StateHash(), Book.Replay(book.Records).StateHash());
    }

    [Fact]
    public void A_family_of_the_largest_size_is_written_and_paid()
    {
        var rules = RuleTable.Run(WithdrawalRules.Funded);
        var book = rules.Book;
        book.Apply(new ChangeDeposit(RuleTable.Output("big"), DepositState.Credited, false, RuleTable.Script("A"), new Sats(10_000_000), default, 1), 0);
        var a = RuleTable.Wallet("a");
        var keys = new List<WithdrawalKey>();
        for (var i = 0; i < 40; i++)
        {
            var id = OperationId.Create(Book.Start, (UInt128)(1_000 + i));
            Assert.Equal(Outcome.Accepted, book.Apply(new RequestWithdrawal(id, a, RuleTable.Script("S"), new Sats(1_000), Max: false), 1).Outcome);
            keys.Add(new WithdrawalKey(a, id));
        }
        Assert.Equal(Outcome.Accepted, book.Apply(new OpenFamily(1, new Sats(100), null, keys), 0).Outcome);
        rules.Continue("""
            sign 1 1 fee 100     Accepted
            confirm 1 1 B        Accepted
            finish 1             Accepted     a 9961000, op 4900
            """);
    }
}
