// What users are quoted for the mining of their withdrawals. The rate is the node's, as the settlement loop last saw it; a
// rate that was quoted holds for a while after another took its place.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>The rates that quotes are made of. The settlement loop posts them; any thread may ask.</summary>
public sealed class WithdrawalFees(EngineSettings settings, TimeProvider time)
{
    private const int SatsPerKvBInSatPerVB = 1_000;

    /// <summary>How long a quote is good for, however the rate moves.</summary>
    public static readonly TimeSpan QuoteValidity = TimeSpan.FromMinutes(10);

    // The newest first. A rate that is no longer quoted says since when.
    private volatile Posted[] _rates = [new Posted(new FeeRate(settings.FallbackFeeRate * SatsPerKvBInSatPerVB), null)];

    /// <param name="Until">The monotonic time of its last quote, as a timestamp; null while it is quoted.</param>
    private sealed record Posted(FeeRate Rate, long? Until);

    /// <summary>The rate that is quoted now.</summary>
    public FeeRate Rate => _rates[0].Rate;

    /// <summary>What a withdrawal to a script is quoted now.</summary>
    public Sats Quote(ByteString script) => settings.WithdrawalFeeShare ? FeeShare.Quote(script, Rate) : Sats.Zero;

    /// <summary>What is held for a withdrawal that is asked for now: the least that a quote says which still holds.</summary>
    public Sats Charge(ByteString script) =>
        settings.WithdrawalFeeShare ? FeeShare.Quote(script, _rates.Where(StillHolds).Min(posted => posted.Rate)) : Sats.Zero;

    /// <summary>From now on this rate is quoted. Called by one thread.</summary>
    public void Post(FeeRate rate)
    {
        if (rate == Rate) return;
        var replaced = _rates[0] with { Until = time.GetTimestamp() };
        _rates = [new Posted(rate, null), replaced, .. _rates.Skip(1).Where(StillHolds)];
    }

    private bool StillHolds(Posted posted) => posted.Until is not { } until || time.GetElapsedTime(until) <= QuoteValidity;
}
