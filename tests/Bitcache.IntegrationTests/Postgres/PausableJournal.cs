using Bitcache.Engine.Journal;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>A journal whose owner sleeps before it asks the database for anything, as a process does that is stopped; and which may
/// fail when he is done with it.</summary>
internal sealed class PausableJournal(IJournal journal) : JournalInFront(journal)
{
    private readonly ManualResetEventSlim _goesOn = new(true);
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done when the owner sleeps.</summary>
    public Task Reached => _reached.Task;

    /// <summary>Thrown when it is closed; null for nothing.</summary>
    public Exception? FailsAtEnd { get; set; }

    public void Pause() => _goesOn.Reset();
    public void GoOn() => _goesOn.Set();

    public override void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        Sleep();
        base.Append(payload, firstSequence, sequences);
    }

    public override void Confirm()
    {
        Sleep();
        base.Confirm();
    }

    public override void Dispose()
    {
        base.Dispose();
        _goesOn.Dispose();
        if (FailsAtEnd is { } failure) throw failure;
    }

    private void Sleep()
    {
        if (!_goesOn.IsSet) _reached.TrySetResult();
        _goesOn.Wait();
    }
}
