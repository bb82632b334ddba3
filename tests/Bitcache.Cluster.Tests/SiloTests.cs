using System.Diagnostics;
using Bitcache.Cluster.Grains;
using Bitcache.Cluster.Placement;
using Bitcache.Core;
using Bitcache.IntegrationTests.Postgres;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Storage;
using static Bitcache.Cluster.Tests.SiloStage;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos of this process on one real PostgreSQL: membership, placement, hand-over, reminders, grain storage.</summary>
[Trait("suite", "cluster"), Collection(PostgresFixture.Collection)]
public sealed class SiloTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Partitions_are_shared_evenly_and_a_silo_that_stops_hands_its_own_over()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var first = await StartAsync(database, "one");
        await UntilAsync(() => first.Ledger.Owned == Partitions);
        var wallets = await first.Ledger.BeginAsync(2, 1);
        await using (var second = await StartAsync(database, "two"))
        {
            await UntilAsync(() => first.Ledger.Owned == Partitions / 2 && second.Ledger.Owned == Partitions / 2);
            await PayEverywhereAsync(second, wallets);
        }
        await PayEverywhereAsync(first, wallets);
        await UntilAsync(() => first.Ledger.Owned == Partitions);
        foreach (var payee in wallets[Partitions..]) Assert.Equal(1_002, (await FindAsync(first, payee))!.Available);
    }

    [Fact]
    public async Task A_wallets_grain_stands_beside_its_partition()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silos = await StartTwoAsync(database);
        var (first, second) = silos;
        var wallets = Enumerable.Range(0, 200).Select(_ => Guid.NewGuid()).ToArray();
        await Task.WhenAll(wallets.Select(wallet => first.Grains.GetGrain<IWalletGrain>(wallet).FindAsync()));
        var plans = first.Host.Services.GetRequiredService<PlanCache>();
        var management = first.Grains.GetGrain<IManagementGrain>(0);
        foreach (var wallet in wallets)
        {
            var partition = first.Grains.GetGrain<IPartitionGrain>(WalletKey.Read(wallet).PartitionOf(Partitions));
            var at = await management.GetActivationAddress(first.Grains.GetGrain<IWalletGrain>(wallet), Cancel);
            Assert.Equal(await partition.KeepAsync(), at);
        }
    }

    [Fact]
    public async Task An_idle_wallets_grain_is_given_back()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silo = await StartAsync(database, "one");
        var paying = await silo.Ledger.BeginAsync(2, 1);
        Guid[] wallets = [WalletKey.Of(paying[0]), .. Enumerable.Range(1, 499).Select(_ => Guid.NewGuid())];
        await Task.WhenAll(wallets.Select(wallet => silo.Grains.GetGrain<IWalletGrain>(wallet).FindAsync()));
        var watched = silo.Grains.GetGrain<IWalletGrain>(wallets[0]);
        var heard = new Ear();
        Assert.True(await watched.SubscribeAsync(silo.Grains.CreateObjectReference<IWalletObserver>(heard)));
        var management = silo.Grains.GetGrain<IManagementGrain>(0);
        Assert.Equal(500, await WalletGrainsAsync(management));

        await management.ForceActivationCollection(TimeSpan.Zero, Cancel);
        await UntilAsync(async () => await WalletGrainsAsync(management) == 1);
        // The one with an observer is there, and tells it.
        await PayAsync(silo, paying[Partitions], paying[0]);
        await heard.HearsAsync(1_001);
    }

    [Fact]
    public async Task Of_two_writes_from_one_version_of_a_grains_state_the_second_is_refused()
    {
        await using var silo = await StartAsync(postgres.NewDatabase().ConnectionString, "one");
        var storage = silo.Host.Services.GetRequiredKeyedService<IGrainStorage>(GrainStates.Storage);
        var grain = silo.Grains.GetGrain<IWalletGrain>(Guid.NewGuid()).GetGrainId();
        var (one, two) = (await ReadAsync(storage, grain), await ReadAsync(storage, grain));
        Assert.False(one.RecordExists);
        await storage.WriteStateAsync(GrainStates.Wallet, grain, one);
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync(GrainStates.Wallet, grain, two));
        two = await ReadAsync(storage, grain);
        Assert.Equal(("1", "1"), (one.ETag, two.ETag));
        await storage.WriteStateAsync(GrainStates.Wallet, grain, two);
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync(GrainStates.Wallet, grain, one));
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.ClearStateAsync(GrainStates.Wallet, grain, one));
        await storage.ClearStateAsync(GrainStates.Wallet, grain, two);
        Assert.False((await ReadAsync(storage, grain)).RecordExists);
    }

    [Fact]
    public async Task The_settlement_is_where_the_keys_are_and_goes_on_elsewhere()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var keyless = await TestSilo.StartAsync(TestSilo.Settings(database, "none", Partitions), Cancel, canSettle: false);
        var there = keyless.Grains.GetGrain<ISettlementGrain>(SettlementGrain.Key);
        await Assert.ThrowsAsync<PartitionNotTakenException>(there.WhereAsync);
        await using var first = await StartAsync(database, "one");
        await UntilAsync(() => first.Settlement.IsSettling);
        Assert.Equal(first.Settlement.Address, await there.WhereAsync());
        await using var second = await StartAsync(database, "two");
        await keyless.Grains.GetGrain<IDepositGrain>(SettlementGrain.Key).LookAsync();
        await keyless.Grains.GetGrain<IPayoutGrain>(SettlementGrain.Key).LookAsync();
        Assert.Equal(2, first.Settlement.Turns + second.Settlement.Turns);

        // It learns that another one has a term: it gives the grain up, and one of the two takes it over again.
        Settling().LearnThatItIsOver();
        await UntilAsync(() => first.Settlement.IsSettling || second.Settlement.IsSettling);
        Assert.Equal(Settling().Address, await there.WhereAsync());
        var (ends, goesOn) = first.Settlement.IsSettling ? (first, second) : (second, first);
        await ends.Host.StopAsync(Cancel);
        Assert.False(ends.Settlement.IsSettling);
        await UntilAsync(() => goesOn.Settlement.IsSettling);
        Assert.Equal(goesOn.Settlement.Address, await there.WhereAsync());
        Assert.False(keyless.Settlement.IsSettling);

        CountingSettlement Settling() => first.Settlement.IsSettling ? first.Settlement : second.Settlement;
    }

    [Fact]
    public async Task Deposits_and_payouts_have_reminders_in_our_tables()
    {
        await using var silo = await StartAsync(postgres.NewDatabase().ConnectionString, "one");
        var reminders = silo.Host.Services.GetRequiredService<IReminderTable>();
        GrainId[] doors = [silo.Grains.GetGrain<IDepositGrain>(SettlementGrain.Key).GetGrainId(), silo.Grains.GetGrain<IPayoutGrain>(SettlementGrain.Key).GetGrainId()];
        foreach (var door in doors)
        {
            await UntilAsync(async () => (await reminders.ReadRows(door)).Reminders.Count == 1);
            var row = Assert.Single((await reminders.ReadRows(door, Cancel)).Reminders);
            Assert.Equal((TimeSpan.FromMinutes(1), "look"), (row.Period, row.ReminderName));
            // As the reminder service does in a range of hashes that goes over the end, and in one that does not.
            var hash = door.GetUniformHashCode();
            Assert.Contains(row.GrainId, (await reminders.ReadRows(hash - 1, hash, Cancel)).Reminders.Select(one => one.GrainId));
            Assert.Equal(2, (await reminders.ReadRows(hash, hash, Cancel)).Reminders.Count);
            Assert.DoesNotContain(row.GrainId, (await reminders.ReadRows(hash, hash + 1, Cancel)).Reminders.Select(one => one.GrainId));
            Assert.Equal(row.ETag, (await reminders.ReadRow(row.GrainId, row.ReminderName, Cancel))?.ETag);
        }
        var last = Assert.Single((await reminders.ReadRows(doors[1], Cancel)).Reminders);
        Assert.False(await reminders.RemoveRow(last.GrainId, last.ReminderName, "77", Cancel));
        Assert.True(await reminders.RemoveRow(last.GrainId, last.ReminderName, last.ETag!, Cancel));
    }

    [Fact]
    public async Task Two_clusters_that_are_pointed_at_one_database_refuse_each_other()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silo = await StartAsync(database, "one");
        var refused = await Assert.ThrowsAsync<ClusterRefusedException>(() =>
            TestSilo.StartAsync(TestSilo.Settings(database, "two", Partitions) with { Name = "other" }, Cancel));
        Assert.Contains("belongs to the cluster 'test', the settings say cluster 'other'", refused.Message, StringComparison.Ordinal);
        refused = await Assert.ThrowsAsync<ClusterRefusedException>(() => TestSilo.StartAsync(TestSilo.Settings(database, "two", 2), Cancel));
        Assert.Contains("has 8 partitions for ever, the settings say partitions 2", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_are_refused_whole()
    {
        var problems = new ClusterSettings("a b", "Username=x", "", System.Net.IPAddress.Loopback, 65536, 0) { GatewayPort = 65536, WalletIdle = TimeSpan.Zero }.Problems();
        string[] beginnings = ["cluster 'a b'", "silo ''", "siloPort 65536 is", "gatewayPort 65536 is", "siloPort and gatewayPort", "partitions 0", "walletIdle", "database names"];
        Assert.Equal(beginnings.Length, problems.Count);
        Assert.All(problems.Zip(beginnings), of => Assert.StartsWith(of.Second, of.First, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_idle_wallets_grain_takes_at_most_four_kilobytes()
    {
        await using var silo = await StartAsync(postgres.NewDatabase().ConnectionString, "one");
        const int Grains = 50_000;
        // What the first ones need once is not theirs.
        await MakeWalletsAsync(silo, 10_000);
        // Nor what silos of other tests have left to be finalized.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await MakeWalletsAsync(silo, Grains);
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Grains;
        TestContext.Current.TestOutputHelper?.WriteLine($"{each} bytes an idle wallet grain");
        Assert.InRange(each, 1, 4_096);
    }

    [Fact]
    public async Task A_silo_that_ends_hands_its_partitions_over_before_it_gives_its_wallets_up()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var first = await StartAsync(database, "one");
        await MakeWalletsAsync(first, 30_000);
        await using var second = await StartAsync(database, "two");
        await UntilAsync(() => second.Ledger.Owned == Partitions / 2);
        var told = Stopwatch.GetTimestamp();
        var ends = first.Host.StopAsync(Cancel);
        await UntilAsync(() => second.Ledger.Owned == Partitions);
        var handedOver = Stopwatch.GetElapsedTime(told);
        await ends;
        TestContext.Current.TestOutputHelper?.WriteLine($"handed over after {handedOver.TotalSeconds:0.00} s, ended after {Stopwatch.GetElapsedTime(told).TotalSeconds:0.00} s");
        Assert.InRange(handedOver, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    /// <summary>Has grains of new wallets made, which nobody asks anything.</summary>
    private static async Task MakeWalletsAsync(TestSilo silo, int count)
    {
        const int UnderWayMax = 5_000;
        var management = silo.Grains.GetGrain<IManagementGrain>(0);
        var there = await WalletGrainsAsync(management);
        for (var i = 0; i < count; i++)
        {
            var wallet = Guid.NewGuid();
            // Nobody hears it, and nothing is asked of the database: the grain is made for it.
            await silo.Grains.GetGrain<IWalletGrain>(wallet).NotifyAsync(new WalletState(wallet, 0, 0, 0, 0, 0, 0, 0));
            if (i % 1_000 == 999) await UntilAsync(async () => await WalletGrainsAsync(management) >= there + i - UnderWayMax);
        }
        await UntilAsync(async () => await WalletGrainsAsync(management) == there + count);
    }

    /// <summary>From the first wallet of each partition to the second.</summary>
    private static Task PayEverywhereAsync(TestSilo silo, WalletId[] wallets) =>
        Task.WhenAll(Enumerable.Range(0, Partitions).Select(partition => PayAsync(silo, wallets[partition], wallets[partition + Partitions])));

    private static async Task<GrainState<WalletSubscriptions>> ReadAsync(IGrainStorage storage, GrainId grain)
    {
        var state = new GrainState<WalletSubscriptions>();
        await storage.ReadStateAsync(GrainStates.Wallet, grain, state);
        return state;
    }

    private static async Task<int> WalletGrainsAsync(IManagementGrain management) =>
        (await management.GetSimpleGrainStatistics()).Where(of => of.GrainType.Contains(nameof(WalletGrain), StringComparison.Ordinal)).Sum(of => of.ActivationCount);
}
