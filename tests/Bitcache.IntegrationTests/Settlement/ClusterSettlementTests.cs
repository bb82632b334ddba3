using System.Globalization;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Postgres;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Settlement that moves between silos: one log, one chain of anchors, nothing lost and nothing paid twice, whoever settles.</summary>
[Trait("suite", "node")]
[Collection(PostgresFixture.Collection)]
public sealed class ClusterSettlementTests(RegtestFixture regtest, PostgresFixture postgres) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Withdrawn = new(90_000);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private RegtestNode Node => regtest.Node;

    [Fact]
    public async Task Settlement_moves_between_silos_and_the_log_and_the_chain_go_on_unbroken()
    {
        await using var stage = new ClusterStage(Node, postgres);
        await stage.JoinAsync();
        await stage.JoinAsync();
        await stage.PromoteAsync(0);
        Assert.True(stage[1].MaySettle);
        await stage.SettleFromAsync(0);
        // From here on there is a ledger, and its keys are on one machine: the other one knows when its copy does.
        Assert.True(await stage[1].Partitions.First.QueryAsync(ledger => ledger.NextSequence > 0));
        Assert.Equal((true, false), (stage[0].MaySettle, stage[1].MaySettle));
        await Assert.ThrowsAsync<SettledElsewhereException>(() => stage[1].HealthAsync());

        await TopUpAsync(stage, 0);
        var wallet = await FundedAsync(stage, 0);
        var first = await CloseEpochAsync(stage, 0);
        var (checkpoint, coins) = (stage[0].Checkpoint, await ReadAsync(stage[0], first.Number));
        var withdrawal = await WithdrawAsync(stage[1], wallet);

        // Handed on: the next one has what was signed and what is kept of epochs, without having been told.
        stage.CopyKeys(0, 1);
        await stage[0].EndSettlingAsync();
        Assert.False(stage[0].Settles);
        await stage.SettleFromAsync(1);
        Assert.True(SizeOf(stage[1].Checkpoint) >= SizeOf(checkpoint));
        Assert.Equal(coins, await ReadAsync(stage[1], first.Number));
        await CloseEpochAsync(stage, 1);
        await MineAsync(stage, 1, 1);

        // Taken away while a turn may be under way: the late one ends and the next one pays what it had opened.
        await stage.SettleFromAsync(0);
        await Assert.ThrowsAsync<TermOverException>(() => TurnUntilOverAsync(stage[1]));
        while (stage[1].Settles) await Task.Yield();
        await MineAsync(stage, 0, EngineHarness.ToFinal);
        Assert.Equal(WithdrawalState.Paid, (await stage[0].Partitions.First.QueryAsync(ledger => ledger.FindWithdrawal(withdrawal)))!.State);
        var totals = await stage[1].Partitions.First.QueryAsync(ledger => ledger.Totals);
        Assert.True(totals.IsConserved);
        Assert.Equal((Deposit.ToMsat().Value, Withdrawn.ToMsat().Value), (totals.Deposited, totals.Withdrawn));
        Assert.True(SizeOf(stage[0].Checkpoint) > SizeOf(checkpoint));

        // The one that was late does not even change a file any more.
        using var database = JournalDatabase.Open(postgres.NewDatabase() with { ConnectionString = stage.ConnectionString, Origin = "ledger.test/log", Cluster = "tests" });
        var (late, term) = (PostgresFiles.OfSettlement(database, 1), await stage[0].Partitions.First.QueryAsync(ledger => ledger.LastTerm!.Term));
        Assert.Equal(3, term);
        Assert.Throws<TermOverException>(() => WholeFile.Write(late, "/settlement", "last-signed", "0"u8));
        WholeFile.Write(PostgresFiles.OfSettlement(database, term), "/settlement", "test", "0"u8);

        // Every silo has the same ledger.
        Assert.Single((await Task.WhenAll(stage.Silos.Select(silo => silo.Partitions.First.QueryAsync(ledger => (ledger.NextSequence, ledger.StateHash()))))).Distinct());
    }

    /// <summary>It goes to the others only when an operator copies it.</summary>
    [Fact]
    public async Task A_silo_without_the_keys_of_the_ledger_does_not_settle()
    {
        await using var stage = new ClusterStage(Node, postgres);
        await stage.JoinAsync();
        await stage.PromoteAsync(0);
        await stage.SettleFromAsync(0);
        await stage[0].EndSettlingAsync();
        await stage.JoinAsync();
        var term = await stage[1].Partitions.First.QueryAsync(ledger => ledger.LastTerm);

        stage[1].BeginSettling();
        while (stage[1].SettlementTrouble is null || stage[1].IsSettling) await Task.Yield();

        Assert.Contains("checkpoint.key is missing", stage[1].SettlementTrouble, StringComparison.Ordinal);
        Assert.False(stage[1].Settles);
        Assert.False(File.Exists(Path.Combine(stage.KeysOf(1), "checkpoint.key")));
        Assert.Equal(term, await stage[1].Partitions.First.QueryAsync(ledger => ledger.LastTerm));
        stage.CopyKeys(0, 1);
        await stage.SettleFromAsync(1);
    }

    [Fact]
    public async Task A_ledger_moves_from_a_single_server_into_a_cluster_and_back_with_one_log()
    {
        await using var stage = new ClusterStage(Node, postgres);
        var shared = stage.SettingsOf(0);
        var single = shared with { Journal = JournalKind.Files, PostgresConnectionFile = null, SnapshotsInDatabase = false, Cluster = "" };
        string before, kept;
        await using (var engine = await OpenAsync(single))
        {
            kept = await ReadAsync(engine, (await CloseEpochAsync(engine)).Number);
            before = engine.Checkpoint;
        }
        Move(single, shared);

        // A machine to which the folder of the keys was copied whole knows what was signed, but not of which coins.
        await stage.JoinAsync();
        await stage.JoinAsync();
        await stage.PromoteAsync(0);
        stage.CopyKeys(0, 1);
        stage[1].BeginSettling();
        while (stage[1].SettlementTrouble is null || stage[1].IsSettling) await Task.Yield();
        Assert.Contains("epoch 1 of this ledger was stated", stage[1].SettlementTrouble, StringComparison.Ordinal);

        // Nobody told the silo what was signed: it finds it in the folder, and from then on in the database.
        await stage.SettleFromAsync(0);
        Assert.True(SizeOf(stage[0].Checkpoint) >= SizeOf(before));
        Assert.Equal(kept, await ReadAsync(stage[0], 1));
        await CloseEpochAsync(stage, 0);
        var (between, second) = (stage[0].Checkpoint, await ReadAsync(stage[0], 2));
        await stage.EndAsync();
        File.Delete(Path.Combine(stage.KeysOf(0), "last-signed"));
        Directory.Delete(Path.Combine(stage.FolderOf(0), "epochs"), recursive: true);

        Move(shared, single);
        await using (var engine = await OpenAsync(single))
        {
            Assert.True(SizeOf(engine.Checkpoint) >= SizeOf(between));
            Assert.Equal(kept, await ReadAsync(engine, 1));
            Assert.Equal(second, await ReadAsync(engine, 2));
            await CloseEpochAsync(engine);
        }
    }

    private Task<LedgerEngine> OpenAsync(EngineSettings settings) => LedgerEngine.OpenAsync(
        settings, Node.Node, TimeProvider.System, NullLoggerFactory.Instance, (why, cause) => throw new InvalidOperationException(why, cause), Cancel);

    private static void Move(EngineSettings from, EngineSettings to) => JournalMigration.Run(from, to, NullLogger.Instance, static (_, _, _) => { });

    private static async Task<Epoch> CloseEpochAsync(LedgerEngine engine)
    {
        // Whoever has just begun looks at the chain first.
        await engine.SettleAsync(Cancel);
        await engine.CloseEpochAsync(EngineHarness.NewId(), Cancel);
        await engine.SettleAsync(Cancel);
        var epoch = await engine.Partitions.First.QueryAsync(ledger => ledger.LastEpoch!);
        Assert.True(epoch.Stated > 0, (await engine.HealthAsync()).Books.Trouble);
        return epoch;
    }

    private async Task TopUpAsync(ClusterStage stage, int settling)
    {
        var wallet = await stage[0].Partitions.First.QueryAsync(ledger => ledger.OperatorWallet.Id);
        await Node.PayAsync(await AddressAsync(stage[settling], wallet, Ledger.OperatorTenant, AddressPurpose.OperatorTopUp), new Sats(500_000), Cancel);
        await MineAsync(stage, settling, EngineHarness.ToCredit);
    }

    private async Task<WalletId> FundedAsync(ClusterStage stage, int settling)
    {
        // Asked of the silo that does not write it.
        var made = await stage[1].Partitions.CreateWalletAsync(EngineHarness.NewId(), 1);
        var wallet = made.Owner!.Value.Id;
        await Node.PayAsync(await AddressAsync(stage[settling], wallet, 1, AddressPurpose.Deposit), Deposit, Cancel);
        await MineAsync(stage, settling, EngineHarness.ToCredit);
        Assert.Equal(Deposit.ToMsat(), await stage[1].Partitions.HomeOf(wallet).QueryAsync(ledger => ledger.FindWallet(wallet)!.Value.Available));
        return wallet;
    }

    private static async Task<string> AddressAsync(LedgerEngine engine, WalletId wallet, uint tenant, AddressPurpose purpose)
    {
        var answer = await engine.AssignAddressAsync(EngineHarness.NewId(), wallet, tenant, purpose, Cancel);
        return BitcoinAddress.FromScript(((AssignAddress)answer.Entry!.Command).Script.Span, BitcoinNetwork.Regtest)!;
    }

    private async Task MineAsync(ClusterStage stage, int settling, int blocks)
    {
        await Node.MineAsync(blocks, Cancel);
        await stage[settling].SettleAsync(Cancel);
    }

    private static Task<Epoch> CloseEpochAsync(ClusterStage stage, int settling) => CloseEpochAsync(stage[settling]);

    private async Task<WithdrawalKey> WithdrawAsync(LedgerEngine engine, WalletId wallet)
    {
        Assert.True(BitcoinAddress.TryParse(await Node.NewMinerAddressAsync(Cancel), BitcoinNetwork.Regtest, out var script, out _));
        var id = EngineHarness.NewId();
        Assert.Equal(Outcome.Accepted, (await engine.Partitions.SubmitAsync(new RequestWithdrawal(id, wallet, new ByteString(script), Withdrawn, Max: false), tenant: 1)).Outcome);
        return new WithdrawalKey(wallet, id);
    }

    /// <summary>It has nothing to say until it has something to change.</summary>
    private async Task TurnUntilOverAsync(LedgerEngine engine)
    {
        while (engine.Settles)
        {
            await Node.MineAsync(1, Cancel);
            await engine.SettleAsync(Cancel);
        }
        throw new InvalidOperationException("it ended without being told why");
    }

    private static long SizeOf(string checkpoint) => long.Parse(checkpoint.Split('\n')[1], CultureInfo.InvariantCulture);

    /// <summary>What is kept of an epoch: the list of coins, and what is owed, which the silo may have to make again.</summary>
    private static async Task<string> ReadAsync(LedgerEngine engine, long epoch)
    {
        var (coins, owed) = (await engine.FindEpochFileAsync(epoch, ReservesFile.Name), await engine.FindEpochFileAsync(epoch, EpochFolder.LiabilitiesName));
        return Convert.ToHexString(coins!.Value.Bytes!) + await File.ReadAllTextAsync(owed!.Value.Path!, Cancel);
    }
}
