using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Engine;

/// <summary>An answer that is costly to give and may be asked for by anybody at any rate: it is asked for once in a
/// while, once at a time, and everybody is told the same.</summary>
/// <param name="version">Of what the answer must not be older than; null for none. An answer of before its change is told no more.</param>
internal sealed class Recent<T>(Func<Task<T>> ask, TimeSpan ageMax, TimeProvider time, Func<long>? version = null) where T : class
{
    private readonly Lock _lock = new();
    private volatile Known? _known;
    // Under the lock: the question that is under way.
    private Task<T>? _asked;
    private long _askedVersion;

    private sealed record Known(T Answer, long Timestamp, long Version);

    /// <summary>How it was, at most so long ago. What goes wrong everybody is told who waited for it; the next one asks again.</summary>
    public ValueTask<T> GetAsync()
    {
        if (TryTell(out var answer)) return new ValueTask<T>(answer);
        lock (_lock)
        {
            // Perhaps it was answered meanwhile.
            if (TryTell(out answer)) return new ValueTask<T>(answer);
            var newest = Version;
            if (_asked is null or { IsCompleted: true } || _askedVersion != newest) (_asked, _askedVersion) = (AskAsync(newest), newest);
            return new ValueTask<T>(_asked);
        }
    }

    private long Version => version?.Invoke() ?? 0;

    private bool TryTell([NotNullWhen(true)] out T? answer)
    {
        answer = _known is { } known && known.Version == Version && time.GetElapsedTime(known.Timestamp) < ageMax ? known.Answer : null;
        return answer is not null;
    }

    private async Task<T> AskAsync(long asOf)
    {
        // Its age counts from the question: the answer may have been long in coming.
        var asked = time.GetTimestamp();
        var answer = await ask();
        _known = new Known(answer, asked, asOf);
        return answer;
    }
}
