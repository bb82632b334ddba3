using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Bitcache.Core.Audit;

/// <summary>What the operator signs about the log (C2SP tlog-checkpoint inside a signed-note): which log, how many
/// leaves, which root. No extension lines, because a monitor could not check them.</summary>
public sealed record Checkpoint(string Origin, long Size, Hash256 Root)
{
    /// <summary>The text under the signature: three lines.</summary>
    public string Body => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{StrictText.Base64(Root)}\n");

    /// <summary>The signed note, by the log's private key (its 32-byte seed); the key's name is the origin.</summary>
    public string Sign(ReadOnlySpan<byte> seed) => SignedNote.Sign(Body, Origin, seed);

    /// <summary>Reads a signed note whose signature by <paramref name="key"/> holds. Signatures by other keys
    /// (witnesses) are skipped, as the format demands, but must be written correctly.</summary>
    public static bool TryVerify(string note, VerifierKey key, [NotNullWhen(true)] out Checkpoint? checkpoint, out string refusal)
    {
        checkpoint = null;
        if (!SignedNote.TrySplit(note, out var body, out var signatures))
        {
            refusal = "the checkpoint is no signed note";
            return false;
        }
        if (!TryParseBody(body, out var candidate))
        {
            refusal = "the checkpoint is not exactly origin, size and root";
            return false;
        }
        if (candidate.Origin != key.Name)
        {
            refusal = $"the checkpoint is of the log '{candidate.Origin}', the key of '{key.Name}'";
            return false;
        }
        refusal = SignedNote.Check(signatures, key, candidate.Body, "checkpoint");
        if (refusal.Length > 0) return false;
        checkpoint = candidate;
        return true;
    }

    /// <summary>The same by the newest of several keys that signed it: the log's own, one after the other.</summary>
    /// <param name="keys">The pinned key, and each that took the place of the one before (<see cref="KeyRotation"/>).</param>
    public static bool TryVerify(string note, IReadOnlyList<VerifierKey> keys, [NotNullWhen(true)] out Checkpoint? checkpoint, out string refusal)
    {
        (checkpoint, refusal) = (null, "there is no key to verify it with");
        for (var number = keys.Count - 1; number >= 0; number--)
        {
            if (TryVerify(note, keys[number], out checkpoint, out refusal)) return true;
        }
        return false;
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
}
