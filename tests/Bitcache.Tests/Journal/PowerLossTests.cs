using System.Collections.Concurrent;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Journal;

/// <summary>F1: power lost at any disk operation.</summary>
[Trait("suite", "faults")]
public sealed class PowerLossTests
{
    private const int SeedsInFull = 20_000;

    private static readonly string[] Reached =
    [
        "stopped at work", "stopped while opening", "no space", "unacknowledged batch kept", "torn tail cut", "segment undone", "several segments",
    ];

    [Fact]
    public void Every_acknowledged_batch_survives_power_loss_and_nothing_is_half_applied()
    {
        var events = new ConcurrentDictionary<string, int>();
        Seeds.Run(SeedsInFull, seed =>
        {
            var simulation = new JournalSimulation(seed);
            simulation.RunPowerLosses();
            foreach (var (what, times) in simulation.Events) events.AddOrUpdate(what, times, (_, before) => before + times);
        });
        if (Seeds.Only is null) Assert.All(Reached, what => Assert.InRange(events.GetValueOrDefault(what), SeedsInFull / 100, int.MaxValue));
    }
}
