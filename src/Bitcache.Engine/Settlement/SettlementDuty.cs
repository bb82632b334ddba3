// Settlement as one of several processes has it: begun when it is given to this one, begun again when something that passes was
// in the way, ended when it is taken away. That two never settle at once is not its affair but the term's.

using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bitcache.Engine.Settlement;

/// <summary>What is in the way is this machine's alone, such as a full disk: another one may settle.</summary>
public sealed class SettlementHinderedException(Exception cause) : Exception($"this machine cannot settle now: {cause.Message}", cause)
{
    /// <summary>Whether something that was thrown is neither the database's nor a broken rule, so that another machine may do better.</summary>
    internal static bool IsCausedBy(Exception e)
    {
        if (e is not (UnauthorizedAccessException or (IOException and not (JournalFailedException or JournalCorruptException or JournalUnavailableException or JournalRefusedException)))) return false;
        for (var cause = e.InnerException; cause is not null; cause = cause.InnerException)
        {
            if (cause is NpgsqlException) return false;
        }
        return true;
    }
}

/// <param name="begin">Takes settlement over and begins it; the desk's fatal handler is given.</param>
/// <param name="show">Told of the desk while it is there, and of null when it is not.</param>
/// <param name="fatal">Told when the process must end.</param>
internal sealed class SettlementDuty(
    Func<FatalHandler, CancellationToken, Task<SettlementDesk>> begin, Action<SettlementDesk?> show, FatalHandler fatal, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    /// <summary>How long a process that cannot settle leaves it to others before it offers itself again.</summary>
    private static readonly TimeSpan RefusalLasts = TimeSpan.FromSeconds(10);
    /// <summary>After so many beginnings in a row that came to nothing another process may have its turn: what is in the way may
    /// be this machine's.</summary>
    private const int FailuresMax = 5;

    private readonly Lock _lock = new();
    // Under the lock.
    private CancellationTokenSource? _stop;
    private Task _term = Task.CompletedTask;
    private bool _isEnding;
    // Written by the term.
    private volatile string? _trouble;
    private volatile string? _bar;
    private int _failures;
    private long _refusedAt;

    /// <summary>Why it could not be begun when that was tried last; null if it could.</summary>
    public string? Trouble => _trouble;

    /// <summary>Why it is not begun here again before a restart; null as long as it may be.</summary>
    public string? Bar => _bar;

    /// <summary>Whether it was found that this process cannot settle: a moment ago, as its keys or settings are not those of the
    /// ledger or its machine is in the way, or for good.</summary>
    public bool IsRefused => _bar is not null || (Interlocked.Read(ref _refusedAt) is not 0 and var at && time.GetElapsedTime(at) < RefusalLasts);

    /// <summary>Whether it goes on, or is to be tried again.</summary>
    public bool IsGoingOn
    {
        get
        {
            lock (_lock) return !_term.IsCompleted;
        }
    }

    /// <summary>Settlement is this process's: begins it if it does not go on already. Returns at once.</summary>
    public void Begin()
    {
        lock (_lock)
        {
            if (_isEnding || _bar is not null || !_term.IsCompleted) return;
            _stop?.Dispose();
            _stop = new CancellationTokenSource();
            var stop = _stop.Token;
            _term = Task.Run(() => RunAsync(stop), CancellationToken.None);
        }
    }

    /// <summary>Settlement is not this process's any more: when this is done nothing of it goes on.</summary>
    public async Task EndAsync()
    {
        Task stopped, term;
        // Under the lock, or another beginning could dispose of it in between.
        lock (_lock) (stopped, term) = (_stop?.CancelAsync() ?? Task.CompletedTask, _term);
        await stopped;
        await term;
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock) _isEnding = true;
        await EndAsync();
        lock (_lock)
        {
            _stop?.Dispose();
            _stop = null;
        }
    }

    private async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested && await SettleAsync(stop)) await Task.Delay(RetryAfter, time, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // As in the settlement's loop: a broken rule or lost bookkeeping stops the process loudly.
        catch (Exception e)
        {
            fatal("settlement met something that it does not understand", e);
        }
#pragma warning restore CA1031
    }

    /// <summary>One term, to its end. False if another process has settlement now; true if it is to be tried again.</summary>
    private async Task<bool> SettleAsync(CancellationToken stop)
    {
        var ended = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await using var desk = await begin(EndOrDie, stop);
            await using var stopping = stop.Register(() => ended.TrySetResult(null));
            desk.Start();
            show(desk);
            logger.SettlementBegun(desk.Log.CheckpointSize);
            (_trouble, _failures) = (null, 0);
            Exception? cause;
            try
            {
                cause = await await Task.WhenAny(ended.Task, desk.Term.End);
                // As long as it does anything the brakes must reach it.
                await desk.EndAsync();
            }
            finally
            {
                show(null);
            }
            if (cause is SettlementHinderedException)
            {
                Refuse(cause);
                return false;
            }
            if (cause is AddressSharedException)
            {
                // Whoever looks at the chain next finds the same, and payments need nobody who does.
                logger.SettlementBarred(cause.Message);
                _bar = _trouble = cause.Message;
                return false;
            }
            if (cause is null) logger.SettlementEnded();
            else logger.SettlementTakenAway(cause.Message);
            return cause is OutcomeUnknownException;
        }
        catch (TermOverException e)
        {
            logger.SettlementTakenAway(e.Message);
            return false;
        }
        // Another process may have the right settings, and files that it may read.
        catch (Exception e) when (e is SettingsException or UnauthorizedAccessException)
        {
            Refuse(e);
            return false;
        }
        // What an operator must mend needs no new start: payments go on meanwhile.
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException or NodeUnavailableException
            or (IOException and not (JournalFailedException or JournalCorruptException)))
        {
            Tell(e);
            if (++_failures < FailuresMax) return true;
            _failures = 0;
            Refuse(e);
            return false;
        }

        void Refuse(Exception e)
        {
            Interlocked.Exchange(ref _refusedAt, time.GetTimestamp());
            Tell(e);
        }

        void Tell(Exception e)
        {
            if (_trouble != e.Message) logger.SettlementNotBegun(e.Message);
            _trouble = e.Message;
        }

        void EndOrDie(string why, Exception cause)
        {
            if (cause is not (TermOverException or OutcomeUnknownException or SettlementHinderedException or AddressSharedException)) fatal(why, cause);
            ended.TrySetResult(cause);
        }
    }
}
