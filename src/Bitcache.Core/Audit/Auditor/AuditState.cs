using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Bitcache.Core.Audit;

/// <summary>What an auditor knows of an epoch whose files were found good.</summary>
/// <param name="Leaf">The hash of what was stated.</param>
/// <param name="Record">What was anchored for it, in whole; null where another epoch's anchor covers it, or none yet.</param>
/// <param name="IsProven">Whether all signatures over its coins were found good: a proof may come later than all else.</param>
/// <param name="Anchor">Its own anchor, as it was shown last.</param>
public sealed record AuditedEpoch(long Epoch, Hash256 Leaf, AnchorRecord? Record, bool IsProven, AuditedAnchor? Anchor = null);

/// <summary>An anchor that was shown, and its block.</summary>
public sealed record AuditedAnchor(Txid Txid, uint Height, BlockHash Block);

/// <summary>What an audit keeps, so that the next one looks only at what is new, and finds it if anything old is told otherwise.</summary>
/// <param name="Rotations">The notes by which each key named the next; empty if there was none.</param>
/// <param name="Note">The checkpoint as it was signed: evidence, if another one is shown.</param>
/// <param name="Replay">Of the last audit with the entries; null if there was none, or it was not kept.</param>
public sealed record AuditState(Pins Pins, string Rotations, string Note, IReadOnlyList<AuditedEpoch> Epochs, SavedReplay? Replay = null)
{
    private static readonly JsonWriterOptions Written = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 4 };

    public byte[] Write()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Written))
        {
            json.WriteStartObject();
            json.WriteString("pins", Pins.Write());
            json.WriteString("rotations", Rotations);
            json.WriteString("checkpoint", Note);
            json.WriteStartArray("epochs");
            foreach (var epoch in Epochs)
            {
                json.WriteStartObject();
                json.WriteNumber("epoch", epoch.Epoch);
                json.WriteString("leaf", epoch.Leaf.ToString());
                json.WriteString("anchor_record", epoch.Record is { } record ? Convert.ToHexStringLower(record.ToArray()) : null);
                json.WriteBoolean("reserves_proven", epoch.IsProven);
                if (epoch.Anchor is { } anchor)
                {
                    json.WriteString("anchor", anchor.Txid.ToString());
                    json.WriteNumber("anchor_height", anchor.Height);
                    json.WriteString("anchor_block", anchor.Block.ToString());
                }
                json.WriteEndObject();
            }
            json.WriteEndArray();
            if (Replay is { } replay)
            {
                json.WriteStartObject("replay");
                json.WriteNumber("entries", replay.Entries);
                json.WriteString("root", replay.Root.ToString());
                json.WriteString("sha256", replay.Sha256.ToString());
                json.WriteBoolean("in_chain", replay.IsInChain);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Write"/> wrote; otherwise says what is wrong.</summary>
    public static bool TryParse(byte[] file, [NotNullWhen(true)] out AuditState? state, out string refusal)
    {
        state = null;
        try
        {
            using var json = JsonDocument.Parse(file, Strict);
            var root = json.RootElement;
            if (!Bitcache.Core.Audit.Pins.TryParse(Text(root, "pins"), out var pins, out refusal)) return false;
            var replay = root.TryGetProperty("replay", out var kept)
                ? new SavedReplay(kept.GetProperty("entries").GetInt64(), Hash(kept, "root"), Hash(kept, "sha256"), kept.GetProperty("in_chain").GetBoolean())
                : null;
            state = new AuditState(pins, Text(root, "rotations"), Text(root, "checkpoint"), [.. root.GetProperty("epochs").EnumerateArray().Select(Read)], replay);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            refusal = $"the saved state cannot be read: {e.Message}";
        }
        return state is not null;
    }

    private static AuditedEpoch Read(JsonElement epoch)
    {
        AnchorRecord? record = null;
        if (epoch.GetProperty("anchor_record").GetString() is { } hex && !AnchorRecord.TryRead(Convert.FromHexString(hex), out record))
            throw new FormatException("a record that is none");
        // States of before have no word of proofs.
        var isProven = epoch.TryGetProperty("reserves_proven", out var proven) && proven.GetBoolean();
        // Nor of anchors.
        AuditedAnchor? anchor = null;
        if (epoch.TryGetProperty("anchor", out var txid))
        {
            anchor = Txid.TryParse(txid.GetString()!, out var of) && BlockHash.TryParse(Text(epoch, "anchor_block"), out var block)
                ? new AuditedAnchor(of, epoch.GetProperty("anchor_height").GetUInt32(), block)
                : throw new FormatException("an anchor that is none");
        }
        return new AuditedEpoch(epoch.GetProperty("epoch").GetInt64(), Hash(epoch, "leaf"), record, isProven, anchor);
    }

    private static Hash256 Hash(JsonElement of, string name) => Hash256.TryParse(Text(of, name), out var hash) ? hash : throw new FormatException($"{name} is no hash");

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");
}
