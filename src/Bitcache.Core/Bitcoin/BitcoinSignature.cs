// The two kinds of signatures that spend segwit coins: ECDSA (version 0) and Schnorr (taproot). Checked, never made.

using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Bitcache.Core.Bitcoin;

internal static class BitcoinSignature
{
    public const int CompressedKeyBytes = 33;
    public const int SchnorrBytes = 64;

    private const byte EvenKey = 0x02;
    private const byte OddKey = 0x03;
    private const byte DerSequence = 0x30;
    private const byte DerInteger = 0x02;
    private static readonly ECCurve Curve = ECCurve.CreateFromValue("1.3.132.0.10");
    private static readonly BigInteger HalfN = Secp256k1.N >> 1;

    /// <summary>Whether a signature is one of this key over this hash: in DER as BIP-66 has it, with the lower of the two
    /// possible s (BIP-146), by a compressed key (BIP-143).</summary>
    public static bool VerifyEcdsa(ReadOnlySpan<byte> key, Hash256 hash, ReadOnlySpan<byte> der)
    {
        if (key.Length != CompressedKeyBytes || key[0] is not (EvenKey or OddKey)) return false;
        if (!TryReadDer(der, out var r, out var s) || s > HalfN) return false;
        if (Secp256k1.Lift(Secp256k1.Read(key[1..]), key[0] == OddKey) is not { } point) return false;
        using var ecdsa = ECDsa.Create(new ECParameters { Curve = Curve, Q = new ECPoint { X = Secp256k1.Write(point.X), Y = Secp256k1.Write(point.Y) } });
        byte[] signature = [.. Secp256k1.Write(r), .. Secp256k1.Write(s)];
        return ecdsa.VerifyHash(hash.ToArray(), signature);
    }

    /// <summary>BIP-340, for a message of 32 bytes.</summary>
    /// <param name="key">The x of a point with an even y, 32 bytes.</param>
    public static bool VerifySchnorr(ReadOnlySpan<byte> key, Hash256 message, ReadOnlySpan<byte> signature)
    {
        if (key.Length != Secp256k1.CoordinateBytes || signature.Length != SchnorrBytes) return false;
        var (r, s) = (Secp256k1.Read(signature[..32]), Secp256k1.Read(signature[32..]));
        if (r >= Secp256k1.P || s >= Secp256k1.N || Secp256k1.Lift(Secp256k1.Read(key), isOdd: false) is not { } point) return false;
        var challenge = Secp256k1.Read(Tagged("BIP0340/challenge", [.. signature[..32], .. key, .. message.ToArray()]).ToArray());
        var e = challenge % Secp256k1.N;
        return Secp256k1.Combine(s, (Secp256k1.N - e) % Secp256k1.N, point) is { } found && found.Y.IsEven && found.X == r;
    }

    /// <summary>A hash that is of one use only (BIP-340).</summary>
    public static Hash256 Tagged(string tag, ReadOnlySpan<byte> message)
    {
        var name = SHA256.HashData(Encoding.UTF8.GetBytes(tag));
        return Hash256.Read(SHA256.HashData([.. name, .. name, .. message]));
    }

    /// <summary>Two numbers from 1 up to the curve's order, in the one way in which DER writes them.</summary>
    private static bool TryReadDer(ReadOnlySpan<byte> der, out BigInteger r, out BigInteger s)
    {
        (r, s) = (default, default);
        return der.Length is >= 8 and <= 72 && der[0] == DerSequence && der[1] == der.Length - 2
            && TryReadInteger(der[2..], out r, out var rest) && TryReadInteger(rest, out s, out rest) && rest.IsEmpty;
    }

    private static bool TryReadInteger(ReadOnlySpan<byte> der, out BigInteger number, out ReadOnlySpan<byte> rest)
    {
        number = default;
        rest = default;
        if (der.Length < 3 || der[0] != DerInteger || der[1] is 0 or > 33 || der.Length < 2 + der[1]) return false;
        var digits = der.Slice(2, der[1]);
        rest = der[(2 + der[1])..];
        // Negative, or with a zero in front that says nothing.
        if (digits[0] >= 0x80 || (digits.Length > 1 && digits[0] == 0 && digits[1] < 0x80)) return false;
        number = Secp256k1.Read(digits);
        return !number.IsZero && number < Secp256k1.N;
    }
}
