using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Bitcoin;

/// <summary>A whole block as nodes exchange it.</summary>
public sealed record BitcoinBlock(BlockHeader Header, IReadOnlyList<BitcoinTransaction> Transactions)
{
    private const int TransactionBytesMin = 60;

    /// <summary>Whether these are the transactions that the header commits to.</summary>
    public bool IsWhole => BlockProof.MerkleRoot([.. Transactions.Select(t => t.Txid)]) == Header.MerkleRoot;

    public static bool TryParse(ReadOnlySpan<byte> raw, [NotNullWhen(true)] out BitcoinBlock? block)
    {
        block = null;
        var reader = new BitcoinReader(raw);
        if (raw.Length > Limits.BlockBytesMax || !reader.TryRead(BlockHeader.Bytes, out var head) || !BlockHeader.TryParse(head, out var header)) return false;
        if (!reader.TryReadCount(TransactionBytesMin, out var count) || count == 0) return false;
        var transactions = new List<BitcoinTransaction>(count);
        for (var i = 0; i < count; i++)
        {
            if (!BitcoinTransaction.TryRead(ref reader, out var transaction)) return false;
            transactions.Add(transaction);
        }
        if (reader.Left != 0) return false;
        block = new BitcoinBlock(header, transactions);
        return true;
    }
}
