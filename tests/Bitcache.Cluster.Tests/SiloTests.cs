using System.Diagnostics;
using Bitcache.Cluster.Grains;
using Bitcache.Cluster.Placement;
using Bitcache.IntegrationTests.Postgres;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.Concurrency;
using Orleans.Storage;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos of this process on one real PostgreSQL: membership, placement, hand-over, reminders, grain storage.</summary>
[Trait("suite", "cluster"), Collection(PostgresFixture.Collection)]
public sealed class SiloTests(PostgresFixture postgres)
{
    private const int Partitions = 64;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Partitions_are_shared_evenly_and_a_silo_that_stops_hands_its_own_over()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var first = await StartAsync(database, "one");
        await UntilAsync(() => first.Ledger.Owned == Partitions);
        await using (var second = await StartAsync(database, "two"))
        {
            await UntilAsync(() => first.Ledger.Owned == Partitions / 2 && second.Ledger.Owned == Partitions / 2);
            await AddEverywhereAsync(second);
        }
        await AddEverywhereAsync(first);
        await UntilAsync(() => first.Ledger.Owned == Partitions);
        Assert.Equal(2 * Partitions, await CountAsync(database));
    }

    [Fact]
    public async Task A_wallets_grain_stands_beside_its_partition()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var first = await StartAsync(database, "one");
        await using var second = await StartAsync(database, "two");
        await UntilAsync(() => first.Ledger.Owned == Partitions / 2 && second.Ledger.Owned == Partitions / 2);
        var wallets = Enumerable.Range(0, 200).Select(_ => Guid.NewGuid()).ToArray();
        await Task.WhenAll(wallets.Select(wallet => AddAsync(first.Grains.GetGrain<IWalletGrain>(wallet).SubmitAsync)));
        var plans = first.Host.Services.GetRequiredService<PlanCache>();
        var management = first.Grains.GetGrain<IManagementGrain>(0);
        foreach (var wallet in wallets)
        {
            var partition = first.Grains.GetGrain<IPartitionGrain>(WalletKey.Read(wallet).PartitionOf(Partitions));
            var at = await management.GetActivationAddress(first.Grains.GetGrain<IWalletGrain>(wallet), Cancel);
            Assert.Equal(await partition.KeepAsync(), at);
        }
        Assert.Equal(200, await CountAsync(database));
    }

    [Fact]
    public async Task An_idle_wallets_grain_is_given_back()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silo = await StartAsync(database, "one");
        var wallets = Enumerable.Range(0, 500).Select(_ => Guid.NewGuid()).ToArray();
        await Task.WhenAll(wallets.Select(wallet => AddAsync(silo.Grains.GetGrain<IWalletGrain>(wallet).SubmitAsync)));
        var watched = silo.Grains.GetGrain<IWalletGrain>(wallets[0]);
        var heard = new Ear();
        Assert.True(await watched.SubscribeAsync(silo.Grains.CreateObjectReference<IWalletObserver>(heard)));
        var management = silo.Grains.GetGrain<IManagementGrain>(0);
        Assert.Equal(500, await WalletGrainsAsync(management));

        await management.ForceActivationCollection(TimeSpan.Zero, Cancel);
        await UntilAsync(async () => await WalletGrainsAsync(management) == 1);
        // The one with an observer is there, and tells it.
        silo.Host.Services.GetRequiredService<WalletWatch>().Publish(new WalletEvent(wallets[0], 0, 7, [1, 2, 3]));
        Assert.Equal(7, (await heard.Heard.WaitAsync(Patience, Cancel)).Sequence);
    }

    [Fact]
    public async Task Observers_are_told_wherever_they_are_and_come_back_from_the_database()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var first = await StartAsync(database, "one");
        await using var second = await StartAsync(database, "two");
        await UntilAsync(() => second.Ledger.Owned == Partitions / 2);
        var plans = first.Host.Services.GetRequiredService<PlanCache>();
        var there = second.Host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;
        var active = first.Host.Services.GetRequiredService<ISiloStatusOracle>().GetActiveSilos();
        var wallet = WalletOf(plans.For(active).ToList().FindIndex(silo => silo.Equals(there)));
        var (heard, again) = (new Ear(), new Ear());
        var (observer, other) = (first.Grains.CreateObjectReference<IWalletObserver>(heard), first.Grains.CreateObjectReference<IWalletObserver>(again));
        var grain = first.Grains.GetGrain<IWalletGrain>(wallet);
        Assert.True(await grain.SubscribeAsync(observer));
        second.Host.Services.GetRequiredService<WalletWatch>().Publish(new WalletEvent(wallet, 0, 1, []));
        Assert.Equal(1, (await heard.Heard.WaitAsync(Patience, Cancel)).Sequence);

        // Its silo goes, and with it the grain; what it knew comes back with the next subscription.
        await second.Host.StopAsync(Cancel);
        heard.Forget();
        Assert.True(await grain.SubscribeAsync(other));
        first.Host.Services.GetRequiredService<WalletWatch>().Publish(new WalletEvent(wallet, 0, 2, []));
        Assert.Equal(2, (await heard.Heard.WaitAsync(Patience, Cancel)).Sequence);
        Assert.Equal(2, (await again.Heard.WaitAsync(Patience, Cancel)).Sequence);
        await grain.UnsubscribeAsync(observer);
        await grain.UnsubscribeAsync(other);
        Assert.True(first.Host.Services.GetRequiredService<WalletWatch>().IsEmpty);
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
    public async Task The_settlement_has_one_owner_and_a_reminder_that_finds_it()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silo = await StartAsync(database, "one");
        var reminders = silo.Host.Services.GetRequiredService<IReminderTable>();
        var settlement = silo.Grains.GetGrain<ISettlementGrain>(SettlementGrain.Key);
        await UntilAsync(async () => (await reminders.ReadRows(settlement.GetGrainId())).Reminders.Count == 1);
        var row = Assert.Single((await reminders.ReadRows(settlement.GetGrainId(), Cancel)).Reminders);
        Assert.Equal((TimeSpan.FromMinutes(1), "keep"), (row.Period, row.ReminderName));
        // As the reminder service does in a range of hashes that goes over the end, and in one that does not.
        var hash = settlement.GetGrainId().GetUniformHashCode();
        Assert.Single((await reminders.ReadRows(hash - 1, hash, Cancel)).Reminders);
        Assert.Single((await reminders.ReadRows(hash, hash, Cancel)).Reminders);
        Assert.Empty((await reminders.ReadRows(hash, hash + 1, Cancel)).Reminders);
        Assert.Equal(row.ETag, (await reminders.ReadRow(row.GrainId, row.ReminderName, Cancel))?.ETag);
        Assert.False(await reminders.RemoveRow(row.GrainId, row.ReminderName, "77", Cancel));
        Assert.True(await reminders.RemoveRow(row.GrainId, row.ReminderName, row.ETag!, Cancel));
        await settlement.TakeTurnAsync();
        Assert.Equal(1, silo.Ledger.Turns);
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
        Assert.Contains("has 64 partitions for ever, the settings say partitions 2", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_are_refused_whole()
    {
        var problems = new ClusterSettings("a b", "Username=x", "", System.Net.IPAddress.Loopback, 0, 0, 0) { WalletIdle = TimeSpan.Zero }.Problems();
        string[] beginnings = ["cluster 'a b'", "silo ''", "siloPort 0 is", "gatewayPort 0", "siloPort and gatewayPort", "partitions 0", "walletIdle", "database names"];
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
            await silo.Grains.GetGrain<IWalletGrain>(wallet).NotifyAsync(new WalletEvent(wallet, 0, 0, []));
            if (i % 1_000 == 999) await UntilAsync(async () => await WalletGrainsAsync(management) >= there + i - UnderWayMax);
        }
        await UntilAsync(async () => await WalletGrainsAsync(management) == there + count);
    }

    private static Task<TestSilo> StartAsync(string database, string name) => TestSilo.StartAsync(TestSilo.Settings(database, name, Partitions), Cancel);

    private static Task<Immutable<byte[]>> AddAsync(Func<Immutable<byte[]>, Task<Immutable<byte[]>>> submit) => submit(new Immutable<byte[]>(Guid.NewGuid().ToByteArray()));

    private static Task<Immutable<byte[]>[]> AddEverywhereAsync(TestSilo silo) =>
        Task.WhenAll(Enumerable.Range(0, Partitions).Select(partition => AddAsync(silo.Grains.GetGrain<IPartitionGrain>(partition).SubmitAsync)));

    private static async Task<GrainState<WalletSubscriptions>> ReadAsync(IGrainStorage storage, GrainId grain)
    {
        var state = new GrainState<WalletSubscriptions>();
        await storage.ReadStateAsync(GrainStates.Wallet, grain, state);
        return state;
    }

    private static async Task<int> WalletGrainsAsync(IManagementGrain management) =>
        (await management.GetSimpleGrainStatistics()).Where(of => of.GrainType.Contains(nameof(WalletGrain), StringComparison.Ordinal)).Sum(of => of.ActivationCount);

    /// <summary>A wallet that lives in a partition.</summary>
    private static Guid WalletOf(int partition)
    {
        while (true)
        {
            var wallet = Guid.NewGuid();
            if (WalletKey.Read(wallet).PartitionOf(Partitions) == partition) return wallet;
        }
    }

    private static async Task<long> CountAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand("SELECT sum(value)::bigint FROM counters");
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private static Task UntilAsync(Func<bool> isSo) => UntilAsync(() => Task.FromResult(isSo()));

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!await isSo()) await Task.Delay(20, late.Token);
    }

    private sealed class Ear : IWalletObserver
    {
        private TaskCompletionSource<WalletEvent> _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<WalletEvent> Heard => _heard.Task;

        public void Forget() => _heard = new TaskCompletionSource<WalletEvent>(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task OnEventAsync(WalletEvent happened)
        {
            _heard.TrySetResult(happened);
            return Task.CompletedTask;
        }
    }
}
