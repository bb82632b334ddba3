namespace Bitcache.Benchmarks.Peers;

/// <param name="Payments">All that were asked for, and acknowledged.</param>
/// <param name="Elapsed">Until the last answer.</param>
internal readonly record struct Paid(long Payments, TimeSpan Elapsed);

/// <summary>One way to make payments, measured in turn with the others.</summary>
internal abstract class Contender
{
    /// <summary>As in the ratios and details of the result.</summary>
    public abstract string Name { get; }

    /// <summary>Payments a second, run by run.</summary>
    public List<double> Rates { get; } = [];

    /// <summary>All payments that were acknowledged.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>Makes payments for so long; returns how many a second.</summary>
    /// <exception cref="BenchFailedException">One was refused.</exception>
    public async Task<double> RunAsync(TimeSpan duration, CancellationToken cancel)
    {
        var paid = await PayAsync(duration, cancel);
        Acknowledged += paid.Payments;
        return paid.Payments / paid.Elapsed.TotalSeconds;
    }

    protected abstract Task<Paid> PayAsync(TimeSpan duration, CancellationToken cancel);
}
