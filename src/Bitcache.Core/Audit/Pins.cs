using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>What an auditor writes down once and trusts for ever (<c>pins.json</c>): the log's key, whose name is
/// the log's origin; the script that every anchor transaction pays exactly once; the first anchor's id, null until
/// there is one; and the network.</summary>
public sealed record Pins(VerifierKey Key, byte[] AnchorScript, Txid? FirstAnchor, BitcoinNetwork Network)
{
    private static readonly JsonWriterOptions Written = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonDocumentOptions Read = new() { AllowDuplicateProperties = false, MaxDepth = 2 };

    public string Origin => Key.Name;

    /// <summary>How many outputs of a transaction pay the anchor script.</summary>
    public int CountAnchorOutputs(BitcoinTransaction transaction) =>
        transaction.Outputs.Count(output => output.Script.AsSpan().SequenceEqual(AnchorScript));

    /// <summary>Whether pins that are shown later are those of the same log: the first anchor is unknown until it is mined, and
    /// nothing else may ever change.</summary>
    /// <param name="contradiction">What changed, in words.</param>
    public bool IsFollowedBy(Pins shown, out string contradiction)
    {
        contradiction = (this with { FirstAnchor = shown.FirstAnchor }).Write() != shown.Write()
            ? "other pins are shown than were written down: keep both, for a log has one key and one anchor script for ever"
            : FirstAnchor is { } first && first != shown.FirstAnchor
                ? $"another first anchor is shown than {first}, which was written down: keep both, and look at the chain"
                : "";
        return contradiction.Length == 0;
    }

    public string Write()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Written))
        {
            json.WriteStartObject();
            json.WriteString("origin", Origin);
            json.WriteString("vkey", Key.ToString());
            json.WriteString("anchor_script", Convert.ToHexStringLower(AnchorScript));
            json.WriteString("first_anchor", FirstAnchor?.ToString());
            json.WriteString("network", Network.ChainName());
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    /// <summary>Reads what <see cref="Write"/> wrote; a missing, unknown, repeated or malformed member is refused,
    /// with the reason in words.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Pins? pins, out string refusal)
    {
        pins = null;
        if (text.Length > Limits.PinsBytesMax)
        {
            refusal = $"pins are at most {Limits.PinsBytesMax} characters long";
            return false;
        }
        try
        {
            using var json = JsonDocument.Parse(text, Read);
            refusal = Take(json.RootElement, out pins);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is a string with half of a surrogate pair, which the parser only sees when it is taken out.
            refusal = $"pins are not valid JSON: {e.Message}";
        }
        return pins is not null;
    }

    private static string Take(JsonElement json, out Pins? pins)
    {
        pins = null;
        if (json.ValueKind != JsonValueKind.Object || json.GetPropertyCount() != 5)
            return "pins are an object of origin, vkey, anchor_script, first_anchor and network";
        if (Text(json, "vkey") is not { } vkey || !VerifierKey.TryParse(vkey, out var key)) return "vkey is no verifier key";
        if (Text(json, "origin") != key.Name) return "origin is not the name in vkey";
        if (Text(json, "anchor_script") is not { } hex || !TryParseScript(hex, out var script)) return "anchor_script is no script in lower-case hex";
        if (Text(json, "network") is not { } chain || !BitcoinNetworks.TryParse(chain, out var network)) return "network is none of main, test, signet, regtest";
        if (!json.TryGetProperty("first_anchor", out var first)) return "first_anchor is missing";
        Txid? firstAnchor = null;
        if (first.ValueKind != JsonValueKind.Null)
        {
            if (Text(json, "first_anchor") is not { } id || !Txid.TryParse(id, out var txid) || txid.ToString() != id)
                return "first_anchor is neither null nor a transaction id";
            firstAnchor = txid;
        }
        pins = new Pins(key, script, firstAnchor, network);
        return "";
    }

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool TryParseScript(string hex, out byte[] script)
    {
        script = new byte[hex.Length / 2];
        return hex.Length is > 0 and <= 2 * Limits.ScriptBytesMax
            && Convert.FromHexString(hex, script, out _, out _) == OperationStatus.Done && Convert.ToHexStringLower(script) == hex;
    }
}
