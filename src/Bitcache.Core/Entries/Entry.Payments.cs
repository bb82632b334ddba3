using System.Buffers.Binary;

namespace Bitcache.Core;

public sealed partial record Entry
{
    /// <summary>Reads the payment that a record was made from, without making objects. False if the first record is of
    /// another kind: <see cref="Read"/> tells what it is, or what is wrong with it.</summary>
    /// <param name="records">Begins with a record; more may follow.</param>
    /// <param name="context">What came to the payment from outside. Its id's time was checked then.</param>
    /// <param name="length">Bytes of the record.</param>
    internal static bool TryReadPayment(ReadOnlySpan<byte> records, out Payment payment, out ApplyContext context, out int length)
    {
        (payment, context, length) = (default, default, 0);
        if (records.Length < RecordHeaderBytes + StatementHeaderBytes) return false;
        if ((EntryType)records[RecordHeaderBytes + 1] is not (EntryType.Transfer or EntryType.TransferRefused) || records[MarksOffset] != 0) return false;
        var stated = BinaryPrimitives.ReadUInt32BigEndian(records);
        if (stated < RecordHeaderBytes || stated > records.Length) return false;
        length = (int)stated;
        // Throws where Read would.
        var statement = StatementOf(records[..length]);
        if (statement.Length < StatementHeaderBytes + SaltBytes) return false;
        var reader = new ByteReader(statement[4..^SaltBytes]);
        reader.I64();
        context = new ApplyContext(reader.Time(), BinaryPrimitives.ReadUInt32BigEndian(records[8..]), new ByteReader(statement[^SaltBytes..]).U128(), ClockTrusted: false);
        payment = new Payment
        {
            Kind = PaymentKind.Transfer,
            Facts = PayeeFacts.All,
            Id = reader.Id(),
            Payer = reader.Wallet(),
            Payee = reader.Wallet(),
            Amount = reader.Msat(),
            Code = reader.U32(),
        };
        int bytes = reader.U8();
        if (bytes > Limits.ReferenceBytesMax) return false;
        payment.SetReference(reader.Take(bytes));
        return true;
    }
}
