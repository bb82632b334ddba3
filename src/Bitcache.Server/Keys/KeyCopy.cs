namespace Bitcache.Server.Keys;

/// <summary>A copy of a list that takes its time to read, for a server's requests, which do not wait for it: it is read again and again
/// in the background, by one loop. Changes go to the list itself.</summary>
public sealed class KeyCopy : KeyPlace, IAsyncDisposable
{
    /// <summary>A copy that is older than this is not gone by: a key may have been revoked since.</summary>
    public static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(5);

    /// <summary>From one look to the next: with what a <see cref="Keyring"/> adds, a revoked key is refused within a second.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    private readonly KeyPlace _place;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    // Both written by the loop.
    private volatile Look _last;
    private volatile Exception? _failure;

    private KeyCopy(KeyPlace place, TimeProvider time)
    {
        (_place, _time) = (place, time);
        _last = LookNow();
        _loop = Task.Run(LoopAsync);
    }

    /// <param name="At">When it was begun: whatever was in the list before is in it.</param>
    private sealed record Look(byte[]? Bytes, long At);

    public override string Name => _place.Name;

    /// <summary>Reads the list once, and from then on in the background.</summary>
    /// <exception cref="KeyFileException">It cannot be read.</exception>
    public static KeyCopy Start(KeyPlace place, TimeProvider time) => new(place, time);

    /// <summary>What was read last. Does not wait.</summary>
    /// <exception cref="KeyFileException">That is older than <see cref="AgeMax"/>.</exception>
    public override byte[]? Read()
    {
        var last = _last;
        if (_time.GetElapsedTime(last.At) < AgeMax) return last.Bytes;
        var failure = _failure;
        throw new KeyFileException(failure?.Message ?? $"{Name} was not read for {AgeMax.TotalSeconds:0} seconds", failure);
    }

    public override void Change(Func<byte[]?, byte[]> change) => _place.Change(change);

    /// <summary>Waits for a look that is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private Look LookNow()
    {
        var at = _time.GetTimestamp();
        return new Look(_place.Read(), at);
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(Period, _time, _stop.Token);
                LookAgain();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void LookAgain()
    {
        try
        {
            _last = LookNow();
            _failure = null;
        }
#pragma warning disable CA1031 // Whatever it is, requests are told when the copy is too old, and the next look may do better.
        catch (Exception e)
        {
            _failure = e;
        }
#pragma warning restore CA1031
    }
}
