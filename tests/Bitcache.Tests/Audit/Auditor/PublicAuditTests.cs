// What an audit finds in what everybody is shown. The operator owns all keys and has rebuilt everything behind each lie.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Audit.Auditor;

[Trait("suite", "core")]
public sealed class PublicAuditTests
{
    private static readonly Lazy<SampleOperator> Once = new(() => SampleOperator.Run());
    private static SampleOperator Honest => Once.Value;
    private static Pins Pins => SampleOperator.Pins(Honest.Epochs[0].Anchor!.Txid);

    [Fact]
    public void Everything_that_an_honest_operator_publishes_holds()
    {
        var report = Audit(SampleExport.Of(Honest), receipts: [SampleExport.Receipt(Honest, 20, 150), SampleExport.Receipt(Honest, 130, 300, Honest.Epochs[1])]);
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.Equal(3, report.Next!.Epochs.Count);
        Assert.All(report.Next.Epochs, epoch => Assert.NotNull(epoch.Record));
    }

    [Fact]
    public void The_next_audit_looks_only_at_what_is_new()
    {
        var first = Audit(SampleExport.Of(SampleOperator.Run(epochs: 2)), chain: false);
        Assert.True(AuditState.TryParse(first.Next!.Write(), out var state, out var refusal), refusal);
        var now = SampleExport.Of(Honest);
        foreach (var old in now.Open.Files.Keys.Where(path => path.StartsWith("epochs/1/", StringComparison.Ordinal) && path.EndsWith(".csv", StringComparison.Ordinal)).ToArray()) now.Open.Files.Remove(old);
        var second = Audit(now, state: state);
        Assert.True(second.Holds, second.Finding?.Text);
        Assert.Equal(second.Next!.Write(), Audit(SampleExport.Of(Honest)).Next!.Write());
    }

    [Fact]
    public void An_entry_that_was_altered_or_left_out_since_the_last_audit_is_found()
    {
        var state = Audit(SampleExport.Of(SampleOperator.Run(epochs: 2)), chain: false).Next;
        Expect(AuditFault.LogRewritten, SampleExport.Of(SampleOperator.Run(Altered(150))), state);
        Expect(AuditFault.LogRewritten, SampleExport.Of(SampleOperator.Run(new SampleLies { Entry = entry => SequenceOf(entry) == 150 ? null : entry })), state);
    }

    [Fact]
    public void Two_checkpoints_for_one_size_are_found()
    {
        var state = Audit(SampleExport.Of(Honest)).Next;
        var finding = Expect(AuditFault.TwoCheckpoints, SampleExport.Of(SampleOperator.Run(Altered(150))), state);
        Assert.Equal(2, finding.Evidence.Count(e => e.Contains(SampleOperator.Origin, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_log_that_shrank_is_found()
    {
        var state = Audit(SampleExport.Of(Honest)).Next;
        Expect(AuditFault.LogShrunk, SampleExport.Of(SampleOperator.Run(epochs: 2)), state);
    }

    [Fact]
    public void A_tile_that_is_not_the_signed_one_is_found_and_one_that_is_missing_is_named()
    {
        var export = SampleExport.Of(Honest);
        export.Open["tile/0/000"] = [.. export.Open["tile/0/000"]];
        export.Open["tile/0/000"][77] ^= 1;
        Expect(AuditFault.TileWrong, export);
        export.Open.Files.Remove("tile/0/000");
        Assert.Contains("tile/0/000", Expect(AuditFault.FileMissing, export).Text, StringComparison.Ordinal);
    }

    /// <summary>A server lists an epoch a moment before a checkpoint covers its statement, and so may an export.</summary>
    [Fact]
    public void An_epoch_that_is_listed_before_a_checkpoint_covers_it_is_left_to_the_next_audit()
    {
        var before = Honest.Epochs[2].Index;
        var (early, whole) = (SampleExport.Of(Honest, size: before), SampleExport.Of(Honest));
        foreach (var hasClose in new[] { false, true })
        {
            early.Open[AuditPaths.Index] = whole.Open[AuditPaths.Index];
            if (!hasClose) early.HideAnchor(3);
            foreach (var name in hasClose ? new[] { AuditPaths.Close, AuditPaths.Proof } : []) early.Open[AuditPaths.Of(3, name)] = whole.Open[AuditPaths.Of(3, name)];
            var report = Audit(early, chain: false);
            Assert.True(report.Holds, report.Finding?.Text);
            Assert.Equal(2, report.Next!.Epochs.Count);
            Assert.Contains(report.Steps, step => step.Outcome == StepOutcome.NotChecked && step.Text.StartsWith("epoch 3 is listed", StringComparison.Ordinal));
        }
        // One that was there, or that others follow, is missed, and one that is said to be anchored.
        early.Open.Files.Remove(AuditPaths.Of(3, AuditPaths.Close));
        Assert.Equal(AuditFinding.CodeOf(AuditFault.FileMissing), Audit(early, chain: false).Finding?.Code);
        var state = Audit(whole).Next;
        var gone = SampleExport.Of(Honest);
        gone.Open.Files.Remove(AuditPaths.Of(3, AuditPaths.Close));
        Expect(AuditFault.FileMissing, gone, state);
        gone = SampleExport.Of(Honest);
        gone.Open.Files.Remove(AuditPaths.Of(2, AuditPaths.Close));
        Expect(AuditFault.FileMissing, gone);
    }

    [Fact]
    public void A_chunk_below_zero_is_found()
    {
        var by = SampleOperator.Run(new SampleLies { Tree = (_, epoch, height, balances) => Unbalanced(epoch, height, balances, -5_000) });
        Expect(LiabilityFault.Negative, SampleExport.Of(by));
    }

    [Fact]
    public void A_sum_that_wraps_around_is_found()
    {
        var by = SampleOperator.Run(new SampleLies { Tree = (_, epoch, height, balances) => Unbalanced(epoch, height, balances, long.MinValue + 7) });
        Expect(LiabilityFault.Overflow, SampleExport.Of(by));
    }

    [Fact]
    public void A_coin_of_more_than_it_was_made_with_is_found()
    {
        var by = SampleOperator.Run(new SampleLies { Reserves = (_, epoch, coins) => epoch < 2 ? coins : [coins[0] with { Amount = new Sats(coins[0].Amount.Value * 2) }, .. coins.Skip(1)] });
        Expect(AuditFault.ReserveFalse, SampleExport.Of(by));
    }

    [Fact]
    public void Coins_that_are_worth_less_than_is_owed_are_found()
    {
        var by = SampleOperator.Run(new SampleLies { Reserves = (_, epoch, coins) => epoch < 2 ? coins : [.. coins.Skip(1)] });
        Expect(AuditFault.ReservesShort, SampleExport.Of(by));
    }

    [Fact]
    public void A_coin_that_was_spent_before_the_epochs_block_is_found_by_the_node()
    {
        // What the second epoch's anchor spent is listed for the third.
        var by = SampleOperator.Run(new SampleLies
        {
            Reserves = (self, epoch, coins) => epoch < 3 ? coins
                : [.. coins.Append(self.ToReserve(self.Epochs[1].Anchor!.Inputs[1].Spent)).Order(Comparer<ReserveCoin>.Create((a, b) => ReservesFile.Compare(a.Output, b.Output)))],
        });
        Assert.True(Audit(SampleExport.Of(by), pins: null, chain: false).Holds);
        Expect(AuditFault.ReserveSpent, SampleExport.Of(by), by: by);
    }

    [Fact]
    public void A_withdrawal_that_no_block_paid_and_that_is_left_out_of_what_is_owed_is_found_by_the_node()
    {
        var unpaid = new PaidWithdrawal(new OutPoint(new Txid(Sha256.Of("never sent"u8)), 0), new Sats(40_000), SampleOperator.Script("nobody"));
        var by = SampleOperator.Run(new SampleLies
        {
            Paid = (epoch, paid) => epoch < 3 ? paid : [.. paid, unpaid],
            Tree = (_, epoch, height, balances) => SampleTree.Honest(
                SampleOperator.Seed, epoch, height, balances.Select(b => KeyValuePair.Create(b.Key, epoch == 3 && b.Key == SampleOperator.Bob ? b.Value - 40_000_000 : b.Value))),
        });
        Assert.True(Audit(SampleExport.Of(by), pins: null, chain: false).Holds);
        Expect(AuditFault.WithdrawalUnpaid, SampleExport.Of(by), by: by);
    }

    [Fact]
    public void An_epoch_that_is_closed_by_an_old_block_is_noticed()
    {
        var by = SampleOperator.Run(new SampleLies
        {
            Block = (self, epoch) => epoch < 3 ? self.Chain.Tip : self.Chain.At(self.Chain.Tip.Height - 30)!,
            BeforeCut = (self, epoch) => self.PassBlocks(epoch < 3 ? 1 : 30),
        });
        var report = Audit(SampleExport.Of(by), pins: null, by: by);
        Assert.Contains(report.Steps, step => step.Outcome == StepOutcome.NotChecked && step.Text.StartsWith("epoch 3 was closed by block", StringComparison.Ordinal));
    }

    [Fact]
    public void A_proof_of_reserves_that_is_not_one_of_the_stated_coins_is_found()
    {
        Expect(AuditFault.ReservesMessageFalse, SampleExport.Of(Proving(reserves => reserves with { Epoch = 1 })));
        Expect(AuditFault.ReservesMessageFalse, SampleExport.Of(Proving(reserves => reserves with { Origin = "another.example/log" })));
        // One coin is not there any more, or belongs to somebody else.
        Expect(AuditFault.ReservesProofFalse, SampleExport.Of(Proving(reserves => reserves with { Coins = [.. reserves.Coins.Skip(1)] })));
    }

    [Fact]
    public void A_coin_whose_key_did_not_sign_is_found()
    {
        var finding = Expect(AuditFault.ReserveSignatureFalse, SampleExport.Of(Changed(file =>
        {
            // The last signature's last byte but the one behind it: the coin is of taproot, and its witness the end of its map.
            file[^3] ^= 1;
            return file;
        })));
        Assert.Contains("epochs/2/reserves.psbt", finding.Evidence);
        Expect(AuditFault.ReserveUnsigned, SampleExport.Of(Changed(_ => new ReservesProof(ReservesOf(Honest.Epochs[1])).Write())));
        Expect(AuditFault.FileMalformed, SampleExport.Of(Changed(file => [.. file, 0])));
        Expect(AuditFault.FileMalformed, SampleExport.Of(Changed(_ => [1, 2, 3])));
    }

    [Fact]
    public void What_the_node_says_of_the_signatures_counts_too()
    {
        var asked = new List<int>();
        var report = Audit(SampleExport.Of(Honest), Pins, signs: (transaction, spent) =>
        {
            Assert.True(BitcoinTransaction.TryParse(transaction, out var read));
            Assert.Equal(read.Inputs.Select(i => i.Spent), spent.Select(s => s.Output));
            asked.Add(spent.Count);
            return false;
        });
        Assert.Equal((ReservesOf(Honest.Epochs[1]).Coins.Count + 1, "reserve-signature-false"), (Assert.Single(asked), report.Finding?.Code));
        Assert.Contains("epochs/2/", report.Finding!.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_proof_that_comes_after_the_audit_of_its_epoch_is_looked_at_by_the_next_one_and_once()
    {
        var late = SampleExport.Of(SampleOperator.Run(new SampleLies { Proof = _ => null }));
        var first = Audit(late);
        Assert.True(first.Holds, first.Finding?.Text);
        Assert.Contains(first.Steps, step => step.Outcome == StepOutcome.NotChecked && step.Text.Contains(ReservesProof.FileName, StringComparison.Ordinal));
        var asked = 0;
        var second = Audit(SampleExport.Of(Honest), Pins, first.Next, signs: (_, _) => ++asked > 0);
        Assert.True(second.Holds, second.Finding?.Text);
        Assert.Equal([false, true, false], second.Next!.Epochs.Select(e => e.IsProven));
        Assert.True(AuditState.TryParse(second.Next.Write(), out var kept, out _));
        Assert.True(Audit(SampleExport.Of(Honest), Pins, kept, signs: (_, _) => ++asked > 0).Holds);
        Assert.Equal(1, asked);
        Expect(AuditFault.ReservesMessageFalse, SampleExport.Of(Proving(reserves => reserves with { Epoch = 1 })), first.Next);
    }

    [Fact]
    public void A_second_first_anchor_is_found()
    {
        var by = SampleOperator.Run(Altered(110));
        Assert.True(Audit(SampleExport.Of(by), pins: null, by: by).Holds);
        Expect(AuditFault.SecondFirstAnchor, SampleExport.Of(by), by: by);
        // Whoever shows the pinned anchor in the pins must show it in the chain, too.
        var export = SampleExport.Of(by);
        export.Open[AuditPaths.Pins] = SampleExport.Of(Honest).Open[AuditPaths.Pins];
        Expect(AuditFault.SecondFirstAnchor, export, by: by);
    }

    [Fact]
    public void An_anchor_that_does_not_spend_the_one_before_it_is_found()
    {
        var by = SampleOperator.Run(new SampleLies { AnchorSpends = (self, epoch) => epoch == 3 ? self.SpareCoin : null });
        Expect(AuditFault.AnchorChainBroken, SampleExport.Of(by), by: by);
    }

    [Fact]
    public void A_second_anchor_for_one_epoch_is_found_by_whoever_holds_a_receipt_under_the_other()
    {
        var other = SampleOperator.Run(Altered(160), epochs: 2);
        var receipt = SampleExport.Receipt(other, 20, 100, other.Epochs[1]);
        var finding = Expect(AuditFault.SecondAnchor, SampleExport.Of(Honest), receipts: [receipt]);
        Assert.Contains("epoch 2", finding.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_newest_anchors_output_spent_by_anything_else_is_found_by_the_node()
    {
        var by = SampleOperator.Run();
        var spent = new OutPoint(by.Epochs[2].Anchor!.Txid, 1);
        by.Mine(FakeTransactions.Create([spent], [new TransactionOutput(new Sats(500), SampleOperator.Script("elsewhere").Span.ToArray())]));
        Expect(AuditFault.AnchorOutputSpent, SampleExport.Of(by), by: by);
    }

    [Fact]
    public void An_export_that_is_an_anchor_behind_the_chain_holds_for_a_week()
    {
        var by = SampleOperator.Run();
        var export = SampleExport.Of(by, epochs: 2);
        var report = Audit(export, by: by);
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.Contains(report.Steps, step => step.Outcome == StepOutcome.NotChecked && step.Text.Contains(by.Epochs[2].Anchor!.Txid.ToString(), StringComparison.Ordinal));
        var anchored = (int)by.Epochs[2].Block!.Height;
        while (by.Chain.Tip.Height < anchored + Limits.UnshownAnchorBlocksMax - 1) by.Mine();
        Assert.True(Audit(export, by: by).Holds);
        by.Mine();
        Expect(AuditFault.AnchorOutputSpent, export, by: by);
    }

    [Fact]
    public void Who_shows_no_anchors_has_hidden_the_one_that_is_pinned_and_those_that_were_seen()
    {
        // A second history with a first anchor of its own, or S spent elsewhere: neither is shown.
        var export = SampleExport.Of(Honest);
        var state = Audit(export, chain: false).Next!;
        foreach (var epoch in new[] { 3, 2, 1 })
        {
            export.HideAnchor(epoch);
            var known = AuditState.TryParse(state.Write(), out var read, out var refusal) ? read : throw new InvalidOperationException(refusal);
            Expect(AuditFault.AnchorWithheld, export, known);
            if (epoch == 1) continue;
            // Nobody can say without a node, nor where a reorganisation took its block.
            var report = Audit(export, known, chain: false);
            Assert.True(report.Holds, report.Finding?.Text);
            Assert.Contains(report.Steps, step => step.Outcome == StepOutcome.NotChecked && step.Text.Contains("a node can tell", StringComparison.Ordinal));
            Expect(AuditFault.AnchorWithheld, export, report.Next);
        }
        Assert.Equal(AuditFinding.CodeOf(AuditFault.AnchorWithheld), Audit(export, chain: false).Finding?.Code);

        var reorganised = SampleOperator.Run();
        reorganised.Chain.Invalidate(reorganised.Epochs[2].Block!);
        while (reorganised.Chain.Tip.Height <= reorganised.Epochs[2].Block!.Height) reorganised.Mine();
        var without = SampleExport.Of(reorganised);
        without.HideAnchor(3);
        Assert.True(Audit(without, state, by: reorganised).Holds);
    }

    [Fact]
    public void What_rests_on_blocks_that_the_auditors_node_does_not_have_yet_is_left_to_the_next_audit()
    {
        var (by, behind) = (SampleOperator.Run(), SampleOperator.Run(epochs: 2));
        var report = Audit(SampleExport.Of(by), by: behind);
        Assert.True(report.Holds, report.Finding?.Text);
        Assert.Contains(report.Steps, step => step.Outcome == StepOutcome.NotChecked && step.Text.Contains("which the node did not have yet", StringComparison.Ordinal));
        // Nobody is behind by so many.
        by = SampleOperator.Run(new SampleLies { BeforeCut = (one, epoch) => one.PassBlocks(epoch == 3 ? (int)Limits.BlocksAheadMax : 0) });
        var far = new SampleChainView(by.Chain, tip: (uint)by.Epochs[2].Block!.Height - Limits.BlocksAheadMax - 1);
        report = LedgerAuditor.Run(new AuditInputs(SampleExport.Of(by).Open) { Chain = far });
        Assert.Equal(AuditFinding.CodeOf(AuditFault.BlockNotInChain), report.Finding?.Code);
    }

    /// <summary>Whatever has been read before it, an anchor that comes in the middle of an audit is no finding.</summary>
    [Fact]
    public void An_anchor_that_is_published_between_any_two_files_is_no_contradiction()
    {
        var (before, after) = (SampleExport.Of(Honest), SampleExport.Of(Honest));
        before.HideAnchor(3);
        var (looks, again) = (0, 0);
        for (var files = 1; again <= looks; files++)
        {
            var folder = new ChangingFolder(before.Open, after.Open, files);
            var settled = false;
            var report = LedgerAuditor.Run(new AuditInputs(folder) { Pins = Pins, Chain = new SampleChainView(Honest.Chain), Settle = () => settled = true });
            Assert.True(report.Holds, $"after {files} files: {report.Finding?.Text}");
            if (settled) Assert.Contains(report.Steps, step => step.Text.StartsWith("the first look found", StringComparison.Ordinal));
            looks += settled ? 1 : 0;
            // Until all of them are read before it comes.
            if (!folder.HasChanged) again = looks + 1;
        }
        Assert.True(looks > 2, $"{looks} audits met the change");
        // A lie stays one however often it is looked at, and what somebody signed is no accident.
        var count = 0;
        before.Open.Files.Remove(AuditPaths.Of(2, ReservesFile.Name));
        Assert.False(LedgerAuditor.Run(new AuditInputs(before.Open) { Settle = () => count++ }).Holds);
        Assert.Equal(2, count);
        var other = SampleExport.Of(Honest);
        other.Open[AuditPaths.Of(2, WithdrawalsFile.Name)] = [.. other.Open[AuditPaths.Of(2, WithdrawalsFile.Name)], (byte)'\n'];
        Assert.False(LedgerAuditor.Run(new AuditInputs(other.Open) { Settle = () => count++ }).Holds);
        Assert.Equal(2, count);
    }

    [Fact]
    public void What_was_stated_about_an_old_epoch_cannot_be_rewritten_under_the_anchors_that_are_in_the_chain()
    {
        var (shown, real) = (SampleExport.Of(SampleOperator.Run(Altered(150))), SampleExport.Of(Honest));
        foreach (var path in real.Open.Files.Keys.Where(p => p.Contains("anchor.", StringComparison.Ordinal) || p.EndsWith(".hex", StringComparison.Ordinal) || p.EndsWith(".ots", StringComparison.Ordinal)))
            shown.Open[path] = real.Open[path];
        Expect(AuditFault.AnchorOfAnotherLog, shown);
    }

    [Fact]
    public void An_anchor_in_a_block_that_left_the_chain_is_found_by_the_node()
    {
        var by = SampleOperator.Run();
        var export = SampleExport.Of(by);
        by.Chain.Invalidate(by.Epochs[1].Block!);
        by.Chain.Activate();
        while (by.Chain.Tip.Height <= by.Epochs[2].Block!.Height) by.Mine();
        Expect(AuditFault.BlockNotInChain, export, by: by);
    }

    [Fact]
    public void A_receipt_whose_checkpoint_is_of_another_history_is_found()
    {
        var other = SampleOperator.Run(Altered(150));
        var receipt = SampleExport.Receipt(other, 20, 300);
        var finding = Expect(AuditFault.ReceiptContradicts, SampleExport.Of(Honest), receipts: [receipt]);
        Assert.Contains(receipt.Name, finding.Evidence);
    }

    [Fact]
    public void An_epoch_that_was_published_before_may_not_vanish()
    {
        var state = Audit(SampleExport.Of(Honest)).Next;
        Expect(AuditFault.EpochWithheld, SampleExport.Of(Honest, epochs: 2), state);
    }

    [Fact]
    public void An_epoch_that_is_stated_a_second_time_further_on_in_the_log_is_found()
    {
        const int Second = 250;
        var state = Audit(SampleExport.Of(SampleOperator.Run(epochs: 2)), chain: false).Next;
        var by = SampleOperator.Run(new SampleLies
        {
            Entry = entry =>
            {
                if (SequenceOf(entry) != Second) return entry;
                var stated = Honest.Entries[Honest.Epochs[1].Index].ToArray();
                entry.AsSpan(2, 2 + 8 + 8).CopyTo(stated.AsSpan(2));
                // The statement's last byte is of the hash of its reserves.
                stated[Entry.StatementHeaderBytes + EpochStatement.Bytes - 1] ^= 1;
                return stated;
            },
        });
        var export = SampleExport.Of(by);
        var second = SampleExport.Receipt(by, Second, by.Log.Size);
        export.Open[AuditPaths.Of(2, AuditPaths.Close)] = second.Files.Leaf.ToArray();
        export.Open[AuditPaths.Of(2, AuditPaths.Proof)] = second.Files.Proof.ToArray();
        Expect(AuditFault.EpochRewritten, export, state, by: by);
    }

    [Fact]
    public void A_key_that_the_pinned_one_named_signs_for_it_and_no_other()
    {
        var (seed, stranger) = (SHA256.HashData("the next key"u8), SHA256.HashData("a stranger's"u8));
        var next = VerifierKey.FromSeed(SampleOperator.Origin, seed);
        var rotated = SampleExport.Of(Honest, rotation: (KeyRotation.Sign(SampleOperator.KeySeed, next), seed));
        var state = Audit(rotated).Next;
        Assert.True(AuditState.TryParse(state!.Write(), out var read, out _));
        Assert.True(Audit(rotated, read).Holds);
        Expect(AuditFault.KeysChanged, SampleExport.Of(Honest), read);
        Expect(AuditFault.KeyRotationFalse, SampleExport.Of(Honest, rotation: (KeyRotation.Sign(stranger, next), seed)));
        rotated.Open.Files.Remove(AuditPaths.Rotations);
        Expect(AuditFault.CheckpointUnsigned, rotated);
    }

    [Fact]
    public void Every_public_file_is_needed_and_every_byte_of_it_is_held_against_something()
    {
        var export = SampleExport.Of(Honest);
        foreach (var path in export.Open.Files.Keys.Order(StringComparer.Ordinal))
        {
            var changed = new SampleExport(export.Open.Copy(), export.Auditors);
            changed.Open.Files.Remove(path);
            // Whoever shows no proof of reserves proves none.
            Assert.True(!Audit(changed).Holds || path.EndsWith(ReservesProof.FileName, StringComparison.Ordinal), $"without {path}");
            foreach (var at in new[] { 0, export.Open[path].Length / 2, export.Open[path].Length - 1 })
            {
                changed.Open[path] = [.. export.Open[path]];
                changed.Open[path][at] ^= 1;
                // The list of epochs only says where to look.
                Assert.True(!Audit(changed).Holds || path == AuditPaths.Index, $"byte {at} of {path}");
            }
        }
    }

    /// <summary>An operator whose proof of the second epoch is of other reserves, each signed by its coin's key.</summary>
    private static SampleOperator Proving(Func<ReservesFile, ReservesFile> other) => SampleOperator.Run(new SampleLies
    {
        Proof = epoch => epoch.Statement.Epoch != 2 ? null
            : SampleProof.Make(other(ReservesOf(epoch)), (hashes, input, coin) => SampleProof.SignBy(SampleOperator.KeyOf(coin), hashes, input, coin)),
    });

    /// <summary>One that changes the good proof of it.</summary>
    private static SampleOperator Changed(Func<byte[], byte[]> change) =>
        SampleOperator.Run(new SampleLies { Proof = epoch => epoch.Statement.Epoch == 2 ? change(SampleOperator.Prove(epoch)) : null });

    private static ReservesFile ReservesOf(SampleEpoch epoch) =>
        ReservesFile.TryParse(epoch.Reserves, SampleOperator.Origin, out var reserves, out var refusal) ? reserves : throw new InvalidOperationException(refusal);

    private static SampleLies Altered(long sequence) => new()
    {
        Entry = entry =>
        {
            // The last byte is of the salt: nothing but the leaf is another.
            if (SequenceOf(entry) == sequence) entry[^1] ^= 1;
            return entry;
        },
    };

    private static long SequenceOf(byte[] entry) => Entry.ReadStatement(entry).Sequence;

    /// <summary>A tree of four leaves, one of which takes something from the total.</summary>
    private static SampleTree Unbalanced(long epoch, uint height, Dictionary<WalletId, long> balances, long less)
    {
        if (epoch < 2) return SampleTree.Honest(SampleOperator.Seed, epoch, height, balances);
        SampleChunk[] chunks =
        [
            new(SampleOperator.Alice, balances.Values.Sum(), 0), new(SampleOperator.Bob, less, 1),
            new(SampleOperator.Carol, less == -5_000 ? 1 : unchecked(0 - less), 2), new(SampleOperator.Operator, 1, 3),
        ];
        return SampleTree.Of(SampleOperator.Seed, height, chunks, balances);
    }

    private static AuditFinding Expect(AuditFault fault, SampleExport export, AuditState? state = null, IReadOnlyList<HeldReceipt>? receipts = null, SampleOperator? by = null) =>
        Expect(AuditFinding.CodeOf(fault), Audit(export, state, receipts, by: by));

    private static AuditFinding Expect(LiabilityFault fault, SampleExport export) => Expect(AuditFinding.CodeOf(fault), Audit(export, chain: false));

    private static AuditFinding Expect(string code, AuditReport report)
    {
        Assert.Equal((code, report.Steps[^1].Outcome), (report.Finding?.Code, StepOutcome.Failed));
        Assert.Null(report.Next);
        return report.Finding!;
    }

    private static AuditReport Audit(SampleExport export, AuditState? state = null, IReadOnlyList<HeldReceipt>? receipts = null, bool chain = true, SampleOperator? by = null) =>
        Audit(export, Pins, state, receipts, chain, by);

    private static AuditReport Audit(
        SampleExport export, Pins? pins, AuditState? state = null, IReadOnlyList<HeldReceipt>? receipts = null, bool chain = true, SampleOperator? by = null,
        Func<byte[], IReadOnlyList<SpentCoin>, bool>? signs = null) =>
        LedgerAuditor.Run(new AuditInputs(export.Open)
        {
            Pins = pins,
            State = state,
            Receipts = receipts ?? [],
            Chain = chain ? new SampleChainView((by ?? Honest).Chain, signs) : null,
        });
}
