using Bitcache.Core.Audit;

namespace Bitcache.Core.Bitcoin;

/// <summary>The text form of addresses before segwit: a version byte and a 20-byte hash with a 4-byte checksum.</summary>
internal static class Base58Check
{
    private const string Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    private const int HashBytes = 20;
    private const int PayloadBytes = 1 + HashBytes;
    private const int ChecksumBytes = 4;
    private const int CharactersMax = 35;

    public static string Encode(byte version, ReadOnlySpan<byte> hash)
    {
        Span<byte> number = [version, .. hash, 0, 0, 0, 0];
        Checksum(number[..PayloadBytes]).CopyTo(number[PayloadBytes..]);
        var zeros = number.IndexOfAnyExcept((byte)0);
        var text = new List<char>();
        while (number.IndexOfAnyExcept((byte)0) >= 0)
        {
            var remainder = 0;
            for (var i = 0; i < number.Length; i++)
            {
                remainder = (remainder << 8) | number[i];
                number[i] = (byte)(remainder / 58);
                remainder %= 58;
            }
            text.Add(Alphabet[remainder]);
        }
        for (var i = 0; i < zeros; i++) text.Add(Alphabet[0]);
        text.Reverse();
        return new string([.. text]);
    }

    public static bool TryDecode(string text, out byte version, out byte[] hash)
    {
        (version, hash) = (0, []);
        if (text.Length is 0 or > CharactersMax) return false;
        Span<byte> number = stackalloc byte[PayloadBytes + ChecksumBytes];
        foreach (var c in text)
        {
            var carry = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (carry < 0) return false;
            for (var i = number.Length - 1; i >= 0; i--)
            {
                carry += number[i] * 58;
                number[i] = (byte)(carry & 0xff);
                carry >>= 8;
            }
            if (carry != 0) return false;
        }
        if (!Checksum(number[..PayloadBytes]).SequenceEqual(number[PayloadBytes..])) return false;
        version = number[0];
        hash = number[1..PayloadBytes].ToArray();
        // Leading zero bytes are as many leading '1's, no more and no fewer.
        return Encode(version, hash) == text;
    }

    private static ReadOnlySpan<byte> Checksum(ReadOnlySpan<byte> payload) => Sha256.Twice(payload).ToArray().AsSpan(0, ChecksumBytes);
}
