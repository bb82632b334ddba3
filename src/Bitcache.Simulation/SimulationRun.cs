using System.Diagnostics;

namespace Bitcache.Simulation;

/// <summary>Many episodes, one for each seed from a first one on, as many at a time as there are processors. Which of them
/// run and what each does depends on nothing but the seed and the steps.</summary>
internal sealed class SimulationRun(int seed, long steps)
{
    private readonly Lock _lock = new();
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private (int Seed, string Message)? _violation;
    private long _begun;

    /// <summary>Steps taken, in whole episodes.</summary>
    public long Steps { get; private set; }

    public long Episodes { get; private set; }

    public Coverage Coverage { get; } = new();

    public TimeSpan Elapsed => _watch.Elapsed;

    /// <summary>The broken promise of the first seed that broke one; null if all were kept.</summary>
    public string? Violation => _violation?.Message;

    /// <summary>Returns when all steps are taken, at a broken promise, or when it is to stop.</summary>
    /// <param name="report">Called after each episode, by one thread at a time.</param>
    public void Run(Action<SimulationRun> report, CancellationToken stop)
    {
        var threads = new Thread[Environment.ProcessorCount];
        for (var i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(() => Work(report, stop)) { Name = "simulation" };
            threads[i].Start();
        }
        foreach (var thread in threads) thread.Join();
    }

    private void Work(Action<SimulationRun> report, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && TryBegin(out var episode, out var length))
        {
            try
            {
                var result = Simulator.Run(episode, length);
                lock (_lock)
                {
                    Coverage.Add(result.Coverage);
                    Steps += length;
                    Episodes++;
                    report(this);
                }
            }
            catch (SimulationFailedException e)
            {
                lock (_lock)
                {
                    if (_violation is null || episode < _violation.Value.Seed) _violation = (episode, e.Message);
                }
            }
        }
    }

    private bool TryBegin(out int episode, out int length)
    {
        lock (_lock)
        {
            (episode, length) = (0, 0);
            if (_violation is not null || _begun * Simulator.StepsInEpisode >= steps) return false;
            // Around the end of the numbers there are more seeds.
            episode = unchecked((int)(seed + _begun));
            length = (int)Math.Min(Simulator.StepsInEpisode, steps - (_begun * Simulator.StepsInEpisode));
            _begun++;
            return true;
        }
    }
}
