// Balances change only through these few methods, each of which moves the totals with them, so that conservation
// can be checked after every batch at no cost.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Whether a wallet may give away an amount: the state first, then the funds.</summary>
    private static Outcome CheckOutflow(in Wallet wallet, Msat amount)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        return wallet.Available < amount ? Outcome.InsufficientFunds : Outcome.None;
    }

    /// <summary>Whether a wallet may give away anything.</summary>
    private static Outcome CheckState(in Wallet wallet)
    {
        if (wallet.IsFrozen) return Outcome.WalletFrozen;
        return wallet.Owes ? Outcome.WalletOwes : Outcome.None;
    }

    private void Debit(ref Wallet wallet, Msat amount)
    {
        wallet.Available -= amount;
        _totals.Available -= amount.Value;
    }

    /// <summary>A credit cannot fail. What the wallet owes for a reversed deposit is repaid first.</summary>
    private void Credit(ref Wallet wallet, Msat amount)
    {
        if (!wallet.Owed.IsZero)
        {
            var repaid = Msat.Min(wallet.Owed, amount);
            wallet.Owed -= repaid;
            _totals.Owed -= repaid.Value;
            amount -= repaid;
        }
        wallet.Available += amount;
        _totals.Available += amount.Value;
    }

    private void SetAside(ref Wallet wallet, Msat amount)
    {
        Debit(ref wallet, amount);
        wallet.Held += amount;
        _totals.Held += amount.Value;
    }

    /// <summary>Takes from what is held; the caller books where it went.</summary>
    private void TakeHeld(ref Wallet wallet, Msat amount)
    {
        wallet.Held -= amount;
        _totals.Held -= amount.Value;
    }

    /// <summary>Checks after every batch that what is inside is what came from Bitcoin and from other partitions.</summary>
    /// <exception cref="LedgerInvariantException">It is not: the process must stop.</exception>
    public void CheckConservation() => Assert(
        _totals.IsConserved,
        $"conservation: {_totals.Inside} msat inside, {_totals.FromBitcoin} msat from Bitcoin, {_totals.FromPartitions} msat from other partitions");

    /// <summary>Adds every balance up anew and holds the sums against the running totals: after recovery and at
    /// every epoch.</summary>
    public void CheckEveryBalance()
    {
        long available = 0, held = 0, frozen = 0, owed = 0;
        for (var slot = 0; slot < _wallets.Count; slot++)
        {
            ref readonly var wallet = ref _wallets.Peek(slot);
            available += wallet.Available.Value;
            held += wallet.Held.Value;
            frozen += wallet.Frozen.Value;
            owed += wallet.Owed.Value;
        }
        Assert(
            (available, held, frozen, owed) == (_totals.Available, _totals.Held, _totals.Frozen, _totals.Owed),
            "the totals are the sums of the balances");
        CheckHolds();
        CheckConservation();
    }
}
