// Ties the ledger to Bitcoin, one turn after another: cut the log, close the epoch when it is due, look for
// deposits, open families for what is due, drive those that are live. Whatever fails is tried again at the next
// turn; payments never wait for any of it.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>What the loop last saw of Bitcoin. Replaced whole at every turn.</summary>
/// <param name="Trouble">Why deposits and withdrawals wait; null when they do not.</param>
/// <param name="LogTrouble">Why the log is not cut and signed, and nothing is settled: no room, as a rule; null when it is.</param>
/// <param name="Reserves">Coins of the hot wallet, and what live families are about to pay out; null before the first look.</param>
public sealed record ChainHealth(string? Trouble, string? LogTrouble, int? Height, UnixTime? LookedAt, Msat? Reserves, bool ReservesShort)
{
    public static ChainHealth Unknown { get; } = new("the node was not asked yet", null, null, null, null, false);
}

public sealed class SettlementLoop : IAsyncDisposable
{
    /// <summary>After so many turns in a row that this machine was in the way of, another one may have its turn.</summary>
    private const int HinderedTurnsMax = 5;

    private readonly SettlementTerm _term;
    private readonly PartitionSet _partitions;
    private readonly OperatorFunds _funds;
    private readonly Reserves _reserves;
    private readonly Signing _signing;
    private readonly LogKeeper _log;
    private readonly IBitcoinNode _node;
    private readonly NodeGate _gate;
    private readonly EngineSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly AddressAllocator _addresses;
    private readonly DepositTurn _deposits;
    private readonly PayoutBuilder _rates;
    private readonly NodeFailover? _failover;
    private readonly AnchorWatch _anchor;
    private readonly OutflowGate _outflow;
    private readonly Consolidation _consolidation;
    private readonly ColdWallet _cold;
    private readonly EpochBooks _books;
    private readonly WalletAlarms _alarms;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SemaphoreSlim _wake = new(0);
    private readonly FatalHandler _fatal;
    private Task _running = Task.CompletedTask;
    private volatile ChainHealth _health = ChainHealth.Unknown;
    // Turns in a row that this machine's files were in the way of.
    private int _hinderedTurns;
    // The block that reserves were last compared at; the comparison costs a call for each live family.
    private BlockHash? _comparedAt;
    // The last turn ended because the wallet is being rescanned, and with nothing else.
    private bool _isRescanning;

    public SettlementLoop(
        SettlementTerm term, LogKeeper log, IBitcoinNode node, NodeGate gate, AddressAllocator addresses, ColdWallet cold,
        EpochBooks books, EngineSettings settings, TimeProvider time, ILogger logger, FatalHandler fatal, WithdrawalFees fees,
        NodeFailover? failover = null)
    {
        _failover = failover;
        (_term, _partitions, _log, _node, _gate, _settings, _time, _logger, _fatal) = (term, term.Partitions, log, node, gate, settings, time, logger, fatal);
        _addresses = addresses;
        _deposits = new DepositTurn(term, node, addresses, settings, logger);
        _anchor = new AnchorWatch(term, node, settings.FinalityDepth, logger);
        _funds = new OperatorFunds(term, settings, time);
        _reserves = new Reserves(_partitions, node);
        _rates = new PayoutBuilder(node, settings);
        Fees = fees;
        (_cold, _books) = (cold, books);
        _consolidation = new Consolidation(term, node, settings, logger);
        _outflow = new OutflowGate(_partitions, settings.WithdrawalLimits);
        _alarms = new WalletAlarms(settings, logger);
        Payouts = [.. _partitions.All.Select(partition => new Payouts(term, partition, node, settings, logger))];
        _signing = new Signing(_partitions, Payouts, node);
    }

    /// <summary>Of each partition.</summary>
    public IReadOnlyList<Payouts> Payouts { get; }
    public ChainHealth Chain => _health;
    /// <summary>Which node is in use; null where there is but one.</summary>
    public NodesHealth? Nodes => _failover?.Health;
    public WalletsHealth Wallets => _alarms.Health;
    public BooksHealth Books => _books.Health;

    /// <summary>What users are quoted for mining.</summary>
    public WithdrawalFees Fees { get; }

    /// <summary>Who is about to take the anchor's output, if a stranger is.</summary>
    public string? AnchorAlarm => _anchor.Alarm;

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Has the next turn come now, if there is one.</summary>
    public void Wake()
    {
        if (!_stop.IsCancellationRequested && _wake.CurrentCount == 0) _wake.Release();
    }

    /// <summary>Closes the epoch now. The same id closes one epoch, whatever is retried.</summary>
    /// <exception cref="PartitionUnavailableException">Nothing was closed.</exception>
    public async Task<Answer> CloseEpochAsync(OperationId id, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            await _term.CheckAsync();
            await FollowAsync();
            return await CutEpochAsync(id, await LookForCutAsync(cancel));
        }
        finally
        {
            _turn.Release();
            Wake();
        }
    }

    /// <inheritdoc cref="LogKeeper.RotateKeyAsync"/>
    public async Task<Answer> RotateCheckpointKeyAsync(OperationId id, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            var answer = await _log.RotateKeyAsync(id);
            if (answer is { Outcome: Outcome.Accepted, IsRetry: false }) _logger.CheckpointKeyRotated(_log.Verifier);
            return answer;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What waits to be signed elsewhere.</summary>
    public Task<IReadOnlyList<SigningRequest>> ListSigningAsync() => _signing.ListAsync();

    /// <summary>Takes back a transaction that was signed elsewhere (<see cref="Signing.TakeAsync"/>), and has it sent.</summary>
    public async Task<SignedOutcome> TakeSignedAsync(Txid txid, string psbt, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            return await _signing.TakeAsync(txid, psbt, cancel);
        }
        finally
        {
            _turn.Release();
            Wake();
        }
    }

    /// <summary>Ends the turn that is under way, and takes none by itself from then on.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _books.DisposeAsync();
        if (_failover is not null) await _failover.DisposeAsync();
        _stop.Dispose();
        _turn.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await TakeTurnAsync(_stop.Token);
                if (IsHindered(_books.FilesTrouble)) return;
                await PauseAsync();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is PartitionUnavailableException or UnauthorizedAccessException or (IOException and not (JournalFailedException or JournalCorruptException)))
            {
                // No room for entries or for the log's hashes: nothing was half done, and the next turn tries again.
                if (_health.LogTrouble != e.Message) _logger.SettlementWaits(e.Message);
                _health = _health with { LogTrouble = e.Message };
                if (IsHindered(e)) return;
                await PauseAsync();
            }
            catch (AddressSharedException e)
            {
                _fatal("settlement found an address that two wallets have", e);
                return;
            }
            catch (TermOverException e)
            {
                // Nothing was half done: whoever has the term goes on from what is journaled.
                _fatal("settlement has been taken over by another process; this one must not settle any more", e);
                return;
            }
#pragma warning disable CA1031 // An unexpected failure here is a broken rule or lost bookkeeping: stop loudly.
            catch (Exception e)
            {
                _fatal("settlement met something that it does not understand", e);
                return;
            }
#pragma warning restore CA1031
        }
    }

    /// <summary>In a cluster another machine may do what this one cannot, turn after turn.</summary>
    /// <param name="trouble">What kept the last turn from something; null if nothing did.</param>
    /// <returns>True if this one is to end, and was told so.</returns>
    private bool IsHindered(Exception? trouble)
    {
        _hinderedTurns = trouble is not null && SettlementHinderedException.IsCausedBy(trouble) ? _hinderedTurns + 1 : 0;
        if (_hinderedTurns < HinderedTurnsMax || _settings.Cluster.Length == 0) return false;
        _fatal("this machine cannot settle", new SettlementHinderedException(trouble!));
        return true;
    }

    private async Task PauseAsync()
    {
        try
        {
            await _wake.WaitAsync(_settings.PollInterval, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The loop ends by itself.
        }
    }

    /// <summary>Takes one turn now, and returns when it is done.</summary>
    public async Task TakeTurnAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            await _term.CheckAsync();
            await FollowAsync();
            await _log.AdvanceAsync();
            _health = _health with { LogTrouble = null };
            foreach (var payouts in Payouts) await payouts.KeepBooksAsync();
            await SettleAsync(cancel);
            // Without the node nothing can be stated about it; the log goes on all the same.
            if (await IsEpochDueAsync()) await CutEpochAsync(ClientIds.Next(_time), null);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task SettleAsync(CancellationToken cancel)
    {
        try
        {
            // What is cached of one node is not true of another.
            if (_health.Trouble is { } trouble && _failover is not null
                && await _addresses.WithoutOthersAsync(() => _failover.ChangeAsync(_health.Height ?? 0, trouble, cancel), cancel)) _comparedAt = null;
            // After a restart the node may not have loaded its wallet yet.
            if (_health.Trouble is not null && !await _node.LoadWalletAsync(cancel))
            {
                Trouble("the node has no wallet of the configured name: restore the hot wallet from its backup");
                return;
            }
            var cursor = await _partitions.First.QueryAsync(ledger => ledger.Cursor);
            var gate = await _gate.CheckAsync((int)(cursor?.Height ?? 0), cancel);
            if (!gate.IsOpen)
            {
                // It is our rescan that it has not ended yet.
                Trouble(gate.Sentence, isOfNode: gate.Reason != GateReason.WalletScanning || !await IsRescanDueAsync());
                return;
            }
            var chain = gate.Chain!;
            if (_health.Trouble is not null && !_isRescanning)
            {
                // The node may have been restarted: its locks are gone.
                await Payouts[0].LockCoinsAsync(cancel);
                _deposits.LookAnew();
                _logger.NodeOpen(chain.Blocks);
            }
            if (await _deposits.TakeAsync(chain.Blocks, cancel) is { } rescan)
            {
                Trouble($"the node's wallet is being rescanned from block {rescan.From}; {rescan.Last - rescan.Next + 1} blocks are left", isOfNode: false);
                _failover?.Worked();
                _isRescanning = true;
                Wake();
                return;
            }
            if (_isRescanning) await Payouts[0].LockCoinsAsync(cancel);
            _isRescanning = false;
            await CompareReservesAsync(chain.BestBlock, cancel);
            await _funds.LevelAsync();
            await LookAtFundsAsync();
            if (_settings.WithdrawalFeeShare || _settings.FeeRatePatience > 0) Fees.Post(await _rates.FirstRateAsync(cancel));
            await _partitions.FollowStopAsync(_term);
            await CloseBooksAsync(cancel);
            if (!await _anchor.LookAsync(cancel))
            {
                await OpenFamiliesAsync(cancel);
                if (!_health.ReservesShort) await _consolidation.OpenAsync(chain.Blocks, cancel);
            }
            foreach (var payouts in Payouts) await payouts.DriveAsync(chain.Blocks, mayPay: !_health.ReservesShort, cancel);
            _alarms.TellHotWallet(Payouts.Any(payouts => payouts.LacksCoins));
            _health = _health with { Trouble = null, Height = chain.Blocks, LookedAt = Now() };
            if (_failover is not null) await _failover.ServedAsync(chain.Blocks);
        }
        catch (NodeException e)
        {
            // Who locked this wallet did so on purpose: another node does not go round it. And a run of a rescan that is not over
            // in time goes on: another node would begin it anew.
            Trouble(e.Message, isOfNode: e.Failure != NodeFailure.WalletLocked && !(e.Failure == NodeFailure.Unknown && await IsRescanDueAsync()));
        }
        catch (Exception e) when (e is CursorLostException or WalletMismatchException)
        {
            Trouble(e.Message);
        }
    }

    /// <summary>Has everything from a block on looked for again, and deposits and withdrawals wait until it is.</summary>
    public Task MarkRescanAsync(uint fromHeight) => _term.SubmitAsync(new MarkRescan(fromHeight, Done: false));

    /// <summary>See <see cref="DepositTurn.RescanAnew"/>.</summary>
    public void RescanAnew() => _deposits.RescanAnew();

    private Task<bool> IsRescanDueAsync() => _partitions.First.QueryAsync(ledger => ledger.Rescan is not null);

    private void Trouble(string reason, bool isOfNode = true)
    {
        if (isOfNode) _failover?.Failed();
        if (_health.Trouble != reason) _logger.NodeClosed(reason);
        _health = _health with { Trouble = reason };
        _isRescanning = false;
    }

    private async Task<bool> IsEpochDueAsync()
    {
        var first = _partitions.First;
        var last = await first.QueryAsync(ledger => ledger.LastEpoch?.Closed ?? ledger.Begun);
        // Only the ledger's own time counts, and only while it is trusted.
        var (now, isTrusted) = await first.TimeAsync();
        return isTrusted && now.Milliseconds - last.Milliseconds >= (long)_settings.EpochLength.TotalMilliseconds;
    }

    /// <summary>The first partition closes an epoch, and the others follow: each of them at the latest before it takes a
    /// credit that was sent after the cut.</summary>
    /// <param name="facts">What was found out about the chain for it; null if the node could not be asked.</param>
    private async Task<Answer> CutEpochAsync(OperationId id, CutFacts? facts)
    {
        var next = await LastEpochAsync() + 1;
        if (facts is null) _books.Forget(next);
        var answer = await _term.SubmitAsync(new EpochCut(id, next));
        if (answer.Entry?.Command is EpochCut cut && cut.Epoch == next && !answer.IsRetry)
        {
            var size = (await CutLogAsync(next)).Size;
            _logger.EpochClosed(next, size);
            await _books.OpenAsync(next, facts);
        }
        return answer;
    }

    /// <summary>Cuts an epoch that is due, now that ledger and chain tell of the same block, and goes on with the books of those
    /// that were cut.</summary>
    private async Task CloseBooksAsync(CancellationToken cancel)
    {
        if ((await IsEpochDueAsync() || await _books.IsMissingAsync(_deposits.LookedAt, cancel)) && await _books.PrepareAsync(await LastEpochAsync() + 1, _deposits.LookedAt, cancel) is { } facts)
            await CutEpochAsync(ClientIds.Next(_time), facts);
        if (await _books.AdvanceAsync(cancel)) Wake();
    }

    /// <summary>The same for an epoch that is closed on demand: the ledger follows the chain first.</summary>
    private async Task<CutFacts?> LookForCutAsync(CancellationToken cancel)
    {
        try
        {
            if (_health.Trouble is not null || (await _gate.CheckAsync((int)((await _partitions.First.QueryAsync(ledger => ledger.Cursor))?.Height ?? 0), cancel)) is not { IsOpen: true, Chain: { } chain }) return null;
            return await _deposits.TakeAsync(chain.Blocks, cancel) is null ? await _books.PrepareAsync(await LastEpochAsync() + 1, _deposits.LookedAt, cancel) : null;
        }
        catch (Exception e) when (e is NodeException or CursorLostException or WalletMismatchException or NoSpaceException or AddressSharedException)
        {
            // The next turn finds it out, too, and says so.
            return null;
        }
    }

    /// <summary>Has every partition closed an epoch, and the log cut behind all their cuts.</summary>
    /// <returns>The log's size there, and its root.</returns>
    private async Task<(long Size, Hash256 Root)> CutLogAsync(long epoch)
    {
        await FollowEpochAsync(epoch);
        return await _log.CutAtAsync(epoch);
    }

    /// <summary>Ends what a restart interrupted between two partitions.</summary>
    private async Task FollowAsync()
    {
        await FollowEpochAsync(await LastEpochAsync());
        await _books.ResumeAsync();
    }

    /// <summary>Has every partition close the epochs up to one that the first has closed. The process may have ended in between.</summary>
    private async Task FollowEpochAsync(long epoch)
    {
        for (var number = 1; number < _partitions.Count; number++)
        {
            var closed = await _partitions[number].QueryAsync(ledger => ledger.LastEpoch?.Number ?? 0);
            for (var next = closed + 1; next <= epoch; next++) await _term.SubmitAsync(_partitions[number], new EpochCut(default, next));
        }
    }

    private Task<long> LastEpochAsync() => _partitions.First.QueryAsync(ledger => ledger.LastEpoch?.Number ?? 0);

    /// <summary>The newest epoch with a statement is anchored once no anchor is unconfirmed; withdrawals leave with the anchor, or without
    /// it while one is on its way and where they leave before the epoch closes.</summary>
    private async Task OpenFamiliesAsync(CancellationToken cancel)
    {
        var anchor = await NextAnchorAsync();
        var underWay = await _partitions.QueryAllAsync(ledger => ledger.LiveFamilies().Where(f => f.State != FamilyState.Confirmed)
            .SelectMany(f => f.Withdrawals).Select(k => ledger.FindWithdrawal(k)!).ToArray());
        var turns = new ScriptTurns(underWay.SelectMany(w => w));
        var due = _health.ReservesShort ? [] : await Task.WhenAll(Payouts.Select(payouts => payouts.FindDueAsync(Fees.Rate, turns, cancel)));
        // What no limit lets through takes no turn from others.
        var leaving = await _outflow.ChooseAsync([.. due.SelectMany(w => w).OrderBy(w => w.Requested.Milliseconds).Where(w => !_outflow.MayEverLeave(w) || turns.Take(w))]);
        // While nothing may leave, nothing is due, and what limits hold back is not known anew.
        var mayLeave = !_health.ReservesShort && !await _partitions.First.QueryAsync(ledger => ledger.WithdrawalsStopped);
        if (mayLeave) _alarms.TellWithheld(_outflow.Withheld);
        if (mayLeave) _alarms.TellToOurselves(Payouts.Sum(payouts => payouts.ToOurselves));
        for (var number = 0; number < Payouts.Count; number++)
        {
            await Payouts[number].OpenAsync(anchor, [.. leaving.Where(w => w.Key.Wallet.PartitionOf(Payouts.Count) == number)]);
            // The first partition carries the anchor.
            anchor = null;
        }
        if (Payouts.Any(payouts => payouts.OperatorFundsLow)) _logger.OperatorFundsLow(new Sats(_settings.FeeCapSat));
    }

    /// <summary>What the next anchor commits to; null while there is nothing new, or one is not in a block yet.</summary>
    private async Task<AnchorTerms?> NextAnchorAsync()
    {
        var (epoch, newest) = await _partitions.First.QueryAsync(ledger => (ledger.LastStatedEpoch, ledger.NewestAnchor));
        if (epoch is null) return null;
        if (newest is { State: FamilyState.Opened, Prepared: null } && newest.Anchor!.Epoch < epoch.Number)
        {
            // It never got coins or fees to be built: the next anchor covers its epoch, too.
            await _term.SubmitAsync(new AbandonFamily(newest.Number));
            newest = await _partitions.First.QueryAsync(ledger => ledger.NewestAnchor);
        }
        var mayAnchor = newest is null || newest.State is FamilyState.Confirmed or FamilyState.Final;
        if (!mayAnchor || (newest?.Anchor!.Epoch ?? 0) >= epoch.Number) return null;
        var (size, root) = await _log.CutBehindAsync(epoch);
        return new AnchorTerms(epoch.Number, size, root);
    }

    /// <summary>What the operator has in all partitions, and on its way between them, should do for several transactions.</summary>
    private async Task LookAtFundsAsync()
    {
        var available = await _partitions.QueryAllAsync(ledger => ledger.OperatorWallet.Available);
        _alarms.TellOperatorFunds(available.Aggregate(Msat.Zero, (sum, one) => sum + one));
    }

    /// <summary>At every block: what the hot wallet holds, together with what it is just paying out, must cover what
    /// is owed. Below that, withdrawals stop.</summary>
    private async Task CompareReservesAsync(BlockHash best, CancellationToken cancel)
    {
        if (best == _comparedAt && !_health.ReservesShort && _alarms.Health.Cold?.Trouble is null) return;
        // So it is after a start, and when another node is used.
        if (_comparedAt is null) _cold.LookAnew();
        ColdFound? cold = _cold.IsDeclared ? await _cold.AskAsync(cancel) : null;
        var found = await _reserves.FindAsync(cold?.Coins ?? Sats.Zero, cancel);
        // Coins that a block moved in between could be in both.
        if (cold is not null && (await _node.GetBlockchainInfoAsync(cancel)).BestBlock != best) return;
        _alarms.TellCoins(found.Hot, cold);
        if (found.AreShort && !_health.ReservesShort) _logger.ReservesShort(found.There, found.Owed);
        _health = _health with { Reserves = found.There, ReservesShort = found.AreShort };
        _comparedAt = best;
    }

    private UnixTime Now() => new(_time.GetUtcNow().ToUnixTimeMilliseconds());
}
