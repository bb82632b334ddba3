// How settlement begins and ends where it moves between processes: what it does while it ends, and what keeps it from a machine.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

[Trait("suite", "node")]
public sealed class SettlementDutyTests : IAsyncLifetime
{
    private readonly FakeNode _world = LoopStage.NewWorld();
    private readonly TwoClocks _time = new();
    private readonly List<string> _ends = [];
    private FakeBitcoind _fake = null!;
    private BitcoinRpc _rpc = null!;
    private LoopStage _stage = null!;
    private CallHook _hook = null!;
    private SettlementTools _tools = null!;
    // What is shown of the desk, and the last that was made.
    private volatile SettlementDesk? _shown;
    private SettlementDesk? _made;
    // What a test that fails must let go: what it holds, the end of the duty waits for.
    private readonly List<TaskCompletionSource> _signals = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _fake = new FakeBitcoind(_world, new NodeFaults(seed: 1, oneIn: 0));
        _rpc = _fake.Connect();
        _stage = await LoopStage.CreateAsync(_world, new NodeSwitch([new NodeEndpoint("it", _rpc, LoopStage.WalletName)]), feeTargetBlocks: 1);
        var tools = _stage.NewTools();
        (var seam, _hook) = CallHook.Over(tools.Node);
        _tools = tools with { Node = seam, Settings = tools.Settings with { WithdrawalBatchCount = 1 } };
        _stage.Partitions.Term = () => (_shown ?? throw new SettledElsewhereException()).Term;
    }

    public async ValueTask DisposeAsync()
    {
        await _stage.DisposeAsync();
        _rpc.Dispose();
        _fake.Dispose();
    }

    [Fact]
    public async Task Who_ends_settlement_keeps_the_brakes_within_reach_until_nothing_of_it_goes_on()
    {
        await using var duty = NewDuty(BeginAsync);
        using var release = new Release(_signals);
        await BegunAsync(duty);
        // A turn that is at the node, and a request that waits for it.
        var (came, go, answer) = (NewSignal(), NewSignal(), NewSignal());
        await _stage.WithdrawAsync();
        _hook.Before(0, () =>
        {
            came.SetResult();
            return go.Task;
        });
        _made!.Loop.Wake();
        await came.Task;
        var request = _made.AskAsync(async _ =>
        {
            await answer.Task;
            return true;
        });
        var end = duty.EndAsync();
        await UntilAsync(IsEnding);

        Assert.Same(_made, _shown);
        Assert.Equal(Outcome.Accepted, (await _stage.Partitions.StopWithdrawalsAsync(new StopWithdrawals(NewId(), true))).Outcome);
        Assert.Equal(Outcome.Accepted, (await _stage.Partitions.StopWithdrawalsAsync(new StopWithdrawals(NewId(), false))).Outcome);
        // The turn ends, and none follows it as long as the request is there.
        go.SetResult();
        await _made.Loop.StopAsync();
        _made.Loop.Wake();
        Assert.Same(_made, _shown);
        Assert.Equal(Outcome.Accepted, (await _stage.Partitions.StopWithdrawalsAsync(new StopWithdrawals(NewId(), true))).Outcome);
        answer.SetResult();
        await end;

        Assert.True(await request);
        Assert.Null(_shown);
        Assert.Empty(await _stage.AskAsync(ledger => ledger.Families().ToArray()));
        await Assert.ThrowsAsync<SettledElsewhereException>(() => _stage.Partitions.StopWithdrawalsAsync(new StopWithdrawals(NewId(), false)));
        Assert.Empty(_ends);
    }

    [Fact]
    public async Task A_desk_whose_term_is_over_is_hidden_before_its_requests_are_answered()
    {
        await using var duty = NewDuty(BeginAsync);
        using var release = new Release(_signals);
        await BegunAsync(duty);
        var answer = NewSignal();
        var request = _made!.AskAsync(async desk =>
        {
            await answer.Task;
            await desk.Loop.MarkRescanAsync(1);
            return true;
        });
        await SettlementTerm.TakeOverAsync(_stage.Partitions, ByteString.FromUtf8("b"));
        _made.Loop.Wake();
        await UntilAsync(() => _shown is null);
        Assert.True(duty.IsGoingOn);
        answer.SetResult();
        await Assert.ThrowsAsync<TermOverException>(() => request);
        await UntilAsync(() => !duty.IsGoingOn);
        Assert.Empty(_ends);
    }

    [Fact]
    public async Task Files_that_may_not_be_read_leave_settlement_to_others_for_a_while_and_end_no_process()
    {
        var mayRead = false;
        await using var duty = NewDuty((fatal, cancel) => mayRead
            ? BeginAsync(fatal, cancel)
            : throw new UnauthorizedAccessException("Access to the path '/data/keys/checkpoint.key' is denied."));
        _time.Pass(TimeSpan.FromSeconds(1));
        duty.Begin();
        await UntilAsync(() => !duty.IsGoingOn);
        Assert.Contains("checkpoint.key", duty.Trouble, StringComparison.Ordinal);
        Assert.True(duty.IsRefused);
        // The operator has mended it.
        mayRead = true;
        _time.Pass(TimeSpan.FromSeconds(10));
        Assert.False(duty.IsRefused);
        await BegunAsync(duty);
        Assert.Null(duty.Trouble);
        Assert.Empty(_ends);
    }

    [Theory]
    [InlineData("tests", true)]
    // Nobody else could do better.
    [InlineData("", false)]
    public async Task A_machine_whose_disk_is_full_turn_after_turn_leaves_settlement_to_others(string cluster, bool isLeft)
    {
        var disk = (SimDisk)_tools.Files;
        _tools = _tools with { Settings = _tools.Settings with { Cluster = cluster } };
        await using var duty = NewDuty(BeginAsync);
        await BegunAsync(duty);
        _time.Pass(TimeSpan.FromSeconds(1));
        disk.Full = true;
        var turns = 0;
        while (turns < 20 && duty.IsGoingOn)
        {
            // So that there is something to hash.
            await _stage.DepositAsync();
            var before = _made!.Loop.Chain;
            _made.Loop.Wake();
            await UntilAsync(() => !duty.IsGoingOn || !ReferenceEquals(_made.Loop.Chain, before));
            turns++;
        }
        Assert.Equal(isLeft, !duty.IsGoingOn);
        Assert.Equal((isLeft, isLeft), (duty.IsRefused, _shown is null));
        if (isLeft) Assert.Contains("this machine cannot settle now", duty.Trouble, StringComparison.Ordinal);
        else Assert.NotNull(_made!.Loop.Chain.LogTrouble);
        Assert.Empty(_ends);
        disk.CalmDown();
    }

    [Fact]
    public async Task An_address_that_two_wallets_have_ends_settlement_until_a_restart_and_nothing_else()
    {
        FatalHandler? told = null;
        await using var duty = NewDuty((fatal, cancel) =>
        {
            told = fatal;
            return BeginAsync(fatal, cancel);
        });
        await BegunAsync(duty);
        told!("the loop", new AddressSharedException("the address that it pays was given to wallets in two partitions"));
        await UntilAsync(() => !duty.IsGoingOn);
        Assert.Null(_shown);
        Assert.Equal(duty.Bar, duty.Trouble);
        Assert.Contains("two partitions", duty.Bar, StringComparison.Ordinal);
        _time.Pass(TimeSpan.FromDays(1));
        duty.Begin();
        Assert.Equal((true, false), (duty.IsRefused, duty.IsGoingOn));
        Assert.Empty(_ends);
    }

    [Fact]
    public async Task It_may_be_begun_and_ended_from_anywhere_at_once()
    {
        await using var duty = NewDuty((_, _) => throw new TermOverException(1));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
        {
            for (var i = 0; i < 5_000; i++)
            {
                if (number % 2 == 0) duty.Begin();
                else await duty.EndAsync();
            }
        })));
        Assert.Empty(_ends);
    }

    private SettlementDuty NewDuty(Func<FatalHandler, CancellationToken, Task<SettlementDesk>> begin) =>
        new(begin, desk => _shown = desk, (why, cause) => _ends.Add($"{why}: {cause}"), _time, NullLogger.Instance);

    private async Task<SettlementDesk> BeginAsync(FatalHandler fatal, CancellationToken cancel) =>
        _made = await SettlementDesk.BeginAsync(_tools with { Fatal = fatal }, await SettlementTerm.TakeOverAsync(_stage.Partitions, ByteString.FromUtf8("a")), cancel);

    /// <summary>Begins it, and waits until the first turn is over.</summary>
    private async Task BegunAsync(SettlementDuty duty)
    {
        duty.Begin();
        await UntilAsync(() => _shown is { Loop.Chain: { Height: not null } });
    }

    /// <summary>Whether the desk takes no more requests.</summary>
    private bool IsEnding() => _made!.AskAsync(_ => Task.FromResult(true)).Exception is { InnerException: SettledElsewhereException };

    private static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            Cancel.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private OperationId NewId() => ClientIds.Next(_stage.Time);

    private TaskCompletionSource NewSignal()
    {
        _signals.Add(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        return _signals[^1];
    }

    private sealed class Release(List<TaskCompletionSource> signals) : IDisposable
    {
        public void Dispose()
        {
            foreach (var signal in signals) signal.TrySetResult();
        }
    }
}
