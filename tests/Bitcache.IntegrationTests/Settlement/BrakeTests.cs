using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>The operator's brakes on a real chain: what they hold back does not leave, and what has left is followed.</summary>
[Trait("suite", "node")]
public sealed class BrakeTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);

    private static CancellationToken Cancel => EngineHarness.Cancel;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task While_withdrawals_are_stopped_none_leaves_and_what_is_signed_is_followed(int partitions)
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: partitions);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var sent = await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(Cancel), new Sats(50_000));
        await harness.CloseEpochAsync();
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);

        await StopAsync(harness, stopped: true);
        var waiting = await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(Cancel), new Sats(60_000));
        // Overdue, so that it would be replaced.
        await harness.MineEmptyAsync(EngineHarness.Target);
        await harness.TurnAsync();
        Assert.Single((await harness.FamilyAsync(1)).Attempts);
        await harness.MineAsync(1);
        await harness.CloseEpochAsync();
        await harness.MineAsync(1);
        await harness.TurnAsync();
        await harness.ReopenAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.True((await harness.Engine.HealthAsync()).WithdrawalsStopped);
        Assert.Equal((WithdrawalState.Paid, WithdrawalState.Queued), (await StateAsync(harness, sent), await StateAsync(harness, waiting)));
        // The second epoch is anchored all the same.
        var anchor = await harness.FamilyAsync(2);
        Assert.Equal((2, 0), (anchor.Anchor!.Epoch, anchor.Withdrawals.Count));
        Assert.NotNull(anchor.Confirmation);

        await StopAsync(harness, stopped: false);
        await harness.TurnAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(WithdrawalState.Paid, await StateAsync(harness, waiting));
        Assert.Equal(110_000_000, (await harness.TotalsAsync()).Withdrawn);
    }

    [Fact]
    public async Task A_withdrawal_that_waits_for_approval_leaves_once_it_is_approved()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var key = await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(Cancel), new Sats(50_000), approvalFrom: new Sats(50_000));
        await harness.CloseEpochAsync();
        Assert.Empty((await harness.FamilyAsync(1)).Withdrawals);
        await harness.MineAsync(1);
        await harness.ReopenAsync();
        Assert.Equal(WithdrawalState.AwaitingApproval, await StateAsync(harness, key));

        var answer = await harness.Partitions.SubmitAsync(new DecideWithdrawal(key.Id, key.Wallet, Approved: true, ByteString.FromUtf8("second")), Ledger.OperatorTenant);
        Assert.Equal(Outcome.Accepted, answer.Outcome);
        await harness.TurnAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(WithdrawalState.Paid, await StateAsync(harness, key));
        Assert.Equal(50_000_000, (await harness.TotalsAsync()).Withdrawn);
    }

    private static async Task StopAsync(EngineHarness harness, bool stopped) => Assert.Equal(
        Outcome.Accepted, (await harness.Partitions.StopWithdrawalsAsync(new StopWithdrawals(EngineHarness.NewId(), stopped))).Outcome);

    private static async Task<WithdrawalState> StateAsync(EngineHarness harness, WithdrawalKey key) =>
        (await harness.Partitions.HomeOf(key.Wallet).QueryAsync(ledger => ledger.FindWithdrawal(key)))!.State;
}
