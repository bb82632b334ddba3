using Bitcache.Cluster.Grains;

namespace Bitcache.Cluster.Tests;

/// <summary>What the engine does for the settlement's grain, as far as it can be seen: when it is called.</summary>
internal sealed class CountingSettlement(bool canSettle, int port) : ISettlementHost
{
    private int _turns;
    private volatile bool _isSettling;

    public bool CanSettle => canSettle;
    public bool IsSettling => _isSettling;
    public Uri Address { get; } = new UriBuilder(Uri.UriSchemeHttp, "127.0.0.1", port).Uri;
    public int Turns => Volatile.Read(ref _turns);

    /// <summary>Another silo has taken over, and a command was refused for that.</summary>
    public void LearnThatItIsOver() => _isSettling = false;

    public Task TakeOverAsync(CancellationToken cancel)
    {
        _isSettling = true;
        return Task.CompletedTask;
    }

    public Task TakeTurnAsync()
    {
        Interlocked.Increment(ref _turns);
        return Task.CompletedTask;
    }

    public Task HandOverAsync()
    {
        _isSettling = false;
        return Task.CompletedTask;
    }
}
