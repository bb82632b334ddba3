// How a log's key is followed from the one that was pinned to the one that signs now. Each key signed the next: as an
// entry of the log, and word for word as a note that any tool for signed notes verifies.

using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>One key's word that another takes its place. The signed text is three lines:
/// <c>bitcache/checkpoint-key/v1</c>, the log's origin, and the new key as a vkey.</summary>
public sealed class KeyRotation
{
    private const string Purpose = "bitcache/checkpoint-key/v1";
    private const string What = "rotation of the checkpoint key";
    private const int NoteLines = 5;

    private readonly byte[] _signature;

    private KeyRotation(VerifierKey old, VerifierKey next, byte[] signature) => (Old, New, _signature) = (old, next, signature);

    public VerifierKey Old { get; }
    public VerifierKey New { get; }
    public ReadOnlySpan<byte> Signature => _signature;

    /// <summary>The signed note, as it is published.</summary>
    public string Note => SignedNote.Write(TextOf(New), Old, _signature);

    /// <summary>Has a key say that another takes its place.</summary>
    /// <param name="oldSeed">The private key that goes.</param>
    public static KeyRotation Sign(ReadOnlySpan<byte> oldSeed, VerifierKey next) =>
        new(VerifierKey.FromSeed(next.Name, oldSeed), next, Ed25519.Sign(oldSeed, Encoding.UTF8.GetBytes(TextOf(next))));

    /// <summary>Makes a rotation of what an entry says; null if the keys are none, or the signature does not hold.</summary>
    public static KeyRotation? Read(string origin, ReadOnlySpan<byte> oldKey, ReadOnlySpan<byte> newKey, ReadOnlySpan<byte> signature)
    {
        if (!VerifierKey.IsName(origin) || oldKey.SequenceEqual(newKey)) return null;
        var (old, next) = (VerifierKey.FromPublicKey(origin, oldKey), VerifierKey.FromPublicKey(origin, newKey));
        return Ed25519.Verify(oldKey, Encoding.UTF8.GetBytes(TextOf(next)), signature) ? new KeyRotation(old, next, signature.ToArray()) : null;
    }

    /// <summary>Follows the published notes of all rotations, one after the other.</summary>
    /// <param name="notes">What is published; empty if there was no rotation.</param>
    /// <param name="first">The key that was pinned.</param>
    /// <param name="keys">The pinned key and each that took the place of the one before; the last one signs now.</param>
    public static bool TryFollow(string notes, VerifierKey first, [NotNullWhen(true)] out IReadOnlyList<VerifierKey>? keys, out string refusal)
    {
        keys = null;
        refusal = "";
        var known = new List<VerifierKey> { first };
        var lines = notes.Split('\n');
        if (notes.Length > Limits.KeyRotationsMax * Limits.KeyRotationNoteBytesMax || lines[^1].Length > 0 || lines.Length % NoteLines != 1)
        {
            refusal = $"these are no notes about a {What}";
            return false;
        }
        for (var line = 0; line < lines.Length - 1; line += NoteLines)
        {
            if (!TryRead(string.Join('\n', lines, line, NoteLines) + "\n", known[^1], out var next, out refusal)) return false;
            if (known.Exists(key => key.PublicKey.SequenceEqual(next.PublicKey)))
            {
                refusal = $"a {What} names a key that was used before";
                return false;
            }
            known.Add(next);
        }
        keys = known;
        return true;
    }

    private static bool TryRead(string note, VerifierKey old, [NotNullWhen(true)] out VerifierKey? next, out string refusal)
    {
        next = null;
        refusal = $"a note is none about a {What}";
        if (!SignedNote.TrySplit(note, out var text, out var signatures)) return false;
        var lines = text.Split('\n');
        if (lines.Length != 4 || lines[0] != Purpose || !VerifierKey.TryParse(lines[2], out var named) || text != TextOf(named)) return false;
        if (named.Name != old.Name)
        {
            refusal = $"a {What} is of the log '{named.Name}', the key of '{old.Name}'";
            return false;
        }
        refusal = SignedNote.Check(signatures, old, text, What);
        if (refusal.Length == 0) next = named;
        return next is not null;
    }

    private static string TextOf(VerifierKey next) => $"{Purpose}\n{next.Name}\n{next}\n";
}
