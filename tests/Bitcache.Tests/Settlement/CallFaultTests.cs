using Bitcache.Engine.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>Every call that settlement makes fails once, in each way that a call can fail. In a round money comes in and goes
/// out, through a replacement, a reorganisation and a node that was down; each round another call fails.</summary>
[Trait("suite", "node")]
public sealed class CallFaultTests(ITestOutputHelper output)
{
    /// <summary>What a round asks of the node, among other things. A call that is added to settlement belongs here, and into a round.</summary>
    private static readonly string[] Calls =
    [
        "decodepsbt", "estimatesmartfee", "getaddressinfo", "getbalances", "getblock", "getblockchaininfo", "getblockhash", "getblockheader",
        "getmempoolinfo", "gettransaction", "gettxout", "gettxspendingprevout", "getwalletinfo", "listlockunspent", "listsinceblock", "listunspent", "loadwallet", "lockunspent", "psbtbumpfee",
        "sendrawtransaction", "walletcreatefundedpsbt", "walletprocesspsbt",
    ];

    private const int RoundsOfOneLedger = 20;

    public static TheoryData<string> Faults => [.. Enum.GetNames<NodeFault>().Where(name => name != nameof(NodeFault.None))];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Whichever_call_fails_each_deposit_is_credited_once_and_each_withdrawal_paid_once(string name)
    {
        var fault = Enum.Parse<NodeFault>(name);
        var failed = new Dictionary<string, int>();
        for (var (call, isMore) = (0, true); isMore; call += RoundsOfOneLedger) isMore = await RunAsync(call, fault, failed);
        output.WriteLine(string.Join(", ", failed.OrderBy(f => f.Key).Select(f => $"{f.Key} {f.Value}")));
        Assert.Empty(Calls.Except(failed.Keys));
    }

    /// <summary>Some rounds of one ledger, each of which another call fails in. False when a round has no more calls.</summary>
    private static async Task<bool> RunAsync(int firstCall, NodeFault fault, Dictionary<string, int> failed)
    {
        var world = LoopStage.NewWorld();
        var faults = new NodeFaults(seed: firstCall, oneIn: 0);
        using var fake = new FakeBitcoind(world, faults);
        using var rpc = fake.Connect();
        await using var stage = await LoopStage.CreateAsync(world, new NodeSwitch([new NodeEndpoint("it", rpc, LoopStage.WalletName)]), feeTargetBlocks: 1);
        for (var call = firstCall; call < firstCall + RoundsOfOneLedger; call++)
        {
            await BeginRoundAsync(stage, fake);
            faults.Plan(call, fault);
            var before = fake.Failed.Count;
            await TakeRoundAsync(stage);
            var isMade = !faults.IsPlanned;
            faults.Plan(0, NodeFault.None);
            if (isMade)
            {
                var (method, made) = fake.Failed.Skip(before).Single();
                Assert.Equal(fault, made);
                failed[method] = failed.GetValueOrDefault(method) + 1;
            }
            await CalmAsync(stage, fake, isMade ? $"{fake.Failed[^1].Method}, call {call}" : "nothing");
            if (!isMade) return false;
        }
        return true;
    }

    private static async Task BeginRoundAsync(LoopStage stage, FakeBitcoind fake)
    {
        await stage.DepositAsync();
        await stage.WithdrawAsync();
        fake.IsDown = true;
        await stage.TurnAsync();
        Assert.NotNull(stage.Loop.Chain.Trouble);
        fake.IsDown = false;
    }

    private static async Task TakeRoundAsync(LoopStage stage)
    {
        await stage.TurnAsync();
        // Stated, built, signed and sent.
        await stage.CloseEpochAsync();
        await stage.TurnAsync();
        // Left out of a block: replaced.
        stage.World.Mine(stage.World.Chain.Tip, []);
        await stage.TurnAsync();
        var block = stage.World.Mine();
        await stage.TurnAsync();
        // The block leaves the chain, and another one has the same.
        stage.World.Invalidate(block);
        stage.World.Mine(stage.World.Chain.Tip, []);
        stage.World.Mine(stage.World.Chain.Tip, []);
        await stage.TurnAsync();
        for (var i = 0; i <= LoopStage.ToFinal; i++)
        {
            stage.World.Mine();
            await stage.TurnAsync();
        }
    }

    /// <summary>The chain goes on, nothing fails, and in the end all is well.</summary>
    private static async Task CalmAsync(LoopStage stage, FakeBitcoind fake, string after)
    {
        fake.ExecuteLate();
        await stage.TurnAsync();
        for (var blocks = 0; await stage.AskAsync(ledger => ledger.LiveFamilies().Any(f => f.Withdrawals.Count > 0) || ledger.QueuedWithdrawals > 0); blocks++)
        {
            Assert.True(blocks < 20, $"Not paid in the end after {after}.");
            stage.World.Mine();
            await stage.TurnAsync();
        }
        for (var i = 0; i <= LoopStage.ToFinal; i++)
        {
            stage.World.Mine();
            await stage.TurnAsync();
        }
        await stage.CheckSettledAsync();
    }
}
