// Who settles, over two partitions: each decides for itself, and both come to the same.

using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

[Trait("suite", "core")]
public sealed class SettlementTermTests : IAsyncLifetime
{
    private TwoPartitions _two = null!;

    private PartitionSet Set => _two.Set;

    public async ValueTask InitializeAsync() => _two = await TwoPartitions.StartAsync();

    public ValueTask DisposeAsync() => _two.DisposeAsync();

    [Fact]
    public async Task A_single_node_has_settlement_from_the_beginning_and_writes_nothing_for_it()
    {
        var before = await Set.QueryAllAsync(ledger => ledger.StateHash());
        var term = await TakeOverAsync("");
        Assert.Equal((0, "0 , 0 "), (term.Number, await TermsAsync()));
        Assert.Equal(before, await Set.QueryAllAsync(ledger => ledger.StateHash()));
        Assert.Equal(Outcome.Accepted, (await term.SubmitAsync(new MoveCursor(1, default))).Outcome);
    }

    [Fact]
    public async Task Whoever_takes_over_is_the_only_one_that_is_heard_in_any_partition()
    {
        var (alone, first) = (await TakeOverAsync(""), await TakeOverAsync("silo-1"));
        Assert.Equal((1, "1 silo-1, 1 silo-1"), (first.Number, await TermsAsync()));
        var second = await TakeOverAsync("silo-2");
        foreach (var partition in Set.All)
        {
            var hash = await partition.QueryAsync(ledger => ledger.StateHash());
            foreach (var late in new[] { alone, first })
                await Assert.ThrowsAsync<TermOverException>(() => late.SubmitAsync(partition, new MoveCursor(9, default)));
            // It would stop the partition if it were heard: there is no such family.
            await Assert.ThrowsAsync<TermOverException>(() => first.SubmitAsync(partition, new AbandonFamily(7)));
            Assert.Equal(hash, await partition.QueryAsync(ledger => ledger.StateHash()));
            Assert.Equal(Outcome.Accepted, (await second.SubmitAsync(partition, new MoveCursor(9, default))).Outcome);
        }
        // It stays with whoever has it, and a node that is alone again takes it as anybody does.
        Assert.Equal(2, (await TakeOverAsync("silo-2")).Number);
        Assert.Equal((3, "3 , 3 "), ((await TakeOverAsync("")).Number, await TermsAsync()));
        Assert.Equal(3, (await TakeOverAsync("")).Number);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task What_was_interrupted_between_two_partitions_is_begun_anew(int begun)
    {
        await Set[begun].SubmitAsync(new BeginTerm(4, ByteString.FromUtf8("silo-1")));
        Assert.Equal((5, "5 silo-1, 5 silo-1"), ((await TakeOverAsync("silo-1")).Number, await TermsAsync()));
    }

    [Fact]
    public async Task Of_two_that_take_over_at_once_one_is_heard_in_the_end()
    {
        for (var round = 0; round < 50; round++)
        {
            var taken = await Task.WhenAll(TryAsync($"a{round}"), TryAsync($"b{round}"));
            var heard = await Task.WhenAll(taken.OfType<SettlementTerm>().Select(IsHeardAsync));
            Assert.Single(heard, isHeard => isHeard);
            Assert.Single((await TermsAsync()).Split(", ").Distinct());
        }
    }

    private async Task<bool> IsHeardAsync(SettlementTerm term)
    {
        var heard = await Task.WhenAll(Set.All.Select(async partition =>
        {
            try
            {
                await term.SubmitAsync(partition, new MoveCursor(1, default));
                return true;
            }
            catch (TermOverException)
            {
                return false;
            }
        }));
        return Assert.Single(heard.Distinct());
    }

    private async Task<SettlementTerm?> TryAsync(string silo)
    {
        try
        {
            return await TakeOverAsync(silo);
        }
        catch (TermOverException)
        {
            return null;
        }
    }

    private Task<SettlementTerm> TakeOverAsync(string silo) => SettlementTerm.TakeOverAsync(Set, ByteString.FromUtf8(silo));

    /// <summary>Number and holder in each partition.</summary>
    private async Task<string> TermsAsync() =>
        string.Join(", ", await Set.QueryAllAsync(ledger => $"{ledger.Term} {ledger.LastTerm?.Silo.ToUtf8()}"));
}
