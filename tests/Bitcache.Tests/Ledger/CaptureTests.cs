// Goal: a capture is the state of one moment, whatever happens to the ledger afterwards, and a ledger that is built
// from it goes on as the one that it was taken of (P13). Method: captures at random moments of random stories, written
// only when the ledger has long gone on.

using Bitcache.Core;
using FsCheck.Fluent;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class CaptureTests
{
    private const int Runs = 60;

    [Fact]
    public void A_capture_stays_as_it_was_and_goes_on_like_the_ledger() => Hold(releaseEarly: false);

    [Fact]
    public void A_capture_that_is_not_copied_before_a_write_is_found() =>
        Assert.Throws<Xunit.Sdk.XunitException>(() => Hold(releaseEarly: true));

    private static void Hold(bool releaseEarly) => Property.Holds(
        from story in Op.StoriesOf(300) from seed in Property.AnySeed select (story, seed),
        run => Check(StoryRun.Journal(run.story).Records, new Random(run.seed), releaseEarly),
        Runs);

    private sealed record Held(LedgerCapture Capture, Hash256 Hash, int Next);

    private static void Check(List<byte[]> records, Random random, bool releaseEarly)
    {
        var scratch = new byte[Limits.RecordBytesMax];
        var ledger = new Ledger(0, 7);
        var followers = new List<Ledger>();
        Held? held = null;
        for (var next = 1; next <= records.Count; next++)
        {
            var record = records[next - 1];
            ledger.Replay(record, scratch);
            foreach (var follower in followers) follower.Replay(record, scratch);
            if (random.Next(10) != 0) continue;
            if (held is not { } was)
            {
                held = new Held(ledger.Capture(), ledger.StateHash(), next);
                if (releaseEarly) ledger.Release(held.Capture);
            }
            else
            {
                var kept = KeptState.Of(was.Capture);
                if (!releaseEarly) ledger.Release(was.Capture);
                held = null;
                Assert.Equal(was.Hash, kept.Hash);
                var loaded = kept.Load();
                Assert.Equal(was.Capture.NextSequence, loaded.NextSequence);
                foreach (var later in records[was.Next..next]) loaded.Replay(later, scratch);
                if (followers.Count < 3) followers.Add(loaded);
                Assert.Equal(ledger.StateHash(), loaded.StateHash());
            }
        }
        foreach (var follower in followers) Assert.Equal(ledger.StateHash(), follower.StateHash());
    }

    [Fact]
    public void Reading_copies_nothing_while_the_state_is_held()
    {
        // Enough to fill what the table took from the system: a copy would take more.
        const int Wallets = 4_096 * 32;
        var book = RuleTable.Run(TransferRules.Funded).Book;
        var scratch = new byte[Limits.RecordBytesMax];
        var context = new ApplyContext(book.Now, 1, 5, ClockTrusted: true);
        for (var i = 1; book.Ledger.WalletCount < Wallets; i++)
        {
            var made = book.Ledger.Apply(new CreateWallet(OperationId.Create(book.Now, (UInt128)(1_000_000 + i)), 1, new WalletId(((UInt128)7 << 64) | (uint)i)), context, scratch);
            Assert.Equal(Outcome.Accepted, made.Outcome);
        }
        var capture = book.Ledger.Capture();
        var before = book.Ledger.MemoryBytes.Wallets;
        for (var i = 1; i < Wallets; i += 16)
        {
            var wallet = new WalletId(((UInt128)7 << 64) | (uint)i);
            book.Ledger.FindWallet(wallet);
            book.Ledger.LimitsOf(wallet);
        }
        _ = book.Ledger.OperatorWallet;
        Assert.Equal(before, book.Ledger.MemoryBytes.Wallets);
        book.Ledger.Release(capture);
    }

    [Fact]
    public void The_golden_journal_is_kept_and_brought_back_at_every_entry()
    {
        var scratch = new byte[Limits.RecordBytesMax];
        var records = GoldenJournal.Read();
        var ledger = new Ledger(0);
        for (var i = 0; i < records.Count; i++)
        {
            ledger.Replay(records[i], scratch);
            var loaded = KeptState.Of(ledger).Load();
            foreach (var later in records[(i + 1)..]) loaded.Replay(later, scratch);
            Assert.Equal(Book.Replay(records).StateHash(), loaded.StateHash());
        }
    }

    [Fact]
    public void A_snapshot_without_the_ids_is_found()
    {
        var book = RuleTable.Run(TransferRules.Funded).Book;
        Pay(book, 10);
        var kept = KeptState.Of(book.Ledger);
        // Sections begin with their number and their rows: without rows the ids are gone, and all else is as it was.
        var state = kept.Pieces.Single();
        var ids = SectionAt(state, 3, from: 0);
        var forEver = SectionAt(state, 4, ids);
        byte[] without = [.. state[..ids], 0, 3, .. new byte[sizeof(long)], .. state[forEver..]];
        var loaded = new KeptState(default, [without]).Load();
        Assert.True(loaded.WindowIds < kept.Load().WindowIds);
        Assert.NotEqual(kept.Hash, loaded.StateHash());
    }

    /// <summary>Where a section begins: its number in two bytes, and a small number of rows in eight.</summary>
    private static int SectionAt(byte[] state, byte number, int from) => from + state.AsSpan(from).IndexOf((byte[])[0, number, 0, 0, 0, 0, 0, 0, 0]);

    [Fact]
    public void A_capture_of_many_ids_leaves_out_those_that_came_later_and_keeps_those_that_went()
    {
        const int Payments = 20_000;
        var book = RuleTable.Run(TransferRules.Funded).Book;
        Pay(book, Payments);
        var (capture, hash) = (book.Ledger.Capture(), book.Ledger.StateHash());
        book.Wait(2 * Limits.WindowMillisecondsMin);
        Assert.Equal(Outcome.Accepted, book.Apply(new RaiseFloor(book.Now), Ledger.OperatorTenant).Outcome);
        Pay(book, Payments);
        var kept = KeptState.Of(capture);
        book.Ledger.Release(capture);
        Assert.Equal(hash, kept.Hash);
        Assert.True(kept.Load().WindowIds > Payments && book.Ledger.WindowIds > Payments);
    }

    [Fact]
    public void Pieces_that_are_changed_missing_or_doubled_are_refused_or_have_another_hash()
    {
        var kept = KeptState.Of(Book.Replay(GoldenJournal.Read()));
        var state = kept.Pieces.Single();
        for (var at = 0; at < state.Length; at++)
        {
            var changed = state.ToArray();
            changed[at] ^= (byte)(1 << (at % 8));
            Assert.NotEqual(kept.Hash, TryLoad([changed]));
            Assert.Null(TryLoad([state[..at]]));
        }
        Assert.Null(TryLoad([state, state]));
    }

    /// <summary>The hash of what was loaded; null if it was refused.</summary>
    private static Hash256? TryLoad(byte[][] pieces)
    {
        try
        {
            return new KeptState(default, pieces).Load().StateHash();
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static void Pay(Book book, int payments)
    {
        var scratch = new byte[Limits.RecordBytesMax];
        for (var i = 0; i < payments; i++)
        {
            var payment = new Payment
            {
                Kind = PaymentKind.Transfer,
                Id = OperationId.Create(book.Now, (UInt128)(1_000_000 + i)),
                Payer = RuleTable.Wallet("a"),
                Payee = RuleTable.Wallet("b"),
                Amount = new Msat(1),
            };
            Assert.Equal(Outcome.Accepted, book.Ledger.Apply(payment, new ApplyContext(book.Now, 1, 0, ClockTrusted: true), scratch).Outcome);
        }
    }
}
