// What is kept of a replay between two audits, so that the next one reads only the entries that are new: the state of everything
// that they may meet, in one file beside the audit's own state, which says what its SHA-256 is. The entries before it need not be
// looked at again, for the log's root at their number is known, and the log is held to it.
//
// File: "BCAR" || u16be version || u64be entries || root32, then the replay's parts and the cuts about which nothing is stated yet.

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;

namespace Bitcache.Core.Audit;

/// <summary>A replay that was kept.</summary>
/// <param name="Entries">That were replayed: those of the log that were audited.</param>
/// <param name="Root">The log's at that size.</param>
/// <param name="Sha256">Of the file.</param>
/// <param name="IsInChain">Whether a node was asked about all that these entries book as final.</param>
public sealed record SavedReplay(long Entries, Hash256 Root, Hash256 Sha256, bool IsInChain);

/// <summary>A replay at the end of a log that holds.</summary>
public sealed class KeptReplay
{
    private const int Version = 1;
    private const int LargeBytesMin = 16 << 20;
    private const int HeadBytes = 4 + sizeof(ushort) + sizeof(long) + Hash256.Bytes;

    private readonly bool _isInChain;

    internal KeptReplay(long entries, Hash256 root, bool isInChain, StatementReplay replay, Dictionary<long, CutBalances> cuts) =>
        (Entries, Root, _isInChain, Replay, Cuts) = (entries, root, isInChain, replay, cuts);

    internal long Entries { get; }
    internal Hash256 Root { get; }
    internal StatementReplay Replay { get; }
    /// <summary>About which nothing is stated yet.</summary>
    internal Dictionary<long, CutBalances> Cuts { get; }

    private static ReadOnlySpan<byte> Magic => "BCAR"u8;

    /// <summary>Writes the file. The same replay gives the same bytes.</summary>
    public SavedReplay Write(ByteSink sink)
    {
        using var writer = new StateWriter(piece => sink(piece));
        var head = writer.Begin(HeadBytes);
        head.Raw(Magic);
        head.U16(Version);
        head.I64(Entries);
        head.Hash(Root);
        writer.End(head);
        Replay.Write(writer);
        writer.Section(StateSection.ReplayCuts, Cuts.Count);
        foreach (var cut in Cuts.OrderBy(c => c.Key)) cut.Value.Write(writer);
        return new SavedReplay(Entries, Root, writer.Finish(), _isInChain);
    }

    /// <summary>Goes on from the file that the last audit kept.</summary>
    /// <returns>Null if every entry must be replayed; why is said where there was something.</returns>
    internal static KeptReplay? Resume(AuditInputs inputs, Pins pins, MerkleLog log, AuditSteps steps)
    {
        if (inputs.State?.Replay is not { } saved) return null;
        if (TryRead(inputs, pins, log, saved, out var kept, out var bytes, out var refusal))
        {
            // The file is in the tables now: they need its memory.
            if (bytes >= LargeBytesMin) GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
            steps.Passed(string.Create(CultureInfo.InvariantCulture, $"the replay goes on behind {saved.Entries} entries, where the last audit with the entries ended"));
            return kept;
        }
        steps.Passed($"every entry is replayed from the first one on: {refusal}");
        return null;
    }

    private static bool TryRead(AuditInputs inputs, Pins pins, MerkleLog log, SavedReplay saved, [NotNullWhen(true)] out KeptReplay? kept, out int bytes, out string refusal)
    {
        (kept, bytes) = (null, 0);
        refusal = "what the last audit kept of its replay is damaged, or another one's";
        if (inputs.Chain is not null && !saved.IsInChain)
        {
            refusal = "a node was not asked about what the last audits replayed, and can be now";
            return false;
        }
        if (saved.Entries > log.Size || log.Root(saved.Entries) != saved.Root) return false;
        if (inputs.Replay() is not { } file)
        {
            refusal = "what the last audit kept of its replay is not there";
            return false;
        }
        bytes = file.Length;
        if (Hash256.Read(SHA256.HashData(file.Span)) != saved.Sha256) return false;
        try
        {
            kept = Read(file, pins, saved);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            refusal = $"what the last audit kept of its replay cannot be read: {e.Message}";
        }
        return kept is not null;
    }

    private static KeptReplay Read(ReadOnlyMemory<byte> file, Pins pins, SavedReplay saved)
    {
        var reader = new StateReader(() =>
        {
            var piece = file;
            file = default;
            return piece;
        });
        var head = reader.Begin();
        if (!head.Take(Magic.Length).SequenceEqual(Magic)) throw new FormatException("it is no replay");
        if (head.U16() is var version and not Version) throw new FormatException($"it has version {version}, and this program knows {Version}");
        if (head.I64() != saved.Entries || head.Hash() != saved.Root) throw new FormatException("it is of another log");
        reader.End(head);
        var kept = new KeptReplay(saved.Entries, saved.Root, saved.IsInChain, new StatementReplay(pins), []);
        kept.Replay.Read(reader);
        for (var left = reader.Rows(StateSection.ReplayCuts); left > 0; left--)
        {
            var cut = CutBalances.Read(reader);
            kept.Cuts.Add(cut.Epoch, cut);
        }
        reader.Finish();
        return kept;
    }
}
