// What an audit finds with the entries: lies that are consistent in everything that is published.

using System.Buffers.Binary;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Audit.Auditor;

[Trait("suite", "core")]
public sealed class EntriesAuditTests
{
    private const int AmountInTransfer = Entry.StatementHeaderBytes + (3 * 16);

    [Fact]
    public void The_balances_of_an_honest_operator_follow_from_its_entries_and_its_entries_from_the_chain()
    {
        var by = SampleOperator.Run();
        var report = Audit(by, SampleExport.Of(by));
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.Equal(3, report.Steps.Count(step => step.Text.Contains("follow from the entries", StringComparison.Ordinal)));
        Assert.Contains(report.Steps, step => step.Text.StartsWith("3 deposits and 3 transactions", StringComparison.Ordinal));
    }

    [Fact]
    public void An_entry_in_the_auditors_folder_that_is_not_the_logs_is_found()
    {
        var by = SampleOperator.Run();
        var export = SampleExport.Of(by);
        var (bundle, _) = export.Auditors.Files.First(file => file.Key.StartsWith("tile/entries/", StringComparison.Ordinal));
        export.Auditors[bundle] = [.. export.Auditors[bundle]];
        export.Auditors[bundle][100] ^= 1;
        Expect(AuditFault.EntryAltered, Audit(by, export));
        export.Auditors.Files.Remove(bundle);
        Expect(AuditFault.FileMissing, Audit(by, export));
    }

    [Fact]
    public void An_entry_that_was_dropped_before_the_log_was_hashed_is_found() =>
        Expect(AuditFault.EntryMissing, Lie(new SampleLies { Entry = entry => Entry.ReadStatement(entry).Sequence == 150 ? null : entry }));

    [Fact]
    public void A_payment_of_another_amount_than_the_balances_say_is_found() =>
        Expect(LiabilityFault.BalanceWrong, Lie(OtherAmount(5)));

    [Fact]
    public void A_payment_of_what_is_not_there_is_found() =>
        Expect(AuditFault.EntryImpossible, Lie(OtherAmount(1_000_000_000)));

    [Fact]
    public void A_wallet_that_was_left_out_of_the_tree_is_found() => Expect(LiabilityFault.WalletLeftOut, Lie(new SampleLies
    {
        Tree = (_, epoch, height, balances) => SampleTree.Honest(SampleOperator.Seed, epoch, height, balances.Where(b => epoch < 2 || b.Key != SampleOperator.Carol)),
    }));

    [Fact]
    public void A_balance_that_is_less_in_the_tree_is_found() => Expect(LiabilityFault.BalanceWrong, Lie(new SampleLies
    {
        Tree = (_, epoch, height, balances) => SampleTree.Honest(
            SampleOperator.Seed, epoch, height, balances.Select(b => KeyValuePair.Create(b.Key, epoch == 2 && b.Key == SampleOperator.Bob ? b.Value - 1 : b.Value))),
    }));

    [Fact]
    public void A_balance_of_the_operators_that_no_mining_fee_explains_is_found() => Expect(AuditFault.OperatorBalanceWrong, Lie(new SampleLies
    {
        Tree = (_, epoch, height, balances) => SampleTree.Honest(
            SampleOperator.Seed, epoch, height, balances.Select(b => KeyValuePair.Create(b.Key, epoch == 3 && b.Key == SampleOperator.Operator ? b.Value - 3_000 : b.Value))),
    }));

    [Fact]
    public void One_leaf_that_is_shown_to_two_users_is_found() => Expect(LiabilityFault.LeafShared, Lie(new SampleLies
    {
        Tree = (_, epoch, height, balances) =>
        {
            if (epoch < 2) return SampleTree.Honest(SampleOperator.Seed, epoch, height, balances);
            SampleChunk[] chunks =
            [
                new(SampleOperator.Alice, balances[SampleOperator.Alice], 0), new(SampleOperator.Bob, balances[SampleOperator.Bob], 1),
                new(SampleOperator.Carol, balances[SampleOperator.Carol], 1), new(SampleOperator.Operator, balances[SampleOperator.Operator] - 1, 2),
                new(SampleOperator.Operator, 1, 3),
            ];
            return SampleTree.Of(SampleOperator.Seed, height, chunks, balances);
        },
    }));

    [Fact]
    public void An_epoch_that_is_closed_by_a_block_which_was_not_the_newest_any_more_is_found() => Expect(AuditFault.BlockStale, Lie(new SampleLies
    {
        Block = (self, epoch) => epoch < 3 ? self.Chain.Tip : self.Chain.At(self.Chain.Tip.Height - 30)!,
        BeforeCut = (self, epoch) => self.PassBlocks(epoch < 3 ? 1 : 30),
    }));

    /// <summary>The server was away in between, as the entries show.</summary>
    [Fact]
    public void An_epoch_that_is_stated_long_after_its_cut_holds()
    {
        FakeBlock? atCut = null;
        var by = SampleOperator.Run(new SampleLies
        {
            BeforeCut = (self, epoch) => atCut = epoch == 3 ? self.Chain.Tip : null,
            BehindCut = (self, epoch) => self.PassBlocks(epoch < 3 ? 1 : 30),
            Block = (self, _) => atCut ?? self.Chain.Tip,
        });
        var report = Audit(by, SampleExport.Of(by));
        Assert.True(report.Holds, report.Finding?.Text);
    }

    [Fact]
    public void A_ledger_that_began_with_another_checkpoint_key_than_the_pinned_one_is_found()
    {
        SampleOperator Begin(byte[] key) => SampleOperator.Run(new SampleLies { Keys = [new KeyFingerprint(KeyPurpose.Checkpoint, Sha256.Of(key))] });
        var pinned = SampleOperator.Pins(null).Key.PublicKey.ToArray();
        var (honest, other) = (Begin(pinned), Begin([.. pinned.Reverse()]));
        Assert.True(Audit(honest, SampleExport.Of(honest)).Holds);
        Expect(AuditFault.KeysChanged, Audit(other, SampleExport.Of(other)));
    }

    [Fact]
    public void An_epoch_that_is_in_the_log_and_not_published_is_found()
    {
        var by = SampleOperator.Run();
        Expect(AuditFault.EpochWithheld, Audit(by, SampleExport.Of(by, epochs: 2)));
    }

    [Fact]
    public void An_epoch_that_is_stated_twice_is_found()
    {
        byte[]? first = null;
        Expect(AuditFault.EpochRewritten, Lie(new SampleLies
        {
            Entry = entry =>
            {
                var read = Entry.ReadStatement(entry);
                if (read.Command is StateEpoch { Statement.Epoch: 2 }) first = entry;
                if (read.Sequence != 250) return entry;
                byte[] again = [.. first!];
                entry.AsSpan(2, 2 + 8 + 8).CopyTo(again.AsSpan(2));
                return again;
            },
        }));
    }

    [Fact]
    public void A_deposit_that_is_booked_with_less_than_the_chain_has_is_found_by_the_node()
    {
        const long Stolen = 50_000;
        var by = SampleOperator.Run(new SampleLies
        {
            Entry = entry =>
            {
                if (Entry.ReadStatement(entry).Command is not ChangeDeposit { Amount.Value: 200_000 } deposit) return entry;
                var amount = Entry.StatementHeaderBytes + 32 + 4 + 1 + 1 + 1 + deposit.Script.Length;
                BinaryPrimitives.WriteInt64BigEndian(entry.AsSpan(amount), deposit.Amount.Value - Stolen);
                return entry;
            },
            Tree = (_, epoch, height, balances) => SampleTree.Honest(
                SampleOperator.Seed, epoch, height, balances.Select(b => KeyValuePair.Create(b.Key, b.Key == SampleOperator.Alice ? b.Value - (Stolen * 1_000) : b.Value))),
        });
        Assert.True(Audit(by, SampleExport.Of(by), chain: false).Holds);
        Expect(AuditFault.DepositFalse, Audit(by, SampleExport.Of(by)));
    }

    private static SampleLies OtherAmount(long more) => new()
    {
        Entry = entry =>
        {
            if (Entry.ReadStatement(entry).Sequence != 150) return entry;
            var amount = entry.AsSpan(AmountInTransfer);
            BinaryPrimitives.WriteInt64BigEndian(amount, BinaryPrimitives.ReadInt64BigEndian(amount) + more);
            return entry;
        },
    };

    /// <summary>Everything that is published is consistent, and the entries show the lie.</summary>
    private static AuditReport Lie(SampleLies lies)
    {
        var by = SampleOperator.Run(lies);
        var open = LedgerAuditor.Run(new AuditInputs(SampleExport.Of(by).Open) { Chain = new SampleChainView(by.Chain) });
        Assert.True(open.Holds, open.Finding?.Text);
        return Audit(by, SampleExport.Of(by));
    }

    /// <summary>Once with a second thread and once without: nothing that is found, and no order of it, depends on that.</summary>
    private static AuditReport Audit(SampleOperator by, SampleExport export, bool chain = true)
    {
        var inputs = new AuditInputs(export.Open)
        {
            Pins = SampleOperator.Pins(by.Epochs[0].Anchor!.Txid),
            Entries = export.Auditors,
            Chain = chain ? new SampleChainView(by.Chain) : null,
        };
        var report = LedgerAuditor.Run(inputs);
        var beside = LedgerAuditor.Run(inputs with
        {
            Beside = work =>
            {
                var task = Task.Run(work);
                return () => task.GetAwaiter().GetResult();
            },
        });
        Assert.Equal(report.Steps, beside.Steps);
        Assert.Equal((report.Finding?.Code, report.Finding?.Text), (beside.Finding?.Code, beside.Finding?.Text));
        return report;
    }

    private static void Expect(AuditFault fault, AuditReport report) => Assert.Equal(AuditFinding.CodeOf(fault), report.Finding?.Code);
    private static void Expect(LiabilityFault fault, AuditReport report) => Assert.Equal(AuditFinding.CodeOf(fault), report.Finding?.Code);
}
