using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Bitcoin;

/// <summary>A partially signed transaction (BIP-174, version 0), as far as it is looked into here: the node funds, signs and
/// finalizes it.</summary>
public static class Psbt
{
    internal static ReadOnlySpan<byte> Magic => [0x70, 0x73, 0x62, 0x74, 0xff];

    /// <summary>The type of the global entry that holds the transaction, which has no key data (PSBT_GLOBAL_UNSIGNED_TX).</summary>
    internal const byte UnsignedTransaction = 0x00;

    /// <summary>The transaction without signatures. Its txid is final where all inputs are segwit.</summary>
    public static bool TryReadTransaction(ReadOnlySpan<byte> psbt, [NotNullWhen(true)] out BitcoinTransaction? transaction)
    {
        transaction = null;
        if (!psbt.StartsWith(Magic)) return false;
        var reader = new BitcoinReader(psbt[Magic.Length..]);
        // A map ends with an empty key.
        while (reader.TryReadBytes(out var key) && key.Length > 0 && reader.TryReadBytes(out var value))
        {
            if (key is [UnsignedTransaction]) return BitcoinTransaction.TryParse(value, out transaction) && transaction.Stripped.Length == value.Length;
        }
        return false;
    }
}
