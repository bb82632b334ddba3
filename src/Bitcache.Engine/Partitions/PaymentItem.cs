using System.Threading.Tasks.Sources;
using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>What came of one payment. Given only when everything it rests on is durable.</summary>
/// <param name="Sequence">Of the entry, that of the first time for a retry; 0 where nothing was journaled.</param>
/// <param name="Time">Of the entry.</param>
/// <param name="Payer">The wallet as it is now.</param>
/// <param name="Payee">The same.</param>
/// <param name="IsRetry">Whether the id was known: this is the first answer again.</param>
public readonly record struct PaymentAnswer(Outcome Outcome, long Sequence, UnixTime Time, Wallet? Payer, Wallet? Payee, bool IsRetry = false)
{
    /// <summary>What was moved, held or given back, the first time; zero where nothing was.</summary>
    public Msat Amount { get; init; }

    /// <summary>What the payer paid on top, or what is held for that.</summary>
    public Msat Fee { get; init; }

    /// <summary>What went back to the payer because a hold was closed, by its last capture or by its release.</summary>
    public Msat Released { get; init; }
}

/// <summary>One payment in the queue.</summary>
/// <param name="partition">Whose queue it is.</param>
internal sealed class PaymentItem(OwnedPartition partition, in Payment payment, uint tenant) : AwaitedItem, IValueTaskSource<PaymentAnswer>
{
    private readonly Payment _payment = payment;
    private PaymentAnswer _answer;

    public ref readonly Payment Payment => ref _payment;

    /// <summary>A retry is answered from the journal.</summary>
    private protected override bool GoesOnAtLength => _answer.Outcome == Outcome.Known;

    /// <summary>Begins the wait for the answer.</summary>
    internal ValueTask<PaymentAnswer> AnswerAsync() => new(this, BeginWait());

    PaymentAnswer IValueTaskSource<PaymentAnswer>.GetResult(short token)
    {
        GetResult(token);
        return _answer.Outcome == Outcome.Known ? partition.Recall(_payment, _answer) : _answer;
    }

    internal override bool Run(Ledger ledger, Batch batch)
    {
        var context = new ApplyContext(batch.Time, tenant, batch.Salts(1)[0], batch.ClockTrusted);
        var result = ledger.Apply(_payment, context, batch.Space);
        batch.Take(new Span<PaymentResult>(ref result), result.BytesWritten);
        _answer = new PaymentAnswer(
            result.Outcome, result.Sequence, batch.Time, ledger.FindWallet(_payment.Payer), ledger.FindWallet(_payment.Payee))
        {
            Amount = result.Amount,
            Fee = result.Fee,
            Released = result.Released,
        };
        return true;
    }
}
