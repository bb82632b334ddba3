// Whether a witness is good for the coin that it spends: single keys of both segwit versions, and multisignatures of version 0.
// Everything else would need an interpreter of scripts, which a node has.

using System.Security.Cryptography;

namespace Bitcache.Core.Bitcoin;

/// <summary>What can be said of a witness.</summary>
internal enum WitnessVerdict
{
    /// <summary>Its signatures are good, and over the whole transaction.</summary>
    Good,
    /// <summary>A signature is missing, is not this key's over this transaction, or is over less than the whole of it.</summary>
    Bad,
    /// <summary>The coin's script is of a kind that only a node checks.</summary>
    LeftToNode,
}

internal static class WitnessCheck
{
    private const byte Version0 = 0x00;
    private const byte Version1 = 0x51;
    private const byte Push20 = 20;
    private const byte Push32 = 32;
    private const byte Push33 = 33;
    private const byte OpOne = 0x51;
    private const byte OpSixteen = 0x60;
    private const byte OpCheckMultisig = 0xae;

    /// <param name="hashes">Of the transaction.</param>
    /// <param name="input">Which input the witness is of.</param>
    /// <param name="script">Of the coin that it spends.</param>
    /// <param name="witness">The items of its stack.</param>
    public static WitnessVerdict Check(SignatureHash hashes, int input, ReadOnlySpan<byte> script, IReadOnlyList<byte[]> witness) => script switch
    {
        [Version0, Push20, .. var key] when key.Length == Push20 => CheckKeyHash(hashes, input, key, witness),
        [Version0, Push32, .. var hash] when hash.Length == Push32 => CheckScriptHash(hashes, input, hash, witness),
        [Version1, Push32, .. var key] when key.Length == Push32 => CheckTaproot(hashes, input, key, witness),
        _ => WitnessVerdict.LeftToNode,
    };

    public static bool IsTaproot(ReadOnlySpan<byte> script) => script is [Version1, Push32, ..] && script.Length == 2 + Push32;

    /// <summary>P2WPKH: a signature, and the key that the script names.</summary>
    private static WitnessVerdict CheckKeyHash(SignatureHash hashes, int input, ReadOnlySpan<byte> program, IReadOnlyList<byte[]> witness)
    {
        if (witness is not [var signature, var key] || !Ripemd160.OfKey(key).AsSpan().SequenceEqual(program)) return WitnessVerdict.Bad;
        // Signed as the P2PKH script of this key would be (BIP-143).
        return VerifyAll(key, hashes.OfVersion0(input, [0x76, 0xa9, Push20, .. program, 0x88, 0xac]), signature) ? WitnessVerdict.Good : WitnessVerdict.Bad;
    }

    /// <summary>P2WSH: the script that was named; of these, m of n keys are looked into.</summary>
    private static WitnessVerdict CheckScriptHash(SignatureHash hashes, int input, ReadOnlySpan<byte> program, IReadOnlyList<byte[]> witness)
    {
        if (witness.Count == 0 || !SHA256.HashData(witness[^1]).AsSpan().SequenceEqual(program)) return WitnessVerdict.Bad;
        if (!TryReadMultisig(witness[^1], out var needed, out var keys)) return WitnessVerdict.LeftToNode;
        // The empty item in front is what OP_CHECKMULTISIG takes one too many of.
        if (witness.Count != needed + 2 || witness[0].Length != 0) return WitnessVerdict.Bad;
        var hash = hashes.OfVersion0(input, witness[^1]);
        var next = 0;
        foreach (var signature in witness.Skip(1).Take(needed))
        {
            // Signatures stand in the order of their keys.
            while (next < keys.Count && !VerifyAll(keys[next], hash, signature)) next++;
            if (next++ >= keys.Count) return WitnessVerdict.Bad;
        }
        return WitnessVerdict.Good;
    }

    /// <summary>P2TR: one signature by the key that is the script; whoever shows a script instead is left to the node.</summary>
    private static WitnessVerdict CheckTaproot(SignatureHash hashes, int input, ReadOnlySpan<byte> key, IReadOnlyList<byte[]> witness)
    {
        if (witness.Count > 1) return WitnessVerdict.LeftToNode;
        if (witness is not [{ Length: BitcoinSignature.SchnorrBytes or BitcoinSignature.SchnorrBytes + 1 } signature]) return WitnessVerdict.Bad;
        var type = signature.Length == BitcoinSignature.SchnorrBytes ? SignatureHash.Default : signature[^1];
        if (signature.Length > BitcoinSignature.SchnorrBytes && type != SignatureHash.All) return WitnessVerdict.Bad;
        return BitcoinSignature.VerifySchnorr(key, hashes.OfTaproot(input, type), signature.AsSpan(0, BitcoinSignature.SchnorrBytes)) ? WitnessVerdict.Good : WitnessVerdict.Bad;
    }

    /// <summary>The last byte of a signature says what it is over.</summary>
    private static bool VerifyAll(ReadOnlySpan<byte> key, Hash256 hash, ReadOnlySpan<byte> signature) =>
        signature is [.. var der, SignatureHash.All] && BitcoinSignature.VerifyEcdsa(key, hash, der);

    /// <summary>m, n compressed keys, n, OP_CHECKMULTISIG.</summary>
    private static bool TryReadMultisig(byte[] script, out int needed, out IReadOnlyList<byte[]> keys)
    {
        (needed, keys) = (0, []);
        if (script is not [>= OpOne and <= OpSixteen, .., >= OpOne and <= OpSixteen, OpCheckMultisig]) return false;
        needed = script[0] - OpOne + 1;
        var count = script[^2] - OpOne + 1;
        if (needed > count || script.Length != 3 + (count * (1 + Push33))) return false;
        var read = new List<byte[]>();
        for (var at = 1; read.Count < count; at += 1 + Push33)
        {
            if (script[at] != Push33) return false;
            read.Add(script[(at + 1)..(at + 1 + Push33)]);
        }
        keys = read;
        return true;
    }
}
