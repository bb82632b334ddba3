// One payment a request, as HTTP/1.1 with keep-alive. The request is a template of fixed length: JSON allows blanks
// before a number, so even the amount needs no other length.

using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Bitcache.Benchmarks.Load;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Http;

internal sealed class SinglePayments : Dialogue
{
    private const int IdLength = 36;
    private const string NoId = "00000000-0000-0000-0000-000000000000";
    private const string NoAmount = "    ";
    private const int StatusOffset = 9;
    private const int StatusLength = 3;

    private readonly byte[] _template;
    private readonly int _idAt;
    private readonly int _payerAt;
    private readonly int _payeeAt;
    private readonly int _amountAt;
    private readonly byte[][] _wallets;
    private readonly PaymentSource _payments;
    private readonly int _status;

    /// <param name="path">Where payments are posted.</param>
    /// <param name="status">The only status that is a success.</param>
    public SinglePayments(Uri server, string path, string key, int status, IReadOnlyList<WalletId> wallets)
    {
        _status = status;
        _wallets = [.. wallets.Select(w => Encoding.ASCII.GetBytes(w.ToString()))];
        _payments = new PaymentSource(wallets.Count);
        var wallet = new string('w', _wallets[0].Length);
        var body = $$"""{"id":"{{NoId}}","payer":"{{wallet}}","payee":"{{wallet}}","amountMsat":{{NoAmount}}}""";
        var head = string.Create(CultureInfo.InvariantCulture,
            $"POST {path} HTTP/1.1\r\nHost: {server.Authority}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n");
        _template = Encoding.ASCII.GetBytes(head + body);
        _idAt = head.Length + body.IndexOf(NoId, StringComparison.Ordinal);
        _payerAt = head.Length + body.IndexOf(wallet, StringComparison.Ordinal);
        _payeeAt = head.Length + body.LastIndexOf(wallet, StringComparison.Ordinal);
        _amountAt = head.Length + body.LastIndexOf(NoAmount, StringComparison.Ordinal);
    }

    public override int PaymentsPerRequest => 1;
    public override int RequestBytesMax => _template.Length;
    public override int AnswerBytesMax => 8 << 10;

    public override int WriteRequest(Span<byte> request)
    {
        var payment = _payments.Next();
        _template.CopyTo(request);
        Span<byte> id = stackalloc byte[OperationId.Bytes];
        payment.Id.Write(id);
        new Guid(id, bigEndian: true).TryFormat(request.Slice(_idAt, IdLength), out _);
        _wallets[payment.Payer].CopyTo(request[_payerAt..]);
        _wallets[payment.Payee].CopyTo(request[_payeeAt..]);
        Utf8Formatter.TryFormat(payment.AmountMsat, request.Slice(_amountAt, NoAmount.Length), out _);
        return _template.Length;
    }

    public override bool IsWholeAnswer(ReadOnlySpan<byte> answer)
    {
        var headLength = answer.IndexOf("\r\n\r\n"u8);
        if (headLength < 0) return false;
        var head = answer[..headLength];
        if (!IsWhole(head, answer[(headLength + 4)..])) return false;
        if (Utf8Parser.TryParse(head.Slice(StatusOffset, StatusLength), out int status, out _) && status == _status) return true;
        throw new BenchFailedException($"a payment was answered with {Encoding.UTF8.GetString(answer)}");
    }

    /// <summary>By its length, or by its last chunk: there is one answer at a time, and JSON holds no bare line end.</summary>
    private static bool IsWhole(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
    {
        var lengthName = "Content-Length: "u8;
        var length = head.IndexOf(lengthName);
        if (length < 0) return body.EndsWith("0\r\n\r\n"u8);
        return Utf8Parser.TryParse(head[(length + lengthName.Length)..], out int bytes, out _) && body.Length >= bytes;
    }
}
