using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Api;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>What the whole engine does by its clock, without a node.</summary>
[Trait("suite", "core")]
public sealed class EngineClockTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly TwoClocks _clocks = new();
    private LedgerEngine _engine = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _engine = await LedgerEngine.OpenAsync(
        new EngineSettings
        {
            DataFolder = _folder.Path,
            Origin = "ledger.test/log",
            EpochLength = TimeSpan.FromHours(1),
            PollInterval = TimeSpan.FromMinutes(10),
            SegmentMebibytes = 16,
        },
        OfflineNode.Create(), _clocks, NullLoggerFactory.Instance, (why, cause) => throw new InvalidOperationException(why, cause), Cancel);

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(-2)]
    public async Task No_epoch_is_closed_by_a_jump_of_the_clock_and_one_is_when_it_is_right_again(int hours)
    {
        _clocks.Pass(TimeSpan.FromMinutes(59));
        Assert.Equal(0, await EpochsAsync());
        _clocks.Jump = TimeSpan.FromHours(hours);
        Assert.Equal(0, await EpochsAsync());
        // By the monotonic clock it is due now, but that alone is not believed.
        _clocks.Pass(TimeSpan.FromHours(1));
        Assert.Equal(0, await EpochsAsync());
        Assert.False(_engine.Partitions.First.IsClockTrusted);

        _clocks.Jump = TimeSpan.Zero;
        Assert.Equal(1, await EpochsAsync());
        Assert.Equal(1, await EpochsAsync());
    }

    [Fact]
    public async Task After_a_jump_an_operators_word_closes_the_epoch_that_is_due()
    {
        _clocks.Jump = TimeSpan.FromHours(3);
        Assert.Equal(0, await EpochsAsync());
        await _engine.Partitions.First.ConfirmClockAsync();
        Assert.Equal(1, await EpochsAsync());
    }

    [Fact]
    public async Task Health_for_everybody_is_looked_at_once_a_second()
    {
        var first = await _engine.RecentHealthAsync();
        await _engine.Partitions.First.SubmitAsync(new CreateWallet(ClientIds.Next(_clocks), 0, ClientIds.NextWallet()));
        _clocks.Pass(TimeSpan.FromMilliseconds(999));
        Assert.Same(first, await _engine.RecentHealthAsync());
        Assert.Equal(first.Wallets + 1, (await _engine.HealthAsync()).Wallets);

        _clocks.Pass(TimeSpan.FromMilliseconds(1));
        var second = await _engine.RecentHealthAsync();
        Assert.Equal(first.Wallets + 1, second.Wallets);
        Assert.Same(second, await _engine.RecentHealthAsync());
    }

    /// <summary>How many epochs are closed after a turn.</summary>
    private async Task<long> EpochsAsync()
    {
        await _engine.SettleAsync(Cancel);
        return await _engine.Partitions.First.QueryAsync(ledger => ledger.LastEpoch?.Number ?? 0);
    }
}
