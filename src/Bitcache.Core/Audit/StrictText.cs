// Signed texts are read strictly: one value has one spelling. Base64 and numbers that a lenient reader would
// take for the same value are refused, so that no byte of a proof can change unnoticed.

using System.Globalization;

namespace Bitcache.Core.Audit;

internal static class StrictText
{
    /// <summary>A decimal number as it is written back: no sign, no leading zeros.</summary>
    public static bool TryParseNumber(ReadOnlySpan<char> text, out long value) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value)
        && text.SequenceEqual(value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Standard Base64 with padding, without spaces, with zero bits left over.</summary>
    public static bool TryParseBase64(string text, Span<byte> bytes) =>
        Convert.TryFromBase64String(text, bytes, out var written) && written == bytes.Length
        && text == Convert.ToBase64String(bytes);

    /// <summary>Standard Base64 of any length, as above.</summary>
    public static bool IsBase64(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var written) && text == Convert.ToBase64String(bytes.AsSpan(0, written));
    }

    public static bool TryParseHash(string base64, out Hash256 hash)
    {
        Span<byte> bytes = stackalloc byte[Hash256.Bytes];
        var good = TryParseBase64(base64, bytes);
        hash = good ? Hash256.Read(bytes) : default;
        return good;
    }

    public static string Base64(Hash256 hash) => Convert.ToBase64String(hash.ToArray());
}
