using System.Diagnostics;

namespace Bitcache.Core.Audit;

/// <summary>A withdrawal whose money is set aside.</summary>
internal sealed record ReplayWithdrawal(int Partition, ByteString Script, Sats Amount, Sats Fee);

/// <summary>A transaction that was signed or handed to its signer.</summary>
internal sealed record ReplayTransaction(int Attempt, int Child, Txid Txid, Sats Fee);

/// <summary>The block that a family's transaction is in.</summary>
internal sealed record ReplayConfirmation(int Attempt, uint Height, BlockHash Block);

/// <summary>A family that has not ended.</summary>
internal sealed record ReplayFamily(int Partition, Sats FeeCap, IReadOnlyList<WithdrawalKey> Withdrawals)
{
    public List<ReplayTransaction> Transactions { get; } = [];
    public ReplayConfirmation? Confirmed { get; set; }
}

// What goes out.
internal sealed partial class StatementReplay
{
    private readonly Dictionary<WithdrawalKey, ReplayWithdrawal> _withdrawals = [];
    private readonly Dictionary<(int Partition, long Number), ReplayFamily> _families = [];
    // What these families pay: a withdrawal is in one of them at most.
    private readonly HashSet<WithdrawalKey> _bound = [];
    private long _withdrawn;
    private long _miningFees;

    /// <summary>Takes a family that became final, for whoever can look at its block.</summary>
    public Action<ReplayFamily, IReadOnlyList<ReplayWithdrawal>> WhenFinal { get; set; } = static (_, _) => { };

    private void ApplyWithdrawal(Entry e)
    {
        switch (e.Command)
        {
            case RequestWithdrawal inside when e.Type == EntryType.WithdrawalSettledInside:
                Debit(inside.Wallet, e.Partition, inside.Amount.ToMsat());
                Pay(e.Payee, e.Partition, inside.Amount.ToMsat());
                break;
            case RequestWithdrawal w:
                Hold(w.Wallet, e.Partition, w.Amount.ToMsat() + w.Fee.ToMsat());
                if (!_withdrawals.TryAdd(new WithdrawalKey(w.Wallet, w.Id), new ReplayWithdrawal(e.Partition, w.Script, w.Amount, w.Fee))) throw new ImpossibleEntryException($"withdrawal {w.Id} of {w.Wallet} is asked for twice");
                break;
            case CancelWithdrawal cancel:
                GiveBack(new WithdrawalKey(cancel.Wallet, cancel.Id), e.Released);
                break;
            case ExpireWithdrawal expire:
                GiveBack(expire.Withdrawal, e.Released);
                break;
            case DecideWithdrawal decide:
                if (!decide.Approved) GiveBack(new WithdrawalKey(decide.Wallet, decide.Id), e.Released);
                break;
            case ChargeWithdrawal charge:
                Charge(charge.Withdrawal, e.Fee, e.Released);
                break;
            default:
                throw new UnreachableException($"{e.Type} with {e.Command.GetType().Name}");
        }
    }

    private ReplayWithdrawal Withdrawal(WithdrawalKey key) =>
        _withdrawals.GetValueOrDefault(key) ?? throw new ImpossibleEntryException($"withdrawal {key.Id} of {key.Wallet} is not under way");

    private ReplayWithdrawal Take(WithdrawalKey key)
    {
        var withdrawal = Withdrawal(key);
        _withdrawals.Remove(key);
        return withdrawal;
    }

    private void GiveBack(WithdrawalKey key, Msat told)
    {
        if (_bound.Contains(key)) throw new ImpossibleEntryException($"it gives back withdrawal {key.Id} of {key.Wallet}, which a family is to pay");
        var withdrawal = Take(key);
        var held = withdrawal.Amount.ToMsat() + withdrawal.Fee.ToMsat();
        if (told != held) throw new ImpossibleEntryException($"it gives back {told} of withdrawal {key.Id}, for which {held} are set aside");
        TakeHeld(key.Wallet, withdrawal.Partition, held.Value);
        Credit(key.Wallet, withdrawal.Partition, held);
    }

    private void Charge(WithdrawalKey key, Msat charge, Msat rest)
    {
        var withdrawal = Take(key);
        if (withdrawal.Amount != Sats.Zero || charge + rest != withdrawal.Fee.ToMsat()) throw new ImpossibleEntryException($"it charges withdrawal {key.Id} {charge} and gives back {rest}, of {withdrawal.Fee.ToMsat()} that are set aside");
        TakeHeld(key.Wallet, withdrawal.Partition, (charge + rest).Value);
        Credit(key.Wallet, withdrawal.Partition, rest);
        Credit(_accounts.Operator, withdrawal.Partition, charge);
    }

    private void ApplyFamily(Entry e)
    {
        switch (e.Command)
        {
            case OpenFamily open:
                Hold(_accounts.Operator, e.Partition, open.FeeCap.ToMsat());
                foreach (var key in open.Withdrawals)
                {
                    if (Withdrawal(key).Amount == Sats.Zero || !_bound.Add(key)) throw new ImpossibleEntryException($"it pays withdrawal {key.Id} of {key.Wallet}, which another family pays or has paid");
                }
                if (!_families.TryAdd((e.Partition, open.Family), new ReplayFamily(e.Partition, open.FeeCap, open.Withdrawals))) throw new ImpossibleEntryException($"family {open.Family} is opened twice");
                break;
            case PrepareAttempt prepare:
                Family(e, prepare.Family).Transactions.Add(new ReplayTransaction(prepare.Attempt, 0, prepare.Txid, prepare.Fee));
                break;
            case SignAttempt sign:
                Family(e, sign.Family).Transactions.Add(new ReplayTransaction(sign.Attempt, 0, sign.Txid, sign.Fee));
                break;
            case SignChild child:
                Family(e, child.Family).Transactions.Add(new ReplayTransaction(child.Attempt, child.Child, child.Txid, child.Fee));
                break;
            case ConfirmFamily confirm:
                Family(e, confirm.Family).Confirmed = new ReplayConfirmation(confirm.Attempt, confirm.Height, confirm.Block);
                break;
            case UnconfirmFamily unconfirm:
                Family(e, unconfirm.Family).Confirmed = null;
                break;
            case FinishFamily finish:
                Finish(Family(e, finish.Family), finish);
                Remove(e.Partition, finish.Family);
                break;
            case AbandonFamily abandon:
                End(e, abandon.Family);
                break;
            case DeclareFamilyDead dead:
                End(e, dead.Family);
                break;
            default:
                throw new UnreachableException($"{e.Type} with {e.Command.GetType().Name}");
        }
    }

    private ReplayFamily Family(Entry e, long number) => _families.TryGetValue((e.Partition, number), out var family)
        ? family
        : throw new ImpossibleEntryException($"family {number} is not open");

    /// <summary>Its withdrawals wait for another one.</summary>
    private void End(Entry e, long number)
    {
        var cap = Family(e, number).FeeCap.ToMsat();
        TakeHeld(_accounts.Operator, e.Partition, cap.Value);
        Credit(_accounts.Operator, e.Partition, cap);
        Remove(e.Partition, number);
    }

    private void Remove(int partition, long number)
    {
        if (_families.Remove((partition, number), out var family)) _bound.ExceptWith(family.Withdrawals);
    }

    private void Finish(ReplayFamily family, FinishFamily finish)
    {
        if (family.Confirmed is not { } confirmed) throw new ImpossibleEntryException($"family {finish.Family} becomes final and is in no block");
        var fee = FeeOf(family, confirmed.Attempt, 0) + (finish.Child > 0 ? FeeOf(family, confirmed.Attempt, finish.Child) : 0);
        if (fee > family.FeeCap.Value) throw new ImpossibleEntryException($"family {finish.Family} cost {fee} sat, of {family.FeeCap.Value} that are set aside");
        var paid = new List<ReplayWithdrawal>();
        foreach (var key in family.Withdrawals)
        {
            var withdrawal = Take(key);
            paid.Add(withdrawal);
            TakeHeld(key.Wallet, withdrawal.Partition, withdrawal.Amount.ToMsat().Value);
            _withdrawn += withdrawal.Amount.ToMsat().Value;
            // What is held for the fee is charged by an entry of its own.
            if (withdrawal.Fee > Sats.Zero) _withdrawals.Add(key, withdrawal with { Amount = Sats.Zero });
        }
        TakeHeld(_accounts.Operator, family.Partition, family.FeeCap.ToMsat().Value);
        Credit(_accounts.Operator, family.Partition, new Sats(family.FeeCap.Value - fee).ToMsat());
        _miningFees += new Sats(fee).ToMsat().Value;
        WhenFinal(family, paid);
    }

    private static long FeeOf(ReplayFamily family, int attempt, int child) =>
        family.Transactions.FindLast(t => t.Attempt == attempt && t.Child == child)?.Fee.Value ?? throw new ImpossibleEntryException($"attempt {attempt} was not signed");
}
