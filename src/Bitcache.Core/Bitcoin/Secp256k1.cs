// The curve of Bitcoin's signatures (SEC 2, secp256k1), as far as checking them takes it. Nothing here is secret and nothing is
// signed, so that time and memory may depend on every number.

using System.Numerics;

namespace Bitcache.Core.Bitcoin;

/// <summary>A point of the curve, which is not the one at infinity: that is null wherever it may come out.</summary>
internal readonly record struct CurvePoint(BigInteger X, BigInteger Y);

internal static class Secp256k1
{
    public const int CoordinateBytes = 32;

    /// <summary>The field's size, 2^256 - 2^32 - 977.</summary>
    public static readonly BigInteger P = (BigInteger.One << 256) - (BigInteger.One << 32) - 977;

    /// <summary>How many points there are.</summary>
    public static readonly BigInteger N = Read(Convert.FromHexString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141"));

    public static readonly CurvePoint Generator = new(
        Read(Convert.FromHexString("79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798")),
        Read(Convert.FromHexString("483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8")));

    public static BigInteger Read(ReadOnlySpan<byte> bigEndian) => new(bigEndian, isUnsigned: true, isBigEndian: true);

    /// <summary>A number below 2^256 as 32 bytes.</summary>
    public static byte[] Write(BigInteger number)
    {
        var bytes = new byte[CoordinateBytes];
        var length = number.GetByteCount(isUnsigned: true);
        if (!number.TryWriteBytes(bytes.AsSpan(CoordinateBytes - length), out _, isUnsigned: true, isBigEndian: true)) throw new ArgumentOutOfRangeException(nameof(number));
        return bytes;
    }

    /// <summary>The point with this x whose y is odd, or even; null if no point has this x.</summary>
    public static CurvePoint? Lift(BigInteger x, bool isOdd)
    {
        if (x >= P) return null;
        var square = ((x * x * x) + 7) % P;
        // P is 3 above a multiple of 4, so that this is a root if there is one.
        var y = BigInteger.ModPow(square, (P + 1) / 4, P);
        if (y * y % P != square) return null;
        return new CurvePoint(x, y.IsEven == isOdd ? P - y : y);
    }

    /// <summary>a·G + b·Q, for numbers of at most 256 bits that are not negative.</summary>
    public static CurvePoint? Combine(BigInteger a, BigInteger b, CurvePoint q)
    {
        var both = ToAffine(Add(new Jacobian(Generator.X, Generator.Y, BigInteger.One), q));
        var sum = Jacobian.Infinity;
        var (ofG, ofQ) = (Write(a), Write(b));
        for (var bit = 0; bit < 8 * CoordinateBytes; bit++)
        {
            sum = Double(sum);
            var (at, mask) = (bit / 8, 0x80 >> (bit % 8));
            var (withG, withQ) = ((ofG[at] & mask) != 0, (ofQ[at] & mask) != 0);
            if ((withG && withQ ? both : withG ? Generator : withQ ? q : null) is { } added) sum = Add(sum, added);
        }
        return ToAffine(sum);
    }

    /// <summary>(x / z², y / z³): additions need no division so. At infinity z is 0.</summary>
    private readonly record struct Jacobian(BigInteger X, BigInteger Y, BigInteger Z)
    {
        public static Jacobian Infinity { get; } = new(BigInteger.One, BigInteger.One, BigInteger.Zero);
    }

    private static BigInteger Reduce(BigInteger number)
    {
        var rest = number % P;
        return rest.Sign < 0 ? rest + P : rest;
    }

    private static Jacobian Double(Jacobian p)
    {
        if (p.Z.IsZero) return p;
        var squareOfY = p.Y * p.Y % P;
        var s = 4 * p.X * squareOfY % P;
        var m = 3 * p.X * p.X % P;
        var x = Reduce((m * m) - (2 * s));
        return new Jacobian(x, Reduce((m * (s - x)) - (8 * squareOfY * squareOfY)), 2 * p.Y * p.Z % P);
    }

    private static Jacobian Add(Jacobian p, CurvePoint q)
    {
        if (p.Z.IsZero) return new Jacobian(q.X, q.Y, BigInteger.One);
        var squareOfZ = p.Z * p.Z % P;
        var h = Reduce((q.X * squareOfZ) - p.X);
        var r = Reduce((q.Y * squareOfZ % P * p.Z) - p.Y);
        if (h.IsZero) return r.IsZero ? Double(p) : Jacobian.Infinity;
        var squareOfH = h * h % P;
        var cubeOfH = squareOfH * h % P;
        var v = p.X * squareOfH % P;
        var x = Reduce((r * r) - cubeOfH - (2 * v));
        return new Jacobian(x, Reduce((r * (v - x)) - (p.Y * cubeOfH)), p.Z * h % P);
    }

    private static CurvePoint? ToAffine(Jacobian p)
    {
        if (p.Z.IsZero) return null;
        var inverse = BigInteger.ModPow(p.Z, P - 2, P);
        var square = inverse * inverse % P;
        return new CurvePoint(p.X * square % P, p.Y * square % P * inverse % P);
    }
}
