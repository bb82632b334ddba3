using System.Buffers.Binary;
using System.Numerics;

namespace Bitcache.Core;

/// <summary>A copy of the records of one batch, with what can be found out about them before their turn: on another thread,
/// while the ledger replays the batches before it. May be filled again and again.</summary>
public sealed class PreparedBatch
{
    private const int RoomMin = 1 << 10;
    /// <summary>A record's wallets are looked for in the index when so many records behind it were read: their cells are there then.</summary>
    private const int RecordsAhead = 16;

    /// <param name="End">Where the record ends among the bytes.</param>
    /// <param name="Payer">The slot that is most probably that of the wallet where a transfer's payer stands, or -1; of a record
    /// without one any.</param>
    /// <param name="Payee">The same of the payee.</param>
    /// <param name="IdHash">Of a transfer's id under that payer.</param>
    internal readonly record struct Sight(int End, int Payer, int Payee, uint IdHash)
    {
        /// <summary>Of a record whose wallets are still to be found.</summary>
        public static Sight Of(int end, uint payerHash, uint payeeHash) => new(end, unchecked((int)payerHash), unchecked((int)payeeHash), 0);

        public uint PayerHash => unchecked((uint)Payer);
        public uint PayeeHash => unchecked((uint)Payee);
    }

    private byte[] _bytes = [];
    private Sight[] _sights = [];
    private int _length;
    private int _count;

    internal ReadOnlySpan<byte> Records => _bytes.AsSpan(0, _length);

    /// <summary>One of each record.</summary>
    internal ReadOnlySpan<Sight> Sights => _sights.AsSpan(0, _count);

    /// <summary>Takes the records in. Of the ledger it reads, on any thread, what never changes, and the wallets' index as it is
    /// just now.</summary>
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
            _sights[_count++] = TransferRecord.HasWallets(record) ? ledger.BeginGuess(record, start) : new Sight(start, 0, 0, 0);
            if (_count > RecordsAhead) Find(records, _count - 1 - RecordsAhead, ledger);
        }
        for (var at = Math.Max(0, _count - RecordsAhead); at < _count; at++) Find(records, at, ledger);
        records.CopyTo(_bytes);
    }

    private void Find(ReadOnlySpan<byte> records, int at, Ledger ledger)
    {
        var record = records[(at == 0 ? 0 : _sights[at - 1].End).._sights[at].End];
        if (TransferRecord.HasWallets(record)) _sights[at] = ledger.Guess(record, _sights[at]);
    }
}
