// Recovery on two threads: while the journal's reader verifies the next frames, the batches before them are replayed.

using System.Buffers;
using System.Collections.Concurrent;
using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Engine.Partitions;

/// <summary>Replays batches into a ledger, in order, on a thread of its own. The ledger is the caller's again when
/// <see cref="Finish"/> has returned.</summary>
public sealed class ReplayPipeline : IDisposable
{
    /// <summary>Enough to go on while the journal's reader waits for the next segment, whose bytes come all at once.</summary>
    private const int BatchesMax = 32;

    private readonly BlockingCollection<PreparedBatch> _free = [];
    private readonly BlockingCollection<PreparedBatch> _filled = [];
    private readonly Ledger _ledger;
    private readonly Action<Ledger>? _afterBatch;
    private readonly Thread _thread;
    private Exception? _failure;

    /// <param name="ledger">Where the first batch goes on.</param>
    /// <param name="afterBatch">Called on the pipeline's thread after each batch; what it throws ends the replay.</param>
    public ReplayPipeline(Ledger ledger, Action<Ledger>? afterBatch = null)
    {
        (_ledger, _afterBatch) = (ledger, afterBatch);
        for (var i = 0; i < BatchesMax; i++) _free.Add(new PreparedBatch());
        _thread = new Thread(Loop) { Name = "replay", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Takes a verified batch.</summary>
    /// <exception cref="LedgerInvariantException">An earlier one does not follow from those before it.</exception>
    /// <exception cref="FormatException">An earlier one is not records.</exception>
    public void Add(RecoveredBatch batch)
    {
        var prepared = _free.Take();
        if (_failure is not null) Finish();
        prepared.Fill(batch.Payload, _ledger);
        _filled.Add(prepared);
    }

    /// <summary>Waits until all is replayed.</summary>
    /// <exception cref="LedgerInvariantException">As for <see cref="Add"/>.</exception>
    /// <exception cref="FormatException">As for <see cref="Add"/>.</exception>
    public void Finish()
    {
        _filled.CompleteAdding();
        _thread.Join();
        if (_failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
    }

    public void Dispose()
    {
        _filled.CompleteAdding();
        _thread.Join();
        _free.Dispose();
        _filled.Dispose();
    }

    private void Loop()
    {
        var scratch = ArrayPool<byte>.Shared.Rent(Limits.RecordBytesMax);
        foreach (var batch in _filled.GetConsumingEnumerable())
        {
            if (_failure is null) Replay(batch, scratch);
            _free.Add(batch);
        }
        ArrayPool<byte>.Shared.Return(scratch);
    }

    private void Replay(PreparedBatch batch, Span<byte> scratch)
    {
        try
        {
            _ledger.ReplayBatch(batch, scratch);
            _afterBatch?.Invoke(_ledger);
        }
#pragma warning disable CA1031 // Thrown again on the thread that recovers.
        catch (Exception e)
        {
            _failure = e;
        }
#pragma warning restore CA1031
    }
}
