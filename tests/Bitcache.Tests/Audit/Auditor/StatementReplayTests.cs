using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Tests.Ledgers;
using LedgerState = Bitcache.Core.Ledger;

namespace Bitcache.Tests.Audit.Auditor;

[Trait("suite", "core")]
public sealed class StatementReplayTests
{
    private static readonly Pins Pins = new(VerifierKey.FromSeed("bitcache.example/test", SampleOperator.KeySeed), Book.AnchorScript.Span.ToArray(), null, BitcoinNetwork.Regtest);

    [Holds(MaxTest = 40, StartSize = 20)]
    public void Of_any_journal_the_statements_alone_give_the_balances_of_the_ledger(Story story) => Check(StoryRun.Journal(story).Records);

    /// <summary>A replay that is kept and gone on with, at any places, ends as the one that was never interrupted.</summary>
    [Holds(MaxTest = 40, StartSize = 20)]
    public void Of_any_journal_a_replay_that_is_kept_goes_on_as_if_it_had_not_stopped(Story story) => CheckKept(StoryRun.Journal(story).Records);

    [Fact]
    public void Of_several_partitions_a_replay_is_kept_at_any_place()
    {
        var statements = new[] { 0, 1 }.SelectMany(number => GoldenJournal.Split(GoldenPartitions.Read(number))).SelectMany(StatementsIn).ToArray();
        // The first partition is epochs ahead of the other in the middle: what it did meanwhile waits.
        var whole = new KeptRun();
        foreach (var statement in statements) whole.Feed(statement);
        Assert.NotEmpty(whole.Cuts);
        for (var place = 0; place < statements.Length; place++)
        {
            var run = new KeptRun();
            for (var i = 0; i < statements.Length; i++)
            {
                if (i == place) run.KeepAndGoOn();
                run.Feed(statements[i]);
            }
            run.AssertSame(whole);
        }
    }

    /// <summary>Whose partition's part comes first in a cut of the log says nothing of what happened first; a partition may be an
    /// epoch ahead.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void Of_several_partitions_balances_are_those_of_one_moment_in_whatever_order_the_log_has_them(int first, int second)
    {
        var (ledgers, scratch, index) = (new[] { new LedgerState(0) { KeepsBalances = true }, new LedgerState(1) { KeepsBalances = true } }, new byte[Limits.RecordBytesMax], 0L);
        var cuts = new List<CutBalances>();
        var replay = new StatementReplay(Pins) { WhenCut = cuts.Add };
        void Feed(ReadOnlySpan<byte> record)
        {
            for (var i = 0; i < Entry.CountOf(record); i++) Assert.True(replay.Apply(index, Entry.StatementOf(record, Entry.SequencesOf(record).First + i)));
            index++;
        }
        foreach (var number in new[] { first, second })
        {
            foreach (var record in GoldenJournal.Split(GoldenPartitions.Read(number)))
            {
                ledgers[number].Replay(record, scratch);
                Feed(record);
            }
        }
        foreach (var ledger in ledgers)
        {
            var cut = ledger.Apply(new EpochCut(default, ledger.LastEpoch!.Number + 1), new ApplyContext(ledger.Time, LedgerState.OperatorTenant, 1, ClockTrusted: true, IsReplay: true), scratch);
            Feed(scratch.AsSpan(0, cut.BytesWritten));
        }
        var (last, kept) = (cuts[^1], ledgers.Select(l => l.Balances[^1]).ToArray());
        Assert.Equal([1, 2], cuts.Select(c => c.Epoch));
        var total = Totals.Sum(kept.Select(k => k.Totals));
        // What is on its way is owed to whom it is sent.
        Assert.True(total.FromPartitions < 0);
        Assert.Equal(total.Liabilities - total.FromPartitions, last.Balances.Sum(b => b.Value) + last.Operators + last.Suspense);
        var found = BalancesOf(last);
        foreach (var wallet in kept.SelectMany(k => Enumerable.Range(0, k.WalletCount).Select(i => k[i])).Where(w => w.Id != last.Operator))
            Assert.True(found.GetValueOrDefault(wallet.Id) >= (wallet.Available + wallet.Held + wallet.Frozen).Value, $"{wallet.Id}");
    }

    private static void CheckKept(IReadOnlyList<byte[]> records)
    {
        var (whole, parts, statements) = (new KeptRun(), new KeptRun(), records.SelectMany(StatementsIn).ToArray());
        for (var i = 0; i < statements.Length; i++)
        {
            whole.Feed(statements[i]);
            if (i % 7 == 3) parts.KeepAndGoOn();
            parts.Feed(statements[i]);
        }
        parts.AssertSame(whole);
    }

    private static IEnumerable<byte[]> StatementsIn(byte[] record) =>
        Enumerable.Range(0, Entry.CountOf(record)).Select(i => Entry.StatementOf(record, Entry.SequencesOf(record).First + i).ToArray());

    private static Dictionary<WalletId, long> BalancesOf(CutBalances cut) =>
        cut.Balances.ToDictionary(b => b.Wallet, b => b.Value);

    /// <summary>A replay, and what it came to.</summary>
    private sealed class KeptRun
    {
        private StatementReplay _replay;
        private long _index;

        public KeptRun() => _replay = new StatementReplay(Pins) { WhenCut = Cuts.Add };

        public List<CutBalances> Cuts { get; } = [];

        public void Feed(byte[] statement) => Assert.True(_replay.Apply(_index++, statement));

        public void KeepAndGoOn()
        {
            if (_index == 0) return;
            var file = Bytes();
            _replay = new StatementReplay(Pins) { WhenCut = Cuts.Add };
            var reader = new StateReader(() =>
            {
                var piece = file;
                file = [];
                return piece;
            });
            _replay.Read(reader);
            reader.Finish();
        }

        public void AssertSame(KeptRun other)
        {
            Assert.Equal(other.Bytes(), Bytes());
            Assert.Equal(other.Cuts.Select(BalancesOf), Cuts.Select(BalancesOf));
            Assert.Equal(other.Cuts.Select(c => (c.Epoch, c.LastCut, c.Operators, c.Suspense, c.Families.Count)), Cuts.Select(c => (c.Epoch, c.LastCut, c.Operators, c.Suspense, c.Families.Count)));
        }

        private byte[] Bytes()
        {
            var bytes = new List<byte>();
            using var writer = new StateWriter(piece => bytes.AddRange(piece));
            _replay.Write(writer);
            writer.Finish();
            return [.. bytes];
        }
    }

    private static void Check(IReadOnlyList<byte[]> records)
    {
        var (ledger, scratch, index) = (new LedgerState(0) { KeepsBalances = true }, new byte[Limits.RecordBytesMax], 0L);
        CutBalances? cut = null;
        var replay = new StatementReplay(Pins) { WhenCut = balances => cut = balances };
        void Feed(byte[] record)
        {
            for (var i = 0; i < Entry.CountOf(record); i++) Assert.True(replay.Apply(index, Entry.StatementOf(record, index++)));
            if (cut is not null) Compare(ledger, cut);
            cut = null;
        }
        foreach (var record in records)
        {
            ledger.Replay(record, scratch);
            Feed(record);
        }
        var last = ledger.Apply(new EpochCut(default, (ledger.LastEpoch?.Number ?? 0) + 1), new ApplyContext(ledger.Time, LedgerState.OperatorTenant, 1, ClockTrusted: true, IsReplay: true), scratch);
        Feed(scratch.AsSpan(0, last.BytesWritten).ToArray());
    }

    private static void Compare(LedgerState ledger, CutBalances cut)
    {
        var kept = ledger.FindBalances(cut.Epoch)!;
        var expected = new Dictionary<WalletId, long>();
        for (var i = 0; i < kept.WalletCount; i++)
        {
            if ((kept[i].Available + kept[i].Held + kept[i].Frozen).Value is > 0 and var value) expected.Add(kept[i].Id, value);
        }
        var found = BalancesOf(cut);
        if (cut.Operators > 0) found.Add(cut.Operator, cut.Operators);
        Assert.Equal(expected, found);
        Assert.Equal(kept.Totals.Suspense, cut.Suspense);
    }
}
