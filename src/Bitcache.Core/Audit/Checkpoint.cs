using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>What the operator signs about the log (C2SP tlog-checkpoint inside a signed-note): which log, how many
/// leaves, which root. No extension lines, because a monitor could not check them.</summary>
public sealed record Checkpoint(string Origin, long Size, Hash256 Root)
{
    private const string SignatureMark = "\u2014 ";
    private const int KeyIdBytes = 4;

    /// <summary>The text under the signature: three lines.</summary>
    public string Body => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{StrictText.Base64(Root)}\n");

    /// <summary>The signed note, by the log's private key (its 32-byte seed); the key's name is the origin.</summary>
    public string Sign(ReadOnlySpan<byte> seed)
    {
        var key = VerifierKey.FromSeed(Origin, seed);
        Span<byte> signed = stackalloc byte[KeyIdBytes + Ed25519.SignatureBytes];
        BinaryPrimitives.WriteUInt32BigEndian(signed, key.KeyId);
        Ed25519.Sign(seed, Encoding.UTF8.GetBytes(Body)).CopyTo(signed[KeyIdBytes..]);
        return $"{Body}\n{SignatureMark}{Origin} {Convert.ToBase64String(signed)}\n";
    }

    /// <summary>Reads a signed note whose signature by <paramref name="key"/> holds. Signatures by other keys
    /// (witnesses) are skipped, as the format demands, but must be written correctly.</summary>
    public static bool TryVerify(string note, VerifierKey key, [NotNullWhen(true)] out Checkpoint? checkpoint, out string refusal)
    {
        checkpoint = null;
        var blank = note.IndexOf("\n\n", StringComparison.Ordinal);
        if (note.Length > Limits.LogProofBytesMax || blank < 0 || note.Length < blank + 4 || note[^1] != '\n')
        {
            refusal = "the checkpoint is no signed note";
            return false;
        }
        if (!TryParseBody(note[..(blank + 1)], out var candidate))
        {
            refusal = "the checkpoint is not exactly origin, size and root";
            return false;
        }
        if (candidate.Origin != key.Name)
        {
            refusal = $"the checkpoint is of the log '{candidate.Origin}', the key of '{key.Name}'";
            return false;
        }
        var signatures = note[(blank + 2)..^1].Split('\n');
        refusal = CheckSignatures(signatures, key, Encoding.UTF8.GetBytes(candidate.Body));
        if (refusal.Length > 0) return false;
        checkpoint = candidate;
        return true;
    }

    private static bool TryParseBody(string body, [NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        var lines = body.Split('\n');
        if (lines.Length != 4 || lines[3].Length != 0 || !VerifierKey.IsName(lines[0])) return false;
        if (!StrictText.TryParseNumber(lines[1], out var size) || !StrictText.TryParseHash(lines[2], out var root)) return false;
        checkpoint = new Checkpoint(lines[0], size, root);
        return true;
    }

    /// <summary>Empty if the key's signature is there and every signature by it holds; else what is wrong.</summary>
    private static string CheckSignatures(string[] lines, VerifierKey key, byte[] body)
    {
        if (lines.Length > Limits.NoteSignaturesMax) return "the checkpoint has too many signatures";
        var signed = false;
        Span<byte> ours = stackalloc byte[KeyIdBytes + Ed25519.SignatureBytes];
        foreach (var line in lines)
        {
            var parts = line.Split(' ');
            if (parts.Length != 3 || !line.StartsWith(SignatureMark, StringComparison.Ordinal)
                || !VerifierKey.IsName(parts[1]) || !StrictText.IsBase64(parts[2]))
                return "a signature line of the checkpoint is malformed";
            if (parts[1] != key.Name || !StrictText.TryParseBase64(parts[2], ours)
                || BinaryPrimitives.ReadUInt32BigEndian(ours) != key.KeyId) continue;
            if (!Ed25519.Verify(key.PublicKey, body, ours[KeyIdBytes..])) return "the signature on the checkpoint is wrong";
            signed = true;
        }
        return signed ? "" : $"the checkpoint is not signed by the key of '{key.Name}'";
    }
}
