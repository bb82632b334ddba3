using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>What may leave in a transaction, an hour and a day.</summary>
[Trait("suite", "core")]
public sealed class OutflowLimitsTests
{
    private const long Hour = 3_600_000;
    private static readonly UnixTime Now = new(1_800_000_000_000);

    /// <summary>What left earlier, by how many milliseconds ago, as amounts in satoshis.</summary>
    private static (string Leaving, Withheld Withheld) Choose(OutflowLimits limits, long[] due, params (long Ago, long Sat)[] sent)
    {
        var withdrawals = due.Select((sat, i) => new Withdrawal(
            new WithdrawalKey(new WalletId(1), OperationId.Create(Now, (UInt128)i)), ByteString.Empty, new Sats(sat), Now, i, WithdrawalState.Queued, 0, default)).ToArray();
        var (leaving, withheld) = limits.Choose(
            withdrawals, window => new Sats(sent.Where(s => s.Ago < window).Sum(s => s.Sat)));
        return (string.Join(' ', leaving.Select(w => w.Amount.Value)), withheld);
    }

    [Fact]
    public void Without_limits_everything_leaves() =>
        Assert.Equal(("5 7000", Withheld.None), Choose(new OutflowLimits(), [5, 7_000], (1, Limits.SupplySatMax)));

    [Fact]
    public void What_would_pass_a_limit_waits_and_what_is_behind_it_waits_with_it()
    {
        var limits = new OutflowLimits(HourSat: 100);
        Assert.Equal(("60 40", Withheld.None), Choose(limits, [60, 40]));
        Assert.Equal(("60", new Withheld(2, 0, new Sats(42))), Choose(limits, [60, 41, 1]));
        Assert.Equal(("", new Withheld(1, 0, new Sats(1))), Choose(limits, [1], (Hour - 1, 100)));
        // More than the limit left, before it was set.
        Assert.Equal(("", new Withheld(1, 0, new Sats(1))), Choose(limits, [1], (5, 900)));
    }

    [Fact]
    public void An_hour_and_a_day_end_to_the_millisecond()
    {
        var limits = new OutflowLimits(HourSat: 100, DaySat: 150);
        Assert.Equal(("", new Withheld(1, 0, new Sats(60))), Choose(limits, [60], (Hour - 1, 50)));
        Assert.Equal("60", Choose(limits, [60], (Hour, 50)).Leaving);
        Assert.Equal(("50", new Withheld(1, 0, new Sats(1))), Choose(limits, [50, 1], (Hour, 50), ((24 * Hour) - 1, 50)));
        Assert.Equal("50 1", Choose(limits, [50, 1], (Hour, 50), (24 * Hour, 50)).Leaving);
    }

    [Theory]
    [InlineData(100, null, null)]
    [InlineData(null, 100, null)]
    [InlineData(null, null, 100)]
    [InlineData(500, 100, 700)]
    public void What_no_limit_ever_lets_through_stops_nobody(int? transaction, int? hour, int? day)
    {
        var (leaving, withheld) = Choose(new OutflowLimits(transaction, hour, day), [101, 40, 5_000, 60]);
        Assert.Equal(("40 60", new Withheld(2, 2, new Sats(5_101))), (leaving, withheld));
    }

    [Fact]
    public async Task What_left_from_any_partition_counts_and_what_was_given_up_does_not()
    {
        await using var two = await TwoPartitions.StartAsync();
        var gate = new OutflowGate(two.Set, new OutflowLimits(HourSat: 1_000));
        var wallets = new[] { ClientIds.NextWallet(0, 2), ClientIds.NextWallet(1, 2) };
        var keys = new List<WithdrawalKey>();
        for (var number = 0; number < 2; number++)
        {
            await FundAsync(two.Set[number], wallets[number], tenant: 1, (byte)(10 + number));
            await FundAsync(two.Set[number], two.Operator, Ledger.OperatorTenant, (byte)(20 + number));
            keys.Add(await WithdrawAsync(two, wallets[number], (byte)number, 400));
        }
        await OpenAsync(two.Set[0], 1, keys[0]);
        await OpenAsync(two.Set[1], 1, keys[1]);
        var due = new[] { await WithdrawAsync(two, wallets[0], 5, 300) };
        Assert.Empty(await ChooseAsync());
        Assert.Equal(new Withheld(1, 0, new Sats(300)), gate.Withheld);
        await two.Set[1].SubmitAsync(new AbandonFamily(1));
        Assert.Single(await ChooseAsync());
        Assert.Equal(Withheld.None, gate.Withheld);

        async Task<IReadOnlyList<Withdrawal>> ChooseAsync() =>
            await gate.ChooseAsync([(await two.Set[0].QueryAsync(ledger => ledger.FindWithdrawal(due[0])))!]);
    }

    /// <summary>It is given up by that time, too, when an hour is over and it could not be built.</summary>
    [Fact]
    public async Task What_left_from_a_partition_counts_for_an_hour_of_its_own_time()
    {
        MovableClock[] clocks = [new(), new()];
        await using var two = await TwoPartitions.StartAsync(clocks: clocks);
        var gate = new OutflowGate(two.Set, new OutflowLimits(HourSat: 1_000));
        var wallet = ClientIds.NextWallet(0, 2);
        await FundAsync(two.Set[0], wallet, tenant: 1, 10, sat: 2_000);
        await FundAsync(two.Set[0], two.Operator, Ledger.OperatorTenant, 20);
        await OpenAsync(two.Set[0], 1, await WithdrawAsync(two, wallet, 1, 600));
        var due = await WithdrawAsync(two, wallet, 2, 401);
        Assert.Empty(await ChooseAsync());
        clocks[1].Ahead = TimeSpan.FromHours(2);
        Assert.Empty(await ChooseAsync());
        clocks[0].Ahead = TimeSpan.FromHours(1);
        Assert.Single(await ChooseAsync());

        async Task<IReadOnlyList<Withdrawal>> ChooseAsync() => await gate.ChooseAsync([(await two.Set[0].QueryAsync(ledger => ledger.FindWithdrawal(due)))!]);
    }

    [Fact]
    public void What_was_opened_and_could_not_be_built_for_an_hour_counts_anew_when_it_leaves()
    {
        using var scene = new PayoutScene(change: settings => settings with { WithdrawalLimits = new(HourSat: 70_000, DaySat: 140_000) });
        for (var hour = 0; hour < 3; hour++)
        {
            scene.Withdraw();
            scene.Run(scene.Payouts.OpenAsync(null, scene.Run(scene.Payouts.FindDueAsync(cancel: TestContext.Current.CancellationToken))));
            scene.Pass(TimeSpan.FromHours(1));
        }
        // One that is not an hour old is counted still.
        scene.Withdraw();
        scene.Run(scene.Payouts.OpenAsync(null, scene.Run(scene.Payouts.FindDueAsync(cancel: TestContext.Current.CancellationToken))));
        scene.Pass(TimeSpan.FromMinutes(59));
        scene.Turn();
        Assert.Equal(1, Sent());
        scene.Turn();
        Assert.Equal(1, Sent());
        scene.Pass(TimeSpan.FromMinutes(1));
        scene.Turn();
        Assert.Equal(2, Sent());
        scene.Pass(TimeSpan.FromHours(2));
        scene.Turn();
        Assert.Equal(2, Sent());

        int Sent() => scene.Ask(ledger => ledger.Families().Where(f => f.State == FamilyState.Signed).Sum(f => f.Withdrawals.Count));
    }

    [Fact]
    public async Task What_limits_hold_back_is_not_forgotten_while_withdrawals_are_stopped()
    {
        var world = LoopStage.NewWorld();
        using var fake = new FakeBitcoind(world);
        using var rpc = fake.Connect();
        await using var stage = await LoopStage.CreateAsync(
            world, new NodeSwitch([new NodeEndpoint("node", rpc, LoopStage.WalletName)]), limits: new OutflowLimits(TransactionSat: 10_000));
        await stage.WithdrawAsync();
        await stage.CloseEpochAsync();
        await stage.TurnAsync();
        Assert.Equal((1, 1), (stage.Loop.Wallets.Withheld.Count, stage.Loop.Wallets.Withheld.TooLarge));
        await stage.Partitions.StopWithdrawalsAsync(new StopWithdrawals(NewId(), true));
        await stage.TurnAsync();
        Assert.Equal(1, stage.Loop.Wallets.Withheld.Count);
    }

    [Fact]
    public void The_alarms_ring_once_and_again_when_it_begins_anew()
    {
        var log = new CountingLog();
        var alarms = new WalletAlarms(new Engine.EngineSettings { DataFolder = "/nowhere", Origin = "test/log", FeeCapSat = 1_000, OperatorFundsWarnCaps = 3 }, log);
        foreach (var sat in new[] { 3_000, 2_999, 2_000, 3_001, 0 }) alarms.TellOperatorFunds(new Sats(sat).ToMsat());
        Assert.True(alarms.Health.OperatorFundsFalling);
        Assert.Equal(2, log.Count);
        foreach (var (count, tooLarge) in new[] { (0, 0), (2, 0), (3, 0), (3, 1), (0, 0), (1, 0) }) alarms.TellWithheld(new Withheld(count, tooLarge, new Sats(9)));
        Assert.Equal((1, 2 + 3), (alarms.Health.Withheld.Count, log.Count));
        foreach (var tooLow in new[] { false, true, true, false, true }) alarms.TellHotWallet(tooLow);
        Assert.Equal((true, 2 + 3 + 2), (alarms.Health.HotTooLow, log.Count));
    }

    private static async Task FundAsync(Partition partition, WalletId wallet, uint tenant, byte script, long sat = 1_000)
    {
        var address = new ByteString([0, 20, .. new byte[19], script]);
        if (tenant != Ledger.OperatorTenant) await DoAsync(partition, new CreateWallet(NewId(), tenant, wallet), tenant);
        await DoAsync(partition, new AssignAddress(NewId(), wallet, AddressPurpose.Deposit, address), tenant);
        await DoAsync(partition, new ChangeDeposit(new OutPoint(default, script), DepositState.Credited, false, address, new Sats(sat), default, 1));
    }

    private static async Task<WithdrawalKey> WithdrawAsync(TwoPartitions two, WalletId wallet, byte script, long sat)
    {
        var id = NewId();
        var answer = await two.Set.SubmitAsync(new RequestWithdrawal(id, wallet, new ByteString([0, 20, .. new byte[19], script]), new Sats(sat), Max: false), 1);
        Assert.Equal(Outcome.Accepted, answer.Outcome);
        return new WithdrawalKey(wallet, id);
    }

    private static Task OpenAsync(Partition partition, long family, WithdrawalKey key) => DoAsync(partition, new OpenFamily(family, new Sats(100), null, [key]));

    private static async Task DoAsync(Partition partition, Command command, uint tenant = Ledger.OperatorTenant) =>
        Assert.Equal(Outcome.Accepted, (await partition.SubmitAsync(command, tenant)).Outcome);

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private sealed class CountingLog : ILogger
    {
        public int Count { get; private set; }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => NullLogger.Instance.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Count++;
    }
}
