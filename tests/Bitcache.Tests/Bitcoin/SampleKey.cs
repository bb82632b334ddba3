// Keys that sign, for tests: the core only checks. Each is made of a name, so that a script tells whose it is.

using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

internal sealed class SampleKey
{
    private static readonly ECCurve Curve = ECCurve.CreateFromValue("1.3.132.0.10");
    private readonly BigInteger _secret;
    private readonly CurvePoint _point;

    public SampleKey(string name)
        : this(SHA256.HashData(Encoding.UTF8.GetBytes(name)))
    {
    }

    public SampleKey(byte[] secret)
    {
        _secret = Secp256k1.Read(secret);
        // A key of which somebody else's library says what its point is.
        using var ecdsa = ECDsa.Create(new ECParameters { Curve = Curve, D = secret });
        var q = ecdsa.ExportParameters(includePrivateParameters: false).Q;
        _point = new CurvePoint(Secp256k1.Read(q.X), Secp256k1.Read(q.Y));
    }

    public BigInteger Secret => _secret;
    public CurvePoint Point => _point;
    public byte[] Compressed => [(byte)(_point.Y.IsEven ? 2 : 3), .. Secp256k1.Write(_point.X)];
    public byte[] XOnly => Secp256k1.Write(_point.X);
    public ByteString KeyHashScript => new([0x00, 20, .. Ripemd160.OfKey(Compressed)]);

    /// <summary>The key itself is the output's, without a tweak.</summary>
    public ByteString TaprootScript => new([0x51, 32, .. XOnly]);

    /// <summary>m of n keys.</summary>
    public static byte[] Multisig(int needed, params IReadOnlyList<SampleKey> keys) =>
        [(byte)(0x50 + needed), .. keys.SelectMany(k => (byte[])[33, .. k.Compressed]), (byte)(0x50 + keys.Count), 0xae];

    public static ByteString ScriptHash(byte[] script) => new([0x00, 32, .. SHA256.HashData(script)]);

    /// <param name="isHigh">With the higher of the two possible s.</param>
    public byte[] SignEcdsa(Hash256 hash, bool isHigh = false)
    {
        using var ecdsa = ECDsa.Create(new ECParameters { Curve = Curve, D = Secp256k1.Write(_secret) });
        var signature = ecdsa.SignHash(hash.ToArray());
        var (r, s) = (Secp256k1.Read(signature.AsSpan(0, 32)), Secp256k1.Read(signature.AsSpan(32)));
        return Der(r, s > Secp256k1.N >> 1 == isHigh ? s : Secp256k1.N - s);
    }

    public static byte[] Der(BigInteger r, BigInteger s)
    {
        byte[] Integer(BigInteger number) => [0x02, (byte)number.GetByteCount(), .. number.ToByteArray(isBigEndian: true)];
        byte[] both = [.. Integer(r), .. Integer(s)];
        return [0x30, (byte)both.Length, .. both];
    }

    /// <summary>BIP-340 with a nonce that is good enough where nothing is at stake.</summary>
    public byte[] SignSchnorr(Hash256 message)
    {
        var secret = _point.Y.IsEven ? _secret : Secp256k1.N - _secret;
        var nonce = Secp256k1.Read(SHA256.HashData([.. Secp256k1.Write(secret), .. message.ToArray()])) % Secp256k1.N;
        var r = Secp256k1.Combine(nonce, BigInteger.Zero, Secp256k1.Generator)!.Value;
        var e = Secp256k1.Read(BitcoinSignature.Tagged("BIP0340/challenge", [.. Secp256k1.Write(r.X), .. XOnly, .. message.ToArray()]).ToArray());
        return [.. Secp256k1.Write(r.X), .. Secp256k1.Write(((r.Y.IsEven ? nonce : Secp256k1.N - nonce) + (e * secret)) % Secp256k1.N)];
    }
}
