using System.Buffers.Binary;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>A text with signatures under it (C2SP signed-note): what checkpoints are, and what one checkpoint key says of
/// the next.</summary>
internal static class SignedNote
{
    private const string SignatureMark = "\u2014 ";
    private const int KeyIdBytes = 4;

    /// <summary>Signs a text; the key's name is <paramref name="name"/>.</summary>
    /// <param name="text">Whole lines.</param>
    /// <param name="seed">The private key.</param>
    public static string Sign(string text, string name, ReadOnlySpan<byte> seed) =>
        Write(text, VerifierKey.FromSeed(name, seed), Ed25519.Sign(seed, Encoding.UTF8.GetBytes(text)));

    /// <summary>The note of a signature that was made before.</summary>
    public static string Write(string text, VerifierKey key, ReadOnlySpan<byte> signature)
    {
        Span<byte> signed = stackalloc byte[KeyIdBytes + Ed25519.SignatureBytes];
        BinaryPrimitives.WriteUInt32BigEndian(signed, key.KeyId);
        signature.CopyTo(signed[KeyIdBytes..]);
        return $"{text}\n{SignatureMark}{key.Name} {Convert.ToBase64String(signed)}\n";
    }

    /// <summary>Takes a note apart; false if it has no text and signatures.</summary>
    /// <param name="lines">The signatures, one line each.</param>
    public static bool TrySplit(string note, out string text, out string[] lines)
    {
        var blank = note.IndexOf("\n\n", StringComparison.Ordinal);
        var good = note.Length <= Limits.LogProofBytesMax && blank >= 0 && note.Length >= blank + 4 && note[^1] == '\n';
        (text, lines) = good ? (note[..(blank + 1)], note[(blank + 2)..^1].Split('\n')) : ("", []);
        return good;
    }

    /// <summary>Empty if the key's signature is there and every signature by it holds; else what is wrong. Signatures by other
    /// keys (witnesses) are skipped, as the format demands, but must be written correctly.</summary>
    /// <param name="what">What the note is, for the refusal.</param>
    public static string Check(string[] lines, VerifierKey key, string text, string what)
    {
        if (lines.Length > Limits.NoteSignaturesMax) return $"the {what} has too many signatures";
        var body = Encoding.UTF8.GetBytes(text);
        var signed = false;
        Span<byte> ours = stackalloc byte[KeyIdBytes + Ed25519.SignatureBytes];
        foreach (var line in lines)
        {
            var parts = line.Split(' ');
            if (parts.Length != 3 || !line.StartsWith(SignatureMark, StringComparison.Ordinal)
                || !VerifierKey.IsName(parts[1]) || !StrictText.IsBase64(parts[2]))
                return $"a signature line of the {what} is malformed";
            if (parts[1] != key.Name || !StrictText.TryParseBase64(parts[2], ours)
                || BinaryPrimitives.ReadUInt32BigEndian(ours) != key.KeyId) continue;
            if (!Ed25519.Verify(key.PublicKey, body, ours[KeyIdBytes..])) return $"the signature on the {what} is wrong";
            signed = true;
        }
        return signed ? "" : $"the {what} is not signed by the key of '{key.Name}'";
    }
}
