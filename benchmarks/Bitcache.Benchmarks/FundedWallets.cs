using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Benchmarks;

/// <summary>Wallets with so much money that no payment of a benchmark is refused.</summary>
internal static class FundedWallets
{
    /// <summary>What each begins with.</summary>
    public static readonly Msat Start = new(1_000_000_000);

    /// <summary>Makes the wallets, and spreads one large deposit to the operator over them.</summary>
    /// <param name="owner">The operator's wallet.</param>
    /// <param name="tenant">Whose the wallets are.</param>
    public static async Task<WalletId[]> CreateAsync(Partition partition, WalletId owner, uint tenant, int count)
    {
        var wallets = new WalletId[count];
        await InBatchesAsync(count, async i =>
        {
            var answer = await partition.SubmitAsync(new CreateWallet(ClientIds.Next(TimeProvider.System), tenant, ClientIds.NextWallet()), tenant);
            wallets[i] = answer.Owner!.Value.Id;
        });
        var script = new ByteString([0x00, 0x14, .. new byte[20]]);
        await partition.SubmitAsync(new AssignAddress(ClientIds.Next(TimeProvider.System), owner, AddressPurpose.OperatorTopUp, script));
        var deposit = new Sats(Start.Value / Limits.MsatPerSat * count);
        await partition.SubmitAsync(new ChangeDeposit(
            new OutPoint(default, 0), DepositState.Credited, Suspense: false, script, deposit, default, 1));
        await InBatchesAsync(count, async i =>
        {
            var answer = await partition.SubmitAsync(new Transfer(ClientIds.Next(TimeProvider.System), owner, wallets[i], Start, 0, ByteString.Empty));
            if (answer.Outcome != Outcome.Accepted) throw new BenchFailedException($"a wallet could not be funded: {answer.Outcome}");
        });
        return wallets;
    }

    private static async Task InBatchesAsync(int count, Func<int, Task> one)
    {
        for (var first = 0; first < count; first += Limits.BatchEntriesMax)
            await Task.WhenAll(Enumerable.Range(first, Math.Min(Limits.BatchEntriesMax, count - first)).Select(one));
    }
}
