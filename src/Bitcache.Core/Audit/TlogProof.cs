using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>A proof that an entry is in the log, in the text form c2sp.org/tlog-proof@v1: the leaf's index, its
/// path to the root, and the signed checkpoint word for word. The optional "extra" line is neither written nor
/// read: nothing signs it.</summary>
public sealed record TlogProof(long Index, IReadOnlyList<Hash256> Path, string Checkpoint)
{
    private const string Header = "c2sp.org/tlog-proof@v1";
    private const string IndexMark = "index ";

    /// <summary>The text of a <c>.tlog-proof</c> file.</summary>
    public string Write()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Header}\n{IndexMark}{Index}\n");
        foreach (var hash in Path) text.Append(StrictText.Base64(hash)).Append('\n');
        return text.Append('\n').Append(Checkpoint).ToString();
    }

    /// <summary>Reads the form; whether path and checkpoint hold is for others to check.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out TlogProof? proof)
    {
        proof = null;
        var blank = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (blank < 0 || text.Length > Limits.LogProofBytesMax) return false;
        var lines = text[..blank].Split('\n');
        if (lines.Length is < 2 or > 2 + Limits.LogPathHashesMax || lines[0] != Header) return false;
        if (!lines[1].StartsWith(IndexMark, StringComparison.Ordinal)
            || !StrictText.TryParseNumber(lines[1].AsSpan(IndexMark.Length), out var index)) return false;
        var path = new List<Hash256>();
        foreach (var line in lines.AsSpan(2))
        {
            if (!StrictText.TryParseHash(line, out var hash)) return false;
            path.Add(hash);
        }
        proof = new TlogProof(index, path, text[(blank + 2)..]);
        return true;
    }
}
