// A partition of a cluster, from one of its processes. Every process has a copy of the ledger, which follows the journal, and
// answers questions; one of them is the writer. Which one, somebody else decides: he has this process take the partition over
// and hand it on. What holds whatever he does is the journal's: it takes batches from the newest writer alone.
//
//   following  -- PromoteAsync: raise the writer epoch, replay the rest, begin to write -->  owning
//   following  <-- DemoteAsync: take no more, finish, follow on from where the ledger is --  owning
//   following  <-- another process has raised the epoch, or an append's outcome is unknown: the ledger is ahead of the journal,
//                  is thrown away and loaded again                                        --  owning
//
// In between, callers wait for a while.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Partitions;

/// <summary>What the partitions of one process have in common.</summary>
/// <param name="Database">That holds their journals, and their snapshots.</param>
/// <param name="Tail">Has their copies follow.</param>
/// <param name="Owner">The way to whoever writes a partition.</param>
/// <param name="Terms">How a ledger is loaded.</param>
/// <param name="Fatal">Told when the process must end: of a rule that was broken, or of damage.</param>
/// <param name="Bounds">How much a partition takes when it is written here.</param>
public sealed record SharedLedger(
    JournalDatabase Database, JournalTail Tail, IPartitionOwner Owner, RecoveryTerms Terms, TimeProvider Time, ILogger Logger, FatalHandler Fatal,
    PartitionBounds? Bounds = null)
{
    internal StatedEpochs Stated { get; } = new();

    /// <summary>Carries credits between the partitions that are written here; null where there is only one. It belongs to the
    /// <see cref="PartitionSet"/> that is made with it.</summary>
    public LegCourier? Courier { get; } = Database.Settings.Partitions > 1 ? LegCourier.Shared(Database.Settings.Partitions, Time, Fatal) : null;

    /// <summary>Stands between a writer and its journal: for faults.</summary>
    internal Func<IJournal, IJournal>? Between { get; init; }
}

/// <summary>See above, and for how it changes SharedPartition.Changes.cs. One of <see cref="_owned"/> and <see cref="_follower"/> is there, or none while it changes.</summary>
public sealed partial class SharedPartition : Partition
{
    /// <summary>How long callers wait while nobody can tell here what the ledger is.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    /// <summary>How long after a load that the database could not serve.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);
    /// <summary>How long after something whose outcome nobody knew: doubled each time, since many callers may wait for the next
    /// writer, and each failure costs.</summary>
    private static readonly TimeSpan FirstRepeatAfter = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan RepeatAfterMax = TimeSpan.FromMilliseconds(320);

    private readonly SharedLedger _shared;
    private readonly JournalReader _reader;
    // Who has the partition changes by one at a time.
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Lock _lock = new();
    // Written under the lock.
    private volatile OwnedPartition? _owned;
    private volatile LedgerFollower? _follower;
    private volatile TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Watcher? _watcher;
    private volatile bool _isEnding;
    private Task _loadingAgain = Task.CompletedTask;
    private int _stepsDown;
    // What was durable when the ledger that knew it was given up.
    private long _durable = -1;

    private SharedPartition(int number, SharedLedger shared) : base(number)
    {
        (_shared, _reader) = (shared, new JournalReader(shared.Database, number));
        shared.Courier?.Join(this);
    }

    /// <summary>Loads a partition, which follows from then on.</summary>
    public static async Task<SharedPartition> OpenAsync(int number, SharedLedger shared)
    {
        var partition = new SharedPartition(number, shared);
        await Task.Run(partition.Load);
        return partition;
    }

    public override bool IsOwned => _owned is not null;

    /// <summary>The writer, where it is here; who asks him never comes to another process.</summary>
    internal OwnedPartition? Writer => _owned;

    /// <summary>How often it found that it was the writer no more, or could not tell.</summary>
    public int StepsDown => Volatile.Read(ref _stepsDown);

    public override long DurableSequence => Math.Max(Volatile.Read(ref _durable), DurableHere(_owned, _follower));
    public override bool IsStorageFull => _owned?.IsStorageFull ?? false;
    public override int QueuedItems => _owned?.QueuedItems ?? 0;
    public override bool IsBusy => _owned?.IsBusy ?? false;

    public override bool IsClockTrusted => _owned?.IsClockTrusted ?? true;

    /// <summary>Takes the partition over: whoever wrote it appends nothing any more.</summary>
    /// <exception cref="JournalRefusedException">The database cannot be used now; this process goes on following.</exception>
    /// <exception cref="PartitionUnavailableException">It is being loaded, or the process ends.</exception>
    public async Task PromoteAsync()
    {
        for (var begun = Stopwatch.GetTimestamp(); ; await SettledAsync(begun))
        {
            await _changing.WaitAsync();
            try
            {
                if (_owned is { } owned && await IsStillWriterAsync(owned)) return;
                if (_follower is { } follower)
                {
                    await TakeOverAsync(follower);
                    return;
                }
            }
            finally
            {
                _changing.Release();
            }
        }
    }

    /// <summary>Hands the partition on: takes no more, finishes what it has, and follows whoever is next.</summary>
    public async Task DemoteAsync()
    {
        await _changing.WaitAsync();
        try
        {
            if (_owned is { } owned) await EndOwningAsync(owned);
        }
        finally
        {
            _changing.Release();
        }
    }

    public override Task<Answer> SubmitAsync(Command command, uint tenant = Ledger.OperatorTenant, long term = 0) =>
        SendAsync(
            here => here.SubmitAsync(command, tenant, term), there => there.SubmitAsync(Number, command, tenant, term),
            // Without an id it might be done twice; under a term it is for the one whose term it is.
            isRepeatable: command is ClientCommand && term == 0, answer => Tells(answer.Outcome));

    public override ValueTask<PaymentAnswer> SubmitAsync(in Payment payment, uint tenant)
    {
        var copy = payment;
        return new(SendAsync(here => here.SubmitAsync(copy, tenant).AsTask(), there => there.SubmitAsync(Number, copy, tenant).AsTask(), isRepeatable: true, answer => Tells(answer.Outcome)));
    }

    public override ValueTask SubmitAsync(PaymentBlock block) =>
        new(SendAsync(
            here => DoneAsync(here.SubmitAsync(block)), there => DoneAsync(there.SubmitAsync(Number, block)), isRepeatable: true,
            _ => Array.TrueForAll(block.Results.ToArray(), result => Tells(result.Outcome))));

    /// <summary>Of a copy the answer is as new as everything that was acknowledged before the question. A question may be asked
    /// again of the next ledger where the one that it was asked of is given up.</summary>
    public override Task<T> QueryAsync<T>(Func<Ledger, T> question) => AskAsync(owned => owned.QueryAsync(question), question, isFresh: true);

    public override Task<Outcome> ForeseeAsync(ClientCommand command, uint tenant) => AskAsync(
        owned => owned.ForeseeAsync(command, tenant),
        ledger => ledger.Foresee(command, new ApplyContext(ledger.Time, tenant, 0, ClockTrusted: false)), isFresh: true);

    public override async Task<uint?[]> OwnersAsync(WalletId[] wallets)
    {
        uint?[] Find(Ledger ledger) => Array.ConvertAll(wallets, wallet => ledger.OwnerOf(wallet, ledger.WalletCount));
        // A wallet is there for ever; that there is none may have changed.
        var known = await AskAsync(owned => owned.OwnersAsync(wallets), Find, isFresh: false);
        return _owned is null && known.Contains(null) ? await AskAsync(owned => owned.OwnersAsync(wallets), Find, isFresh: true) : known;
    }

    public override void ReadRecords(long from, long count, RecordReader reader)
    {
        // Whoever knows of a sequence may have heard of it from its writer, ahead of this copy.
        if (from + count - 1 > DurableSequence) WaitFresh();
        if (from + count - 1 > DurableSequence && _owned is null && _follower is null) throw new PartitionUnavailableException(Unavailable.Busy);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from + count, DurableSequence + 1, nameof(count));
        Read(() =>
        {
            _reader.ReadRecords(from, count, reader);
            return true;
        });
    }

    public override long? FindForgottenId(WalletId owner, OperationId id)
    {
        if (_owned is { } owned) return owned.FindForgottenId(owner, id);
        WaitFresh();
        return Read(() => _reader.FindId(owner, id, DurableSequence + 1));
    }

    public override Task<bool> ConfirmClockAsync() =>
        SendAsync(here => here.ConfirmClockAsync(), there => there.ConfirmClockAsync(Number), isRepeatable: true);

    public override async Task<LedgerTime> TimeAsync()
    {
        try
        {
            return await SendAsync(here => here.TimeAsync(), there => there.TimeAsync(Number), isRepeatable: true);
        }
        catch (OutcomeUnknownException)
        {
            // Nothing was to be done.
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        _isEnding = true;
        await _changing.WaitAsync();
        var (owned, follower) = Give();
        if (owned is not null) await owned.DisposeAsync();
        if (follower is not null) End(follower);
        _settled.TrySetResult();
        _changing.Release();
        // It changes nothing any more, and was begun before the writer was given up.
        await _loadingAgain;
        _changing.Dispose();
    }

    internal override bool TryEnqueue(WorkItem item) => _owned?.TryEnqueue(item) ?? false;

    /// <summary>To the writer here, or to the one that is elsewhere. What one of them did not take because it is handed on goes to
    /// the next; and so does what nobody answers, because its id has it done once, and tells what came of it. What was once unknown
    /// stays so until somebody answers, whatever keeps the next one from taking it.</summary>
    /// <param name="tells">Whether an answer tells what came of it the first time, too; null where each does.</param>
    private async Task<T> SendAsync<T>(Func<OwnedPartition, Task<T>> here, Func<IPartitionOwner, Task<T>> there, bool isRepeatable, Func<T, bool>? tells = null)
    {
        var begun = Stopwatch.GetTimestamp();
        OutcomeUnknownException? unknown = null;
        for (var pause = FirstRepeatAfter; ;)
        {
            OwnedPartition? owned = null;
            T answer;
            try
            {
                await SettledAsync(begun);
                owned = _owned;
                if (owned is null && _follower is null) continue;
                answer = owned is not null ? await here(owned) : await there(_shared.Owner);
            }
            catch (PartitionUnavailableException e) when (WasHandedOn(owned, e))
            {
                continue;
            }
            catch (PartitionUnavailableException) when (unknown is not null)
            {
                throw unknown;
            }
            catch (OutcomeUnknownException e) when (isRepeatable && !_isEnding && Stopwatch.GetElapsedTime(begun) + pause < Patience)
            {
                unknown = e;
                await Task.Delay(pause, _shared.Time);
                if (pause < RepeatAfterMax) pause *= 2;
                continue;
            }
            return unknown is null || tells is null || tells(answer) ? answer : throw unknown;
        }
    }

    /// <summary>False where an id is forgotten by now, or the first time is still under way.</summary>
    private static bool Tells(Outcome outcome) => outcome is not (Outcome.IdBelowFloor or Outcome.IdInFlight);

    private static async Task<bool> DoneAsync(ValueTask done)
    {
        await done;
        return true;
    }

    /// <param name="isFresh">Whether the answer must be as new as the question.</param>
    private async Task<T> AskAsync<T>(Func<OwnedPartition, Task<T>> askOwner, Func<Ledger, T> askCopy, bool isFresh)
    {
        for (var begun = Stopwatch.GetTimestamp(); ; await SettledAsync(begun))
        {
            var owned = _owned;
            try
            {
                if (owned is not null) return await askOwner(owned);
            }
            catch (Exception e) when (WasHandedOn(owned, e) || (e is OutcomeUnknownException && owned != _owned))
            {
                continue;
            }
            if (_follower is not { } follower) continue;
            if (isFresh) await FreshAsync();
            if (follower.TryAsk(askCopy, out var answer)) return answer;
        }
    }

    private static long DurableHere(OwnedPartition? owned, LedgerFollower? follower) => owned?.DurableSequence ?? (follower?.NextSequence ?? 0) - 1;

    /// <summary>Whether the writer here took nothing of it because he is not the writer any more.</summary>
    private bool WasHandedOn(OwnedPartition? owned, Exception e) =>
        e is PartitionUnavailableException { Reason: Unavailable.Stopping } && owned != _owned && !_isEnding;

    /// <summary>Waits until there is a ledger to ask.</summary>
    /// <exception cref="PartitionUnavailableException">That takes too long.</exception>
    private async Task SettledAsync(long begun)
    {
        if (_isEnding) throw new PartitionUnavailableException(Unavailable.Stopping);
        var left = Patience - Stopwatch.GetElapsedTime(begun);
        if (left <= TimeSpan.Zero) throw new PartitionUnavailableException(Unavailable.Busy);
        try
        {
            await _settled.Task.WaitAsync(left, _shared.Time);
        }
        catch (TimeoutException)
        {
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
    }

    private async Task FreshAsync()
    {
        try
        {
            await _shared.Tail.FreshAsync();
        }
        catch (JournalUnavailableException)
        {
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
        catch (ObjectDisposedException)
        {
            throw new PartitionUnavailableException(Unavailable.Stopping);
        }
    }

    // Only for readers on a thread of their own.
    private void WaitFresh()
    {
        if (_owned is null) FreshAsync().GetAwaiter().GetResult();
    }

    private T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is JournalUnavailableException or IdsNotIndexedException)
        {
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
        catch (JournalCorruptException e)
        {
            _shared.Fatal("what was durable is damaged", e);
            throw;
        }
    }
}
