// What goes wrong, and what must be true afterwards.

using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Simulation;

internal sealed partial class Episode
{
    private const long Hour = 3_600_000;
    private const long Years = 10 * 365 * 24 * Hour;

    private static readonly long[] Jumps = [Hour, -Hour, Years, -Years, 30_000, -30_000];

    private void Fail()
    {
        switch (_random.Next(50))
        {
            case < 5:
                _disk.HaltAt = _disk.Operations + 1 + _random.Next(60);
                break;
            case < 8:
                _disk.FailSyncAt = _disk.Syncs + 1 + _random.Next(30);
                break;
            case < 10:
                _disk.ShortWriteAt = _disk.Operations + 1 + _random.Next(60);
                break;
            case < 14:
                Now.HasBeenFull |= _disk.Full = !_disk.Full;
                break;
            case < 22:
                _disk.Full = false;
                break;
            case < 26:
                Coverage.Count("killed");
                Crash();
                break;
            case < 32:
                SetClock();
                break;
            case < 40:
                _clock.Set(0);
                break;
            case 40:
                ConfirmClock();
                break;
            case < 44:
                Rest();
                break;
            case < 46:
                Flood();
                break;
            case 46:
                Damage();
                break;
            default:
                if (_emphasis == Emphasis.Clocks) SetClock();
                if (_emphasis == Emphasis.Retries) Resend();
                break;
        }
    }

    private void SetClock()
    {
        Coverage.Count("clock wrong");
        if (_random.Next(4) == 0) _clock.Freeze();
        else _clock.Set(Jumps[_random.Next(Jumps.Length)]);
    }

    /// <summary>An operator's word that the clock is right, given when it is.</summary>
    private async void ConfirmClock()
    {
        if (_confirming || Now.Partition.IsClockTrusted) return;
        _clock.Set(0);
        _confirming = true;
        var life = Now;
        life.ClockConfirmed();
        try
        {
            Coverage.Count(await life.Partition.ConfirmClockAsync() ? "clock confirmed" : "clock behind the ledger's time");
            _confirming = false;
        }
        catch (Exception e) when (e is Engine.Partitions.PartitionUnavailableException)
        {
            _confirming = false;
        }
        catch (Engine.Partitions.OutcomeUnknownException)
        {
            // Ends with the next recovery.
        }
    }

    /// <summary>More at once than the queue takes.</summary>
    private void Flood()
    {
        for (var i = 0; i < _settings.Bounds.QueueItems && !Now.QueueWasFull; i++) SendBlock();
        Coverage.Count("queue flooded");
    }

    /// <summary>Everything comes to an end; then what the partition owes to time is done, and the whole state is the
    /// model's.</summary>
    private void Rest()
    {
        Settle();
        if (Now.StoppedBy is not null) return;
        if (_disk.Full) return;
        // The clock is looked at when a batch begins, and not every question below needs one.
        _ = Now.Partition.QueryAsync(ledger => ledger.NextSequence);
        Settle();
        if (Now.StoppedBy is not null) return;
        // A batch expires a few holds, and with nothing sent there is no batch.
        var (questions, most) = (0, 20 + (2 * _oracle.Latest.Holds.Count));
        do
        {
            Ask();
            Settle();
            if (Now.StoppedBy is not null) return;
        }
        while (++questions < 4 || (Due is not null && questions < most));
        if (Now.MustTrust is { } trust) Must.Hold(Now.Partition.IsClockTrusted == trust, $"P12: the clock is {(trust ? "right" : "wrong")}, and the partition takes it for the opposite.");
        if (!Now.Partition.IsClockTrusted || Now.HasBeenFull) return;
        Must.Hold(Due is null, $"The hold {Due} is due, and does not expire.");
        Coverage.Count("rested");
    }

    /// <summary>A hold whose time is over by the partition's own clock.</summary>
    private (WalletId, OperationId)? Due => (_oracle.Latest with { Now = Now.Partition.BatchTime }).DueHold;

    /// <summary>One bit of what is durable changes while the server is down: it must refuse to start.</summary>
    private void Damage()
    {
        Rest();
        // With nothing to append the journal proves that its last batch is whole.
        if (Now.StoppedBy is null) Now.TakeSyncTurn();
        if (Now.StoppedBy is not null) return;
        var segments = _disk.Image().Where(f => f.Value is not null && f.Key.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal)).ToArray();
        var (path, bytes) = segments[_random.Next(2) == 0 ? segments.Length - 1 : _random.Next(segments.Length)];
        // Up to the end of the last batch. The seal behind it, when damaged, looks like a torn one; it says nothing more.
        var (at, end) = (SegmentHeader.Bytes, SegmentHeader.Bytes);
        while (FrameHeader.TryRead(bytes.AsSpan(at), out var header))
        {
            at += FrameHeader.FrameBytes(header.PayloadBytes);
            if (!header.IsSeal) end = at;
        }
        if (end == SegmentHeader.Bytes) return;
        var offset = _random.Next(2) == 0 ? end - 1 - _random.Next(300) : _random.Next(end);
        bytes![offset] ^= (byte)(1 << _random.Next(8));
        var damaged = SimDisk.FromImage(_disk.Image().Select(f => f.Key == path ? KeyValuePair.Create(path, (byte[]?)bytes) : f));
        try
        {
            using var journal = FileJournal.Open(damaged, EpisodeSettings.DataFolder, _settings.Journal, _ => { }, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        }
        catch (JournalCorruptException)
        {
            Coverage.Count("damage refused");
            return;
        }
        throw new SimulationFailedException($"P3: byte {offset} of {path} was changed, and nobody noticed.");
    }

    /// <summary>The process ends, by itself or killed, perhaps with the machine; then it starts again.</summary>
    private void Crash()
    {
        RequireReason();
        Coverage.Count("crashes");
        // Once it has stopped nothing more reaches the disk.
        var operations = _disk.Operations;
        if (Now.StoppedBy is not null)
        {
            Now.TakeSyncTurn();
            Now.TakeOwnerTurn(syncs: true);
            _scheduler.Drain();
            Must.Hold(_disk.Operations == operations, "P3: a partition that has stopped touched the disk.");
        }
        Now.Dispose();
        End(powerLoss: _random.Next(3) != 0);
        Open();
    }

    /// <summary>The partition stops because of what was made to fail, and of nothing else.</summary>
    private void RequireReason()
    {
        if (Now.StoppedBy is null or MachineStoppedException) return;
        if (Now.StoppedBy is JournalFailedException && _disk.HasFailed) Coverage.Count("stopped by the disk");
        else throw new SimulationFailedException($"The partition stopped: {Now.StoppedBy}", Now.StoppedBy);
    }

    private void End(bool powerLoss)
    {
        Coverage.Count(powerLoss ? "power lost" : "restarted");
        if (powerLoss) _disk.PowerLoss();
        else _disk.Restart();
    }

    /// <summary>Starts the process, which may be interrupted, too.</summary>
    private void Open()
    {
        for (var tries = 0; ; tries++)
        {
            if (tries > 0 && tries < 4 && _random.Next(4) == 0) _disk.HaltAt = _disk.Operations + 1 + _random.Next(12);
            try
            {
                var life = Life.Open(_settings, _files, _clock, _oracle, _bugs, DrawSalts);
                _clerk.Recovered();
                _settlement.End();
                _confirming = false;
                _life = life;
                life.HasBeenFull = _disk.Full;
                _disk.HaltAt = 0;
                if (life.Journal.Recovery.TornBytes > 0) Coverage.Count("torn tail cut");
                if (life.Journal.Recovery.Segments > 1) Coverage.Count("several segments");
                if (life.IsFromSnapshot) Coverage.Count("started from a snapshot");
                if (tries > 0) Coverage.Count("interrupted starts");
                return;
            }
            catch (Exception e) when (e is MachineStoppedException or (IOException and not JournalCorruptException) && tries < 100)
            {
                End(powerLoss: true);
            }
        }
    }

    /// <summary>After the last step: everything once more, and two recoveries that give the same state.</summary>
    private void End()
    {
        _disk.CalmDown();
        _clock.Set(0);
        Settle();
        if (Now.StoppedBy is not null) Crash();
        _disk.CalmDown();
        RetrySome();
        Settle();
        Must.Hold(Now.StoppedBy is null, $"The partition stopped, and nothing failed: {Now.StoppedBy}");
        // A hold may have expired in a batch that nobody waits for.
        for (var turns = 0; turns < 100 && !Now.IsDurable; turns++) TakeBothTurns();
        Must.Hold(Now.IsDurable, "What time has made is never durable.");
        State = Now.State;
        Now.Dispose();
        End(powerLoss: true);
        Open();
        Must.Hold(Now.State == State, "P13: a second recovery gives another state.");
        Now.Dispose();
        Must.Hold(Life.Replay(_settings, _files, _bugs) == State, "P13: a replay from the first entry gives another state.");
    }

    /// <summary>Whatever was sent, sent again, has the answer that it had; what nobody knows is found out.</summary>
    private void RetrySome()
    {
        for (var i = Math.Max(0, _clerk.Sent.Count - 200); i < _clerk.Sent.Count; i++)
        {
            if (Now.Partition.QueuedItems + 1 >= _settings.Bounds.QueueItems) Settle();
            _clerk.Send(Now, _clerk.Sent[i].Terms, _clerk.Sent[i].Tenant);
        }
    }

    /// <summary>Asks for a balance, for the whole state, for a wallet's history, or for an id of long ago.</summary>
    private async void Ask()
    {
        var life = Now;
        var from = _oracle.Next;
        try
        {
            switch (_random.Next(8))
            {
                case 0:
                    await AskForAll(life, from);
                    break;
                case 1 when _oracle.Wallets.Count > 0:
                    await AskForHistory(life);
                    break;
                case 2 when _clerk.Sent.Count > 0:
                    AskForForgotten(life);
                    break;
                default:
                    var wallet = _oracle.Wallets[_random.Next(_oracle.Wallets.Count)];
                    var (next, shown) = await life.Subject.QueryAsync(ledger => (ledger.NextSequence, Comparison.Of(ledger.FindWallet(wallet)!.Value)));
                    RequireDurable(from, next);
                    Must.Hold(shown == _oracle.Before(next).Wallets[wallet], $"The wallet {wallet} is read as {shown}.");
                    break;
            }
            Coverage.Count("questions");
        }
        catch (Exception e) when (e is Engine.Partitions.PartitionUnavailableException || Clerk.IsLost(life, e))
        {
            Coverage.Count("questions not answered");
        }
    }

    private async Task AskForAll(Life life, long from)
    {
        var next = await life.Subject.QueryAsync(ledger => (Sequence: ledger.NextSequence, Hash: ledger.WindowIds, ledger.Totals));
        RequireDurable(from, next.Sequence);
        var model = _oracle.Before(next.Sequence);
        Must.Hold(next.Hash == model.Ids.Count, $"{next.Hash} ids are remembered, by the rules {model.Ids.Count}.");
        var total = model.Wallets.Values.Sum(w => w.Available + w.Held + w.Frozen);
        var suspense = model.Deposits.Values.Where(d => d.IsInSuspense).Sum(d => d.Msat);
        Must.Hold(next.Totals.Liabilities == total + suspense, $"P6: {next.Totals.Liabilities} is owed to wallets, by the rules {total + suspense}.");
    }

    private void RequireDurable(long from, long next) => Must.Hold(next >= from && next <= _oracle.Next, $"What entry {next - 1} left was read, and {_oracle.Next - 1} is the last that is durable.");

    private async Task AskForHistory(Life life)
    {
        var wallet = _oracle.Wallets[_random.Next(_oracle.Wallets.Count)];
        var page = await Engine.Partitions.History.ReadAsync(life.Partition, wallet, before: null, limit: 10);
        Must.Hold(page is { Lines.Count: > 0 }, $"The wallet {wallet} has no history.");
        for (var i = 0; i < page.Lines.Count; i++)
        {
            var line = page.Lines[i];
            Must.Hold(i == 0 || line.Entry.Sequence <= page.Lines[i - 1].Entry.Sequence, "A history runs forwards.");
            Must.Hold(line.Available.Value == _oracle.After(line.Entry.Sequence).Wallets[wallet].Available, $"Entry {line.Entry.Sequence} is shown in the history of {wallet} with another balance.");
        }
    }

    private void AskForForgotten(Life life)
    {
        var request = _clerk.Sent[_random.Next(_clerk.Sent.Count)];
        if (life.StoppedBy is not null) return;
        var (owner, id) = (request.Terms.Owner, request.Terms.Id);
        var found = life.Partition.FindForgottenId(owner, id);
        Must.Hold(found == _oracle.FindNamed(owner, id), $"{request.Terms} is found at {found}, and is at {_oracle.FindNamed(owner, id)}.");
        Coverage.Count("old ids found");
    }
}
