// Balances change only through these few methods, each of which moves the totals with them, so that conservation
// can be checked after every batch at no cost.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Whether a wallet may give away an amount: the state first, then the funds.</summary>
    private Outcome CheckOutflow(in WalletRow wallet, Msat amount)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        return wallet.Available < amount ? Outcome.InsufficientFunds : Outcome.None;
    }

    /// <summary>Whether a wallet may give away anything.</summary>
    private Outcome CheckState(in WalletRow wallet)
    {
        if (wallet.IsFrozen) return Outcome.WalletFrozen;
        return wallet.Arrears > 0 && _wallets.ArrearsOf(wallet).Owes ? Outcome.WalletOwes : Outcome.None;
    }

    private void Debit(ref WalletRow wallet, Msat amount)
    {
        wallet.Available -= amount;
        _totals.Available -= amount.Value;
    }

    /// <summary>A credit cannot fail. What the wallet owes for a reversed deposit is repaid first.</summary>
    private void Credit(ref WalletRow wallet, Msat amount)
    {
        if (wallet.Arrears > 0) amount -= Repay(ref _wallets.ArrearsToChange(ref wallet), amount);
        wallet.Available += amount;
        _totals.Available += amount.Value;
    }

    /// <summary>Returns the part of an amount that is owed.</summary>
    private Msat Repay(ref Arrears arrears, Msat amount)
    {
        var repaid = Msat.Min(arrears.Owed, amount);
        arrears.Owed -= repaid;
        _totals.Owed -= repaid.Value;
        return repaid;
    }

    private void SetAside(ref WalletRow wallet, Msat amount)
    {
        Debit(ref wallet, amount);
        wallet.Held += amount;
        _totals.Held += amount.Value;
    }

    /// <summary>Takes from what is held; the caller books where it went.</summary>
    private void TakeHeld(ref WalletRow wallet, Msat amount)
    {
        wallet.Held -= amount;
        _totals.Held -= amount.Value;
    }

    /// <summary>Checks after every batch that what is inside is what came from Bitcoin and from other partitions.</summary>
    /// <exception cref="LedgerInvariantException">It is not: the process must stop.</exception>
    public void CheckConservation()
    {
        // What is wrong is put into words only where something is: this runs after every batch.
        if (_totals.IsConserved) return;
        Assert(
            false,
            $"conservation: {_totals.Inside} msat inside, {_totals.FromBitcoin} msat from Bitcoin, {_totals.FromPartitions} msat from other partitions");
    }

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
            var arrears = _wallets.ArrearsOf(wallet);
            frozen += arrears.Frozen.Value;
            owed += arrears.Owed.Value;
        }
        Assert(
            (available, held, frozen, owed) == (_totals.Available, _totals.Held, _totals.Frozen, _totals.Owed),
            "the totals are the sums of the balances");
        CheckHolds();
        CheckConservation();
    }
}
