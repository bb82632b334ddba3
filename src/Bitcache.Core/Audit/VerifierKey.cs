using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>The key that checks a log's checkpoints: a name, which is the log's origin, and an Ed25519 public key.
/// As text a vkey of C2SP signed-note: <c>name+hex(key id)+base64(01 || public key)</c>.</summary>
public sealed class VerifierKey
{
    private const byte Ed25519Type = 1;

    private readonly byte[] _publicKey;

    private VerifierKey(string name, byte[] publicKey)
    {
        Name = name;
        _publicKey = publicKey;
        Span<byte> hash = stackalloc byte[Hash256.Bytes];
        SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', Ed25519Type, .. publicKey], hash);
        KeyId = BinaryPrimitives.ReadUInt32BigEndian(hash);
    }

    public string Name { get; }

    /// <summary>The first four bytes of SHA-256(name || 0a || 01 || public key): it tells keys apart and proves nothing.</summary>
    public uint KeyId { get; }

    public ReadOnlySpan<byte> PublicKey => _publicKey;

    /// <summary>The verifier key that belongs to a private key (its 32-byte seed).</summary>
    public static VerifierKey FromSeed(string name, ReadOnlySpan<byte> seed)
    {
        if (!IsName(name)) throw new ArgumentException($"'{name}' cannot name a log", nameof(name));
        return new VerifierKey(name, Ed25519.PublicKey(seed));
    }

    /// <summary>The verifier key of a public key.</summary>
    /// <param name="publicKey">32 bytes.</param>
    public static VerifierKey FromPublicKey(string name, ReadOnlySpan<byte> publicKey)
    {
        if (!IsName(name)) throw new ArgumentException($"'{name}' cannot name a log", nameof(name));
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, Ed25519.PublicKeyBytes, nameof(publicKey));
        return new VerifierKey(name, publicKey.ToArray());
    }

    public static bool TryParse(string text, [NotNullWhen(true)] out VerifierKey? key)
    {
        key = null;
        var parts = text.Split('+', 3);
        Span<byte> typed = stackalloc byte[1 + Ed25519.PublicKeyBytes];
        if (parts.Length != 3 || !IsName(parts[0]) || !StrictText.TryParseBase64(parts[2], typed) || typed[0] != Ed25519Type) return false;
        var candidate = new VerifierKey(parts[0], typed[1..].ToArray());
        if (candidate.ToString() != text) return false;
        key = candidate;
        return true;
    }

    /// <summary>Whether a log may have this name: 1 to 128 bytes of UTF-8 without spaces, '+' and control characters.</summary>
    public static bool IsName(string name) =>
        name.Length > 0 && name.Length <= Limits.OriginBytesMax && Encoding.UTF8.GetByteCount(name) <= Limits.OriginBytesMax
        && !name.Any(c => c == '+' || char.IsWhiteSpace(c) || char.IsControl(c) || char.IsSurrogate(c));

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Name}+{KeyId:x8}+{Convert.ToBase64String([Ed25519Type, .. _publicKey])}");
}
