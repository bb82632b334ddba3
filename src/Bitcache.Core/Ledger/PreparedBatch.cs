using System.Buffers.Binary;
using System.Numerics;

namespace Bitcache.Core;

/// <summary>A copy of the records of one batch, with what can be found out about them before their turn: on another thread,
/// while the ledger replays the batches before it. May be filled again and again.</summary>
public sealed class PreparedBatch
{
    private const int RoomMin = 1 << 10;

    /// <param name="End">Where the record ends among the bytes.</param>
    /// <param name="PayerHash">Of the wallet where a transfer's payer stands; of a record without one any.</param>
    /// <param name="PayeeHash">The same of the payee.</param>
    internal readonly record struct Sight(int End, uint PayerHash, uint PayeeHash);

    private byte[] _bytes = [];
    private Sight[] _sights = [];
    private int _length;
    private int _count;

    internal ReadOnlySpan<byte> Records => _bytes.AsSpan(0, _length);

    /// <summary>One of each record.</summary>
    internal ReadOnlySpan<Sight> Sights => _sights.AsSpan(0, _count);

    /// <summary>Takes the records in. Of the ledger it reads only what never changes, on any thread.</summary>
    /// <exception cref="FormatException">The bytes are not records.</exception>
    public void Fill(ReadOnlySpan<byte> records, Ledger ledger)
    {
        (_length, _count) = (records.Length, 0);
        if (_bytes.Length < records.Length) _bytes = GC.AllocateUninitializedArray<byte>((int)BitOperations.RoundUpToPowerOf2((uint)records.Length));
        for (var start = 0; start < records.Length;)
        {
            var left = records.Length - start;
            var length = left < Entry.RecordHeaderBytes ? 0 : BinaryPrimitives.ReadUInt32BigEndian(records[start..]);
            if (length < Entry.RecordHeaderBytes || length > left) throw new FormatException("a record's length does not match its bytes");
            var record = records.Slice(start, (int)length);
            start += record.Length;
            if (_count == _sights.Length) Array.Resize(ref _sights, Math.Max(RoomMin, 2 * _count));
            _sights[_count++] = TransferRecord.HasWallets(record)
                ? new Sight(start, ledger.HashOf(TransferRecord.PayerOf(record)), ledger.HashOf(TransferRecord.PayeeOf(record)))
                : new Sight(start, 0, 0);
        }
        records.CopyTo(_bytes);
    }
}
