// Two processes that both believe to settle, and give addresses of one node's wallet to wallets in two partitions.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

[Trait("suite", "core")]
public sealed class LateAddressTests
{
    private const uint Tenant = 1;
    private static readonly Sats Paid = new(50_000);
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = "ledger.test/log",
        Network = BitcoinNetwork.Regtest,
        ConfirmationsToCredit = [new ConfirmationRule(0, 1)],
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData(3)]
    public async Task Settlement_taken_over_before_any_call_for_an_address_gives_none_away_twice_and_what_pays_it_is_credited_once(int? many)
    {
        var calls = 0;
        while (await RunAsync(calls, many)) calls++;
        // The descriptor, the note, the range, the addresses: the last of them come when the ledgers were asked already.
        Assert.True(calls >= 4, $"{calls} calls");
    }

    [Fact]
    public async Task An_address_that_two_partitions_have_stops_the_settlement_and_nothing_is_credited()
    {
        await using var two = await TwoPartitions.StartAsync();
        var (node, wallets) = (NewNode(), await WalletsAsync(two.Set));
        using var fake = new FakeBitcoind(node);
        using var rpc = fake.Connect();
        var script = node.Wallet.NewScript(change: false);
        for (var i = 0; i < 2; i++) await two.Set[i].SubmitAsync(new AssignAddress(NewId(), wallets[i], AddressPurpose.Deposit, script), Tenant);
        Pay(node, script);
        var watcher = new DepositWatcher(new SettlementTerm(two.Set), new BitcoinRpcNode(rpc, "wallet"), Settings, NullLogger.Instance);
        var stop = await Assert.ThrowsAsync<AddressSharedException>(() => watcher.LookAsync(Cancel));
        Assert.Contains("in two partitions", stop.Message, StringComparison.Ordinal);
        Assert.All(await two.Set.QueryAllAsync(ledger => ledger.Totals.Deposited), deposited => Assert.Equal(0, deposited));

        // As it was booked before anybody looked for that.
        var output = new OutPoint(default, 7);
        for (var i = 0; i < 2; i++) await two.Set[i].SubmitAsync(new ChangeDeposit(output, DepositState.Seen, false, script, Paid, default, 1));
        stop = await Assert.ThrowsAsync<AddressSharedException>(() => watcher.LookAsync(Cancel));
        Assert.Contains($"{output} was booked in two partitions", stop.Message, StringComparison.Ordinal);
    }

    /// <returns>Whether there was such a call.</returns>
    private static async Task<bool> RunAsync(int call, int? many)
    {
        await using var two = await TwoPartitions.StartAsync();
        var (node, wallets) = (NewNode(), await WalletsAsync(two.Set));
        using var fake = new FakeBitcoind(node);
        using var rpc = fake.Connect();
        var (seam, hook) = CallHook.Over(new BitcoinRpcNode(rpc, "wallet"));
        var late = await SettlementTerm.TakeOverAsync(two.Set, ByteString.FromUtf8("silo-1"));
        await using var first = new AddressAllocator(late, seam, Settings, NullLogger.Instance);
        SettlementTerm? newest = null;
        Answer? second = null;
        hook.Before(call, async () =>
        {
            newest = await SettlementTerm.TakeOverAsync(two.Set, ByteString.FromUtf8("silo-2"));
            await using var allocator = new AddressAllocator(newest, new BitcoinRpcNode(rpc, "wallet"), Settings, NullLogger.Instance);
            second = await AssignAsync(allocator, wallets[1], many);
        });
        var asked = AssignAsync(first, wallets[0], many);
        await Task.WhenAny(asked);
        if (!hook.HasHappened)
        {
            Assert.Equal(Outcome.Accepted, (await asked).Outcome);
            return false;
        }
        await Assert.ThrowsAsync<TermOverException>(() => asked);
        Assert.IsType<TermOverException>(await late.End);
        Assert.Empty(await two.Set[0].QueryAsync(ledger => ledger.AddressesOf(wallets[0])));
        Assert.Equal(Outcome.Accepted, second!.Outcome);
        var given = await two.Set[1].QueryAsync(ledger => ledger.AddressesOf(wallets[1]));
        Assert.Equal(many ?? 1, given.Count);

        Pay(node, given[0].Script);
        Assert.True(await new DepositWatcher(newest!, new BitcoinRpcNode(rpc, "wallet"), Settings, NullLogger.Instance).LookAsync(Cancel));
        Assert.Equal((long[])[0, Paid.ToMsat().Value], await two.Set.QueryAllAsync(ledger => ledger.Totals.Deposited));
        Assert.Equal(Paid.ToMsat(), await two.Set[1].QueryAsync(ledger => ledger.FindWallet(wallets[1])!.Value.Available));
        return true;
    }

    private static FakeNode NewNode()
    {
        var node = new FakeNode(seed: 1, "wallet") { IsWalletLoaded = true };
        for (var i = 0; i < 5; i++) node.Mine();
        return node;
    }

    private static void Pay(FakeNode node, ByteString script)
    {
        Assert.Null(node.Send(node.Payment(FakeNode.AddressOf(script), Paid, new Sats(500))));
        node.Mine();
    }

    private static async Task<WalletId[]> WalletsAsync(PartitionSet set)
    {
        WalletId[] wallets = [ClientIds.NextWallet(0, 2), ClientIds.NextWallet(1, 2)];
        for (var i = 0; i < 2; i++) await set[i].SubmitAsync(new CreateWallet(NewId(), Tenant, wallets[i]), Tenant);
        return wallets;
    }

    private static Task<Answer> AssignAsync(AddressAllocator allocator, WalletId wallet, int? many) => many is { } count
        ? allocator.AssignAsync(NewId(), wallet, Tenant, AddressPurpose.Deposit, count, Cancel)
        : allocator.AssignAsync(NewId(), wallet, Tenant, AddressPurpose.Deposit, Cancel);

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
