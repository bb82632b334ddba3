namespace Bitcache.Core.Audit;

/// <summary>A deposit as the entries tell of it.</summary>
internal sealed class ReplayDeposit(OutPoint output, WalletId wallet, int partition, ByteString script, Sats amount)
{
    public OutPoint Output { get; } = output;
    public WalletId Wallet { get; } = wallet;
    public int Partition { get; } = partition;
    public ByteString Script { get; } = script;
    public Sats Amount { get; } = amount;
    public DepositState State { get; set; }
    public bool IsBooked { get; set; }
    public bool IsSuspense { get; set; }
    public bool IsAssigned { get; set; }
    /// <summary>That it is there the chain did not say, but the operator.</summary>
    public bool IsByWord { get; set; }
    public BlockHash Block { get; set; }
    public uint Height { get; set; }
    public long FrozenPart { get; set; }
    public long OwedPart { get; set; }

    /// <summary>Nothing can happen to it any more.</summary>
    public bool HasEnded => State == DepositState.Reversed || (State == DepositState.Final && !(IsSuspense && IsBooked && !IsAssigned));
}

/// <summary>The output of a deposit that has ended: it is never credited again.</summary>
internal readonly record struct EndedDeposit(OutPoint Key) : IReplayRow<OutPoint>;

// What comes in, and leaves the chain again.
internal sealed partial class StatementReplay
{
    private readonly ReplayAddresses _addresses = new();
    // Those that have not ended: of the others nothing but their outputs is kept, since there may be millions.
    private readonly Dictionary<OutPoint, ReplayDeposit> _deposits = [];
    private readonly ReplayTable<OutPoint, EndedDeposit> _ended = new();
    private long _suspense;
    private long _deposited;
    private long _reversed;

    /// <summary>Takes a deposit that became final, for whoever can look at its block.</summary>
    public Action<ReplayDeposit> WhenDeposited { get; set; } = static _ => { };

    private void ApplyDeposit(Entry e)
    {
        switch (e.Command)
        {
            case AssignAddress address:
                _addresses.Add(address.Script, address.Wallet);
                break;
            case AssignAddresses addresses:
                foreach (var one in addresses.Addresses) _addresses.Add(one.Script, addresses.Wallet);
                break;
            case ChangeDeposit change:
                Change(change, e.Partition);
                break;
            case SettleDeposit settle:
                Settle(settle, e.Released);
                break;
            case AssignSuspense assign:
                if (!_deposits.TryGetValue(assign.OutPoint, out var deposit) || deposit is not { State: DepositState.Final, IsSuspense: true, IsBooked: true, IsAssigned: false } || deposit.Amount.ToMsat() != e.Released)
                    throw new ImpossibleEntryException($"it gives {assign.OutPoint} out of suspense, where it is not");
                deposit.IsAssigned = true;
                End(deposit);
                _suspense -= e.Released.Value;
                Pay(assign.Wallet, e.Partition, e.Released);
                break;
        }
    }

    private void Change(ChangeDeposit change, int partition)
    {
        if (!_deposits.TryGetValue(change.OutPoint, out var deposit))
        {
            if (_ended.Find(change.OutPoint) >= 0) throw new ImpossibleEntryException($"deposit {change.OutPoint} changes after its end");
            if (!_addresses.TryFind(change.Script, out var owner)) throw new ImpossibleEntryException($"deposit {change.OutPoint} is to nobody's address");
            _deposits.Add(change.OutPoint, deposit = new ReplayDeposit(change.OutPoint, owner, partition, change.Script, change.Amount));
        }
        if (deposit.Script != change.Script || deposit.Amount != change.Amount || deposit.Partition != partition || (deposit.IsBooked && deposit.IsSuspense != change.Suspense))
            throw new ImpossibleEntryException($"deposit {change.OutPoint} is told of otherwise than before");
        if (deposit.State is DepositState.Final or DepositState.Reversed) throw new ImpossibleEntryException($"deposit {change.OutPoint} changes after its end");
        (deposit.IsSuspense, deposit.Block, deposit.Height) = (change.Suspense, change.Block, change.Height);
        switch (change.To)
        {
            case DepositState.Credited:
                Book(deposit);
                break;
            case DepositState.Frozen:
                Freeze(deposit);
                break;
            case DepositState.Reversed:
                Reverse(deposit);
                break;
        }
        deposit.State = change.To;
        if (change.To == DepositState.Final) WhenDeposited(deposit);
        End(deposit);
    }

    /// <summary>Lets go of a deposit, if it has ended.</summary>
    private void End(ReplayDeposit deposit)
    {
        if (!deposit.HasEnded) return;
        _deposits.Remove(deposit.Output);
        _ended.Add(new EndedDeposit(deposit.Output));
    }

    private void Settle(SettleDeposit settle, Msat told)
    {
        if (!_deposits.TryGetValue(settle.OutPoint, out var deposit) || deposit.State != DepositState.Frozen) throw new ImpossibleEntryException($"it settles {settle.OutPoint}, which is not frozen");
        var expected = deposit is { IsBooked: true, IsSuspense: false } ? deposit.Amount.ToMsat() : Msat.Zero;
        if (told != expected || (settle.Released && !deposit.IsBooked)) throw new ImpossibleEntryException($"it settles {settle.OutPoint} with {told}, which is {expected}");
        if (settle.Released) Book(deposit);
        else Reverse(deposit);
        deposit.IsByWord = settle.Released;
        deposit.State = settle.Released ? DepositState.Final : DepositState.Reversed;
        if (settle.Released) WhenDeposited(deposit);
        End(deposit);
    }

    private void Book(ReplayDeposit deposit)
    {
        var amount = deposit.Amount.ToMsat();
        if (!deposit.IsBooked)
        {
            _deposited += amount.Value;
            if (deposit.IsSuspense) _suspense += amount.Value;
            else Credit(deposit.Wallet, deposit.Partition, amount);
        }
        else if (!deposit.IsSuspense)
        {
            var part = deposit.FrozenPart;
            _accounts[deposit.Wallet, deposit.Partition].Frozen -= part;
            Credit(deposit.Wallet, deposit.Partition, new Msat(part));
        }
        (deposit.IsBooked, deposit.FrozenPart, deposit.OwedPart) = (true, 0, 0);
    }

    /// <summary>What is still there is set aside.</summary>
    private void Freeze(ReplayDeposit deposit)
    {
        if (!deposit.IsBooked || deposit.IsSuspense) return;
        ref var account = ref _accounts[deposit.Wallet, deposit.Partition];
        deposit.FrozenPart = Math.Min(account.Available, deposit.Amount.ToMsat().Value);
        deposit.OwedPart = deposit.Amount.ToMsat().Value - deposit.FrozenPart;
        account.Available -= deposit.FrozenPart;
        account.Frozen += deposit.FrozenPart;
    }

    /// <summary>What was spent of it is owed from now on.</summary>
    private void Reverse(ReplayDeposit deposit)
    {
        if (!deposit.IsBooked) return;
        _reversed += deposit.Amount.ToMsat().Value;
        if (deposit.IsSuspense)
        {
            _suspense -= deposit.Amount.ToMsat().Value;
            return;
        }
        if (deposit.State == DepositState.Credited) Freeze(deposit);
        ref var account = ref _accounts[deposit.Wallet, deposit.Partition];
        account.Frozen -= deposit.FrozenPart;
        var repaid = Math.Min(account.Available, deposit.OwedPart);
        account.Available -= repaid;
        account.Owed += deposit.OwedPart - repaid;
        (deposit.FrozenPart, deposit.OwedPart) = (0, 0);
    }
}
