// The time of partitions that several processes write: an operator's word on it comes to each of the writers, and whoever asks what
// time it is in a partition that he does not write is told what its writer would say.

using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Partitions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class SharedClockTests(PostgresFixture postgres)
{
    private static readonly TimeSpan LongStop = TimeSpan.FromHours(25);

    private readonly MovableClock _clock = new();

    /// <summary>A ledger of two partitions, which two processes that began a day later write, one each.</summary>
    private async Task<Silos> BeginAfterLongStopAsync()
    {
        var settings = postgres.NewDatabase() with { Cluster = "tests", Partitions = 2 };
        await using (var before = new Silos(settings))
        {
            var all = await before.StartAsync(_clock);
            for (var number = 0; number < 2; number++) await before.PromoteAsync(all, number);
            var owner = ClientIds.NextWallet(0, 2);
            foreach (var partition in all.Set.All) await partition.SubmitAsync(new Genesis(BegunLedger.Origin, 3, 2, owner, new ByteString([0x51]), []));
        }
        _clock.Ahead = LongStop;
        var silos = new Silos(settings);
        var (a, b) = (await silos.StartAsync(_clock), await silos.StartAsync(_clock));
        await silos.PromoteAsync(a, 0);
        await silos.PromoteAsync(b, 1);
        return silos;
    }

    [Fact]
    public async Task The_operators_word_on_the_clocks_comes_to_whoever_writes_each_partition()
    {
        await using var silos = await BeginAfterLongStopAsync();
        var (a, b) = (silos[0], silos[1]);
        Assert.All(await TimesAsync(a), time => Assert.False(time.IsTrusted));
        // Each tells of those that it writes.
        Assert.False(a.Set.IsClockTrusted);
        Assert.False(b.Set.IsClockTrusted);

        Assert.True(await a.Set.ConfirmClockAsync());

        foreach (var silo in (Silo[])[a, b])
        {
            Assert.True(silo.Set.IsClockTrusted);
            Assert.All(await TimesAsync(silo), time => Assert.True(time.IsTrusted && _clock.GetUtcNow().ToUnixTimeMilliseconds() - time.Now.Milliseconds < 60_000, $"{time}"));
            Assert.Empty(silo.Ends);
        }
    }

    [Fact]
    public async Task While_a_writer_cannot_be_told_the_answer_says_so_and_the_word_may_be_said_again()
    {
        await using var silos = await BeginAfterLongStopAsync();
        var (a, b) = (silos[0], silos[1]);
        await b.Partitions[1].DemoteAsync();
        var refused = await Assert.ThrowsAsync<PartitionUnavailableException>(a.Set.ConfirmClockAsync);
        Assert.Equal(Unavailable.Busy, refused.Reason);
        await Assert.ThrowsAsync<PartitionUnavailableException>(a.Partitions[1].TimeAsync);
        // What is not written here is no copy's to tell of, nor to confirm.
        await silos.PromoteAsync(b, 1);
        Assert.False((await a.Partitions[1].TimeAsync()).IsTrusted);

        Assert.True(await a.Set.ConfirmClockAsync());
        Assert.All(await TimesAsync(a), time => Assert.True(time.IsTrusted));
    }

    [Fact]
    public async Task One_writer_whose_clock_is_behind_keeps_the_word_from_being_taken()
    {
        await using var silos = await BeginAfterLongStopAsync();
        var late = await silos.StartAsync(new MovableClock { Ahead = TimeSpan.FromHours(-1) });
        await silos.MoveAsync(silos[1], late, 1);
        Assert.False(await silos[0].Set.ConfirmClockAsync());
        Assert.Equal([true, false], (await TimesAsync(silos[0])).Select(time => time.IsTrusted));
    }

    /// <summary>What is journaled tells only when something last happened.</summary>
    [Fact]
    public async Task Time_goes_on_for_whoever_has_a_copy_of_a_partition_in_which_nothing_happens()
    {
        await using var silos = Silos.Of(postgres.NewDatabase());
        var (writer, copy) = (await silos.StartAsync(_clock), await silos.StartAsync(_clock));
        await silos.PromoteAsync(writer);
        await writer.BeginAsync();
        var journaled = await copy.Partition.QueryAsync(ledger => ledger.Time);
        _clock.Ahead = TimeSpan.FromMinutes(30);
        var (now, isTrusted) = await copy.Partition.TimeAsync();
        Assert.InRange(now.Milliseconds - journaled.Milliseconds, 1_800_000, 1_860_000);
        Assert.True(isTrusted);
    }

    private static Task<LedgerTime[]> TimesAsync(Silo silo) => Task.WhenAll(silo.Partitions.Select(partition => partition.TimeAsync()));
}
