// The operator's money is in one account for each partition, so that fees need not travel. It comes in with top-ups to the
// first partition and with fees to all of them, and is needed wherever withdrawals are built: there the cap of their
// mining fee is held.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Levels the operator's accounts. Owned by the settlement loop.</summary>
public sealed class OperatorFunds(SettlementTerm term, EngineSettings settings, TimeProvider time)
{
    /// <summary>What an account holds beside what the next families need, before the rest of it goes to the first: so many caps.</summary>
    private const int CapsKept = 2;

    // The number of the last leg that took money from the first account to each of the others; 0 before the first.
    private readonly PartitionSet _partitions = term.Partitions;
    private readonly long[] _sent = new long[term.Partitions.Count];

    private readonly record struct Account(Msat Available, bool IsNeeded);

    /// <summary>Sends each account that has withdrawals waiting what opening a family costs, once what was sent before has
    /// arrived, and takes from the others what they do not need. With one partition there is nothing to level.</summary>
    public async Task LevelAsync()
    {
        if (_partitions.Count == 1) return;
        var cap = new Sats(settings.FeeCapSat).ToMsat();
        var operatorWallet = await _partitions.First.QueryAsync(ledger => ledger.OperatorWallet.Id);
        var arrived = await _partitions.First.QueryAsync(ledger => Array.ConvertAll([.. Enumerable.Range(0, _partitions.Count)], ledger.LegsAcknowledgedBy));
        var accounts = await _partitions.QueryAllAsync(ledger => new Account(ledger.OperatorWallet.Available, ledger.QueuedWithdrawals > 0));
        for (var number = 1; number < accounts.Length; number++)
        {
            var (there, first) = (accounts[number].Available, accounts[0].Available);
            if (accounts[number].IsNeeded && there < cap && first >= cap + cap && _sent[number] <= arrived[number])
            {
                var moved = await MoveAsync(operatorWallet, from: 0, to: number, cap);
                _sent[number] = moved.Entry?.Leg?.Number ?? 0;
                accounts[0] = accounts[0] with { Available = first - cap };
            }
            else if (!accounts[number].IsNeeded && there.Value > CapsKept * cap.Value)
            {
                await MoveAsync(operatorWallet, from: number, to: 0, there - cap);
            }
        }
    }

    private Task<Answer> MoveAsync(WalletId operatorWallet, int from, int to, Msat amount) =>
        term.SubmitAsync(_partitions[from], new MoveOperatorFunds(ClientIds.Next(time), operatorWallet, to, amount));
}
