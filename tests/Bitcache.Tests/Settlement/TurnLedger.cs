using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>A ledger of one partition without threads of its own: its turns are taken here, so that a seed decides everything.
/// Its process may end at any moment and begin again with what is durable.</summary>
internal sealed class TurnLedger : IDisposable
{
    // A process begins anew thousands of times here. What it allocates then is small: arrays of 85,000 bytes and more would
    // have the collector walk everything each time.
    private static readonly PartitionBounds Bounds = new() { BatchBytes = 64 << 10, RecordBytes = 32 << 10, BatchEntries = 64 };

    private TurnScheduler _scheduler = new();
    private readonly SimulatedTime _time = new();
    private GatedJournal _journal = new();
#pragma warning disable CA2213 // It has no threads here, and its journal is closed below.
    private OwnedPartition _partition;
#pragma warning restore CA2213

    public TurnLedger()
    {
        _partition = BegunLedger.Over(_journal, _time, bounds: Bounds);
        Set = new PartitionSet([_partition]);
    }

    /// <summary>The partition of the process that runs now.</summary>
    public PartitionSet Set { get; private set; }

    public UnixTime Now => new(_time.GetUtcNow().ToUnixTimeMilliseconds());

    public void Pass(TimeSpan time) => _time.Milliseconds += (long)time.TotalMilliseconds;

    public OperationId NewId()
    {
        _time.Milliseconds++;
        return ClientIds.Next(_time);
    }

    public void Do(Command command, uint tenant = Ledger.OperatorTenant) =>
        Assert.Equal(Outcome.Accepted, Run(_partition.SubmitAsync(command, tenant)).Outcome);

    public T Ask<T>(Func<Ledger, T> question) => Run(_partition.QueryAsync(question));

    public T Run<T>(Task<T> work)
    {
        Run((Task)work);
        return work.GetAwaiter().GetResult();
    }

    /// <summary>Takes turns until the work is done.</summary>
    public void Run(Task work)
    {
        Run(work, turnsMax: int.MaxValue);
        work.GetAwaiter().GetResult();
    }

    /// <summary>Takes so many turns at most, and says whether the work is done.</summary>
    public bool Run(Task work, int turnsMax)
    {
        _scheduler.Drain();
        while (turnsMax > 0 && !work.IsCompleted)
        {
            if (_partition.QueuedItems > 0)
            {
                _partition.TakeOwnerTurn();
                _partition.TakeSyncTurn(TimeSpan.Zero);
                turnsMax--;
            }
            else
            {
                Must.Hold(_scheduler.Wait(), "What was asked for never ends.");
            }
            _scheduler.Drain();
        }
        return work.IsCompleted;
    }

    /// <summary>The process ends, whatever it was at, and another begins with what is durable.</summary>
    public void Restart()
    {
        var records = new List<byte[]>();
        _journal.ReadRecords(0, _journal.DurableSequence + 1, record => records.Add(record.ToArray()));
        _journal.Dispose();
        // What it was waiting for never comes.
        _scheduler.Dispose();
        _scheduler = new TurnScheduler();
        var ledger = new Ledger(0);
        var scratch = new byte[Bounds.RecordBytes];
        foreach (var record in records) ledger.ReplayBatch(record, scratch);
        _journal = new GatedJournal(records);
        _partition = BegunLedger.Over(_journal, _time, ledger, bounds: Bounds);
        Set = new PartitionSet([_partition]);
    }

    public void Dispose()
    {
        _journal.Dispose();
        _scheduler.Dispose();
    }
}
