using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>A journal whose owner sleeps before it asks the database for anything, as a process does that is stopped; and which may
/// fail when he is done with it.</summary>
internal sealed class PausableJournal(IJournal journal) : IJournal
{
    private readonly ManualResetEventSlim _goesOn = new(true);
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done when the owner sleeps.</summary>
    public Task Reached => _reached.Task;

    /// <summary>Thrown when it is closed; null for nothing.</summary>
    public Exception? FailsAtEnd { get; set; }

    public long DurableSequence => journal.DurableSequence;
    public Hash256 ChainHash => journal.ChainHash;
    public bool IsShared => journal.IsShared;
    public void Pause() => _goesOn.Reset();
    public void GoOn() => _goesOn.Set();
    public bool TryReserve(int payloadBytes, int batches = 1) => journal.TryReserve(payloadBytes, batches);

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        Sleep();
        journal.Append(payload, firstSequence, sequences);
    }

    public void Seal() => journal.Seal();

    public void Confirm()
    {
        Sleep();
        journal.Confirm();
    }

    public void ReadRecords(long first, long count, RecordReader reader) => journal.ReadRecords(first, count, reader);
    public long? FindId(WalletId owner, OperationId id) => journal.FindId(owner, id);

    public void Dispose()
    {
        journal.Dispose();
        _goesOn.Dispose();
        if (FailsAtEnd is { } failure) throw failure;
    }

    private void Sleep()
    {
        if (!_goesOn.IsSet) _reached.TrySetResult();
        _goesOn.Wait();
    }
}
