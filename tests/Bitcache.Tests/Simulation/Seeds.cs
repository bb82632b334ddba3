using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;
using Xunit.Sdk;

namespace Bitcache.Tests.Simulation;

/// <summary>Runs a test over many seeds. A failure names its seed; <c>BITCACHE_SEED=n</c> in the environment runs that
/// one alone.</summary>
internal static class Seeds
{
    private const string Variable = "BITCACHE_SEED";

    /// <summary>The one seed that was asked for; null for all.</summary>
    public static int? Only { get; } = int.TryParse(Environment.GetEnvironmentVariable(Variable), out var seed) ? seed : null;

    /// <param name="count">Seeds run from 1 to this.</param>
    /// <param name="test">Throws to fail.</param>
    /// <param name="subject">What the seeds are run on, for the message of a failure.</param>
    public static void Run(int count, Action<int> test, string subject = "")
    {
        var (first, last) = Only is { } only ? (only, only) : (1, count);
        Parallel.For(first, last + 1, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, seed => RunOne(seed, test, subject));
    }

    /// <summary>The first seed at which the test finds something, as it must when a bug was planted. A test that breaks in
    /// another way has found nothing.</summary>
    public static int? FirstFailing(int count, Action<int> test)
    {
        for (var seed = 1; seed <= count; seed++)
        {
            try
            {
                RunOne(seed, test, "");
            }
            catch (SimulationFailedException e) when (IsFinding(e.InnerException))
            {
                return seed;
            }
        }
        return null;
    }

    /// <summary>What the simulation, the ledger, the journal or an assertion of the test says that does not hold.</summary>
    private static bool IsFinding(Exception? e) => e is SimulationFailedException or LedgerInvariantException or AddressSharedException or JournalCorruptException or SnapshotMismatchException or XunitException;

    private static void RunOne(int seed, Action<int> test, string subject)
    {
        try
        {
            test(seed);
        }
        catch (Exception e)
        {
            throw new SimulationFailedException($"Failed with seed {seed} {subject}; {Variable}={seed} runs it alone. {e.Message}", e);
        }
    }
}
