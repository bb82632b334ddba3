using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

/// <summary>What the operator says at the close of an epoch, once and for good: what is owed, and what covers it. 164 bytes:
/// <c>"BEC1" || u64be epoch || u64be cut size || u64be height || block hash || liabilities root || u64be total msat ||
/// withdrawals hash || reserves hash</c>. It is the body of an ordinary entry, and so a leaf of the log.</summary>
/// <param name="Epoch">The epoch that was closed; the first one is 1.</param>
/// <param name="CutSize">Leaves of the log right behind the epoch's last cut: the balances are those of that moment.</param>
/// <param name="Height">Of the block that withdrawals and reserves are told by.</param>
/// <param name="Block">That block's hash, in the order in which it was hashed.</param>
/// <param name="LiabilitiesRoot">The root of the sum tree over all balances (<see cref="LiabilityTree"/>).</param>
/// <param name="Total">The sum at that root.</param>
/// <param name="WithdrawalsHash">SHA-256 of <c>withdrawals.csv</c>.</param>
/// <param name="ReservesHash">SHA-256 of <c>reserves.json</c>.</param>
public sealed record EpochStatement(
    long Epoch, long CutSize, uint Height, BlockHash Block, Hash256 LiabilitiesRoot, Msat Total, Hash256 WithdrawalsHash, Hash256 ReservesHash)
{
    public const int Bytes = 4 + (4 * sizeof(long)) + (4 * Hash256.Bytes);

    /// <summary>The log's statement that has these bytes as its body.</summary>
    public const int EntryBytes = Entry.StatementHeaderBytes + Bytes + Entry.SaltBytes;

    /// <summary>Where the root of the liabilities stands in that.</summary>
    internal const int RootInEntry = Entry.StatementHeaderBytes + 4 + (3 * sizeof(long)) + Hash256.Bytes;

    private static ReadOnlySpan<byte> Magic => "BEC1"u8;

    public void Write(Span<byte> bytes)
    {
        var writer = new ByteWriter(bytes);
        writer.Raw(Magic);
        writer.I64(Epoch);
        writer.I64(CutSize);
        writer.I64(Height);
        writer.Hash(Block.Hash);
        writer.Hash(LiabilitiesRoot);
        writer.Amount(Total);
        writer.Hash(WithdrawalsHash);
        writer.Hash(ReservesHash);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Bytes];
        Write(bytes);
        return bytes;
    }

    /// <summary>Reads what <see cref="Write"/> wrote, and nothing else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out EpochStatement? statement)
    {
        statement = null;
        if (bytes.Length != Bytes || !bytes.StartsWith(Magic)) return false;
        var reader = new ByteReader(bytes[Magic.Length..]);
        var (epoch, cutSize, height, block, root) = (reader.I64(), reader.I64(), reader.I64(), reader.Hash(), reader.Hash());
        var (total, withdrawals, reserves) = (reader.I64(), reader.Hash(), reader.Hash());
        if (epoch < 1 || cutSize < 1 || height is < 0 or > Limits.BlockHeightMax || total is < 0 or > Limits.SupplyMsatMax) return false;
        statement = new EpochStatement(epoch, cutSize, (uint)height, new BlockHash(block), root, new Msat(total), withdrawals, reserves);
        return true;
    }

    /// <summary>Reads it out of the log's statement, as the file <c>close.leaf</c> holds it behind its first byte.</summary>
    public static bool TryReadEntry(ReadOnlySpan<byte> entry, [NotNullWhen(true)] out EpochStatement? statement)
    {
        statement = null;
        return entry.Length == EntryBytes && entry[0] == Entry.StatementVersion && entry[1] == (byte)EntryType.EpochStated
            && TryRead(entry.Slice(Entry.StatementHeaderBytes, Bytes), out statement);
    }

    /// <summary>The journaled time of such an entry.</summary>
    public static UnixTime TimeOf(ReadOnlySpan<byte> entry) => new ByteReader(entry[Entry.TimeOffset..]).Time();
}
