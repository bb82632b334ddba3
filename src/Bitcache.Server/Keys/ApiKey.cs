// The text of an API key: a prefix that says where it is good, 30 random characters, and 6 that check the others,
// so that a key copied wrongly is told apart from one that was never made, and scanners for leaked secrets find it.
//
//   bck_live_ or bck_test_   30 base62 characters (178 bits)   CRC-32C of all before, 6 base62 characters

using System.Buffers;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Server.Keys;

public static class ApiKey
{
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static readonly SearchValues<char> Base62Characters = SearchValues.Create(Base62);
    private const string LivePrefix = "bck_live_";
    private const string TestPrefix = "bck_test_";
    private const int RandomCharacters = 30;
    private const int CheckCharacters = 6;
    public const int Characters = 9 + RandomCharacters + CheckCharacters;

    /// <summary>Only keys of mainnet are live ones.</summary>
    public static string Prefix(BitcoinNetwork network) => network == BitcoinNetwork.Mainnet ? LivePrefix : TestPrefix;

    public static string Create(BitcoinNetwork network)
    {
        var unchecked30 = Prefix(network) + RandomNumberGenerator.GetString(Base62, RandomCharacters);
        return unchecked30 + Check(unchecked30);
    }

    /// <summary>Whether the text has the form of a key, check characters included.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> text) =>
        text.Length == Characters
        && (text.StartsWith(LivePrefix, StringComparison.Ordinal) || text.StartsWith(TestPrefix, StringComparison.Ordinal))
        && text[LivePrefix.Length..].IndexOfAnyExcept(Base62Characters) < 0
        && text[^CheckCharacters..].SequenceEqual(Check(text[..^CheckCharacters]));

    /// <summary>What is stored and compared instead of a key.</summary>
    public static Hash256 Hash(ReadOnlySpan<char> key)
    {
        Span<byte> bytes = stackalloc byte[Characters];
        Span<byte> hash = stackalloc byte[Hash256.Bytes];
        SHA256.HashData(bytes[..Encoding.ASCII.GetBytes(key, bytes)], hash);
        return Hash256.Read(hash);
    }

    private static string Check(ReadOnlySpan<char> text)
    {
        var crc = uint.MaxValue;
        foreach (var c in text) crc = BitOperations.Crc32C(crc, (byte)c);
        crc = ~crc;
        Span<char> check = stackalloc char[CheckCharacters];
        for (var i = CheckCharacters - 1; i >= 0; i--)
        {
            check[i] = Base62[(int)(crc % Base62.Length)];
            crc /= (uint)Base62.Length;
        }
        return new string(check);
    }
}
