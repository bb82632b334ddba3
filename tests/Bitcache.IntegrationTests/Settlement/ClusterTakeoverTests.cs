using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Postgres;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Settlement that is begun, taken over or ended in the worst moment, while another silo writes the partitions: one history is
/// signed, by the ledger's keys, and whoever is late changes nothing.</summary>
[Trait("suite", "faults")]
[Collection(PostgresFixture.Collection)]
public sealed class ClusterTakeoverTests(RegtestFixture regtest, PostgresFixture postgres) : IClassFixture<RegtestFixture>
{
    private static readonly Sats InSuspense = new(1_000);

    private RegtestNode Node => regtest.Node;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Two silos, of which the second writes everything.</summary>
    private async Task<ClusterStage> StartAsync(int partitions = 1)
    {
        var stage = new ClusterStage(Node, postgres) { Partitions = partitions };
        await stage.JoinAsync();
        await stage.JoinAsync();
        await stage.PromoteAsync(1);
        return stage;
    }

    [Fact]
    public async Task Of_two_that_begin_a_ledger_the_one_whose_keys_are_not_in_it_does_not_settle()
    {
        await using var stage = await StartAsync();
        var held = Hold<Genesis>(stage);
        stage[0].BeginSettling();
        await held.Came;
        await stage.SettleFromAsync(1);
        await stage[1].SettleAsync(Cancel);
        var term = await TermAsync(stage);
        held.GoOn();

        await UntilAsync(() => stage[0].SettlementTrouble is not null && !stage[0].IsSettling);
        Assert.Contains("checkpoint key is not the one that this ledger began with", stage[0].SettlementTrouble, StringComparison.Ordinal);
        Assert.Equal((true, term), (stage[1].Settles, await TermAsync(stage)));
        var named = await stage[1].Partitions.First.QueryAsync(ledger => ledger.Genesis!.Keys.Single(key => key.Purpose == KeyPurpose.Checkpoint).Sha256);
        Assert.Equal(named, Hash256.Read(SHA256.HashData(stage[1].Verifier.PublicKey)));
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task A_ledger_whose_first_beginner_ends_before_he_signed_the_first_cut_is_settled_by_the_next()
    {
        await using var stage = await StartAsync();
        stage.Between = (command, send) =>
        {
            // From here on nothing that is signed can be noted.
            if (command is LogCut) Execute(stage, "CREATE OR REPLACE FUNCTION no_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the process ends here'; END $$; "
                + "CREATE OR REPLACE TRIGGER no_mark BEFORE INSERT ON bitcache.files FOR EACH ROW WHEN (NEW.name LIKE 'last-signed%') EXECUTE FUNCTION no_mark()");
            return send();
        };
        await stage.SettleFromAsync(0);
        while (!await stage[1].Partitions.First.QueryAsync(ledger => ledger.LastLogCut is not null)) await Task.Yield();
        stage.CopyKeys(0, 1);
        await stage[0].EndSettlingAsync();
        stage.Between = null;
        Execute(stage, "DROP TRIGGER no_mark ON bitcache.files");

        await stage.SettleFromAsync(1);
        await stage[1].SettleAsync(Cancel);
        Assert.NotEmpty(stage[1].Checkpoint);
        Assert.Empty(stage.Ends);
    }

    /// <summary>Its answer is then ahead of the copy in which the settling silo looks for the cut.</summary>
    [Fact]
    public async Task The_first_cut_may_be_written_by_another_silo()
    {
        await using var stage = await StartAsync(partitions: 2);
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);
        Assert.NotEmpty(stage[0].Checkpoint);
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task A_command_that_was_not_answered_comes_too_late_for_the_next_beginning_of_the_same_silo()
    {
        await using var stage = await StartAsync();
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);
        var term = await TermAsync(stage);
        Func<Task<Answer>>? late = null;
        stage.Between = (command, send) =>
        {
            if (command is not LogCut || late is not null) return send();
            late = send;
            return Task.FromException<Answer>(new OutcomeUnknownException(new TimeoutException("no answer came")));
        };
        await stage[1].Partitions.CreateWalletAsync(EngineHarness.NewId(), 1);
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => stage[0].SettleAsync(Cancel));
        await UntilAsync(() => !stage[0].Settles);
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);

        Assert.Equal(Outcome.TermOver, (await late!()).Outcome);
        Assert.Equal(term + 1, await TermAsync(stage));
        Assert.Empty(stage.Ends);
    }

    /// <summary>Neither partition sees what the other one gave away: the term does.</summary>
    [Fact]
    public async Task An_address_that_is_given_away_late_is_not_given_and_nothing_is_credited_twice()
    {
        await using var stage = await StartAsync(partitions: 2);
        await stage.SettleFromAsync(0);
        stage.CopyKeys(0, 1);
        await stage[0].SettleAsync(Cancel);
        var wallets = new[] { await WalletInAsync(stage, 0), await WalletInAsync(stage, 1) };
        var held = Hold<AssignAddress>(stage);
        var late = stage[0].AssignAddressAsync(EngineHarness.NewId(), wallets[0], 1, AddressPurpose.Deposit, Cancel);
        await held.Came;
        await stage.SettleFromAsync(1);
        var given = await stage[1].AssignAddressAsync(EngineHarness.NewId(), wallets[1], 1, AddressPurpose.Deposit, Cancel);
        held.GoOn();
        await Assert.ThrowsAsync<TermOverException>(() => late);

        await Node.PayAsync(BitcoinAddress.FromScript(((AssignAddress)given.Entry!.Command).Script.Span, BitcoinNetwork.Regtest)!, new Sats(1_000_000), Cancel);
        await Node.MineAsync(EngineHarness.ToCredit, Cancel);
        await stage[1].SettleAsync(Cancel);
        Assert.Equal(new Sats(1_000_000).ToMsat().Value, (await stage[1].Partitions.QueryAllAsync(ledger => ledger.Totals.Deposited)).Sum());
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task Fees_that_are_set_late_leave_no_partition_with_others()
    {
        await using var stage = await StartAsync(partitions: 2);
        await stage.SettleFromAsync(0);
        stage.CopyKeys(0, 1);
        await stage[0].SettleAsync(Cancel);
        // It goes to the last partition first, and to the first one last.
        var held = Hold<SetFees>(stage, after: 1);
        var late = stage[0].Partitions.SubmitAsync(FeesOf(111), Ledger.OperatorTenant);
        await held.Came;
        await stage.SettleFromAsync(1);
        Assert.Equal(Outcome.Accepted, (await stage[1].Partitions.SubmitAsync(FeesOf(222), Ledger.OperatorTenant)).Outcome);
        held.GoOn();
        await Assert.ThrowsAsync<TermOverException>(() => late);

        Assert.Equal([222, 222], (await stage[1].Partitions.QueryAllAsync(ledger => ledger.FeesOf(1))).Select(fees => fees.Flat.Value));
        Assert.Empty(stage.Ends);
    }

    /// <summary>Which partition knows the id is asked before: the other one's command may be on its way.</summary>
    [Fact]
    public async Task One_id_decides_about_one_output_though_two_silos_are_asked()
    {
        await using var stage = await StartAsync(partitions: 2);
        await stage.SettleFromAsync(0);
        stage.CopyKeys(0, 1);
        await stage[0].SettleAsync(Cancel);
        var (outputs, wallets) = await InSuspenseAsync(stage);
        var held = Hold<AssignSuspense>(stage);
        var id = EngineHarness.NewId();
        var late = stage[0].Partitions.SubmitAsync(new AssignSuspense(id, outputs[1], wallets[1]), Ledger.OperatorTenant);
        await held.Came;
        await stage.SettleFromAsync(1);
        Assert.Equal(Outcome.Accepted, (await stage[1].Partitions.SubmitAsync(new AssignSuspense(id, outputs[0], wallets[0]), Ledger.OperatorTenant)).Outcome);
        held.GoOn();
        await Assert.ThrowsAsync<TermOverException>(() => late);
        Assert.Equal((InSuspense.ToMsat(), Msat.Zero), (await AvailableAsync(stage, wallets[0]), await AvailableAsync(stage, wallets[1])));
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task One_id_decides_about_one_output_though_the_first_decision_is_not_answered()
    {
        await using var stage = await StartAsync(partitions: 2);
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);
        var (outputs, wallets) = await InSuspenseAsync(stage);
        Func<Task<Answer>>? late = null;
        stage.Between = (command, send) =>
        {
            if (command is not AssignSuspense || late is not null) return send();
            late = send;
            return Task.FromException<Answer>(new OutcomeUnknownException(new TimeoutException("no answer came")));
        };
        var id = EngineHarness.NewId();
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => stage[0].Partitions.SubmitAsync(new AssignSuspense(id, outputs[1], wallets[1]), Ledger.OperatorTenant));
        await UntilAsync(() => !stage[0].Settles);
        await stage.SettleFromAsync(0);
        Assert.Equal(Outcome.Accepted, (await stage[0].Partitions.SubmitAsync(new AssignSuspense(id, outputs[0], wallets[0]), Ledger.OperatorTenant)).Outcome);

        Assert.Equal(Outcome.TermOver, (await late!()).Outcome);
        Assert.Equal((InSuspense.ToMsat(), Msat.Zero), (await AvailableAsync(stage, wallets[0]), await AvailableAsync(stage, wallets[1])));
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task Whoever_settles_goes_on_while_another_machine_hashes_the_log_for_the_first_time()
    {
        await using var stage = await StartAsync();
        await stage.SettleFromAsync(1);
        stage.CopyKeys(1, 0);
        await stage[1].SettleAsync(Cancel);
        var (size, hashes) = (long.Parse(stage[1].Checkpoint.Split('\n')[1], CultureInfo.InvariantCulture), Path.Combine(stage.FolderOf(0), "log", "level-00"));
        Assert.False(File.Exists(hashes));
        var held = Hold<BeginTerm>(stage);
        stage[0].BeginSettling();
        await held.Came;
        Assert.True(new FileInfo(hashes).Length >= size * Hash256.Bytes);
        await stage[1].SettleAsync(Cancel);
        held.GoOn();
        await stage.SettleFromAsync(0);
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task An_address_that_two_partitions_have_ends_settlement_until_a_restart_and_payments_go_on()
    {
        await using var stage = await StartAsync(partitions: 2);
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);
        var wallets = new[] { await WalletInAsync(stage, 0), await WalletInAsync(stage, 1) };
        var given = await stage[0].AssignAddressAsync(EngineHarness.NewId(), wallets[0], 1, AddressPurpose.Deposit, Cancel);
        var script = ((AssignAddress)given.Entry!.Command).Script;
        await AcceptedAsync(stage[1].Partitions[1].SubmitAsync(new AssignAddress(EngineHarness.NewId(), wallets[1], AddressPurpose.Deposit, script), 1, await TermAsync(stage)));
        await Node.PayAsync(BitcoinAddress.FromScript(script.Span, BitcoinNetwork.Regtest)!, new Sats(1_000_000), Cancel);
        await Node.MineAsync(EngineHarness.ToCredit, Cancel);
        stage[0].WakeSettlement();
        await UntilAsync(() => stage[0].SettlementBar is not null && !stage[0].IsSettling);

        Assert.Contains("in two partitions", stage[0].SettlementTrouble, StringComparison.Ordinal);
        stage[0].BeginSettling();
        Assert.Equal((false, false, false), (stage[0].Settles, stage[0].IsSettling, stage[0].MaySettle));
        Assert.All(await stage[1].Partitions.QueryAllAsync(ledger => ledger.Totals.Deposited), deposited => Assert.Equal(0, deposited));
        await AcceptedAsync(stage[0].Partitions.CreateWalletAsync(EngineHarness.NewId(), 1));
        Assert.Empty(stage.Ends);
    }

    /// <summary>An output in suspense, and a wallet, in each of two partitions.</summary>
    private static async Task<(OutPoint[] Outputs, WalletId[] Wallets)> InSuspenseAsync(ClusterStage stage)
    {
        var (outputs, wallets) = (new OutPoint[2], new WalletId[2]);
        for (var number = 0; number < 2; number++)
        {
            (outputs[number], wallets[number]) = (new OutPoint(default, (uint)number), await WalletInAsync(stage, number));
            var (partition, script, term) = (stage[1].Partitions[number], new ByteString([0x00, 0x14, .. Enumerable.Repeat((byte)(number + 1), 20)]), await TermAsync(stage));
            await AcceptedAsync(partition.SubmitAsync(new AssignAddress(EngineHarness.NewId(), wallets[number], AddressPurpose.Deposit, script), 1, term));
            foreach (var state in (DepositState[])[DepositState.Credited, DepositState.Final])
                await AcceptedAsync(partition.SubmitAsync(new ChangeDeposit(outputs[number], state, true, script, InSuspense, default, 1), Ledger.OperatorTenant, term));
        }
        return (outputs, wallets);
    }

    private static Task<Msat> AvailableAsync(ClusterStage stage, WalletId wallet) =>
        stage[1].Partitions.HomeOf(wallet).QueryAsync(ledger => ledger.FindWallet(wallet)!.Value.Available);

    private static async Task AcceptedAsync(Task<Answer> answer) => Assert.Equal(Outcome.Accepted, (await answer).Outcome);

    private static SetFees FeesOf(long msat) => new(EngineHarness.NewId(), 1, new FeeSchedule(new Msat(msat), 0, default));

    private static async Task<WalletId> WalletInAsync(ClusterStage stage, int partition)
    {
        while (true)
        {
            var made = (await stage[1].Partitions.CreateWalletAsync(EngineHarness.NewId(), 1)).Owner!.Value.Id;
            if (stage[1].Partitions.HomeOf(made).Number == partition) return made;
        }
    }

    [Fact]
    public async Task Requests_that_settlement_has_taken_are_answered_before_it_ends()
    {
        await using var stage = await StartAsync();
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);
        var held = Hold<EpochCut>(stage);
        var first = stage[0].CloseEpochAsync(EngineHarness.NewId(), Cancel);
        await held.Came;
        var second = stage[0].CloseEpochAsync(EngineHarness.NewId(), Cancel);
        var end = stage[0].EndSettlingAsync();
        Assert.False(end.IsCompleted);
        held.GoOn();

        Assert.Equal(Outcome.Accepted, (await first).Outcome);
        Assert.Equal(Outcome.Accepted, (await second).Outcome);
        await end;
        await Assert.ThrowsAsync<SettledElsewhereException>(async () => await stage[0].CloseEpochAsync(EngineHarness.NewId(), Cancel));
        Assert.Equal(2, await stage[1].Partitions.First.QueryAsync(ledger => ledger.LastEpoch!.Number));
        Assert.Empty(stage.Ends);
    }

    [Fact]
    public async Task A_rotation_whose_answer_is_lost_loses_no_key()
    {
        await using var stage = await StartAsync();
        await stage.SettleFromAsync(0);
        await stage[0].SettleAsync(Cancel);
        var held = Hold<RotateKey>(stage, async send =>
        {
            await send();
            throw new OutcomeUnknownException(new TimeoutException("the writer was lost behind its append"));
        });
        var id = EngineHarness.NewId();
        var first = stage[0].RotateCheckpointKeyAsync(id, Cancel);
        await held.Came;
        var second = stage[0].RotateCheckpointKeyAsync(id, Cancel);
        held.GoOn();
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => first);
        await Assert.ThrowsAsync<TermOverException>(() => second);

        await UntilAsync(() => !stage[0].Settles);
        await stage.SettleFromAsync(0);
        var again = await stage[0].RotateCheckpointKeyAsync(id, Cancel);
        Assert.Equal((Outcome.Accepted, true), (again.Outcome, again.IsRetry));
        var rotation = Assert.Single(await stage[1].Partitions.First.QueryAsync(ledger => ledger.KeyRotations.ToArray()));
        Assert.Equal(rotation.New.PublicKey, stage[0].Verifier.PublicKey);
        Assert.Empty(stage.Ends);
    }

    /// <summary>A command that is on its way.</summary>
    private sealed record Held(Task Came, Action GoOn);

    /// <summary>Holds the first command of a kind on its way to the writer.</summary>
    /// <param name="then">What becomes of it; null for what should.</param>
    /// <param name="after">So many of them go through before.</param>
    private static Held Hold<T>(ClusterStage stage, Func<Func<Task<Answer>>, Task<Answer>>? then = null, int after = 0) where T : Command
    {
        var (came, go) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        stage.Between = async (command, send) =>
        {
            if (command is not T || Interlocked.Decrement(ref after) >= 0 || !came.TrySetResult()) return await send();
            await go.Task;
            return await (then is null ? send() : then(send));
        };
        return new Held(came.Task, go.SetResult);
    }

    private static Task<long> TermAsync(ClusterStage stage) => stage[1].Partitions.First.QueryAsync(ledger => ledger.Term);

    private static void Execute(ClusterStage stage, string sql) => PostgresFixture.Execute(stage.ConnectionString, sql);

    private static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            Cancel.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
