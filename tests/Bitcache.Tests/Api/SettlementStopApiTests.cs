using Bitcache.Core;

namespace Bitcache.Tests.Api;

/// <summary>A ledger of its own, because nothing lifts such a stop.</summary>
[Trait("suite", "core")]
public sealed class SettlementStopApiTests : IAsyncLifetime
{
    private static readonly Txid Anchor = new(new Hash256(0, 2));
    private readonly ApiFixture _api = new();

    public ValueTask InitializeAsync() => _api.InitializeAsync();

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    [Fact]
    public async Task Once_settlement_has_ended_nothing_new_is_withdrawn_to_the_chain()
    {
        var (wallet, other) = (await _api.NewWalletAsync(_api.Shop, 10_000), await _api.NewWalletAsync(_api.Shop));
        var (id, address) = (ApiFixture.NewId(), OfflineNode.NewAddress());
        var asked = await WithdrawAsync(wallet, id, address);
        Assert.Equal((201, "queued"), (asked.Status, asked.String("state")));
        await StopAsync();

        var entries = await _api.EntriesAsync();
        Assert.Equal((409, "settlement_stopped"), (await WithdrawAsync(wallet, ApiFixture.NewId(), OfflineNode.NewAddress())).Refusal());
        Assert.Equal(entries, await _api.EntriesAsync());
        // What was asked for before is told as before, and taken back.
        Assert.Equal(200, (await WithdrawAsync(wallet, id, address)).Status);
        Assert.Equal(9_000_000, await _api.AvailableAsync(_api.Shop, wallet));
        Assert.Equal("cancelled", (await _api.PostAsync(_api.Shop, $"/v1/wallets/{wallet}/withdrawals/{id}/cancel", "")).String("state"));
        // And what never touches the chain goes on.
        var own = (await _api.PostAsync(_api.Shop, $"/v1/wallets/{other}/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).String("address");
        Assert.Equal((201, "settled_inside"), (await WithdrawAsync(wallet, ApiFixture.NewId(), own)) is var inside ? (inside.Status, inside.String("state")) : default);
        Assert.Equal((9_000_000, 1_000_000), (await _api.AvailableAsync(_api.Shop, wallet), await _api.AvailableAsync(_api.Shop, other)));
    }

    private Task<ApiAnswer> WithdrawAsync(string wallet, string id, string address) =>
        _api.PostAsync(_api.Shop, $"/v1/wallets/{wallet}/withdrawals", $$"""{"id":"{{id}}","address":"{{address}}","amountSat":1000}""");

    /// <summary>A stranger spends the output of an anchor that is in a block.</summary>
    private async Task StopAsync()
    {
        await DoAsync(new OpenFamily(1, Sats.Zero, new AnchorTerms(1, 1, default), []));
        await DoAsync(new SignAttempt(1, 1, Anchor, Sats.Zero, new ByteString([1])));
        await DoAsync(new ConfirmFamily(1, 1, 7, new BlockHash(new Hash256(0, 7)), new ByteString(new byte[Limits.BlockHeaderBytes]), 0, []));
        await DoAsync(new StopSettlement(1, new FinalSpend(new OutPoint(Anchor, 0), new Txid(new Hash256(0, 3)), 9, new BlockHash(new Hash256(0, 9)))));
    }

    private async Task DoAsync(Command command) => Assert.Equal(Outcome.Accepted, (await _api.Engine.Partitions.First.SubmitAsync(command)).Outcome);
}
