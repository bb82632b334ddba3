// What users are quoted for the mining of their withdrawals. The rate is the node's, as the settlement loop last saw it; a
// rate that somebody was quoted holds for a while after that, whatever takes its place.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>The rates that quotes are made of. The settlement loop posts them; any thread may ask. A process keeps them however
/// often it begins to settle: what it has quoted it honours.</summary>
public sealed class WithdrawalFees(EngineSettings settings, TimeProvider time)
{
    private const int SatsPerKvBInSatPerVB = 1_000;

    /// <summary>How long a quote is good for, however the rate moves.</summary>
    public static readonly TimeSpan QuoteValidity = TimeSpan.FromMinutes(10);

    // The newest first: until the node was asked, that of the settings. Only the loop sets it.
    private volatile Posted[] _rates = [new Posted(new FeeRate(settings.FallbackFeeRate * SatsPerKvBInSatPerVB))];

    private sealed class Posted(FeeRate rate)
    {
        private const long Never = long.MinValue;

        // The monotonic time of its last quote, as a timestamp.
        private long _quoted = Never;

        public FeeRate Rate => rate;

        public void Quote(TimeProvider time) => Interlocked.Exchange(ref _quoted, time.GetTimestamp());

        public bool StillHolds(TimeProvider time) => Interlocked.Read(ref _quoted) is var quoted && quoted != Never && time.GetElapsedTime(quoted) <= QuoteValidity;
    }

    /// <summary>The rate that is quoted now.</summary>
    public FeeRate Rate => _rates[0].Rate;

    /// <summary>What a withdrawal to a script is quoted now.</summary>
    public Sats Quote(ByteString script)
    {
        while (settings.WithdrawalFeeShare)
        {
            var newest = _rates[0];
            newest.Quote(time);
            // One that was replaced before it was quoted may be forgotten already.
            if (newest == _rates[0]) return FeeShare.Quote(script, newest.Rate);
        }
        return Sats.Zero;
    }

    /// <summary>What is held for a withdrawal that is asked for now: the least that a quote says which still holds.</summary>
    public Sats Charge(ByteString script)
    {
        if (!settings.WithdrawalFeeShare) return Sats.Zero;
        var rates = _rates;
        return FeeShare.Quote(script, rates.Where((posted, at) => at == 0 || posted.StillHolds(time)).Min(posted => posted.Rate));
    }

    /// <summary>From now on this rate is quoted. Called by one thread.</summary>
    public void Post(FeeRate rate)
    {
        if (rate == Rate) return;
        // The one that is replaced stays until the next time: somebody may be quoting it.
        _rates = [new Posted(rate), .. _rates.Where((posted, at) => at == 0 || posted.StillHolds(time))];
    }
}
