// A partition of a process that shares it with others: SharedPartition without its threads and its database. It changes, looks and
// answers when the simulation says so.

using System.Runtime.CompilerServices;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <param name="Owner">Whoever is asked to write a partition; null for nobody.</param>
/// <param name="Courier">Of the process.</param>
/// <param name="Fatal">What would end the process.</param>
internal sealed record CopyTerms(
    MemoryJournals Journals, TimeProvider Time, Random Random, LegCourier Courier, Func<int, OwnedPartition?> Owner, Action<Exception> Fatal,
    SaltSource DrawSalts, LegBug Bug);

internal sealed class SimulatedCopy : Partition
{
    private const int BatchBytes = Limits.RecordBytesMax + (16 << 10);
    private static readonly TimeSpan NoTime = TimeSpan.Zero;

    private readonly CopyTerms _terms;
    private readonly List<Leg> _legs = [];
    private readonly byte[] _scratch = new byte[Limits.RecordBytesMax];
    // One of the three is there: a copy, a writer, or a writer that ends.
    private Ledger? _copy;
    private OwnedPartition? _owned;
    private OwnedPartition? _ending;
    private Ledger _ledger;
    private long _epoch;
    // What the next turn may make durable.
    private IReadOnlyList<Leg> _atRisk = [];
    private TaskCompletionSource _fresh = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SimulatedCopy(int number, CopyTerms terms) : base(number)
    {
        _terms = terms;
        terms.Courier.Join(this);
        _ledger = Load();
    }

    public override bool IsOwned => _owned is not null;
    public OwnedPartition? Owned => _owned;

    /// <summary>Whether nobody has taken it over from here.</summary>
    public bool IsWriter => IsOwned && _epoch == _terms.Journals.EpochOf(Number);
    public bool IsChanging => _ending is not null;
    public int StepsDown { get; private set; }

    public override long DurableSequence => _terms.Journals.EndOf(Number) - 1;
    public override bool IsStorageFull => false;
    public override int QueuedItems => 0;
    public override bool IsBusy => false;
    public override bool IsClockTrusted => true;

    /// <summary>Takes the partition over from whoever writes it.</summary>
    public void Promote()
    {
        if (_copy is not { } ledger) return;
        _copy = null;
        ledger.SendTo(null);
        var journal = _terms.Journals.Open(Number);
        Replay(ledger, null);
        _epoch = _terms.Journals.EpochOf(Number);
        OwnedPartition? owned = null;
        owned = new OwnedPartition(
            ledger, journal, new BatchClock(_terms.Time, ledger.Genesis is null ? null : ledger.Time), NullLogger.Instance, (_, cause) => Stop(owned!, cause),
            _terms.DrawSalts, new PartitionBounds { BatchBytes = BatchBytes }, courier: _terms.Courier);
        _terms.Courier.Learn(Number, ledger.LaneEnds());
        _owned = owned;
        _terms.Courier.Begin(Number);
    }

    /// <summary>Takes no more, and is given up when it has finished.</summary>
    public void Demote()
    {
        if (_owned is { } owned) GiveUp(owned);
    }

    /// <summary>What its threads would do next.</summary>
    public void TakeOwnerTurn()
    {
        if (_owned is not { } owned) return;
        Try(owned.TakeOwnerTurn);
        if (_terms.Bug == LegBug.SentBeforeDurable && LegPlanter.WaitingIn(owned) is { Count: > 0 } early) _terms.Courier.Pass(early);
    }

    public void TakeSyncTurn()
    {
        if (_owned is not { } owned) return;
        _atRisk = LegPlanter.WaitingIn(owned);
        owned.TakeSyncTurn(NoTime);
    }

    /// <summary>A writer that was given up finishes what it can; then there is a copy again.</summary>
    public void Finish()
    {
        if (_ending is not { } ending) return;
        var goesOn = ending.StoppedBy is null;
        for (var turn = 0; goesOn && turn < 4; turn++)
        {
            Try(ending.TakeOwnerTurn);
            goesOn = ending.TakeSyncTurn(NoTime);
        }
        Task.Run(() => ending.DisposeAsync().AsTask()).GetAwaiter().GetResult();
        _ending = null;
        if (ending.StoppedBy is not { } cause)
        {
            Follow(ending.Left.Ledger);
            return;
        }
        // The owner's thread would have failed what it was about to hand over.
        foreach (var item in FillingOf(ending)?.Items ?? []) item.Fail(new OutcomeUnknownException(cause));
        CurrentOf(ending)?.Fail(new OutcomeUnknownException(cause));
        _ledger = Load();
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_filling")]
    private static extern ref Batch? FillingOf(OwnedPartition partition);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_current")]
    private static extern ref WorkItem? CurrentOf(OwnedPartition partition);

    /// <summary>Comes to where the journals ended, or breaks off before that.</summary>
    public void Look(bool breaksOff)
    {
        if (_owned is { } owned)
        {
            if (_terms.Journals.EpochOf(Number) > _epoch && _terms.Bug != LegBug.ReplacedUnaware) GiveUp(owned);
            return;
        }
        if (_copy is not { } copy) return;
        Replay(copy, breaksOff ? 1 : null);
        if (breaksOff) return;
        _terms.Courier.Learn(Number, copy.LaneEnds());
    }

    /// <summary>A look has come to the end of all journals.</summary>
    public void AnswerAll()
    {
        var fresh = _fresh;
        _fresh = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        fresh.SetResult();
    }

    public Hash256 StateHash() => _ledger.StateHash();

    public override async Task<T> QueryAsync<T>(Func<Ledger, T> question)
    {
        while (true)
        {
            var owned = _owned;
            try
            {
                if (owned is not null) return await owned.QueryAsync(question);
            }
            catch (Exception e) when (owned != _owned && e is OutcomeUnknownException or PartitionUnavailableException)
            {
                continue;
            }
            var copy = _copy;
            var isOld = _terms.Bug == LegBug.AnswerIsOld && typeof(T).DeclaringType == typeof(LegLane);
            if (!isOld || copy is null) await _fresh.Task;
            if (copy is not null && copy == _copy) return question(copy);
        }
    }

    public override async Task<Answer> SubmitAsync(Command command, uint tenant = Ledger.OperatorTenant, long term = 0) => await Owner().SubmitAsync(command, tenant, term);

    public override ValueTask<PaymentAnswer> SubmitAsync(in Payment payment, uint tenant)
    {
        var copy = payment;
        return new(SendAsync(async owner => await owner.SubmitAsync(copy, tenant)));
    }

    public override ValueTask SubmitAsync(PaymentBlock block) => new(SendAsync(async owner =>
    {
        await owner.SubmitAsync(block);
        return true;
    }));

    public override Task<uint?[]> OwnersAsync(WalletId[] wallets) =>
        QueryAsync(ledger => Array.ConvertAll(wallets, wallet => ledger.OwnerOf(wallet, ledger.WalletCount)));

    public override void ReadRecords(long from, long count, RecordReader reader) => _terms.Journals.ReadRecords(Number, from, count, reader);

    // Credits between partitions need none of these, and nobody in the simulation asks.
    public override Task<Outcome> ForeseeAsync(ClientCommand command, uint tenant) => throw new NotSupportedException();
    public override long? FindForgottenId(WalletId owner, OperationId id) => null;
    public override Task<bool> ConfirmClockAsync() => throw new NotSupportedException();
    public override Task<LedgerTime> TimeAsync() => throw new NotSupportedException();
    public override ValueTask DisposeAsync() => _owned?.DisposeAsync() ?? ValueTask.CompletedTask;

    internal override bool TryEnqueue(WorkItem item) => _owned?.TryEnqueue(item) ?? false;

    private async Task<T> SendAsync<T>(Func<OwnedPartition, Task<T>> send) => await send(Owner());

    private OwnedPartition Owner() => _terms.Owner(Number) ?? throw new PartitionUnavailableException(Unavailable.Busy);

    /// <summary>From a snapshot: whatever stands before it nobody is told of.</summary>
    private Ledger Load()
    {
        var ledger = new Ledger(Number);
        var frames = _terms.Journals.Of(Number);
        Replay(ledger, _terms.Random.Next(frames.Count + 1));
        Follow(ledger);
        return ledger;
    }

    private void Follow(Ledger ledger)
    {
        _ledger = _copy = ledger;
        _legs.Clear();
        ledger.SendTo(_legs);
        _terms.Courier.Learn(Number, ledger.LaneEnds());
    }

    private void Replay(Ledger ledger, int? framesMax)
    {
        foreach (var frame in _terms.Journals.Of(Number).Where(frame => frame.First >= ledger.NextSequence).Take(framesMax ?? int.MaxValue).ToArray())
        {
            ledger.ReplayBatch(frame.Payload, _scratch);
            if (_legs.Count > 0) _terms.Courier.Pass(_legs);
            _legs.Clear();
        }
    }

    private void GiveUp(OwnedPartition owned)
    {
        (_owned, _ending) = (null, owned);
        _terms.Courier.End(Number);
        StepsDown++;
    }

    private void Stop(OwnedPartition owned, Exception cause)
    {
        if (cause is not JournalFailedException) _terms.Fatal(cause);
        if (_terms.Bug == LegBug.GivenUpAndSent && _atRisk.Count > 0) _terms.Courier.Pass(_atRisk);
        if (_owned == owned) GiveUp(owned);
    }

    private static void Try(Action turn)
    {
        try
        {
            turn();
        }
        catch (Exception e) when (e is OutcomeUnknownException or OperationCanceledException)
        {
            // The journal has failed.
        }
    }
}
