// The binary form of a batch: records of PaymentRecord (160 bytes each) in, records of 48 bytes out, in the same order.
// The answer's integers are little-endian, too:
//
//     0  u16  outcome: the number of Outcome; 1 is accepted
//     2  6    0
//     8  i64  sequence of the entry; 0 where nothing was journaled
//    16  i64  the payer's available balance in msat; -1 where it is not told
//    24  i64  the payee's; -1 where it is not told, because the payee belongs to somebody else
//    32  i64  what was moved, held or given back in msat; 0 where nothing was
//    40  i64  what the payer paid on top, or has held for that; 0 where the payer's balance is not told

using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using System.Text.Unicode;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Server.Api;

internal static class BinaryBatch
{
    public const string RequestType = "application/vnd.bitcache.payments.v1";
    public const string ResponseType = "application/vnd.bitcache.outcomes.v1";
    public const int AnswerBytes = 48;

    /// <summary>Fills the block. A record that cannot be read takes its place as a payment of no kind, and so does one whose
    /// reference must not be shown.</summary>
    public static async Task<Problem?[]?> ReadAsync(PipeReader reader, PaymentBlock block)
    {
        await BatchBody.ReadAsync(
            reader,
            (ref bytes, _) =>
            {
                if (bytes.FirstSpan.Length >= PaymentRecord.Bytes) return TakeAll(ref bytes, block);
                if (bytes.Length < PaymentRecord.Bytes) return false;
                Span<byte> record = stackalloc byte[PaymentRecord.Bytes];
                bytes.Slice(0, PaymentRecord.Bytes).CopyTo(record);
                Take(record, out BatchBody.Next(block));
                bytes = bytes.Slice(PaymentRecord.Bytes);
                return true;
            });
        return null;
    }

    public static void Write(PipeWriter writer, ReadOnlySpan<PaymentResult> results)
    {
        var bytes = writer.GetSpan(results.Length * AnswerBytes);
        for (var i = 0; i < results.Length; i++) Write(bytes.Slice(i * AnswerBytes, AnswerBytes), results[i]);
        writer.Advance(results.Length * AnswerBytes);
    }

    private static bool TakeAll(ref ReadOnlySequence<byte> bytes, PaymentBlock block)
    {
        var span = bytes.FirstSpan;
        var taken = 0;
        for (; span.Length - taken >= PaymentRecord.Bytes; taken += PaymentRecord.Bytes)
            Take(span.Slice(taken, PaymentRecord.Bytes), out BatchBody.Next(block));
        bytes = bytes.Slice(taken);
        return true;
    }

    private static void Take(ReadOnlySpan<byte> record, out Payment payment)
    {
        if (PaymentRecord.TryRead(record, out payment) && !IsPlain(payment.Reference)) payment = default;
    }

    /// <summary>The rule of references in JSON. Nearly all of them are empty or ASCII, which one look over the bytes tells.</summary>
    private static bool IsPlain(ReadOnlySpan<byte> reference) =>
        !reference.ContainsAnyExceptInRange((byte)' ', (byte)'~')
        || (Utf8.IsValid(reference) && PlainText.IsPlain(Encoding.UTF8.GetString(reference)));

    private static void Write(Span<byte> bytes, in PaymentResult result)
    {
        BinaryPrimitives.WriteInt64LittleEndian(bytes, (ushort)result.Outcome);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], result.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], result.PayerAvailable?.Value ?? -1);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[24..], result.PayeeAvailable?.Value ?? -1);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], result.Amount.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[40..], result.PayerAvailable is null ? 0 : result.Fee.Value);
    }
}
