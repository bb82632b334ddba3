namespace Bitcache.Cli.Demo;

/// <summary>Something that the demo shows did not come out as it must.</summary>
internal sealed class DemoFailedException(string message) : Exception(message);

internal static class DemoCheck
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static void That(bool holds, string otherwise)
    {
        if (!holds) throw new DemoFailedException(otherwise);
    }

    /// <summary>Asks again and again until there is an answer.</summary>
    public static async Task<T> EventuallyAsync<T>(string what, Func<Task<T?>> ask, CancellationToken cancel) where T : class
    {
        using var timer = new PeriodicTimer(Pause);
        for (var asked = 0; asked < Patience / Pause; asked++)
        {
            if (await ask() is { } answer) return answer;
            await timer.WaitForNextTickAsync(cancel);
        }
        throw new DemoFailedException($"after {Patience.TotalSeconds:0} s there is still not {what}");
    }
}
