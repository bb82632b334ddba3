// Bech32m (BIP-350): text with a prefix and a checksum that finds any four wrong characters. Wallet ids are
// written in it, and segwit addresses are read from it.

namespace Bitcache.Core;

public static class Bech32m
{
    private const string Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    private const uint Bech32Constant = 1;
    private const uint Bech32mConstant = 0x2bc830a3;
    private const int ChecksumCharacters = 6;
    private const int CharactersMax = 90;
    private const byte NoFive = 255;

    /// <summary>The value of each ASCII character in either case, or <see cref="NoFive"/>.</summary>
    private static readonly byte[] Values = [.. Enumerable.Range(0, 128).Select(c =>
        Alphabet.IndexOf(char.ToLowerInvariant((char)c), StringComparison.Ordinal) is var five and >= 0 ? (byte)five : NoFive)];

    /// <summary>What the checksum's polynomial takes back for each value of the five bits that it pushes out.</summary>
    private static readonly uint[] Remainders = [.. Enumerable.Range(0, 32).Select(Remainder)];

    /// <summary>Writes bytes as <c>prefix1…checksum</c>, in lower case.</summary>
    public static string Encode(string prefix, ReadOnlySpan<byte> data)
    {
        Span<byte> fives = stackalloc byte[CharactersMax];
        return Encode(prefix, fives[..ToFives(data, fives)], Bech32mConstant);
    }

    /// <summary>Reads what <see cref="Encode(string, ReadOnlySpan{byte})"/> wrote; mixed case, another prefix,
    /// a wrong checksum or leftover bits are refused.</summary>
    public static bool TryDecode(string prefix, ReadOnlySpan<char> text, Span<byte> data)
    {
        Span<byte> fives = stackalloc byte[CharactersMax];
        return TryReadFives(prefix, text, fives, out var count, out var constant)
            && constant == Bech32mConstant
            && TryToBytes(fives[..count], data, out var written)
            && written == data.Length;
    }

    /// <summary>Writes a witness program as an address (BIP-173 for version 0, BIP-350 above).</summary>
    public static string EncodeSegwit(string prefix, int version, ReadOnlySpan<byte> program)
    {
        Span<byte> fives = stackalloc byte[CharactersMax];
        fives[0] = (byte)version;
        return Encode(prefix, fives[..(1 + ToFives(program, fives[1..]))], version == 0 ? Bech32Constant : Bech32mConstant);
    }

    /// <summary>Reads a segwit address; the version decides which of the two checksums must stand.</summary>
    public static bool TryDecodeSegwit(string prefix, ReadOnlySpan<char> address, Span<byte> program, out int version, out int length)
    {
        version = length = 0;
        Span<byte> fives = stackalloc byte[CharactersMax];
        if (!TryReadFives(prefix, address, fives, out var count, out var constant) || count < 1) return false;
        version = fives[0];
        if (version > 16 || constant != (version == 0 ? Bech32Constant : Bech32mConstant)) return false;
        if (!TryToBytes(fives[1..count], program, out length) || length is < 2 or > 40) return false;
        return version != 0 || length is 20 or 32;
    }

    /// <returns>How many there are.</returns>
    private static int ToFives(ReadOnlySpan<byte> data, Span<byte> fives)
    {
        int bits = 0, count = 0;
        uint window = 0;
        foreach (var b in data)
        {
            window = (window << 8) | b;
            for (bits += 8; bits >= 5; bits -= 5) fives[count++] = (byte)((window >> (bits - 5)) & 31);
            window &= 0xff;
        }
        if (bits > 0) fives[count++] = (byte)((window << (5 - bits)) & 31);
        return count;
    }

    private static bool TryToBytes(ReadOnlySpan<byte> fives, Span<byte> data, out int written)
    {
        written = 0;
        var bits = 0;
        uint window = 0;
        foreach (var five in fives)
        {
            window = ((window << 5) | five) & 0xfff;
            bits += 5;
            if (bits < 8) continue;
            bits -= 8;
            if (written == data.Length) return false;
            data[written++] = (byte)((window >> bits) & 0xff);
        }
        return bits < 5 && (window & ((1u << bits) - 1)) == 0;
    }

    private static string Encode(string prefix, ReadOnlySpan<byte> fives, uint constant)
    {
        var check = Step(prefix);
        foreach (var five in fives) check = Polymod(check, five);
        for (var i = 0; i < ChecksumCharacters; i++) check = Polymod(check, 0);
        check ^= constant;
        Span<char> text = stackalloc char[prefix.Length + 1 + fives.Length + ChecksumCharacters];
        prefix.CopyTo(text);
        text[prefix.Length] = '1';
        for (var i = 0; i < fives.Length; i++) text[prefix.Length + 1 + i] = Alphabet[fives[i]];
        for (var i = 0; i < ChecksumCharacters; i++)
            text[^(ChecksumCharacters - i)] = Alphabet[(int)((check >> (5 * (ChecksumCharacters - 1 - i))) & 31)];
        return new string(text);
    }

    private static bool TryReadFives(string prefix, ReadOnlySpan<char> text, Span<byte> fives, out int count, out uint constant)
    {
        (count, constant) = (0, 0);
        var body = text.Length - prefix.Length - 1;
        if (body < ChecksumCharacters || text.Length > CharactersMax || text[prefix.Length] != '1') return false;
        var lower = text.IndexOfAnyInRange('a', 'z') >= 0;
        var upper = text.IndexOfAnyInRange('A', 'Z') >= 0;
        if ((lower && upper) || !text[..prefix.Length].Equals(prefix, StringComparison.OrdinalIgnoreCase)) return false;
        var check = Step(prefix);
        for (var i = 0; i < body; i++)
        {
            var c = text[prefix.Length + 1 + i];
            if (!char.IsAscii(c) || Values[c] == NoFive) return false;
            fives[i] = Values[c];
            check = Polymod(check, fives[i]);
        }
        constant = check;
        count = body - ChecksumCharacters;
        return constant is Bech32Constant or Bech32mConstant;
    }

    /// <summary>Where the checksum stands behind the prefix.</summary>
    private static uint Step(string prefix)
    {
        uint check = 1;
        foreach (var c in prefix) check = Polymod(check, (uint)(c >> 5));
        check = Polymod(check, 0);
        foreach (var c in prefix) check = Polymod(check, (uint)(c & 31));
        return check;
    }

    private static uint Polymod(uint check, uint value) => ((check & 0x1ffffff) << 5) ^ value ^ Remainders[check >> 25];

    private static uint Remainder(int top)
    {
        ReadOnlySpan<uint> generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
        uint remainder = 0;
        for (var i = 0; i < generator.Length; i++)
        {
            if (((top >> i) & 1) != 0) remainder ^= generator[i];
        }
        return remainder;
    }
}
