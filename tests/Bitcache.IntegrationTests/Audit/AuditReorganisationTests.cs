using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Settlement;

namespace Bitcache.IntegrationTests.Audit;

/// <summary>Audits, each beginning with what the one before it kept, while a real chain loses six blocks with the anchor in them.</summary>
[Trait("suite", "node")]
public sealed class AuditReorganisationTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private const int Depth = 6;
    private static readonly Sats Amount = new(30_000);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task An_audit_holds_before_and_after_six_blocks_over_an_anchor_are_replaced(int partitions)
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, partitions: partitions, change: settings => settings with { FinalityDepth = 2 * Depth });
        using var export = new EngineExport(harness);
        await harness.TopUpAsync(new Sats(200_000));
        var payer = await harness.FundedWalletAsync(new Sats(200_000), partitions - 1);
        var payee = await harness.CreateWalletAsync();
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);

        await CloseAsync(harness, payer, payee, address);
        await harness.MineAsync(1);
        await export.RunAsync();
        await HoldsAsync(export);

        // The second epoch leaves the first one's withdrawals out, which are in a block and not final.
        await CloseAsync(harness, payer, payee, address);
        var anchored = await regtest.Node.MineAsync(1, EngineHarness.Cancel);
        await harness.MineEmptyAsync(Depth - 1);
        await export.RunAsync();
        await HoldsAsync(export);
        var height = await AnchorHeightAsync(harness);

        await regtest.Node.InvalidateBlockAsync(anchored[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(Depth + 1);
        var answer = await export.AuditAsync(remembers: false);
        Assert.True(answer.Code == AuditFinding.CodeOf(AuditFault.BlockNotInChain), answer.Text);
        await export.RunAsync();
        await HoldsAsync(export);
        Assert.Null(await AnchorHeightAsync(harness));

        await harness.MineAsync(1);
        await export.RunAsync();
        await HoldsAsync(export);
        Assert.Equal(height + Depth + 1, await AnchorHeightAsync(harness));

        // Until everything is final, and over a restart.
        await harness.MineAsync(2 * Depth);
        await harness.ReopenAsync();
        await CloseAsync(harness, payer, payee, address);
        await harness.MineAsync(1);
        await export.RunAsync();
        await HoldsAsync(export);
    }

    /// <summary>An epoch with a payment and a withdrawal, stated, its transactions sent.</summary>
    private static async Task CloseAsync(EngineHarness harness, WalletId payer, WalletId payee, string address)
    {
        await harness.PayAsync(payer, payee, new Msat(12_345));
        await harness.WithdrawAsync(payer, address, Amount);
        await harness.ArriveAsync();
        var epoch = await harness.CloseEpochAsync();
        for (var turn = 0; epoch.Statement is null && turn < 10; turn++)
        {
            await harness.TurnAsync();
            epoch = await harness.Partition.QueryAsync(ledger => ledger.LastEpoch!);
        }
        Assert.NotNull(epoch.Statement);
        await harness.TurnAsync();
        // An export that is an anchor behind the chain is another story.
        for (var turn = 0; await harness.Engine.FindReceiptAsync(0, epoch.Stated) is null; turn++)
        {
            Assert.True(turn < 100, "no signed checkpoint covers the statement");
            await harness.TurnAsync();
        }
    }

    /// <summary>With the entries and without, and from the first entry on.</summary>
    private static async Task HoldsAsync(EngineExport export)
    {
        foreach (var answer in await Task.WhenAll(export.AuditAsync(remembers: false, entries: false), export.AuditAsync(), export.AuditAsync(remembers: false)))
            Assert.True(answer.Holds, answer.Text);
    }

    /// <summary>Of the newest epoch's statement; null while its anchor is in no block.</summary>
    private static async Task<long?> AnchorHeightAsync(EngineHarness harness)
    {
        var epoch = await harness.Partition.QueryAsync(ledger => ledger.LastEpoch!);
        return (await harness.Engine.FindReceiptAsync(0, epoch.Stated))!.AnchorHeight;
    }
}
