namespace Bitcache.Cli.Audit;

/// <summary>Lends an audit a second processor. What it has not waited for when it ends is ended, too.</summary>
/// <param name="ended">Cancelled at that end: whatever the work reads from must look at it.</param>
internal sealed class SecondThread(CancellationTokenSource ended) : IAsyncDisposable
{
    private readonly List<Task> _begun = [];

    /// <summary>Begins work, and gives what waits for it. Called by the audit's thread alone.</summary>
    public Action Begin(Action work)
    {
        var task = Task.Run(work);
        _begun.Add(task);
        return () => task.GetAwaiter().GetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        // Nobody asks any more what became of it.
        await Task.WhenAll(_begun).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
