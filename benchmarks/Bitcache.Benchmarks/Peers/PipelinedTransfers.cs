using System.Globalization;
using System.Text;
using Bitcache.Benchmarks.Load;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Peers;

/// <summary>Transfers as script calls to Redis, so many sent before the first answer is read.</summary>
internal sealed class PipelinedTransfers : Dialogue
{
    private const int CommandBytesMax = 256;
    private static readonly byte[] Run = [.. "EVALSHA"u8];
    private static readonly byte[] Keys = [.. "3"u8];

    private readonly byte[][] _wallets;
    private readonly byte[][] _amounts;
    private readonly PaymentSource _payments;
    private readonly int _pipeline;
    private readonly byte[] _allAccepted;
    private readonly byte[] _transfer = [.. "t"u8, .. new byte[OperationId.Bytes]];
    private readonly byte[] _script;

    public PipelinedTransfers(string script, int wallets, int pipeline)
    {
        _pipeline = pipeline;
        _payments = new PaymentSource(wallets);
        _script = Encoding.ASCII.GetBytes(script);
        _wallets = [.. Enumerable.Range(0, wallets).Select(number => Text('w' + Number(number)))];
        _amounts = [.. Enumerable.Range(0, PaymentSource.AmountMsatMax + 1).Select(number => Text(Number(number)))];
        _allAccepted = Text(string.Concat(Enumerable.Repeat(":0\r\n", pipeline)));

        static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
        static byte[] Text(string text) => Encoding.ASCII.GetBytes(text);
    }

    public override int PaymentsPerRequest => _pipeline;
    public override int RequestBytesMax => _pipeline * CommandBytesMax;
    public override int AnswerBytesMax => 64 << 10;

    public override int WriteRequest(Span<byte> request)
    {
        var length = 0;
        for (var i = 0; i < _pipeline; i++)
        {
            var payment = _payments.Next();
            payment.Id.Write(_transfer.AsSpan(1));
            length += RespClient.WriteCommand(
                request[length..], Run, _script, Keys, _wallets[payment.Payer], _wallets[payment.Payee], _transfer, _amounts[payment.AmountMsat]);
        }
        return length;
    }

    public override bool IsWholeAnswer(ReadOnlySpan<byte> answer)
    {
        if (answer.Count((byte)'\n') < _pipeline) return false;
        return answer.SequenceEqual(_allAccepted)
            ? true
            : throw new BenchFailedException($"Redis did not accept all of a pipeline: {Encoding.UTF8.GetString(answer)}");
    }
}
