// The journals of a ledger of two partitions, as bytes in the repository (Golden/README.md): every type of entry that
// may send a credit to another partition, and what arrives there. They end with credits on their way in both directions.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class GoldenPartitions
{
    private static readonly string[] StateHashes =
    [
        "995dcd963ff4f0c662dcf70d47f764c93aa5bd8863262e4653dc4b5a809e4af5",
        "7a188482707f6981b45b5eb7c3a477fdf32d3f80aa80418de98faf83cfda7faf",
    ];

    public static TheoryData<int> Partitions => [0, 1];

    [Theory]
    [MemberData(nameof(Partitions))]
    public void The_journals_replay_to_the_state_that_they_had(int partition) =>
        Assert.Equal(StateHashes[partition], Book.Replay(GoldenJournal.Split(Read(partition)), partition).StateHash().ToString());

    [Fact]
    public void Every_type_of_entry_between_partitions_is_in_them()
    {
        var entries = Partitions.SelectMany(partition => GoldenJournal.Split(Read(partition))).SelectMany(Statements).ToList();
        EntryType[] between = [EntryType.LegReceived, EntryType.LegsAcknowledged, EntryType.OperatorFundsMoved];
        Assert.Superset(between.ToHashSet(), entries.Select(e => e.Type).ToHashSet());
        EntryType[] senders =
        [
            EntryType.Transfer, EntryType.WithdrawalSettledInside, EntryType.HoldCaptured, EntryType.PaymentRefunded, EntryType.TransferUpTo,
            EntryType.TransferCharged, EntryType.SplitPaid, EntryType.OperatorFundsMoved,
        ];
        Assert.Equal(senders.Order(), entries.Where(e => e.Leg is not null).Select(e => e.Type).Distinct().Order());
    }

    [Theory]
    [MemberData(nameof(Partitions))]
    public void The_same_commands_still_make_the_same_bytes(int partition)
    {
        var books = Play();
        byte[] made = [.. books.RecordsOf(partition).SelectMany(record => record)];
        // For a new version only; see the README beside the files. An existing file is never written to.
        if (Environment.GetEnvironmentVariable("BITCACHE_NEW_GOLDEN_PARTITIONS") is { Length: > 0 } folder)
        {
            using var file = new FileStream(Path.Combine(folder, NameOf(partition)), FileMode.CreateNew);
            file.Write(made);
        }
        Assert.Equal(Convert.ToHexString(Read(partition)), Convert.ToHexString(made));
        Assert.True(books.SentBy(partition).Count > 0);
        books.Check();
    }

    private static Books Play()
    {
        var books = new Books(2);
        var (a, b, x) = (books.Open(0, 1, sat: 5_000), books.Open(1, 1, sat: 5_000), books.Open(1, 2, tenant: Books.Other));
        books.Deposit(0, books.Operator, 9_000, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        var (paid, captured, hold, split) = (books.NewId(), books.NewId(), books.NewId(), books.NewId());
        var transfer = books.Transfer(a, b, 250_000, paid).Sequence;
        books.Transfer(b, a, 9_000_000);
        books.Hold(a, x, 700_000, hold);
        var capture = books.OnHold(PaymentKind.Capture, a, x, hold, 300_000, tenant: Books.Other, id: captured).Sequence;
        books.OnHold(PaymentKind.Capture, a, x, hold, 100_000, close: true);
        books.Split(a, split, (books.Operator, 1_000), (b, 2_000), (x, 3_000));
        books.DeliverAll();
        books.Acknowledge(0, 1);
        books.Refund(b, a, paid, transfer, 200_000);
        books.Refund(x, a, captured, capture, 300_000, Books.Other);
        books.Withdraw(a, books.AssignScript(1, b), 600);
        books.Withdraw(b, books.AssignScript(0, books.Operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant), 400);
        books.Apply(0, new EpochCut(books.NewId(), 1), Ledger.OperatorTenant);
        books.Apply(0, new MoveOperatorFunds(books.NewId(), books.Operator, 1, Books.FeeCap), Ledger.OperatorTenant);
        books.DeliverAll();
        books.Acknowledge(1, 0);
        for (var number = 0; number < 2; number++) books.Apply(number, new SetFees(books.NewId(), Books.Shop, new FeeSchedule(new Msat(5), 100, Msat.Zero)), Ledger.OperatorTenant);
        books.Transfer(a, x, 12_345);
        books.Transfer(b, a, 100_000_000, flags: PaymentFlags.UpTo);
        var open = books.NewId();
        books.Hold(a, x, 20_000, open);
        books.OnHold(PaymentKind.Capture, a, x, open, 4_000, tenant: Books.Other);
        return books;
    }

    /// <summary>A record as each of its statements shows it: of a split some parts may be far.</summary>
    private static IEnumerable<Entry> Statements(byte[] record)
    {
        var (first, count) = Entry.SequencesOf(record);
        for (var at = first; at < first + count; at++) yield return Entry.Read(record, at);
    }

    internal static byte[] Read(int partition) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", NameOf(partition)));

    private static string NameOf(int partition) => $"ledger-v3-p{partition}.golden";
}
