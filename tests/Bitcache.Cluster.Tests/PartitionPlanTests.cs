using Bitcache.Cluster.Placement;

namespace Bitcache.Cluster.Tests;

/// <summary>Which silo has which partition.</summary>
[Trait("suite", "cluster")]
public sealed class PartitionPlanTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 3)]
    [InlineData(64, 1)]
    [InlineData(64, 2)]
    [InlineData(64, 3)]
    [InlineData(64, 5)]
    [InlineData(4_096, 7)]
    public void No_silo_has_more_than_its_share(int partitions, int silos)
    {
        var plan = PartitionPlan.Of(partitions, Silos(silos));
        Assert.Equal(partitions, plan.Length);
        Assert.All(plan.CountBy(silo => silo), of => Assert.InRange(of.Value, 1, (partitions + silos - 1) / silos));
    }

    [Fact]
    public void Every_silo_comes_to_the_same_plan_whatever_order_it_knows_the_silos_in()
    {
        var silos = Silos(5);
        ulong[] reversed = [.. silos.Reverse()];
        Assert.Equal(PartitionPlan.Of(64, silos).Select(at => silos[at]), PartitionPlan.Of(64, reversed).Select(at => reversed[at]));
    }

    [Fact]
    public void A_silo_that_goes_leaves_most_partitions_of_the_others_where_they_are()
    {
        var silos = Silos(4);
        var before = PartitionPlan.Of(64, silos);
        for (var gone = 0; gone < silos.Length; gone++)
        {
            ulong[] left = [.. silos.Where((_, at) => at != gone)];
            var after = PartitionPlan.Of(64, left);
            var moved = Enumerable.Range(0, 64).Count(partition => before[partition] != gone && silos[before[partition]] != left[after[partition]]);
            Assert.InRange(moved, 0, 16);
        }
    }

    [Fact]
    public void Plans_do_not_change_between_versions()
    {
        // Two silos of different versions stand side by side in a rolling upgrade.
        var plan = PartitionPlan.Of(16, [PartitionPlan.Identity("S127.0.0.1:1001:1"), PartitionPlan.Identity("S127.0.0.1:1002:1")]);
        Assert.Equal("0110111110100000", string.Concat(plan));
    }

    private static ulong[] Silos(int count) => [.. Enumerable.Range(1, count).Select(silo => PartitionPlan.Identity($"S10.0.0.{silo}:1111:{silo}"))];
}
