// Memory is asked for before it is needed: of a payment sixteen places ahead the cells of the wallets' index and, when
// these are there, of one eight places ahead the rows that they point to, and the cell where its id belongs. In a replay
// another thread has looked into the index already (PreparedBatch).

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private const int CellsAhead = 16;
    private const int RowsAhead = 8;
    /// <summary>Payments lie in the cache of the core that read the request.</summary>
    private const int PaymentsAhead = 32;
    /// <summary>Of a payment those that come before its reference, about.</summary>
    private const int PlainPaymentBytes = 128;

    /// <summary>What was found out about a payment ahead of it, so that nothing is reckoned or looked up twice.</summary>
    /// <param name="Payer">The slot that is most probably the payer's, or -1.</param>
    /// <param name="Payee">The same of the payee.</param>
    private record struct Upcoming(uint PayerHash, uint PayeeHash, int Payer, int Payee);

    private Upcoming PrefetchCells(WalletId payer, WalletId payee)
    {
        var (payerHash, payeeHash) = (_wallets.Hash(payer), _wallets.Hash(payee));
        _wallets.PrefetchCell(payerHash);
        _wallets.PrefetchCell(payeeHash);
        return new Upcoming(payerHash, payeeHash, -1, -1);
    }

    private void PrefetchRows(ref Upcoming upcoming, OperationId id)
    {
        (upcoming.Payer, upcoming.Payee) = (_wallets.PrefetchRow(upcoming.PayerHash), _wallets.PrefetchRow(upcoming.PayeeHash));
        if (upcoming.Payer >= 0) _ids.PrefetchCell(upcoming.Payer, id);
    }
}
