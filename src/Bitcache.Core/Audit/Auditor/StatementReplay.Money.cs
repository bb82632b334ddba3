namespace Bitcache.Core.Audit;

// Payments and holds.
internal sealed partial class StatementReplay
{
    private readonly Dictionary<(WalletId Payer, OperationId Id), long> _holds = [];

    private void Debit(WalletId wallet, int partition, Msat amount)
    {
        ref var account = ref _accounts[wallet, partition];
        if (account.Available < amount.Value) throw new ImpossibleEntryException($"it takes {amount} from {wallet}, which has {account.Available} msat");
        account.Available -= amount.Value;
    }

    /// <summary>What is owed for a reversed deposit is repaid first.</summary>
    private void Credit(WalletId wallet, int partition, Msat amount)
    {
        if (amount.IsZero) return;
        ref var account = ref _accounts[wallet, partition];
        var repaid = Math.Min(account.Owed, amount.Value);
        account.Owed -= repaid;
        account.Available += amount.Value - repaid;
    }

    /// <summary>Gives to a wallet, or sends to where it lives.</summary>
    private void Pay(WalletId wallet, int partition, Msat amount)
    {
        if (_accounts.IsHere(wallet, partition)) Credit(wallet, partition, amount);
        else _accounts.Find(wallet, partition).InFlight += amount.Value;
    }

    private void Hold(WalletId wallet, int partition, Msat amount)
    {
        Debit(wallet, partition, amount);
        _accounts[wallet, partition].Held += amount.Value;
    }

    private void TakeHeld(WalletId wallet, int partition, long msat)
    {
        ref var account = ref _accounts[wallet, partition];
        if (account.Held < msat) throw new ImpossibleEntryException($"it takes {msat} msat of what {wallet} has set aside, which is {account.Held} msat");
        account.Held -= msat;
    }

    private void ApplyHold(Entry e)
    {
        switch (e.Command)
        {
            case PlaceHold place:
                Hold(place.Payer, e.Partition, place.Amount + e.Fee);
                if (!_holds.TryAdd((place.Payer, place.Id), (place.Amount + e.Fee).Value)) throw new ImpossibleEntryException($"hold {place.Id} of {place.Payer} is placed twice");
                break;
            case CaptureHold capture:
                TakeHold(capture.Payer, capture.Hold, e.Partition, (capture.Amount + e.Fee + e.Released).Value, ends: !e.Released.IsZero || capture.Close);
                Credit(capture.Payer, e.Partition, e.Released);
                Pay(capture.Payee, e.Partition, capture.Amount);
                Credit(_accounts.Operator, e.Partition, e.Fee);
                break;
            case ReleaseHold release:
                TakeHold(release.Payer, release.Hold, e.Partition, e.Released.Value, ends: true);
                Credit(release.Payer, e.Partition, e.Released);
                break;
            case ExpireHold expire:
                TakeHold(expire.Payer, expire.Hold, e.Partition, e.Released.Value, ends: true);
                Credit(expire.Payer, e.Partition, e.Released);
                break;
        }
    }

    private void TakeHold(WalletId payer, OperationId id, int partition, long msat, bool ends)
    {
        if (!_holds.TryGetValue((payer, id), out var left) || left < msat || (ends && left != msat))
            throw new ImpossibleEntryException($"it takes {msat} msat of hold {id} of {payer}, of which {left} msat are left");
        if (left == msat) _holds.Remove((payer, id));
        else _holds[(payer, id)] = left - msat;
        TakeHeld(payer, partition, msat);
    }
}
