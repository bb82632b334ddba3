using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Partitions;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>A ledger of three partitions on a real chain: one node's wallet, one log, one chain of anchors.</summary>
[Trait("suite", "node")]
public sealed class PartitionSettlementTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private const int Count = 3;
    private const int TurnsMax = 8;
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Withdrawn = new(90_000);

    [Fact]
    public async Task Every_partition_takes_deposits_pays_withdrawals_and_proves_its_entries()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: Count);
        await harness.TopUpAsync(new Sats(500_000));
        var wallets = new List<WalletId>();
        for (var number = 0; number < Count; number++) wallets.Add(await harness.FundedWalletAsync(Deposit, number));
        var payments = new List<Answer>();
        for (var i = 0; i < 6; i++) payments.Add(await harness.PayAsync(wallets[i % Count], wallets[(i + 1 + (i / Count)) % Count], new Msat(10_000 + i)));
        await harness.ArriveAsync();
        Assert.All(payments, payment => Assert.Equal(Outcome.Accepted, payment.Outcome));

        var keys = new List<WithdrawalKey>();
        foreach (var wallet in wallets) keys.Add(await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), Withdrawn));
        await harness.CloseEpochAsync();
        // The operator's accounts are levelled: each partition gets what opening a family costs.
        await TurnUntilAsync(harness, ledger => ledger.LiveFamilies().Any(family => family.State == FamilyState.Signed));
        Assert.Equal(Count, (await harness.Engine.HealthAsync()).LiveFamilies.Select(live => live.Partition).Distinct().Count());
        Assert.False((await harness.Engine.HealthAsync()).OperatorFundsLow);
        await harness.ReopenAsync();

        await harness.MineAsync(1);
        await CheckReceiptsAsync(harness, payments);
        await harness.MineAsync(EngineHarness.ToFinal);
        foreach (var key in keys)
            Assert.Equal(WithdrawalState.Paid, (await harness.Partitions.HomeOf(key.Wallet).QueryAsync(ledger => ledger.FindWithdrawal(key)))!.State);
        var totals = await harness.TotalsAsync();
        Assert.Equal((Count * Withdrawn.ToMsat().Value, Count * Deposit.ToMsat().Value), (totals.Withdrawn, totals.Deposited));
        var users = 0L;
        foreach (var wallet in wallets)
        {
            var found = await harness.WalletAsync(wallet);
            Assert.True(found.Held.IsZero);
            users += found.Available.Value;
        }
        Assert.Equal(Count * (Deposit.ToMsat().Value - Withdrawn.ToMsat().Value), users);
        var operators = await harness.Partitions.QueryAllAsync(ledger => ledger.OperatorWallet.Available.Value + ledger.OperatorWallet.Held.Value);
        Assert.Equal(new Sats(500_000).ToMsat().Value - totals.MiningFees, operators.Sum());
        await harness.ReopenAsync();
    }

    [Fact]
    public async Task A_reorganisation_takes_a_deposit_back_from_the_partition_that_has_it()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: Count);
        var (wallet, friend) = (await harness.CreateWalletAsync(2), await harness.CreateWalletAsync(1));
        var txid = await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Deposit, EngineHarness.Cancel);
        var other = await harness.DoubleSpendAsync(txid);
        var blocks = await regtest.Node.MineAsync(3, EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.Equal(Outcome.Accepted, (await harness.PayAsync(wallet, friend, new Msat(600_000_000))).Outcome);
        await harness.ArriveAsync();

        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(4, other);
        Assert.Equal(DepositState.Frozen, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(new Msat(400_000_000), (await harness.WalletAsync(wallet)).Frozen);
        Assert.Equal(Outcome.WalletOwes, (await harness.PayAsync(wallet, friend, new Msat(1))).Outcome);
        await harness.MineEmptyAsync(EngineHarness.ToFinal);
        Assert.Equal(DepositState.Reversed, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(new Msat(600_000_000), (await harness.WalletAsync(wallet)).Owed);

        // What comes from another partition repays.
        Assert.Equal(Outcome.Accepted, (await harness.PayAsync(friend, wallet, new Msat(600_000_000))).Outcome);
        await harness.ArriveAsync();
        Assert.False((await harness.WalletAsync(wallet)).Owes);
        await harness.ReopenAsync();
        Assert.Equal(0, (await harness.TotalsAsync()).Liabilities);
    }

    /// <summary>Turns until something is so in every partition; what is on its way arrives in between.</summary>
    private static async Task TurnUntilAsync(EngineHarness harness, Func<Ledger, bool> holds)
    {
        for (var turn = 0; turn < TurnsMax; turn++)
        {
            await harness.TurnAsync();
            await harness.ArriveAsync();
            if ((await harness.Partitions.QueryAllAsync(holds)).All(so => so)) return;
        }
        Assert.Fail($"not so after {TurnsMax} turns");
    }

    /// <summary>Debits and credits are both in the log, whichever partition they stand in.</summary>
    private async Task CheckReceiptsAsync(EngineHarness harness, List<Answer> payments)
    {
        var pins = await harness.Engine.PinsAsync();
        var entries = payments.Select(payment => (payment.Entry!.Partition, payment.Entry.Sequence)).ToList();
        for (var number = 0; number < Count; number++)
        {
            var last = harness.Partitions[number].DurableSequence;
            for (var sequence = 0L; sequence <= last; sequence++)
            {
                // The operator's money was moved later, and is for the next anchor.
                if (harness.Partitions[number].ReadEntry(sequence).Command is ReceiveLeg { Leg.Type: EntryType.Transfer }) entries.Add((number, sequence));
            }
        }
        Assert.Equal(2 * payments.Count, entries.Count);
        foreach (var (partition, sequence) in entries)
        {
            var receipt = (await harness.Engine.FindReceiptAsync(partition, sequence))!;
            Assert.NotNull(receipt.AnchorHeight);
            var hash = await regtest.Node.Node.GetBlockHashAsync((int)receipt.AnchorHeight.Value, EngineHarness.Cancel);
            var header = (await regtest.Node.Node.GetBlockHeaderAsync(hash!.Value, EngineHarness.Cancel))!;
            var files = new ReceiptFiles(receipt.Leaf, System.Text.Encoding.UTF8.GetBytes(receipt.TlogProof))
            {
                Timestamp = (ReadOnlyMemory<byte>)receipt.OpenTimestamps!,
                Block = new HeaderAtHeight(header, (int)receipt.AnchorHeight.Value),
            };
            var report = ReceiptVerifier.Verify(files, pins);
            Assert.True(report.Verdict == ReceiptVerdict.AnchoredInBlock, string.Join(Environment.NewLine, report.Steps));
            var entry = Entry.ReadStatement(report.Entry.Span);
            Assert.Equal((partition, sequence), (entry.Partition, entry.Sequence));
        }
    }
}
