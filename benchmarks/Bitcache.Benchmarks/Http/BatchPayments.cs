// Thousands of payments a request, as fixed records. Only ids, wallets and amounts differ from one request to the next.

using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Bitcache.Benchmarks.Load;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Http;

internal sealed class BatchPayments : Dialogue
{
    private const string RequestType = "application/vnd.bitcache.payments.v1";
    private const int AnswerRecordBytes = 48;
    private const int HeadBytesMax = 1_024;
    private const ushort Accepted = (ushort)Outcome.Accepted;

    // Of the record, as its format is documented.
    private const int IdOffset = 8;
    private const int PayerOffset = 24;
    private const int PayeeOffset = 40;
    private const int AmountOffset = 56;

    // A whole request, with what is the same in all of them.
    private readonly byte[] _template;
    private readonly int _headBytes;
    private readonly WalletId[] _wallets;
    private readonly PaymentSource _payments;
    private readonly int _count;

    public BatchPayments(Uri server, string key, IReadOnlyList<WalletId> wallets, int count)
    {
        (_wallets, _payments, _count) = ([.. wallets], new PaymentSource(wallets.Count), count);
        var head = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"POST /v1/transfers:batch HTTP/1.1\r\nHost: {server.Authority}\r\nAuthorization: Bearer {key}\r\nContent-Type: {RequestType}\r\nContent-Length: {count * PaymentRecord.Bytes}\r\n\r\n"));
        _headBytes = head.Length;
        _template = new byte[head.Length + (count * PaymentRecord.Bytes)];
        head.CopyTo(_template);
        for (var at = head.Length; at < _template.Length; at += PaymentRecord.Bytes) _template[at] = (byte)PaymentKind.Transfer;
    }

    public override int PaymentsPerRequest => _count;
    public override int RequestBytesMax => _template.Length;
    public override int AnswerBytesMax => HeadBytesMax + (_count * AnswerRecordBytes);

    public override int WriteRequest(Span<byte> request)
    {
        // A connection's buffer holds its last request, of which all that differs is written anew.
        if (!request.StartsWith(_template.AsSpan(0, _headBytes))) _template.CopyTo(request);
        for (var record = request[_headBytes..]; !record.IsEmpty; record = record[PaymentRecord.Bytes..])
        {
            var (id, payer, payee, amount) = _payments.Next();
            id.Write(record[IdOffset..]);
            _wallets[payer].Write(record[PayerOffset..]);
            _wallets[payee].Write(record[PayeeOffset..]);
            BinaryPrimitives.WriteInt64LittleEndian(record[AmountOffset..], amount);
        }
        return RequestBytesMax;
    }

    public override bool IsWholeAnswer(ReadOnlySpan<byte> answer)
    {
        var headLength = answer.IndexOf("\r\n\r\n"u8);
        if (headLength < 0) return false;
        if (!answer.StartsWith("HTTP/1.1 200 "u8)) throw new BenchFailedException($"a batch was answered with {Encoding.UTF8.GetString(answer)}");
        var lengthName = "Content-Length: "u8;
        var length = answer[..headLength].IndexOf(lengthName);
        if (length < 0 || !Utf8Parser.TryParse(answer[(length + lengthName.Length)..], out int bytes, out _))
            throw new BenchFailedException("the answer to a batch does not say how long it is");
        var body = answer[(headLength + 4)..];
        if (body.Length < bytes) return false;
        for (var i = 0; i < _count; i++)
        {
            if (BinaryPrimitives.ReadUInt16LittleEndian(body[(i * AnswerRecordBytes)..]) != Accepted)
                throw new BenchFailedException($"payment {i} of a batch came to outcome {BinaryPrimitives.ReadUInt16LittleEndian(body[(i * AnswerRecordBytes)..])}");
        }
        return true;
    }
}
