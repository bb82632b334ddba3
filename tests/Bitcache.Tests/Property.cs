// Properties that a test tries itself, since it draws what no type says, or wants them to fail; the others have [Holds]. A run prints
// its seed when it fails; BITCACHE_SEED runs it again.

using System.Globalization;
using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Bitcache.Tests;

internal static class Property
{
    /// <summary>The seed of this process's property tests: given by the environment, or drawn anew.</summary>
    public static ulong Seed { get; } = Environment.GetEnvironmentVariable("BITCACHE_SEED") is { Length: > 0 } given
        ? ulong.Parse(given, CultureInfo.InvariantCulture)
        : BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    /// <summary>Fails unless <paramref name="test"/> passes for <paramref name="runs"/> values.</summary>
    /// <param name="seed">Where it must be found in bounded time whether a test can fail: always the same values.</param>
    /// <param name="shrink">Smaller values that may fail in the same way, the most promising first.</param>
    public static void Holds<T>(Gen<T> gen, Func<T, IEnumerable<T>> shrink, Action<T> test, int runs, int sizeMin = 1, int sizeMax = 100, ulong? seed = null)
    {
        var config = Config.QuickThrowOnFailure
            .WithMaxTest(runs)
            .WithStartSize(sizeMin)
            .WithEndSize(sizeMax)
            .WithQuietOnSuccess(true)
            .WithReplay(FSharpOption<Replay>.Some(new Replay(new Rnd(seed ?? Seed), FSharpOption<int>.None)));
        try
        {
            Check.One(config, Prop.ForAll(Arb.From(gen, shrink), test));
        }
        catch (Exception e)
        {
            throw new Xunit.Sdk.XunitException(string.Create(CultureInfo.InvariantCulture, $"BITCACHE_SEED={seed ?? Seed} runs this again.\n{e.Message}"));
        }
    }

    public static void Holds<T>(Gen<T> gen, Action<T> test, int runs) => Holds(gen, _ => [], test, runs);

    /// <summary>Numbers of every length up to a bound, and the bounds themselves.</summary>
    public static Gen<long> UpTo(long max) => Gen.OneOf(
        Gen.Constant(0L),
        Gen.Constant(max),
        from bits in Gen.Choose(1, 62)
        from high in Gen.Choose(0, int.MaxValue)
        from low in Gen.Choose(0, int.MaxValue)
        let value = (((long)high << 32) | ((long)low << 1)) & ((1L << bits) - 1)
        select value % (max + 1));

    /// <summary>A seed for random choices of a test's own.</summary>
    public static Gen<int> AnySeed => Gen.Choose(0, int.MaxValue);
}
