// Entries about a withdrawal that no ledger makes one after the other: each could have been made, but not behind these.

using System.Buffers.Binary;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Tests.Ledgers;

namespace Bitcache.Tests.Audit.Auditor;

[Trait("suite", "core")]
public sealed class WithdrawalReplayTests
{
    private static readonly Pins Pins = new(VerifierKey.FromSeed("bitcache.example/test", SampleOperator.KeySeed), Book.AnchorScript.Span.ToArray(), null, BitcoinNetwork.Regtest);
    private static readonly WalletId Payer = new(0xa1);
    private static readonly OperationId Withdrawal = OperationId.Create(Book.Start, 77);

    private static readonly Command Open = new OpenFamily(1, new Sats(100), null, [new WithdrawalKey(Payer, Withdrawal)]);
    private static readonly Command Again = new OpenFamily(2, new Sats(100), null, [new WithdrawalKey(Payer, Withdrawal)]);
    private static readonly Command Abandon = new AbandonFamily(1);
    private static readonly Command Cancel = new CancelWithdrawal(Withdrawal, Payer);

    public static TheoryData<string> Lies => ["open cancel", "open again", "cancel open", "cancel cancel", "abandon"];

    [Fact]
    public void What_a_ledger_makes_is_possible()
    {
        var replay = Begin(out var book, out var index);
        foreach (var command in (Command[])[Open, Abandon, Again, new AbandonFamily(2), Cancel]) Feed(replay, ref index, Make(book, command), book.Ledger.NextSequence - 1);
    }

    /// <param name="story">What is done with the withdrawal: the last of it is impossible, and was made by a ledger in which it was not.</param>
    [Theory]
    [MemberData(nameof(Lies))]
    public void What_cannot_follow_is_refused(string story)
    {
        var replay = Begin(out var book, out var index);
        var words = story.Split(' ');
        foreach (var word in words[..^1]) Feed(replay, ref index, Make(book, CommandOf(word)), index);
        // Another ledger, in which it can be made.
        _ = Begin(out var other, out _);
        if (words[^1] is "abandon" or "again") Make(other, Open);
        if (words[^1] == "again") Make(other, Abandon);
        var statement = Make(other, CommandOf(words[^1]));
        Assert.Throws<ImpossibleEntryException>(() => Feed(replay, ref index, statement, index));
    }

    private static Command CommandOf(string word) => word switch
    {
        "open" => Open,
        "again" => Again,
        "abandon" => Abandon,
        "cancel" => Cancel,
        _ => throw new ArgumentException(word),
    };

    /// <summary>A ledger with a withdrawal that waits, and the replay of it.</summary>
    private static StatementReplay Begin(out Book book, out long index)
    {
        book = new Book(Checks.None);
        (var replay, index) = (new StatementReplay(Pins), 0);
        foreach (var (owner, purpose, sats) in new[] { (Book.Operator, AddressPurpose.OperatorTopUp, 1_000L), (Payer, AddressPurpose.Deposit, 50_000L) })
        {
            if (owner == Payer) Make(book, new CreateWallet(OperationId.Create(Book.Start, 1), Books.Shop, Payer));
            var script = SampleOperator.Script($"address of {owner}");
            Make(book, new AssignAddress(OperationId.Create(Book.Start, (ulong)sats), owner, purpose, script));
            Make(book, new ChangeDeposit(new OutPoint(new Txid(new Hash256(7, (ulong)sats)), 0), DepositState.Credited, false, script, new Sats(sats), new BlockHash(new Hash256(1, 1)), 7));
        }
        Make(book, new RequestWithdrawal(Withdrawal, Payer, SampleOperator.Script("payout"), new Sats(20_000), false));
        foreach (var record in book.Records) Feed(replay, ref index, Entry.StatementOf(record).ToArray(), index);
        return replay;
    }

    private static byte[] Make(Book book, Command command)
    {
        var tenant = command is ClientCommand { Owner: var owner } && owner != Book.Operator ? Books.Shop : Ledger.OperatorTenant;
        Assert.Equal(Outcome.Accepted, book.Apply(command, tenant).Outcome);
        return Entry.StatementOf(book.Records[^1]).ToArray();
    }

    /// <summary>The next entry of the log, whatever number it was made with.</summary>
    private static void Feed(StatementReplay replay, ref long index, byte[] statement, long sequence)
    {
        BinaryPrimitives.WriteInt64BigEndian(statement.AsSpan(4), sequence);
        Assert.True(replay.Apply(index++, statement));
    }
}
