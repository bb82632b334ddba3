using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Many withdrawals at once, whose users bear their share of mining, on a real chain.</summary>
[Trait("suite", "node")]
public sealed class FeeShareTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private const int Count = 300;
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);
    private static readonly Sats Amount = new(1_000);

    [Fact]
    public async Task Three_hundred_withdrawals_leave_in_two_transactions_and_what_was_paid_is_shared_also_after_a_bump()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, feeCap: 60_000, change: settings => settings with { WithdrawalFeeShare = true });
        await harness.TopUpAsync(Fees);
        var wallets = new[] { await harness.FundedWalletAsync(Deposit), await harness.FundedWalletAsync(Deposit) };
        var keys = await RequestAsync(harness, wallets);
        var quoted = (await WithdrawalsAsync(harness, keys)).Sum(w => w.Fee.Value);
        Assert.Equal(2 * Deposit.Value - (Count * Amount.Value) - quoted, await AvailableAsync(harness, wallets));

        // All wait for the epoch; then one transaction carries the anchor and as many as can be proven with it, one the rest.
        await harness.TurnAsync();
        Assert.Empty(await harness.Partition.QueryAsync(ledger => ledger.Families()));
        await harness.CloseEpochAsync();
        var families = await harness.Partition.QueryAsync(ledger => ledger.Families());
        Assert.Equal(2, families.Count);
        Assert.NotNull(families[0].Anchor);
        Assert.InRange(AnchorChain.Parse(families[0].Attempts[0]).Stripped.Length, Limits.AnchorTransactionBytesMax - 100, Limits.AnchorTransactionBytesMax);
        Assert.All(families, f => Assert.Equal(FamilyState.Signed, f.State));
        Assert.Equal(keys, families.SelectMany(f => f.Withdrawals));

        // Neither confirms in time: each is replaced, and it is the replacement that is paid for.
        await harness.MineEmptyAsync(EngineHarness.Target);
        await harness.MineAsync(1);
        families = await harness.Partition.QueryAsync(ledger => ledger.Families());
        Assert.All(families, f => Assert.Equal((FamilyState.Confirmed, 2), (f.State, f.Confirmation!.Attempt)));
        Assert.All(await WithdrawalsAsync(harness, keys), w => Assert.Equal(Sats.Zero, w.Charge));
        await harness.MineAsync(EngineHarness.ToFinal);
        await harness.ReopenAsync();

        var fees = families.Sum(f => f.Attempts[1].Fee.Value);
        var paid = await WithdrawalsAsync(harness, keys);
        Assert.All(paid, w => Assert.Equal(WithdrawalState.Paid, w.State));
        Assert.All(paid, w => Assert.InRange(w.Charge.Value, 1, w.Fee.Value));
        var charged = paid.Sum(w => w.Charge.Value);
        // The users bear what is theirs, but for what rounding leaves; the anchor is the operator's.
        foreach (var family in families)
        {
            var attempt = family.Attempts[1];
            var ours = paid.Where(w => w.Family == family.Number).ToArray();
            var shared = FeeShare.Of(attempt.Fee, AnchorChain.Parse(attempt).VirtualBytes, ours, family.Anchor is not null);
            Assert.InRange(ours.Sum(w => w.Charge.Value), shared.Value - ours.Length, shared.Value);
            Assert.Equal(attempt.Fee, (await regtest.Node.Node.GetTransactionAsync(attempt.Txid, EngineHarness.Cancel))!.Fee);
        }
        var operators = (await harness.Partition.QueryAsync(ledger => ledger.OperatorWallet)).Available.RoundDownToSats().Value;
        Assert.Equal(Fees.Value + charged - fees, operators);
        Assert.InRange(fees - charged, 1, fees / 5);
        Assert.Equal(2 * Deposit.Value - (Count * Amount.Value) - charged, await AvailableAsync(harness, wallets));
        Assert.Equal((fees * 1_000, Count * Amount.Value * 1_000), ((await harness.TotalsAsync()).MiningFees, (await harness.TotalsAsync()).Withdrawn));
        foreach (var wallet in wallets) Assert.Equal(Msat.Zero, (await harness.WalletAsync(wallet)).Held);
    }

    /// <summary>Asks for all of them at once, as the API does with what was quoted.</summary>
    private async Task<List<WithdrawalKey>> RequestAsync(EngineHarness harness, WalletId[] wallets)
    {
        var requests = new List<RequestWithdrawal>();
        for (var i = 0; i < Count; i++)
        {
            Assert.True(BitcoinAddress.TryParse(await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), BitcoinNetwork.Regtest, out var bytes, out _));
            var script = new ByteString(bytes);
            var fees = harness.Engine.WithdrawalFees;
            requests.Add(new RequestWithdrawal(EngineHarness.NewId(), wallets[i % wallets.Length], script, Amount, Max: false)
            {
                Fee = fees.Charge(script),
                FeeMax = fees.Quote(script),
            });
        }
        var answers = await Task.WhenAll(requests.Select(request => harness.Partitions.SubmitAsync(request, tenant: 1)));
        Assert.All(answers, answer => Assert.Equal(Outcome.Accepted, answer.Outcome));
        return [.. answers.OrderBy(a => a.Entry!.Sequence).Select(a => (RequestWithdrawal)a.Entry!.Command).Select(c => new WithdrawalKey(c.Wallet, c.Id))];
    }

    private static Task<Withdrawal[]> WithdrawalsAsync(EngineHarness harness, List<WithdrawalKey> keys) =>
        harness.Partition.QueryAsync(ledger => keys.Select(key => ledger.FindWithdrawal(key)!).ToArray());

    private static async Task<long> AvailableAsync(EngineHarness harness, WalletId[] wallets)
    {
        var sum = 0L;
        foreach (var wallet in wallets) sum += (await harness.WalletAsync(wallet)).Available.RoundDownToSats().Value;
        return sum;
    }
}
