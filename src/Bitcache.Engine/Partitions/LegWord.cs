// Word to the other processes that a partition which is written here has sent something: their copies of it need not wait for the
// next look at its journal. Word that is lost costs 20 ms, so nobody waits for it or sends it again.

namespace Bitcache.Engine.Partitions;

/// <summary>A partition has sent legs, and is durable, up to a sequence.</summary>
public readonly record struct SentThrough(int Partition, long Sequence);

/// <summary>Tells one listener, one call at a time; what comes meanwhile is told together in the next.</summary>
/// <param name="tell">On the thread pool. What it throws is lost word.</param>
internal sealed class LegWord(Func<IReadOnlyList<SentThrough>, Task> tell)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _news = [];
    private bool _isTelling;

    /// <summary>May be called by any thread, and does not wait.</summary>
    public void Give(int partition, long sequence)
    {
        lock (_lock)
        {
            _news[partition] = sequence;
            if (_isTelling) return;
            _isTelling = true;
        }
        _ = Task.Run(TellAsync);
    }

    private async Task TellAsync()
    {
        while (TakeNews() is { Count: > 0 } news)
        {
            try
            {
                await tell(news);
            }
#pragma warning disable CA1031 // The others look at the journal whether or not they are told.
            catch (Exception)
            {
            }
#pragma warning restore CA1031
        }
    }

    private List<SentThrough> TakeNews()
    {
        lock (_lock)
        {
            List<SentThrough> news = [.. _news.Select(one => new SentThrough(one.Key, one.Value))];
            _news.Clear();
            _isTelling = news.Count > 0;
            return news;
        }
    }
}
