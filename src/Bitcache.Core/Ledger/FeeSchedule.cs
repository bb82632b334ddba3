namespace Bitcache.Core;

/// <summary>What the operator takes for a payment, from the payer and on top of the amount:
/// max(minimum, flat + floor(amount x parts per million / 1,000,000)).</summary>
public readonly record struct FeeSchedule(Msat Flat, int PartsPerMillion, Msat Minimum)
{
    private const int Million = 1_000_000;

    public int PartsPerMillion { get; } = PartsPerMillion is >= 0 and <= Limits.FeePartsPerMillionMax
        ? PartsPerMillion
        : throw new ArgumentOutOfRangeException(nameof(PartsPerMillion));

    /// <summary>The fee in msat. It may be more than all the money there is, but not more than two amounts together.</summary>
    public long Of(Msat amount)
    {
        // The millions and the rest apart: the product of the whole would need more than 64 bits.
        var (millions, rest) = Math.DivRem(amount.Value, Million);
        var part = (millions * PartsPerMillion) + (rest * PartsPerMillion / Million);
        return Math.Max(Minimum.Value, Flat.Value + part);
    }

    /// <summary>The largest amount that can be paid, with its fee, out of what is available; zero if there is none.</summary>
    public Msat MostWithin(Msat available)
    {
        if (available < Minimum || available < Flat) return Msat.Zero;
        // amount + floor(amount x ppm / million) <= rest, solved for the amount.
        var rest = (UInt128)(ulong)(available - Flat).Value;
        var most = (((rest + 1) * Million) - 1) / (UInt128)(Million + PartsPerMillion);
        return Msat.Min(new Msat((long)most), available - Minimum);
    }
}
