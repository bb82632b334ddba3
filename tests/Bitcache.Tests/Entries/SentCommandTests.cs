using Bitcache.Core;

namespace Bitcache.Tests.Entries;

/// <summary>What one process sends another is there what it was here, all of it: also what no entry of the journal holds.</summary>
[Trait("suite", "core")]
public sealed class SentCommandTests
{
    private const int OfEach = 20;

    [Fact]
    public void Every_kind_of_command_comes_through_whole()
    {
        var random = new Random(1);
        var kinds = AnyValue.Commands.ToArray();
        Assert.InRange(kinds.Length, 40, 200);
        foreach (var kind in kinds)
        {
            for (var i = 0; i < OfEach; i++)
            {
                var command = (Command)AnyValue.Of(kind, random);
                Assert.Equal(AnyValue.Show(command), AnyValue.Show(SentCommand.Read(SentCommand.ToArray(command))));
            }
        }
    }

    [Fact]
    public void A_command_whose_bytes_were_damaged_is_another_one_or_none()
    {
        var random = new Random(2);
        foreach (var kind in AnyValue.Commands.Where(kind => kind != typeof(ConfirmClock)))
        {
            var bytes = SentCommand.ToArray((Command)AnyValue.Of(kind, random));
            for (var i = 0; i < OfEach; i++)
            {
                try
                {
                    Assert.NotNull(SentCommand.Read(Mutations.Of(bytes, random)));
                }
                catch (FormatException)
                {
                }
            }
        }
    }

    /// <summary>Behind its header stands what the entry has, and then what it has not.</summary>
    [Fact]
    public void A_withdrawals_bytes_are_laid_out_as_described()
    {
        var command = new RequestWithdrawal(new OperationId(7), new WalletId(8), new ByteString([0x51]), new Sats(9), Max: false)
        {
            OwnerElsewhere = new WalletId(10),
            ApprovalFrom = new Sats(11),
            AskedBy = new ByteString([0x61]),
        };
        var expected = string.Concat(
            "08", "0000002b", "00000000",
            "00000000000000000000000000000007", "00000000000000000000000000000008", "0151", "0000000000000009", "00",
            "0000000000000000000000000000000a", "01", "000000000000000b", "0161", "00");
        Assert.Equal(expected, Convert.ToHexStringLower(SentCommand.ToArray(command)));
    }

    [Theory]
    [InlineData(PaymentKind.None)]
    [InlineData(PaymentKind.Transfer)]
    [InlineData(PaymentKind.Hold)]
    [InlineData(PaymentKind.Capture)]
    [InlineData(PaymentKind.Release)]
    [InlineData(PaymentKind.Refund)]
    public void Every_kind_of_payment_comes_through_whole(PaymentKind kind)
    {
        var random = new Random(3);
        Span<byte> bytes = stackalloc byte[SentPayment.BytesMax];
        for (var i = 0; i < OfEach; i++)
        {
            var payment = new Payment
            {
                Kind = kind,
                Flags = (PaymentFlags)AnyValue.Of(typeof(PaymentFlags), random),
                Facts = (PayeeFacts)AnyValue.Of(typeof(PayeeFacts), random),
                Id = (OperationId)AnyValue.Of(typeof(OperationId), random),
                Payer = (WalletId)AnyValue.Of(typeof(WalletId), random),
                Payee = (WalletId)AnyValue.Of(typeof(WalletId), random),
                Amount = new Msat(random.Next()),
                Code = (uint)random.Next(),
            };
            if (kind == PaymentKind.Hold) payment = payment with { Expires = new UnixTime(random.Next()) };
            if (kind is PaymentKind.Capture or PaymentKind.Release or PaymentKind.Refund) payment = payment with { Target = new OperationId((UInt128)random.Next()) };
            if (kind == PaymentKind.Refund) payment = payment with { OriginalSequence = random.Next(), OriginalAmount = new Msat(random.Next()) };
            payment.SetReference(new byte[random.Next(Limits.ReferenceBytesMax + 1)]);
            var writer = new ByteWriter(bytes);
            SentPayment.Write(ref writer, payment);
            var reader = new ByteReader(bytes[..writer.Position]);
            Assert.Equal(AnyValue.Show(payment), AnyValue.Show(SentPayment.Read(ref reader)));
            reader.End();
        }
    }

    [Fact]
    public void Every_result_comes_through_whole()
    {
        var random = new Random(4);
        Span<byte> bytes = stackalloc byte[SentPayment.ResultBytesMax];
        for (var i = 0; i < OfEach; i++)
        {
            var result = default(PaymentResult);
            Msat? Perhaps() => random.Next(2) == 0 ? null : new Msat(random.Next(3));
            result.Set((Outcome)AnyValue.Of(typeof(Outcome), random), random.Next(), random.Next(200), new Msat(random.Next()), Perhaps(), Perhaps());
            (result.Fee, result.Released) = (Perhaps() ?? Msat.Zero, Perhaps() ?? Msat.Zero);
            var writer = new ByteWriter(bytes);
            SentPayment.Write(ref writer, result);
            var reader = new ByteReader(bytes[..writer.Position]);
            Assert.Equal(result, SentPayment.ReadResult(ref reader));
            reader.End();
        }
    }
}
