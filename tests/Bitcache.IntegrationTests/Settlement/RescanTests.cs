using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>The hot wallet is restored from backups, or replaced, under an engine that runs.</summary>
[Trait("suite", "node")]
public sealed class RescanTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private const string ServerWallet = Cli.Demo.RegtestNode.ServerWallet;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Deposits_to_addresses_that_a_restored_backup_does_not_know_are_credited_once(int partitions)
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: partitions);
        var known = await harness.FundedWalletAsync(new Sats(40_000));
        var backup = await WalletCopy.TakeAsync(regtest.Node, ServerWallet, Cancel);
        var wallets = new List<WalletId>();
        var wanted = new Dictionary<WalletId, long> { [known] = 40_000 };
        // Far beyond what the backup looks for; in different depths when it is restored.
        for (var i = 0; i < 3; i++)
        {
            var wallet = await harness.CreateWalletAsync(i % partitions);
            var addresses = await AssignAsync(harness, wallet, 300);
            wanted[wallet] = (20_000 + i) + (10_000 + i);
            await regtest.Node.PayAsync(addresses[7], new Sats(20_000 + i), Cancel);
            await regtest.Node.PayAsync(addresses[299], new Sats(10_000 + i), Cancel);
            await harness.MineAsync(i == 2 ? 1 : i == 1 ? 2 : 7);
        }
        var last = await harness.CreateWalletAsync();
        await regtest.Node.PayAsync(await harness.AddressAsync(last), new Sats(30_000), Cancel);
        wanted[last] = 30_000;

        await backup.RestoreAsync(Cancel);
        await regtest.Node.MineAsync(1, Cancel);
        await harness.TurnAsync();
        Assert.Null((await harness.Engine.HealthAsync()).Chain.Trouble);
        Assert.Null(await harness.Partition.QueryAsync(ledger => ledger.Rescan));
        await harness.MineAsync(1);
        await CheckAsync(harness, wanted);
        // The next one is behind all of them, and is looked for.
        var fresh = await harness.FundedWalletAsync(new Sats(25_000));
        wanted[fresh] = 25_000;
        await harness.MineAsync(EngineHarness.ToFinal);
        await CheckAsync(harness, wanted);
        await harness.ReopenAsync();
        await CheckAsync(harness, wanted);
    }

    [Fact]
    public async Task What_the_wallet_missed_is_credited_when_the_operator_has_it_rescanned()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.FundedWalletAsync(new Sats(50_000));
        var before = (await regtest.Node.Node.GetBlockchainInfoAsync(Cancel)).Blocks;
        var txid = await regtest.Node.PayAsync(await harness.AddressAsync(wallet), new Sats(60_000), Cancel);
        await regtest.Node.MineAsync(1, Cancel);
        await regtest.Node.Rpc.CallAsync(ServerWallet, "removeprunedfunds", [txid.ToString()], Cancel);
        await harness.MineAsync(EngineHarness.ToFinal + 3);
        Assert.Equal(new Sats(50_000).ToMsat(), (await harness.WalletAsync(wallet)).Available);

        Assert.Null(await harness.Engine.RescanAsync((uint)before + 100, Cancel));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal((uint)before + 1, await harness.Engine.RescanAsync((uint)before + 1, Cancel));
            await harness.TurnAsync();
            Assert.Null(await harness.Partition.QueryAsync(ledger => ledger.Rescan));
            Assert.Equal(new Sats(110_000).ToMsat(), (await harness.WalletAsync(wallet)).Available);
        }
        Assert.Equal(new Sats(110_000).ToMsat().Value, (await harness.TotalsAsync()).Deposited);
        await harness.MineAsync(1);
        await harness.ReopenAsync();
    }

    [Fact]
    public async Task Another_wallet_of_the_same_name_is_not_believed()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.FundedWalletAsync(new Sats(50_000));
        var backup = await WalletCopy.TakeAsync(regtest.Node, ServerWallet, Cancel);
        await regtest.Node.Rpc.CallAsync(null, "unloadwallet", [ServerWallet, false], Cancel);
        Directory.Delete(Path.Combine(regtest.Node.Folder, "regtest", "wallets", ServerWallet), recursive: true);
        await regtest.Node.Node.CreateWalletAsync(Cancel);
        await harness.MineAsync(1);
        Assert.Contains("does not know", (await harness.Engine.HealthAsync()).Chain.Trouble!, StringComparison.Ordinal);
        await Assert.ThrowsAsync<NodeUnavailableException>(() => harness.AddressAsync(wallet));
        // Nothing is set aside because an empty wallet knows nothing of it.
        Assert.Equal(new Sats(50_000).ToMsat(), (await harness.WalletAsync(wallet)).Available);

        await backup.RestoreAsync(Cancel);
        await harness.TurnAsync();
        Assert.Null((await harness.Engine.HealthAsync()).Chain.Trouble);
        await harness.AddressAsync(wallet);
        Assert.Equal(new Sats(50_000).ToMsat(), (await harness.WalletAsync(wallet)).Available);
    }

    private static async Task CheckAsync(EngineHarness harness, Dictionary<WalletId, long> wanted)
    {
        foreach (var (wallet, sat) in wanted) Assert.Equal(new Sats(sat).ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.Equal(new Sats(wanted.Values.Sum()).ToMsat().Value, (await harness.TotalsAsync()).Deposited);
    }

    private static async Task<string[]> AssignAsync(EngineHarness harness, WalletId wallet, int count)
    {
        var answer = await harness.Engine.AssignAddressesAsync(EngineHarness.NewId(), wallet, 1, AddressPurpose.Deposit, count, Cancel);
        var made = ((AssignAddresses)answer.Entry!.Command).Addresses;
        return [.. made.Select(a => BitcoinAddress.FromScript(a.Script.Span, BitcoinNetwork.Regtest)!)];
    }
}
