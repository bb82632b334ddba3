// Two processes that both believe to settle: while one of them takes a turn, the other takes settlement over and takes turns of
// its own, before each of the first one's calls to the node in turn. What the first one then sends comes from a view that is over.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

[Trait("suite", "node")]
public sealed class LateSettlementTests
{
    private static readonly ByteString Silo = ByteString.FromUtf8("silo-2");

    /// <summary>How a turn ended in which settlement was taken over.</summary>
    private enum End
    {
        /// <summary>It made fewer calls.</summary>
        NotTakenOver,
        Whole,
        Refused,
        /// <summary>What it sent broke a rule: a partition stopped.</summary>
        Stopped,
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whoever_is_late_is_refused_and_nothing_stops()
    {
        var ends = await RunAllAsync(partitions => SettlementTerm.TakeOverAsync(partitions, Silo));
        Assert.DoesNotContain(End.Stopped, ends);
        Assert.True(ends.Count(end => end == End.Refused) > ends.Count / 2, string.Join(' ', ends));
        TestContext.Current.TestOutputHelper!.WriteLine(string.Join(' ', ends));
    }

    [Fact]
    public async Task Without_a_term_of_its_own_what_the_late_one_sends_stops_a_partition() =>
        Assert.Contains(End.Stopped, await RunAllAsync(partitions => Task.FromResult(new SettlementTerm(partitions))));

    [Fact]
    public async Task Settlement_goes_back_and_forth_between_two_processes_and_each_goes_on_where_the_other_ended()
    {
        var world = LoopStage.NewWorld();
        using var fake = new FakeBitcoind(world, new NodeFaults(seed: 1, oneIn: 0));
        using var rpc = fake.Connect();
        await using var stage = await LoopStage.CreateAsync(world, new NodeSwitch([new NodeEndpoint("it", rpc, LoopStage.WalletName)]), feeTargetBlocks: 1);
        var processes = new[] { stage.NewTools(), stage.NewTools() };
        for (var term = 1; term <= 6; term++)
        {
            var silo = ByteString.FromUtf8($"silo-{term % 2}");
            await using var desk = await SettlementDesk.BeginAsync(processes[term % 2], await SettlementTerm.TakeOverAsync(stage.Partitions, silo), Cancel);
            await stage.DepositAsync();
            await stage.WithdrawAsync();
            world.Mine();
            // It knows nothing of the node yet, and a statement is about a block.
            await desk.Loop.TakeTurnAsync(Cancel);
            await TurnAsync(stage, desk.Loop);
            Assert.Equal((term, silo), await stage.AskAsync(ledger => (ledger.Term, ledger.LastTerm!.Silo)));
            Assert.Equal(term, await stage.AskAsync(ledger => ledger.LastStatedEpoch!.Number));
            if (term == 6) await CalmAsync(stage, desk.Loop, 0);
        }
    }

    /// <summary>Before each call in turn, until a partition stops.</summary>
    /// <param name="takeOver">What gives the second one its right.</param>
    private static async Task<List<End>> RunAllAsync(Func<PartitionSet, Task<SettlementTerm>> takeOver)
    {
        var ends = new List<End>();
        do ends.Add(await RunAsync(ends.Count, takeOver));
        while (ends[^1] is not (End.NotTakenOver or End.Stopped));
        return ends;
    }

    private static async Task<End> RunAsync(int call, Func<PartitionSet, Task<SettlementTerm>> takeOver)
    {
        var world = LoopStage.NewWorld();
        using var fake = new FakeBitcoind(world, new NodeFaults(seed: call, oneIn: 0));
        using var rpc = fake.Connect();
        CallHook? hook = null;
        Exception? stopped = null;
        await using var stage = await LoopStage.CreateAsync(
            world, new NodeSwitch([new NodeEndpoint("it", rpc, LoopStage.WalletName)]), feeTargetBlocks: 1,
            between: node =>
            {
                (var seam, hook) = CallHook.Over(node);
                return seam;
            },
            fatal: (_, cause) => stopped = cause);
        await stage.DepositAsync();
        await stage.WithdrawAsync();
        world.Mine();
        SettlementDesk? other = null;
        hook!.Before(call, async () =>
        {
            other = await SettlementDesk.BeginAsync(stage.NewTools(), await takeOver(stage.Partitions), Cancel);
            await TurnAsync(stage, other.Loop);
        });
        var end = End.Whole;
        try
        {
            await TurnAsync(stage, stage.Loop);
        }
        catch (TermOverException)
        {
            end = End.Refused;
        }
        catch (OutcomeUnknownException) when (stopped is LedgerInvariantException)
        {
            end = End.Stopped;
        }
        if (!hook.HasHappened) end = End.NotTakenOver;
        if (other is null) return end;
        await using (other)
        {
            if (end != End.Stopped) await CalmAsync(stage, other.Loop, call);
        }
        return end;
    }

    /// <summary>An epoch closed on demand, and the turn that states it, opens a family, signs it and sends it.</summary>
    private static async Task TurnAsync(LoopStage stage, SettlementLoop loop)
    {
        await loop.CloseEpochAsync(ClientIds.Next(stage.Time), Cancel);
        await loop.TakeTurnAsync(Cancel);
    }

    /// <summary>The one that has settlement goes on alone, and in the end everybody is paid, once.</summary>
    private static async Task CalmAsync(LoopStage stage, SettlementLoop loop, int call)
    {
        for (var blocks = 0; await stage.AskAsync(ledger => ledger.LiveFamilies().Any(f => f.Withdrawals.Count > 0) || ledger.QueuedWithdrawals > 0); blocks++)
        {
            Assert.True(blocks < 20, $"Not paid in the end after call {call}: {loop.Chain}.");
            stage.World.Mine();
            await loop.TakeTurnAsync(Cancel);
        }
        for (var i = 0; i <= LoopStage.ToFinal; i++)
        {
            stage.World.Mine();
            await loop.TakeTurnAsync(Cancel);
        }
        await stage.CheckSettledAsync();
    }
}
