// The way of legs from one partition to another, as one process sees it. Three numbers say how far it is: what was sent, what has
// arrived, what is known to the source to have arrived. Each is durable when it is told here, so none ever goes back, whoever
// tells it. The process that writes the destination has the legs in hand that are to be offered next, without a gap. What
// it lacks it asks the source for: after it became the writer, and whenever more was sent than came to it.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

internal sealed class LegLane(LegCourier courier, int source, int destination)
{
    private const int ParcelLegsMax = 4_096;

    private readonly Lock _lock = new();
    private readonly Queue<Leg> _waiting = [];
    // What came while the source was being asked.
    private readonly Queue<Leg> _behind = [];
    private bool _isUnderWay;
    private bool _isAcknowledging;
    private bool _isAsking;
    // Rises when the destination comes to be written here, or ceases to be; and whether both ends were held against one another since.
    private int _era;
    private bool _isProven;
    private long _sent;
    private long _arrived;
    private long _acknowledged;
    // The last leg in hand; with none, the last that has arrived.
    private long _last;

    /// <summary>Legs that the source does not know to have arrived.</summary>
    public long InFlight
    {
        get
        {
            lock (_lock) return _sent - _acknowledged;
        }
    }

    /// <summary>Begins where the ends of the lane are, both of which are written here.</summary>
    /// <exception cref="LedgerInvariantException">They do not belong together.</exception>
    public void Resume(Partition from, Ledger there, Ledger here)
    {
        _arrived = _last = here.LegsReceivedFrom(source);
        var found = Sight.Of(there, destination, _arrived, int.MaxValue);
        if (_arrived < found.Acknowledged) throw NotAsOld(_arrived, found.Acknowledged);
        CheckSent(found.Sent, _arrived);
        (_sent, _acknowledged, _isProven) = (found.Sent, found.Acknowledged, true);
        found.Read(from, Take);
    }

    /// <summary>So much is durable at the source.</summary>
    public void Learn(long sent, long acknowledged)
    {
        lock (_lock) (_sent, _acknowledged) = (Math.Max(_sent, sent), Math.Max(_acknowledged, acknowledged));
        Offer();
    }

    /// <summary>So much is durable at the destination.</summary>
    public void Arrive(long through)
    {
        lock (_lock) Drop(through);
        Acknowledge();
    }

    /// <summary>A leg whose entry is durable.</summary>
    public void Add(in Leg leg)
    {
        lock (_lock)
        {
            _sent = Math.Max(_sent, leg.Number);
            if (!courier.IsWrittenHere(destination)) return;
            if (!_isAsking) Take(leg);
            else if (_behind.Count < courier.WaitingLegsMax) _behind.Enqueue(leg);
        }
    }

    /// <summary>The destination is written here from now on: nothing is offered before both ends were held against one another.</summary>
    public void Begin()
    {
        End();
        Offer();
    }

    /// <summary>The destination is written here no more.</summary>
    public void End()
    {
        lock (_lock)
        {
            _era++;
            _isProven = false;
            _waiting.Clear();
            _behind.Clear();
            _last = _arrived;
        }
    }

    /// <summary>Sends the next parcel, unless one is under way, and asks for what is not in hand.</summary>
    public void Offer()
    {
        if (!courier.IsWrittenHere(destination)) return;
        Leg[] legs = [];
        bool asks;
        lock (_lock)
        {
            if (!_isUnderWay && _isProven) legs = [.. _waiting.Take(ParcelLegsMax)];
            _isUnderWay |= legs.Length > 0;
            asks = !_isAsking && (!_isProven || (_sent > _last && _waiting.Count < ParcelLegsMax));
            _isAsking |= asks;
        }
        if (asks) _ = AskAsync();
        if (legs.Length == 0) return;
        var through = legs[^1].Number;
        var parcel = new LegParcel(legs, arrived => EndParcel(arrived ? through : 0));
        if (!courier.Hand(destination, parcel)) EndParcel(0);
    }

    /// <summary>Tells the source what arrived, if it is written here and not just being told.</summary>
    public void Acknowledge()
    {
        if (!courier.IsWrittenHere(source)) return;
        long through;
        lock (_lock)
        {
            // A source that another process has replaced, and does not know it, has not sent all that arrived.
            through = Math.Min(_arrived, _sent);
            if (_isAcknowledging || through <= _acknowledged) return;
            _isAcknowledging = true;
        }
        var item = new LegAcknowledgement(new AcknowledgeLegs(destination, through), done => EndAcknowledging(done ? through : 0));
        if (!courier.Hand(source, item)) EndAcknowledging(0);
    }

    /// <param name="through">What is durable where it went; 0 if that cannot be told.</param>
    private void EndParcel(long through)
    {
        lock (_lock)
        {
            _isUnderWay = false;
            Drop(through);
        }
        if (through == 0)
        {
            courier.RetryLater();
            return;
        }
        Acknowledge();
        Offer();
    }

    private void EndAcknowledging(long through)
    {
        lock (_lock)
        {
            _isAcknowledging = false;
            _acknowledged = Math.Max(_acknowledged, through);
        }
        if (through == 0) courier.RetryLater();
        else Acknowledge();
    }

    /// <summary>Asks the source for what is not in hand. Its answer is durable and as new as the question, whoever writes it.</summary>
    private async Task AskAsync()
    {
        // Whoever finds that something is missing has other things to do than to read it.
        await Task.Yield();
        int era;
        long arrived, last;
        lock (_lock) (era, arrived, last) = (_era, _arrived, _last);
        try
        {
            var from = courier[source];
            var found = await from.QueryAsync(ledger => Sight.Of(ledger, destination, last, ParcelLegsMax));
            CheckSent(found.Sent, arrived);
            if (found.Acknowledged > last) await CheckArrivedAsync(found.Acknowledged);
            var legs = new List<Leg>();
            await courier.ReadAsync(() => found.Read(from, legs.Add));
            EndAsking(era, found, legs);
            return;
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            // Asked again.
        }
#pragma warning disable CA1031 // What is not understood here must not be credited.
        catch (Exception e)
        {
            courier.Fail(e);
        }
#pragma warning restore CA1031
        lock (_lock)
        {
            _behind.Clear();
            _isAsking = false;
        }
        courier.RetryLater();
    }

    private void EndAsking(int era, Sight found, List<Leg> legs)
    {
        bool isDone;
        lock (_lock)
        {
            var before = _last;
            (_sent, _acknowledged) = (Math.Max(_sent, found.Sent), Math.Max(_acknowledged, found.Acknowledged));
            // What began meanwhile has a question of its own.
            if (era == _era)
            {
                _isProven = true;
                foreach (var leg in legs.Concat(_behind)) Take(leg);
            }
            isDone = _sent <= _last || _last > before || era != _era;
            _behind.Clear();
            _isAsking = false;
        }
        if (isDone) Offer();
        else courier.RetryLater();
    }

    /// <summary>The source knows that more has arrived than is known here: then another process writes the destination.</summary>
    /// <exception cref="PartitionUnavailableException">So it is, or will soon be known here.</exception>
    private async Task CheckArrivedAsync(long acknowledged)
    {
        var received = await courier[destination].QueryAsync(ledger => ledger.LegsReceivedFrom(source));
        throw received < acknowledged ? NotAsOld(received, acknowledged) : new PartitionUnavailableException(Unavailable.Busy);
    }

    /// <summary>Takes the next leg into the hand. Another one is not for now: it was there before, or is asked for.</summary>
    private void Take(Leg leg)
    {
        if (leg.Number != _last + 1 || _waiting.Count >= courier.WaitingLegsMax) return;
        _waiting.Enqueue(leg);
        _last = leg.Number;
    }

    private void Drop(long arrived)
    {
        _arrived = Math.Max(_arrived, arrived);
        while (_waiting.TryPeek(out var leg) && leg.Number <= _arrived) _waiting.Dequeue();
        _last = Math.Max(_last, _arrived);
    }

    private void CheckSent(long sent, long arrived)
    {
        if (arrived > sent) throw new LedgerInvariantException($"partition {destination} has {arrived} credits of partition {source}, which sent {sent}: that is older");
    }

    private LedgerInvariantException NotAsOld(long arrived, long acknowledged) =>
        new($"partition {destination} has {arrived} credits of partition {source}, which knows that {acknowledged} had arrived: it is older than that");

    /// <summary>What the source's ledger says.</summary>
    /// <param name="Missing">Those behind what is in hand that are not known to have arrived.</param>
    private sealed record Sight(long Sent, long Acknowledged, UnacknowledgedLeg[] Missing)
    {
        public static Sight Of(Ledger source, int destination, long last, int legsMax)
        {
            var (legs, acknowledged) = (source.LegsTo(destination), source.LegsAcknowledgedBy(destination));
            return new(acknowledged + legs.Count, acknowledged, [.. legs.Where(leg => leg.Number > last).Take(legsMax)]);
        }

        /// <summary>The rest of a leg stands in the entry of the debit.</summary>
        public void Read(Partition from, Action<Leg> take) => from.ReadEach(
            Array.ConvertAll(Missing, leg => leg.Sequence), (at, record) => take(Ledger.Resend(Missing[at], Entry.Read(record, Missing[at].Sequence))));
    }
}
