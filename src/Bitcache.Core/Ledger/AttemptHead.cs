namespace Bitcache.Core;

/// <summary>How every statement about a transaction of a family begins, whoever signs it: family, attempt, of a child its number,
/// txid and fee.</summary>
/// <param name="Child">The number of the child; none for an attempt, whose statement has no place for it.</param>
internal readonly record struct AttemptHead(long Family, int Attempt, int? Child, Txid Txid, Sats Fee)
{
    public void Write(ref ByteWriter writer)
    {
        writer.I64(Family);
        writer.U16(Attempt);
        if (Child is { } child) writer.U16(child);
        writer.Hash(Txid.Hash);
        writer.Amount(Fee);
    }

    public static AttemptHead Read(ref ByteReader body, bool isChild) =>
        new(body.I64(), body.U16(), isChild ? body.U16() : null, new Txid(body.Hash()), body.Sats());

    /// <summary>A number as an entry can hold it.</summary>
    public static int Numbered(int number, string name) => number is >= 0 and <= ushort.MaxValue ? number : throw new ArgumentOutOfRangeException(name);
}
