using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Bitcoin;

/// <summary>What a PSBT says of one input, by key: a type, and what tells several of one type apart.</summary>
internal sealed class PsbtMap
{
    private readonly Dictionary<ByteString, ByteString> _entries = [];

    /// <summary>The entry of a type that has no key data; null if there is none.</summary>
    public ByteString? Find(byte type) => _entries.TryGetValue(new ByteString([type]), out var value) ? value : null;

    /// <summary>Reads entries up to the empty key that ends a map.</summary>
    public static bool TryRead(ref BitcoinReader reader, [NotNullWhen(true)] out PsbtMap? map)
    {
        map = null;
        var read = new PsbtMap();
        while (reader.TryReadBytes(out var key))
        {
            if (key.IsEmpty)
            {
                map = read;
                return true;
            }
            if (!reader.TryReadBytes(out var value) || !read._entries.TryAdd(new ByteString(key), new ByteString(value))) return false;
        }
        return false;
    }
}

/// <summary>A whole PSBT (BIP-174, version 0), read strictly: a key twice, a map too few or bytes behind the last are refused.</summary>
/// <param name="Transaction">Without signatures.</param>
/// <param name="Inputs">As many as the transaction has.</param>
internal sealed record PsbtFile(BitcoinTransaction Transaction, IReadOnlyList<PsbtMap> Inputs)
{
    public const byte SpentTransaction = 0x00;
    public const byte SpentOutput = 0x01;
    public const byte FinalScriptSig = 0x07;
    public const byte FinalWitness = 0x08;

    /// <summary>BIP-127: the message that an input which spends nothing commits to.</summary>
    public const byte ReservesCommitment = 0x09;

    public static bool TryRead(ReadOnlySpan<byte> psbt, [NotNullWhen(true)] out PsbtFile? file)
    {
        file = null;
        if (!psbt.StartsWith(Psbt.Magic)) return false;
        var reader = new BitcoinReader(psbt[Psbt.Magic.Length..]);
        if (!PsbtMap.TryRead(ref reader, out var global) || global.Find(Psbt.UnsignedTransaction) is not { } raw) return false;
        if (!BitcoinTransaction.TryParse(raw.Span, out var transaction) || transaction.Stripped.Length != raw.Length) return false;
        var inputs = new List<PsbtMap>();
        for (var i = 0; i < transaction.Inputs.Count + transaction.Outputs.Count; i++)
        {
            if (!PsbtMap.TryRead(ref reader, out var map)) return false;
            if (i < transaction.Inputs.Count) inputs.Add(map);
        }
        if (reader.Left > 0) return false;
        file = new PsbtFile(transaction, inputs);
        return true;
    }
}
