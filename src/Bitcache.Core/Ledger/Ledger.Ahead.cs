// Memory is asked for before it is needed. Whoever submits a block of payments has looked for their wallets in the index, on his
// own thread; of a payment eight places ahead the owner asks for the rows that were found, and for the cell where its id belongs.
// In a replay the thread that reads the journal looks (PreparedBatch).

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>So many payments' cells are asked for in one go, and none is read before: a processor looks for the pages of
    /// several at a time only where the requests stand close together.</summary>
    private const int SightedTogether = 16;
    private const int RowsAhead = 8;
    /// <summary>Payments lie in the cache of the core that read the request.</summary>
    private const int PaymentsAhead = 32;
    /// <summary>Of a payment those that come before its reference, about.</summary>
    private const int PlainPaymentBytes = 128;

    /// <summary>On any thread: looks for the wallets of payments that are to be applied. Those that are made only now may not be found,
    /// and are looked up in their turn.</summary>
    /// <param name="sights">At least as long as <paramref name="payments"/>.</param>
    public void Sight(ReadOnlySpan<Payment> payments, Span<PaymentSight> sights)
    {
        Span<(uint Payer, uint Payee)> hashes = stackalloc (uint, uint)[SightedTogether];
        for (var first = 0; first < payments.Length; first += SightedTogether)
        {
            var some = payments[first..Math.Min(first + SightedTogether, payments.Length)];
            for (var i = 0; i < some.Length; i++) hashes[i] = (_wallets.Hash(some[i].Payer), _wallets.Hash(some[i].Payee));
            foreach (var (payer, payee) in hashes[..some.Length])
            {
                _wallets.PrefetchGuess(payer);
                _wallets.PrefetchGuess(payee);
            }
            for (var i = 0; i < some.Length; i++)
            {
                var (payer, payee) = (_wallets.Guess(hashes[i].Payer), _wallets.Guess(hashes[i].Payee));
                sights[first + i] = new PaymentSight(payer, payee, _ids.Hash(payer, some[i].Id));
            }
        }
    }

    private void PrefetchRows(in Payment payment, in PaymentSight sight)
    {
        _wallets.PrefetchSeen(payment.Payer, sight.Payer);
        _wallets.PrefetchSeen(payment.Payee, sight.Payee);
        if (sight.Payer >= 0) _ids.PrefetchCell(sight.IdHash, payment.Id);
    }
}

/// <summary>What <see cref="Ledger.Sight"/> found out about a payment. A guess: it is held against the payment in its turn.</summary>
public readonly record struct PaymentSight
{
    internal PaymentSight(int payer, int payee, uint idHash) => (Payer, Payee, IdHash) = (payer, payee, idHash);

    /// <summary>The slot that is most probably the payer's, or -1.</summary>
    internal int Payer { get; }

    /// <summary>The same of the payee.</summary>
    internal int Payee { get; }

    /// <summary>Of the payment's id under that payer.</summary>
    internal uint IdHash { get; }
}
