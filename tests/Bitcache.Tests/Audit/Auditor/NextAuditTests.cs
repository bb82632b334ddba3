// Audits with the entries, one after the other as a log grows: each goes on with what the last one kept, and comes to what an audit
// of everything comes to.

using System.Buffers.Binary;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Auditor;

[Trait("suite", "core")]
public sealed class NextAuditTests
{
    private const int AmountInTransfer = Entry.StatementHeaderBytes + (3 * 16);
    private const string GoesOn = "the replay goes on behind";
    private const string FromTheFirst = "every entry is replayed from the first one on";

    /// <summary>What an audit kept, as it comes back from a disk.</summary>
    private sealed record Kept(AuditState State, byte[]? Replay)
    {
        public static Kept? From(AuditReport report, Kept? last = null)
        {
            if (report.Next is not { } next) return null;
            var file = last?.Replay;
            if (report.Replay is { } replay)
            {
                var bytes = new List<byte>();
                next = next with { Replay = replay.Write(piece => bytes.AddRange(piece)) };
                file = [.. bytes];
            }
            Assert.True(AuditState.TryParse(next.Write(), out var state, out var refusal), refusal);
            return new Kept(state, file);
        }
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Audits_of_a_growing_log_come_to_what_one_audit_of_all_of_it_comes_to(int seed)
    {
        var by = SampleOperator.Run(seed: seed);
        var random = new Random(seed);
        Kept? last = null;
        // Anywhere: in the middle of an epoch, and between a cut and what is stated about it.
        foreach (var size in SizesOf(by, random).Append(by.Log.Size))
        {
            var export = SampleExport.Of(by, size: size);
            if (last is not null) Forget(export, last);
            var report = Audit(export, last);
            Assert.True(report.Holds, report.Finding?.Text);
            Assert.Equal(last is not null, Says(report, GoesOn));
            last = Kept.From(report);
        }
        var whole = Kept.From(Audit(SampleExport.Of(by), null))!;
        Assert.Equal(whole.State.Write(), last!.State.Write());
        Assert.Equal(whole.Replay, last.Replay);
    }

    public static TheoryData<string> Lies => ["amount", "impossible", "dropped", "left out", "less", "operator", "twice", "withheld"];

    [Theory]
    [MemberData(nameof(Lies))]
    public void A_lie_in_what_is_new_is_found_as_by_an_audit_of_everything(string name)
    {
        for (var seed = 1; seed <= 4; seed++)
        {
            var by = SampleOperator.Run(Lie(name, from: SampleOperator.Run(seed: seed).Epochs[1].Index + 12), seed: seed);
            int? epochs = name == "withheld" ? 2 : null;
            var whole = Audit(SampleExport.Of(by, epochs), null);
            Assert.NotNull(whole.Finding);
            Kept? last = null;
            foreach (var size in new[] { by.Epochs[0].Index, by.Epochs[0].Index + 3, by.Epochs[1].Index + 5 }) last = Kept.From(Audit(SampleExport.Of(by, size: size), last));
            var export = SampleExport.Of(by, epochs);
            Forget(export, last!);
            var report = Audit(export, last);
            Assert.True(Says(report, GoesOn));
            Assert.Equal((whole.Finding.Code, whole.Finding.Text), (report.Finding?.Code, report.Finding?.Text));
            Assert.Null(report.Replay);
        }
    }

    [Fact]
    public void An_entry_that_was_altered_in_what_is_new_is_found()
    {
        var by = SampleOperator.Run();
        var last = Kept.From(Audit(SampleExport.Of(by, size: 150), null));
        var export = SampleExport.Of(by);
        var bundle = LogTile.Between(0, by.Log.Size).Last(tile => tile.Level == 0).Bundle.ToString();
        export.Auditors[bundle][20] ^= 1;
        Assert.Equal(AuditFinding.CodeOf(AuditFault.EntryAltered), Audit(export, last).Finding?.Code);
    }

    [Fact]
    public void A_replay_that_is_damaged_another_ones_or_gone_is_not_gone_on_with()
    {
        var by = SampleOperator.Run(seed: 1);
        var last = Kept.From(Audit(SampleExport.Of(by, size: 300), null))!;
        var whole = Kept.From(Audit(SampleExport.Of(by), null))!;
        var other = Kept.From(Audit(SampleExport.Of(SampleOperator.Run(seed: 2), size: 300), null))!;
        byte[] damaged = [.. last.Replay!];
        damaged[damaged.Length / 2] ^= 1;
        foreach (var replay in new[] { damaged, last.Replay![..^1], other.Replay, null })
        {
            var report = Audit(SampleExport.Of(by), last with { Replay = replay });
            Assert.True(report.Holds, report.Finding?.Text);
            Assert.True(Says(report, FromTheFirst));
            Assert.Equal(whole.Replay, Kept.From(report)!.Replay);
        }
    }

    [Fact]
    public void A_replay_of_an_unknown_version_is_not_gone_on_with()
    {
        var by = SampleOperator.Run();
        var last = Kept.From(Audit(SampleExport.Of(by, size: 300), null))!;
        byte[] newer = [.. last.Replay!];
        newer[5]++;
        var state = last.State with { Replay = last.State.Replay! with { Sha256 = Sha256.Of(newer) } };
        var report = Audit(SampleExport.Of(by), new Kept(state, newer));
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.Contains(report.Steps, step => step.Text.Contains("it has version 2", StringComparison.Ordinal));
    }

    [Fact]
    public void What_an_audit_without_the_entries_saw_is_replayed_by_the_next_one_with_them()
    {
        var by = SampleOperator.Run(Lie("less", from: 0));
        var size = by.Epochs[1].Index + 5;
        var first = Kept.From(Audit(SampleExport.Of(by, size: size), null))!;
        var open = LedgerAuditor.Run(new AuditInputs(SampleExport.Of(by).Open) { State = first.State });
        Assert.True(open.Holds, open.Finding?.Text);
        var second = Kept.From(open, first)!;
        Assert.Equal(first.State.Replay, second.State.Replay);
        // The third epoch is known from the audit before, and its balances are held against its tree only now.
        Assert.Equal("liabilities-balance-wrong", Audit(SampleExport.Of(by), second).Finding?.Code);
    }

    /// <summary>Nobody knows which of them will be stated: their balances are kept, but not of any number of epochs.</summary>
    [Theory]
    [InlineData(Limits.EpochsKeptMax, true)]
    [InlineData(Limits.EpochsKeptMax + 1, false)]
    public void A_replay_is_kept_with_the_cuts_about_which_nothing_is_stated_and_not_with_too_many(int cuts, bool isKept)
    {
        var by = SampleOperator.Run();
        var last = Kept.From(Audit(SampleExport.Of(by), null))!;
        by.CutOnly(cuts);
        var report = Audit(SampleExport.Of(by), last);
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.Equal(isKept, report.Replay is not null);
        // What the last audit kept is good still.
        var next = Kept.From(report, last)!;
        Assert.Equal(isKept, next.State.Replay != last.State.Replay);
        by.CutOnly(1);
        report = Audit(SampleExport.Of(by), next);
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.True(Says(report, GoesOn));
    }

    [Fact]
    public void What_no_node_was_asked_about_is_replayed_when_there_is_one()
    {
        var by = SampleOperator.Run();
        var without = Kept.From(Audit(SampleExport.Of(by, size: by.Epochs[1].Index + 5), null))!;
        Assert.False(without.State.Replay!.IsInChain);
        var with = Audit(SampleExport.Of(by), without, by);
        Assert.True(with.Holds, with.Finding?.Text);
        Assert.True(Says(with, FromTheFirst));
        Assert.Contains(with.Steps, step => step.Text.StartsWith("3 deposits and 3 transactions", StringComparison.Ordinal));
        var kept = Kept.From(with)!;
        Assert.True(kept.State.Replay!.IsInChain);
        var again = Audit(SampleExport.Of(by), kept, by);
        Assert.True(Says(again, GoesOn));
        // Nothing is new, and the coins that stand behind what is owed are asked for again.
        Assert.Contains(again.Steps, step => step.Text.StartsWith("0 deposits and 0 transactions", StringComparison.Ordinal));
        Assert.Contains(again.Steps, step => step.Text.Contains("were unspent at block", StringComparison.Ordinal));
        Assert.False(Kept.From(Audit(SampleExport.Of(by), kept))!.State.Replay!.IsInChain);
    }

    /// <summary>Some sizes in ascending order, one of them between the second cut and what is stated about it.</summary>
    private static IEnumerable<long> SizesOf(SampleOperator by, Random random) =>
        Enumerable.Range(0, 4).Select(_ => 1 + random.NextInt64(by.Log.Size - 1)).Append(by.Epochs[1].Statement.CutSize).Distinct().Order();

    /// <summary>Takes away what the next audit has no business with: bundles of old entries, and the files of epochs that were held
    /// against them.</summary>
    private static void Forget(SampleExport export, Kept last)
    {
        foreach (var path in export.Auditors.Files.Keys.Where(path => path.StartsWith("tile/entries/", StringComparison.Ordinal)).ToArray())
        {
            Assert.True(LogTile.TryParse(path, out var bundle));
            if (bundle.First + bundle.Width <= last.State.Replay!.Entries) export.Auditors.Files.Remove(path);
        }
        foreach (var epoch in last.State.Epochs)
        {
            foreach (var name in new[] { AuditPaths.Liabilities, WithdrawalsFile.Name, ReservesFile.Name }) export.Open.Files.Remove(AuditPaths.Of(epoch.Epoch, name));
            foreach (var name in new[] { AuditPaths.Allocation, AuditPaths.Keys }) export.Auditors.Files.Remove(AuditPaths.Of(epoch.Epoch, name));
        }
    }

    /// <param name="from">Of the log: no entry before it is another one.</param>
    private static SampleLies Lie(string name, int from) => name switch
    {
        "amount" => new SampleLies { Entry = entry => OtherAmount(entry, from, 5) },
        "impossible" => new SampleLies { Entry = entry => OtherAmount(entry, from, 1_000_000_000) },
        "dropped" => new SampleLies { Entry = entry => Entry.ReadStatement(entry).Sequence == from ? null : entry },
        "left out" => Balances((epoch, b) => epoch == 3 && b.Key == SampleOperator.Carol ? 0 : b.Value),
        "less" => Balances((epoch, b) => epoch == 3 && b.Key == SampleOperator.Bob ? b.Value - 1 : b.Value),
        "operator" => Balances((epoch, b) => epoch == 3 && b.Key == SampleOperator.Operator ? b.Value - 3_000 : b.Value),
        "twice" => new SampleLies
        {
            Entry = entry => Entry.ReadStatement(entry).Sequence == from ? [.. entry.AsSpan(0, 4), .. BitConverter.GetBytes(0L), .. entry.AsSpan(12)] : entry,
        },
        "withheld" => new SampleLies(),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    private static SampleLies Balances(Func<long, KeyValuePair<WalletId, long>, long> shown) => new()
    {
        Tree = (_, epoch, height, balances) => SampleTree.Honest(SampleOperator.Seed, epoch, height, balances.Select(b => KeyValuePair.Create(b.Key, shown(epoch, b)))),
    };

    /// <summary>The first payment behind a place is told with another amount.</summary>
    private static byte[] OtherAmount(byte[] entry, int from, long more)
    {
        if (Entry.ReadStatement(entry).Sequence != from + 20) return entry;
        Assert.Equal(EntryType.Transfer, Entry.ReadStatement(entry).Type);
        var amount = entry.AsSpan(AmountInTransfer);
        BinaryPrimitives.WriteInt64BigEndian(amount, BinaryPrimitives.ReadInt64BigEndian(amount) + more);
        return entry;
    }

    private static AuditReport Audit(SampleExport export, Kept? last, SampleOperator? chain = null) => LedgerAuditor.Run(new AuditInputs(export.Open)
    {
        Entries = export.Auditors,
        State = last?.State,
        Replay = () => last?.Replay is { } file ? file : (ReadOnlyMemory<byte>?)null,
        Chain = chain is null ? null : new SampleChainView(chain.Chain),
    });

    private static bool Says(AuditReport report, string text) => report.Steps.Any(step => step.Text.StartsWith(text, StringComparison.Ordinal));
}
