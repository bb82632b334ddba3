using System.Globalization;
using Bitcache.Core;
using Bitcache.Tests.Ledgers;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Bitcache.Tests;

/// <summary>A property: FsCheck draws the arguments, of the types in <see cref="Drawn"/>, <see cref="PropertyAttribute.MaxTest"/> times.
/// Where it fails, the first of the two numbers in parentheses is what <c>BITCACHE_SEED</c> must be to draw them again.</summary>
[AttributeUsage(AttributeTargets.Method)]
#pragma warning disable xUnit3003 // The base class takes no place in the source.
public sealed class HoldsAttribute : PropertyAttribute
#pragma warning restore xUnit3003
{
    // The second number of FsCheck's seeds, which must be odd: SplitMix's (Steele, Lea and Flood, 2014).
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    public HoldsAttribute()
    {
        (StartSize, QuietOnSuccess) = (1, true);
        Arbitrary = [typeof(Drawn)];
        Replay = string.Create(CultureInfo.InvariantCulture, $"{Property.Seed},{Gamma}");
    }
}

/// <summary>What properties are about. FsCheck finds the methods by the types that they give.</summary>
public static class Drawn
{
    public static Arbitrary<Msat> Msats() => Arb.From(Property.UpTo(Limits.SupplyMsatMax).Select(value => new Msat(value)));
    public static Arbitrary<Sats> Sats() => Arb.From(Property.UpTo(Limits.SupplySatMax).Select(value => new Sats(value)));
    public static Arbitrary<UnixTime> Times() => Arb.From(Property.UpTo((1L << 48) - 1).Select(value => new UnixTime(value)));
    public static Arbitrary<Seed> Seeds() => Arb.From(Property.AnySeed.Select(value => new Seed(value)));

    /// <summary>Of at most as many steps as the size says. One that fails is cut down.</summary>
    public static Arbitrary<Story> Stories() => Arb.From(Op.Stories, Op.Shrink);
}

/// <summary>Of random choices that a test makes itself.</summary>
public readonly record struct Seed(int Value)
{
    public Random Random() => new(Value);
}
