// Deposits: each output (txid:vout) is booked at most once, set aside when it leaves the chain, and taken back
// when it left for good.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly RecordTable<OutPoint, Deposit> _deposits = new(ChainRows.Deposits, d => d.OutPoint, d => d.Wallet);
    // The places of those that a reorganisation can still change.
    private readonly SortedSet<int> _openDeposits = [];
    private readonly Queue<ChainCursor> _cursors = new();
    private ChainCursor? _cursor;

    /// <summary>The newest block up to which all deposits were looked at, or null before the first.</summary>
    public ChainCursor? Cursor => _cursor;

    /// <summary>Earlier cursors, oldest first, to step back along after a reorganisation.</summary>
    public IReadOnlyList<ChainCursor> CursorRing() => [.. _cursors];

    /// <summary>The first block from which the node's wallet has yet to be rescanned; null if it need not.</summary>
    public uint? Rescan { get; private set; }

    /// <summary>A wallet's addresses before a place among them, newest first.</summary>
    public RecordPage<DepositAddress> AddressesOf(WalletId wallet, long before, int most) => _addresses.Of(wallet, before, most);

    public Deposit? FindDeposit(OutPoint outPoint) => _deposits.Find(outPoint);

    public IReadOnlyList<Deposit> DepositsOf(WalletId wallet) => _deposits.Of(wallet);

    /// <summary>A wallet's deposits before a place among them, newest first.</summary>
    public RecordPage<Deposit> DepositsOf(WalletId wallet, long before, int most) => _deposits.Of(wallet, before, most);

    /// <summary>Deposits that a reorganisation can still change.</summary>
    public IReadOnlyList<Deposit> OpenDeposits() => [.. _openDeposits.Select(_deposits.At)];

    private ApplyResult ApplyMoveCursor(MoveCursor command, in ApplyContext context, Span<byte> record)
    {
        var next = new ChainCursor(command.Height, command.Block);
        if (next == _cursor) return Refused(Outcome.Unchanged);
        if (_cursor is not null) _cursors.Enqueue(_cursor);
        if (_cursors.Count > Limits.CursorRingMax) _cursors.Dequeue();
        _cursor = next;
        return Write(EntryType.CursorMoved, command, context, record).Finish();
    }

    private ApplyResult ApplyMarkRescan(MarkRescan command, in ApplyContext context, Span<byte> record)
    {
        // One that has to begin further below was asked for meanwhile, or is under way already.
        if (command.Done ? Rescan != command.FromHeight : Rescan <= command.FromHeight) return Refused(Outcome.Unchanged);
        Rescan = command.Done ? null : command.FromHeight;
        return Write(EntryType.RescanMarked, command, context, record).Finish();
    }

    private ApplyResult ApplyChangeDeposit(ChangeDeposit command, in ApplyContext context, Span<byte> record)
    {
        var deposit = _deposits.Find(command.OutPoint) ?? Discover(command);
        Assert(deposit.Script == command.Script && deposit.Amount == command.Amount, "an output keeps its script and its amount");
        Assert(!deposit.Booked || deposit.Suspense == command.Suspense, "a booked deposit stays where it was booked");
        if (!CanBecome(deposit, command)) return Refused(Outcome.Unchanged);
        CheckRoom(deposit);

        // After this point the deposit takes its step.
        deposit = deposit with { Suspense = command.Suspense, Block = command.Block, Height = command.Height };
        deposit = command.To switch
        {
            DepositState.Seen or DepositState.Final => deposit,
            DepositState.Credited => Book(deposit),
            DepositState.Frozen => Freeze(deposit),
            DepositState.Reversed => Reverse(deposit),
            DepositState.None => throw new LedgerInvariantException("a deposit cannot become nothing"),
        };
        Keep(deposit with { State = command.To });
        var entry = Write(EntryType.DepositChanged, command, context, record);
        if (command.IsInHistory) entry.Link(ref WalletOf(deposit));
        return entry.Finish();
    }

    private void Keep(Deposit deposit) => Index(deposit, _deposits.Set(deposit));

    private void Index(Deposit deposit, int place)
    {
        Mark(_openDeposits, place, deposit.IsOpen);
        Mark(_suspense, place, deposit.IsInSuspense);
    }

    private static void Mark(SortedSet<int> places, int place, bool isOne)
    {
        if (isOne) places.Add(place);
        else places.Remove(place);
    }

    private Deposit Discover(ChangeDeposit command)
    {
        var address = _addresses.Find(command.Script);
        Assert(address is not null, "deposits are reported for our own addresses only");
        return new Deposit(
            command.OutPoint, command.Script, address!.Wallet, address.Purpose, command.Amount, DepositState.None,
            command.Suspense, Booked: false, command.Block, command.Height, Msat.Zero, Msat.Zero);
    }

    private static bool CanBecome(Deposit deposit, ChangeDeposit command) => (deposit.State, command.To) switch
    {
        (DepositState.None, DepositState.Seen or DepositState.Credited) => true,
        // Still too few confirmations, but in another block than before.
        (DepositState.Seen, DepositState.Seen) => deposit.Block != command.Block,
        (DepositState.Seen, DepositState.Credited or DepositState.Frozen or DepositState.Reversed) => true,
        (DepositState.Credited, DepositState.Frozen or DepositState.Reversed or DepositState.Final) => true,
        (DepositState.Frozen, DepositState.Credited or DepositState.Reversed) => true,
        (DepositState.Frozen, DepositState.Seen) => !deposit.Booked,
        _ => false,
    };

    /// <summary>Money enters only here; what comes from another partition entered there. As long as all of it stays below the
    /// supply no balance and no sum can pass its bound later, when balances have begun to change. With several partitions
    /// each looks after its own part: that all parts together stay below it is Bitcoin's doing.</summary>
    private void CheckRoom(Deposit deposit)
    {
        var amount = deposit.Amount.ToMsat().Value;
        var arrears = _wallets.ArrearsOf(WalletOf(deposit));
        var owed = arrears.Owed.Value + arrears.OwedPending.Value;
        Assert(
            deposit.Booked || _totals.Liabilities + amount <= Limits.SupplyMsatMax, "there is not more bitcoin than there will ever be");
        Assert(owed + amount <= Limits.SupplyMsatMax, "nobody owes more bitcoin than there will ever be");
        Assert(_totals.Deposited + _totals.ToppedUp <= long.MaxValue - amount, "what ever came in can be counted");
    }

    /// <summary>The first credit, or the return of what was set aside.</summary>
    private Deposit Book(Deposit deposit)
    {
        if (deposit.Suspense)
        {
            if (!deposit.Booked) _totals.Suspense += deposit.Amount.ToMsat().Value;
        }
        else if (deposit.Booked)
        {
            ref var wallet = ref WalletOf(deposit);
            Unfreeze(ref wallet, deposit);
            Credit(ref wallet, deposit.FrozenPart);
        }
        else
        {
            Credit(ref WalletOf(deposit), deposit.Amount.ToMsat());
        }
        if (!deposit.Booked) CountIncoming(deposit);
        return deposit with { Booked = true, FrozenPart = Msat.Zero, OwedPart = Msat.Zero };
    }

    /// <summary>Sets aside what is still there; the rest is a receivable that stops outflow.</summary>
    private Deposit Freeze(Deposit deposit)
    {
        if (!deposit.Booked || deposit.Suspense) return deposit;
        ref var wallet = ref WalletOf(deposit);
        var there = Msat.Min(wallet.Available, deposit.Amount.ToMsat());
        var gone = deposit.Amount.ToMsat() - there;
        Debit(ref wallet, there);
        ref var arrears = ref _wallets.ArrearsToChange(ref wallet);
        arrears.Frozen += there;
        _totals.Frozen += there.Value;
        arrears.OwedPending += gone;
        return deposit with { FrozenPart = there, OwedPart = gone };
    }

    /// <summary>Takes the deposit out of the books; what was spent of it is owed from now on.</summary>
    private Deposit Reverse(Deposit deposit)
    {
        if (!deposit.Booked) return deposit;
        _totals.Reversed += deposit.Amount.ToMsat().Value;
        if (deposit.Suspense)
        {
            _totals.Suspense -= deposit.Amount.ToMsat().Value;
            return deposit;
        }
        if (deposit.State == DepositState.Credited) deposit = Freeze(deposit);
        ref var wallet = ref WalletOf(deposit);
        Unfreeze(ref wallet, deposit);
        var repaid = Msat.Min(wallet.Available, deposit.OwedPart);
        Debit(ref wallet, repaid);
        _wallets.ArrearsToChange(ref wallet).Owed += deposit.OwedPart - repaid;
        _totals.Owed += (deposit.OwedPart - repaid).Value;
        return deposit with { FrozenPart = Msat.Zero, OwedPart = Msat.Zero };
    }

    private void Unfreeze(ref WalletRow wallet, Deposit deposit)
    {
        ref var arrears = ref _wallets.ArrearsToChange(ref wallet);
        arrears.Frozen -= deposit.FrozenPart;
        _totals.Frozen -= deposit.FrozenPart.Value;
        arrears.OwedPending -= deposit.OwedPart;
    }

    private void CountIncoming(Deposit deposit)
    {
        if (deposit.Purpose == AddressPurpose.OperatorTopUp) _totals.ToppedUp += deposit.Amount.ToMsat().Value;
        else _totals.Deposited += deposit.Amount.ToMsat().Value;
    }

    private ref WalletRow WalletOf(Deposit deposit) => ref _wallets[_wallets.Find(deposit.Wallet)];
}
