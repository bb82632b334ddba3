using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>What the chain does not settle, the operator does: deposits that the node forgot, and what is in suspense, in ledgers of
/// one partition and of several.</summary>
[Trait("suite", "node")]
public sealed class OperatorWordTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private const string ServerWallet = Cli.Demo.RegtestNode.ServerWallet;
    private static readonly Sats Amount = new(1_000_000);
    private static readonly Msat Spent = new(600_000_000);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_deposit_that_the_node_forgot_is_what_the_operator_says_whatever_the_node_says_later(int partitions)
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: partitions);
        var (gone, there, friend) = (await harness.CreateWalletAsync(partitions - 1), await harness.CreateWalletAsync(), await harness.CreateWalletAsync());
        Txid[] paid = [await regtest.Node.PayAsync(await harness.AddressAsync(gone), Amount, Cancel), await regtest.Node.PayAsync(await harness.AddressAsync(there), Amount, Cancel)];
        string[] others = [await harness.DoubleSpendAsync(paid[0]), await harness.DoubleSpendAsync(paid[1])];
        var first = (await regtest.Node.MineAsync(3, Cancel))[0];
        await harness.TurnAsync();
        Assert.Equal(Outcome.Accepted, (await harness.PayAsync(gone, friend, Spent)).Outcome);
        await harness.ArriveAsync();

        // Another branch spends the coins otherwise, and the wallet is one that never heard of the deposits.
        var height = (await regtest.Node.Node.GetBlockInfoAsync(first, Cancel))!.Height;
        await regtest.Node.InvalidateBlockAsync(first, Cancel);
        await harness.MineEmptyAsync(4, others);
        foreach (var txid in paid) await regtest.Node.Rpc.CallAsync(ServerWallet, "removeprunedfunds", [txid.ToString()], Cancel);
        await harness.MineEmptyAsync(2 * EngineHarness.ToFinal);
        await harness.TurnAsync();
        Assert.Null((await harness.Engine.HealthAsync()).Chain.Trouble);
        foreach (var wallet in (WalletId[])[gone, there]) Assert.Equal(DepositState.Frozen, (await harness.DepositAsync(wallet)).State);
        Assert.Equal((Msat.Zero, Amount.ToMsat() - Spent, Spent), await StandingAsync(harness, gone));

        var (reverse, release) = (EngineHarness.NewId(), EngineHarness.NewId());
        foreach (var isRetry in (bool[])[false, true])
        {
            var (reversed, released) = (await SettleAsync(harness, reverse, gone, false), await SettleAsync(harness, release, there, true));
            Assert.Equal([(Outcome.Accepted, isRetry), (Outcome.Accepted, isRetry)], (IEnumerable<(Outcome, bool)>)[(reversed.Outcome, reversed.IsRetry), (released.Outcome, released.IsRetry)]);
        }
        Assert.Equal(Outcome.FrozenNotFound, (await SettleAsync(harness, EngineHarness.NewId(), gone, true)).Outcome);
        // One id, one effect, in whichever partition the other deposit is.
        Assert.Equal(Outcome.IdReused, (await SettleAsync(harness, reverse, there, false)).Outcome);
        await CheckAsync();
        await harness.ReopenAsync();
        await CheckAsync();

        // The branch of before is the best again, and both coins are there after all.
        await regtest.Node.InvalidateBlockAsync((await regtest.Node.Node.GetBlockHashAsync(height, Cancel))!.Value, Cancel);
        await regtest.Node.ReconsiderBlockAsync(first, Cancel);
        await harness.MineEmptyAsync(3 * EngineHarness.ToFinal);
        Assert.Null((await harness.Engine.HealthAsync()).Chain.Trouble);
        foreach (var txid in paid) Assert.True((await regtest.Node.Node.GetTransactionAsync(txid, Cancel))!.Confirmations > EngineHarness.ToFinal);
        await CheckAsync();
        await harness.ReopenAsync();

        async Task CheckAsync()
        {
            Assert.Equal((DepositState.Reversed, DepositState.Final), ((await harness.DepositAsync(gone)).State, (await harness.DepositAsync(there)).State));
            Assert.Equal((Msat.Zero, Msat.Zero, Spent), await StandingAsync(harness, gone));
            Assert.Equal((Amount.ToMsat(), Msat.Zero, Msat.Zero), await StandingAsync(harness, there));
            var totals = await harness.TotalsAsync();
            Assert.Equal((2 * Amount.ToMsat().Value, Amount.ToMsat().Value), (totals.Deposited, totals.Reversed));
        }
    }

    [Fact]
    public async Task What_is_in_suspense_in_one_partition_goes_once_to_a_wallet_in_another()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: 3);
        WalletId[] wallets = [await harness.CreateWalletAsync(0), await harness.CreateWalletAsync(1), await harness.CreateWalletAsync(2)];
        foreach (var wallet in wallets) await regtest.Node.PayAsync(await harness.AddressAsync(wallet), new Sats(999), Cancel);
        await harness.MineAsync(EngineHarness.ToFinal);
        await harness.TurnAsync();
        Assert.Equal(3 * 999_000, (await harness.TotalsAsync()).Suspense);

        var id = EngineHarness.NewId();
        foreach (var isRetry in (bool[])[false, true])
        {
            var answer = await AssignAsync(id, from: 1, to: 2);
            Assert.Equal((Outcome.Accepted, isRetry), (answer.Outcome, answer.IsRetry));
        }
        // One id, one effect: not another output, in whichever partition, nor another wallet.
        Assert.Equal(Outcome.IdReused, (await AssignAsync(id, from: 0, to: 2)).Outcome);
        Assert.Equal(Outcome.IdReused, (await AssignAsync(id, from: 1, to: 0)).Outcome);
        Assert.Equal(Outcome.SuspenseNotFound, (await AssignAsync(EngineHarness.NewId(), from: 1, to: 0)).Outcome);
        Assert.Equal(Outcome.Accepted, (await AssignAsync(EngineHarness.NewId(), from: 2, to: 2)).Outcome);
        await harness.ReopenAsync();
        Assert.True((await AssignAsync(id, from: 1, to: 2)).IsRetry);
        await harness.MineAsync(1);
        var available = await Task.WhenAll(wallets.Select(harness.WalletAsync));
        Assert.Equal([0, 0, 2 * 999_000], available.Select(wallet => wallet.Available.Value));
        Assert.Equal(999_000, (await harness.TotalsAsync()).Suspense);

        async Task<Answer> AssignAsync(OperationId operation, int from, int to) => await harness.Partitions.SubmitAsync(
            new AssignSuspense(operation, (await harness.DepositAsync(wallets[from])).OutPoint, wallets[to]), Ledger.OperatorTenant);
    }

    private static async Task<Answer> SettleAsync(EngineHarness harness, OperationId id, WalletId wallet, bool released) => await harness.Partitions.SubmitAsync(
        new SettleDeposit(id, (await harness.DepositAsync(wallet)).OutPoint, released, ByteString.FromUtf8("key"), ByteString.FromUtf8("looked elsewhere")), Ledger.OperatorTenant);

    /// <summary>What is available, frozen, and missing, pending or for good.</summary>
    private static async Task<(Msat, Msat, Msat)> StandingAsync(EngineHarness harness, WalletId id) =>
        await harness.WalletAsync(id) is var wallet ? (wallet.Available, wallet.Frozen, wallet.Owed + wallet.OwedPending) : default;
}
