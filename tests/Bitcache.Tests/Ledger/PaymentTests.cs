// The struct that a payment is. It allocates nothing in the ledger, whatever its kind. Tables grow now and then, and
// code that the runtime has not optimised yet puts values into boxes: so each kind is measured in small batches until
// one has cost nothing.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class PaymentTests
{
    private const int BatchesMax = 1_900;
    private const int BatchPayments = 50;
    private static readonly WalletId Payer = RuleTable.Wallet("a");
    private static readonly WalletId Payee = RuleTable.Wallet("b");

    [Theory]
    [InlineData(PaymentKind.Transfer)]
    [InlineData(PaymentKind.Hold)]
    [InlineData(PaymentKind.Capture)]
    [InlineData(PaymentKind.Release)]
    [InlineData(PaymentKind.Refund)]
    public void A_payment_allocates_nothing(PaymentKind kind)
    {
        var rules = RuleTable.Run(TransferRules.Funded + """

            limits a 900 0 900                 Accepted
            fees 1 flat 0.001 ppm 10           Accepted
            pay a b 100 id p                   Accepted
            """);
        var ledger = rules.Book.Ledger;
        var original = ledger.FindId(RuleTable.Wallet("a"), rules.Id("p"))!.Value;
        var context = new ApplyContext(Book.Start, 1, 1, ClockTrusted: true);
        var record = new byte[Limits.RecordBytesMax];
        var least = long.MaxValue;
        for (var batch = 0; batch < BatchesMax && least > 0; batch++)
        {
            // What is captured and released must have been held.
            if (kind is PaymentKind.Capture or PaymentKind.Release) ApplyAll(PaymentKind.Hold);
            var accepted = 0;
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = batch * BatchPayments; i < (batch + 1) * BatchPayments; i++)
            {
                var payment = Make(kind, i, original);
                if (ledger.Apply(payment, context, record).Outcome == Outcome.Accepted) accepted++;
            }
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(BatchPayments, accepted);
            // One wallet may have so many open holds and no more.
            if (kind is PaymentKind.Capture or PaymentKind.Hold) ApplyAll(PaymentKind.Release);

            void ApplyAll(PaymentKind other)
            {
                for (var i = batch * BatchPayments; i < (batch + 1) * BatchPayments; i++)
                    Assert.Equal(Outcome.Accepted, ledger.Apply(Make(other, i, original), context, record).Outcome);
            }
        }
        Assert.Equal(0, least);
    }

    private static Payment Make(PaymentKind kind, int number, long original)
    {
        return kind switch
        {
            PaymentKind.Refund => new Payment
            {
                Kind = kind,
                Id = OperationId.Create(Book.Start, (UInt128)(1_000_000 + number)),
                Payer = Payee,
                Payee = Payer,
                Amount = new Msat(1),
                OriginalSequence = original,
                OriginalAmount = new Msat(100_000),
            },
            PaymentKind.Hold => new Payment
            {
                Kind = kind,
                Id = OperationId.Create(Book.Start, (UInt128)(2_000_000 + number)),
                Payer = Payer,
                Payee = Payee,
                Amount = new Msat(2),
                Expires = new UnixTime(Book.Start.Milliseconds + 1 + (number * 7 % 100)),
            },
            _ => new Payment
            {
                Kind = kind,
                Id = OperationId.Create(Book.Start, (UInt128)(((int)kind + 3) * 1_000_000) + (UInt128)number),
                Payer = Payer,
                Payee = Payee,
                Amount = new Msat(1),
                Target = OperationId.Create(Book.Start, (UInt128)(2_000_000 + number)),
            },
        };
    }

    [Fact]
    public void A_payment_and_its_command_say_the_same()
    {
        var payments = GoldenJournal.Read().Select(r => Entry.Read(r).Command).OfType<PaymentCommand>().ToList();
        Assert.Equal(5, payments.Select(p => p.ToPayment().Kind).Distinct().Count());
        foreach (var payment in payments)
        {
            var same = PaymentCommand.From(payment.ToPayment());
            Assert.True(same.HasSameTerms(payment));
            Assert.Equal((payment.Id, payment.Payer), (same.Id, same.Payer));
        }
        Assert.Throws<ArgumentException>(() => PaymentCommand.From(default));
    }

    [Fact]
    public void A_payment_is_as_small_as_it_can_be() => Assert.Equal(160, System.Runtime.CompilerServices.Unsafe.SizeOf<Payment>());

    [Fact]
    public void A_payment_with_a_flag_of_another_kind_is_refused_before_anything_else()
    {
        var ledger = RuleTable.Run(TransferRules.Funded).Book.Ledger;
        var context = new ApplyContext(Book.Start, 1, 1, ClockTrusted: true);
        foreach (var kind in Enum.GetValues<PaymentKind>().Append((PaymentKind)99))
        {
            foreach (var flags in new[] { PaymentFlags.None, PaymentFlags.UpTo, PaymentFlags.Close, PaymentFlags.UpTo | PaymentFlags.Close, (PaymentFlags)4 })
            {
                var payment = new Payment { Kind = kind, Flags = flags };
                var known = flags == PaymentFlags.None && kind is >= PaymentKind.Transfer and <= PaymentKind.Refund;
                var fits = (kind, flags) is (PaymentKind.Transfer, PaymentFlags.UpTo) or (PaymentKind.Capture, PaymentFlags.Close);
                Assert.Equal(known || fits, payment.IsWellFormed);
                if (!payment.IsWellFormed) Assert.Equal(new PaymentResult(Outcome.Malformed, 0, 0), ledger.Apply(payment, context, new byte[1_000]));
            }
        }
    }
}
