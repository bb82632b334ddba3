using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>When withdrawals leave, and how many in one transaction.</summary>
[Trait("suite", "core")]
public sealed class BatchPolicyTests
{
    private const long Minute = 60_000;
    private static readonly UnixTime Now = new(1_800_000_000_000);
    private static readonly ByteString KeyHash = new([0, 20, .. new byte[20]]);
    private static readonly ByteString Taproot = new([0x51, 32, .. new byte[32]]);
    private static readonly EngineSettings Settings = new() { DataFolder = "/nowhere", Origin = BegunLedger.Origin };

    [Fact]
    public void By_default_an_epochs_withdrawals_leave_when_it_has_closed()
    {
        Withdrawal[] due = [Waiting(3, minutes: 500), Waiting(5), Waiting(9)];
        Assert.Empty(Leaving(due, closed: 0, Settings));
        Assert.Empty(Leaving(due, closed: 3, Settings));
        Assert.Equal([3, 5], Leaving(due, closed: 9, Settings));
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void When_enough_wait_all_leave(int waiting, bool leave)
    {
        var settings = Settings with { WithdrawalBatchCount = 3 };
        var due = Enumerable.Range(1, waiting).Select(i => Waiting(i)).ToArray();
        Assert.Equal(leave ? waiting : 0, Leaving(due, closed: 0, settings).Count());
    }

    [Theory]
    [InlineData(9, false)]
    [InlineData(10, true)]
    public void When_one_has_waited_long_enough_all_leave(int minutes, bool leave)
    {
        var settings = Settings with { WithdrawalBatchTime = TimeSpan.FromMinutes(10) };
        Withdrawal[] due = [Waiting(1, minutes), Waiting(2)];
        Assert.Equal(leave ? [1, 2] : [], Leaving(due, closed: 0, settings));
        // The clock is not to be trusted: how long it was, nobody knows.
        Assert.Empty(Leaving(due, closed: 0, settings, now: null));
    }

    [Theory]
    [InlineData(11, false)]
    [InlineData(10, true)]
    [InlineData(1, true)]
    public void Near_a_deadline_all_leave(int minutesLeft, bool leave)
    {
        Withdrawal[] due = [Waiting(1), Waiting(2) with { Deadline = In(minutesLeft) }];
        Assert.Equal(leave ? [1, 2] : [], Leaving(due, closed: 0, Settings with { WithdrawalFeeShare = true }));
        // Nobody has the operator send a transaction whenever he likes.
        Assert.Empty(Leaving(due, closed: 0, Settings));
        Assert.Equal([1], Leaving(due, closed: 2, Settings));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 11)]
    [InlineData(11, 0)]
    public void One_that_no_limit_lets_through_or_whose_script_is_being_paid_has_no_other_leave(int minutes, int deadline)
    {
        var settings = Settings with { WithdrawalFeeShare = true, WithdrawalBatchCount = 2, WithdrawalBatchTime = TimeSpan.FromMinutes(10), WithdrawalLimits = new(HourSat: 50_000) };
        var stuck = Waiting(1, minutes) with { Deadline = deadline > 0 ? In(deadline - 5) : null };
        foreach (var one in new[] { stuck with { Amount = new Sats(50_001) }, stuck with { Script = Taproot } })
        {
            Assert.Empty(Leaving([one, Waiting(2)]));
            // It takes part where others decide, and when its epoch has closed.
            Assert.Equal([1, 2, 3], Leaving([one, Waiting(2), Waiting(3)]));
            Assert.Equal([1], Leaving([one, Waiting(2)], closed: 2));
        }
        // Ten times as large as what is under way, it does not wait.
        Assert.Equal([1, 2], Leaving([stuck with { Script = Taproot, Amount = new Sats(10_000) }, Waiting(2)]));

        long[] Leaving(Withdrawal[] due, long closed = 0) =>
            [.. BatchPolicy.Leaving(due, new BatchMoment(closed, Now, null), settings, new ScriptTurns([Waiting(0) with { Script = Taproot }])).Select(w => w.Sequence)];
    }

    [Fact]
    public void While_mining_is_dear_only_those_leave_that_cannot_wait()
    {
        var settings = Settings with { FeeRatePatience = 20, WithdrawalWaitMax = TimeSpan.FromHours(2), WithdrawalBatchCount = 2, WithdrawalFeeShare = true };
        Withdrawal[] due = [Waiting(1, minutes: 119), Waiting(2, minutes: 120), Waiting(3) with { Deadline = In(60) }];
        Assert.Equal([1, 2, 3], Leaving(due, closed: 9, settings, rate: 20_000));
        Assert.Equal([2], Leaving(due, closed: 9, settings, rate: 20_001));
        // Neither enough wait that may leave, nor is the epoch closed.
        Assert.Empty(Leaving(due, closed: 0, settings, rate: 20_001));
        Assert.Equal([2, 3], Leaving([.. due[..2], due[2] with { Deadline = In(5) }], closed: 0, settings, rate: 99_000));
        Assert.Empty(Leaving(due, closed: 9, settings, rate: 20_001, now: null));
    }

    [Theory]
    // What audit proofs allow with two coins.
    [InlineData(true, 200, true, 90)]
    [InlineData(false, 200, true, 124)]
    [InlineData(true, 50, true, 50)]
    // What an entry names.
    [InlineData(true, 1_500, false, 1_000)]
    public void A_transaction_takes_what_is_known_to_fit(bool isTaproot, int waiting, bool hasAnchor, int taken) =>
        Assert.Equal(taken, new FamilyRoom().Take(Queue(waiting, isTaproot ? Taproot : KeyHash), hasAnchor).Count);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_was_too_large_is_made_smaller_by_as_much_and_grows_again(bool hasAnchor)
    {
        var room = new FamilyRoom();
        var taken = room.Take(Queue(60, KeyHash), hasAnchor);
        room.Shrink(taken, hasAnchor, excess: 62);
        Assert.Equal(58, room.Take(Queue(200, KeyHash), hasAnchor).Count);
        room.Shrink(taken, hasAnchor, excess: 63);
        Assert.Equal(57, room.Take(Queue(200, KeyHash), hasAnchor).Count);
        room.Shrink(taken, hasAnchor, excess: null);
        Assert.Equal(30, room.Take(Queue(200, KeyHash), hasAnchor).Count);
        room.Grow(hasAnchor);
        Assert.Equal(61, room.Take(Queue(200, KeyHash), hasAnchor).Count);
        for (var i = 0; i < 20; i++) room.Grow(hasAnchor);
        Assert.Equal(new FamilyRoom().Take(Queue(2_000, KeyHash), hasAnchor).Count, room.Take(Queue(2_000, KeyHash), hasAnchor).Count);
        // The other kind has room of its own.
        room.Shrink(taken, hasAnchor, excess: 9_999);
        Assert.Equal(hasAnchor ? 0 : 1, room.Take(Queue(3, KeyHash), hasAnchor).Count);
        Assert.Equal(3, room.Take(Queue(3, KeyHash), !hasAnchor).Count);
    }

    private static IEnumerable<long> Leaving(Withdrawal[] due, long closed, EngineSettings settings, long? rate = null) => Leaving(due, closed, settings, rate, Now);

    private static IEnumerable<long> Leaving(Withdrawal[] due, long closed, EngineSettings settings, UnixTime? now) => Leaving(due, closed, settings, null, now);

    private static IEnumerable<long> Leaving(Withdrawal[] due, long closed, EngineSettings settings, long? rate, UnixTime? now) =>
        BatchPolicy.Leaving(due, new BatchMoment(closed, now, rate is { } sat ? new FeeRate(sat) : null), settings).Select(w => w.Sequence);

    private static Withdrawal Waiting(long sequence, int minutes = 0) =>
        new(default, KeyHash, new Sats(1_000), new UnixTime(Now.Milliseconds - (minutes * Minute)), sequence, WithdrawalState.Queued, 0, default);

    private static UnixTime In(int minutes) => new(Now.Milliseconds + (minutes * Minute));

    private static Queue<Withdrawal> Queue(int count, ByteString script) => new(Enumerable.Range(1, count).Select(i => Waiting(i) with { Script = script }));
}
