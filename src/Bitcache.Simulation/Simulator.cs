using System.Globalization;
using Bitcache.Core;

namespace Bitcache.Simulation;

/// <summary>What an episode came to; the same seed and steps give the same.</summary>
/// <param name="State">The ledger's state at its end.</param>
/// <param name="Coverage">What it has met.</param>
internal sealed record EpisodeResult(Hash256 State, Coverage Coverage);

/// <summary>Runs episodes. A seed decides everything in one; more steps are more seeds.</summary>
internal static class Simulator
{
    public const int StepsInEpisode = 2_000;

    /// <exception cref="SimulationFailedException">A promise was broken; the message names seed and step.</exception>
    public static EpisodeResult Run(int seed, int steps = StepsInEpisode, Emphasis emphasis = Emphasis.Even, PlantedBug bug = PlantedBug.None)
    {
        using var episode = new Episode(seed, emphasis, bug);
        try
        {
            episode.Run(steps);
        }
#pragma warning disable CA1031 // Whatever is thrown, the seed must not be lost.
        catch (Exception e)
        {
            var what = e is SimulationFailedException ? e.Message : e.ToString();
            throw new SimulationFailedException(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, step {episode.Step}: {what}"), e);
        }
#pragma warning restore CA1031
        return new EpisodeResult(episode.State, episode.Coverage);
    }
}
