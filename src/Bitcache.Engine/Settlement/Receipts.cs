using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>The proof of one entry, as its owner keeps it.</summary>
/// <param name="Leaf">00 || statement: its SHA-256 is the log's leaf.</param>
/// <param name="TlogProof">c2sp.org/tlog-proof@v1, up to a signed checkpoint.</param>
/// <param name="OpenTimestamps">The proof up to a block, once an anchor over the entry is in one.</param>
public sealed record Receipt(byte[] Leaf, string TlogProof, byte[]? OpenTimestamps, long? AnchorHeight, Txid? AnchorTxid);

/// <summary>Makes receipts from the journal and the log; needs no node.</summary>
public sealed class Receipts(PartitionSet partitions, LogKeeper log, string origin)
{
    /// <summary>How large the log is up to which there are receipts: that of the newest checkpoint.</summary>
    internal long LogSize => log.CheckpointSize;

    /// <summary>The receipt of a journaled entry, or null while no signed checkpoint covers it.</summary>
    public async Task<Receipt?> FindAsync(int partition, long sequence)
    {
        if (log.FindIndex(partition, sequence) is not { } index || log.FindProof(index) is not { } proof) return null;
        var statement = Entry.StatementOf(partitions[partition].ReadRecord(sequence), sequence).ToArray();
        byte[] leaf = [Rfc6962.LeafPrefix, .. statement];
        var anchor = await partitions.First.QueryAsync(ledger => ledger.FindConfirmedAnchor(index));
        if (anchor is null || log.FindPath(index, anchor.Anchor!.TreeSize) is not { } path) return new Receipt(leaf, proof.Write(), null, null, null);
        var transaction = TransactionOf(anchor);
        return new Receipt(
            leaf, proof.Write(), Timestamp(index, statement, path, anchor, transaction), anchor.Confirmation!.Height, transaction.Txid);
    }

    /// <summary>The transaction of an anchor that is in a block, as it was sent.</summary>
    internal ByteString RawTransactionOf(Family anchor) => anchor.Archived == 0
        ? anchor.Attempts[anchor.Confirmation!.Attempt - 1].Transaction
        : ((ArchiveFamily)partitions.First.ReadEntry(anchor.Archived).Command).Transaction;

    private BitcoinTransaction TransactionOf(Family anchor) => AnchorChain.Parse(RawTransactionOf(anchor));

    private byte[] Timestamp(long index, byte[] statement, IReadOnlyList<Hash256> path, Family anchor, BitcoinTransaction transaction)
    {
        var (terms, confirmation) = (anchor.Anchor!, anchor.Confirmation!);
        return new OpenTimestampsBuilder(Rfc6962.LeafHash(statement))
            .LogPath(index, terms.TreeSize, path)
            .Anchor(
                AnchorChain.ToRecord(terms, origin), transaction,
                new BlockProof(transaction.Txid, (int)confirmation.Position, confirmation.Siblings))
            .ToBytes((int)confirmation.Height);
    }
}
