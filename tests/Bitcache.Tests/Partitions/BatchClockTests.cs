using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>The ledger's time under a wall clock that jumps, stands still or runs backwards (P12).</summary>
[Trait("suite", "core")]
public sealed class BatchClockTests
{
    private static UnixTime At(TimeSpan afterStart) => new((TwoClocks.Start + afterStart).ToUnixTimeMilliseconds());

    [Fact]
    public void Time_follows_the_wall_clock()
    {
        var clocks = new TwoClocks();
        var clock = new BatchClock(clocks, null);
        Assert.Equal(At(TimeSpan.Zero), clock.Next());
        clocks.Pass(TimeSpan.FromHours(3));
        Assert.Equal(At(TimeSpan.FromHours(3)), clock.Next());
        Assert.True(clock.IsTrusted);
    }

    [Theory]
    [InlineData(3_600)]
    [InlineData(315_360_000)]
    public void A_jump_ahead_moves_time_no_more_than_two_seconds_and_is_not_trusted(int seconds)
    {
        var clocks = new TwoClocks();
        var clock = new BatchClock(clocks, null);
        clock.Next();
        clocks.Pass(TimeSpan.FromSeconds(1));
        clocks.Jump = TimeSpan.FromSeconds(seconds);
        Assert.Equal(At(TimeSpan.FromSeconds(3)), clock.Next());
        Assert.False(clock.IsTrusted);

        clocks.Jump = TimeSpan.Zero;
        clocks.Pass(TimeSpan.FromSeconds(9));
        Assert.Equal(At(TimeSpan.FromSeconds(10)), clock.Next());
        Assert.True(clock.IsTrusted);
    }

    [Theory]
    [InlineData(-3_600)]
    [InlineData(-315_360_000)]
    public void A_jump_back_holds_time_still_until_the_clock_is_right_again(int seconds)
    {
        var clocks = new TwoClocks();
        var clock = new BatchClock(clocks, null);
        clocks.Pass(TimeSpan.FromMinutes(5));
        var before = clock.Next();
        clocks.Jump = TimeSpan.FromSeconds(seconds);
        clocks.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(before, clock.Next());
        Assert.False(clock.IsTrusted);

        clocks.Jump = TimeSpan.Zero;
        Assert.Equal(At(TimeSpan.FromMinutes(6)), clock.Next());
        Assert.True(clock.IsTrusted);
    }

    [Fact]
    public void A_frozen_wall_clock_holds_time_still()
    {
        var clocks = new TwoClocks();
        var clock = new BatchClock(clocks, null);
        var before = clock.Next();
        clocks.Pass(TimeSpan.FromHours(1));
        clocks.Jump = TimeSpan.FromHours(-1);
        Assert.Equal(before, clock.Next());
        Assert.False(clock.IsTrusted);
    }

    [Fact]
    public void A_start_long_after_the_last_entry_waits_for_the_operators_word()
    {
        var clocks = new TwoClocks();
        var last = At(TimeSpan.FromHours(-25));
        var clock = new BatchClock(clocks, last);
        clock.Next();
        Assert.False(clock.IsTrusted);
        clocks.Pass(TimeSpan.FromHours(2));
        Assert.True(clock.Next() <= new UnixTime(last.Milliseconds + (2 * 3_600_000) + Limits.TimeAheadMillisecondsMax));
        Assert.False(clock.IsTrusted);

        // A batch that is being filled goes on as it was begun.
        Assert.True(clock.Confirm());
        Assert.False(clock.IsTrusted);
        Assert.Equal(At(TimeSpan.FromHours(2)), clock.Next());
        Assert.True(clock.IsTrusted);
    }

    [Fact]
    public void A_clock_behind_the_last_entry_is_not_confirmed_before_it_has_caught_up()
    {
        var clocks = new TwoClocks();
        var clock = new BatchClock(clocks, At(TimeSpan.FromHours(1)));
        Assert.False(clock.Confirm());
        clock.Next();
        Assert.False(clock.IsTrusted);

        clocks.Pass(TimeSpan.FromMinutes(59));
        Assert.True(clock.Confirm());
        Assert.Equal(At(TimeSpan.FromHours(1)), clock.Next());
        Assert.True(clock.IsTrusted);
    }

    [Fact]
    public void A_start_before_the_last_entry_never_runs_time_backwards()
    {
        var clocks = new TwoClocks();
        var last = At(TimeSpan.FromHours(1));
        var clock = new BatchClock(clocks, last);
        Assert.Equal(last, clock.Next());
        Assert.False(clock.IsTrusted);
        clocks.Pass(TimeSpan.FromHours(1));
        Assert.Equal(last, clock.Next());
        clocks.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(At(TimeSpan.FromMinutes(61)), clock.Next());
    }
}
