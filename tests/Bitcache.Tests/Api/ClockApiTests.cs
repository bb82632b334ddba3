using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Api;

/// <summary>The operator's word on a clock that jumped, over HTTP.</summary>
[Trait("suite", "core")]
public sealed class ClockApiTests : IAsyncLifetime
{
    private readonly TwoClocks _clocks = new();
    private readonly ApiFixture _api;

    public ClockApiTests() => _api = new ApiFixture { EngineTime = _clocks };

    public ValueTask InitializeAsync() => _api.InitializeAsync();

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    [Fact]
    public async Task A_clock_far_behind_the_ledgers_time_is_refused_and_one_ahead_is_taken()
    {
        await _api.Engine.Partitions.First.QueryAsync(_ => 0);
        _clocks.Jump = TimeSpan.FromHours(-2);
        var entries = await _api.EntriesAsync();
        var behind = await ConfirmAsync();
        Assert.Equal((409, "clock_behind"), (behind.Status, behind.Code));
        Assert.Contains("2026-01-01T00:00:00", behind.String("detail"), StringComparison.Ordinal);
        Assert.Equal(entries, await _api.EntriesAsync());
        Assert.False(_api.Engine.Partitions.First.IsClockTrusted);

        _clocks.Jump = TimeSpan.FromHours(2);
        var ahead = await ConfirmAsync();
        Assert.Equal(200, ahead.Status);
        Assert.True(_api.Engine.Partitions.First.IsClockTrusted);
    }

    private Task<ApiAnswer> ConfirmAsync() => _api.SendAsync(HttpMethod.Post, "/v1/operator/clock:confirm", _api.Admin);
}
