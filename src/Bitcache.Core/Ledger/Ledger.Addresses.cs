// Bitcoin addresses: each belongs to one wallet for ever.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly RecordTable<ByteString, DepositAddress> _addresses = new(ChainRows.Addresses, a => a.Script, a => a.Wallet);

    /// <summary>The address with the highest index of those that we derived; null before the first.</summary>
    public DepositAddress? HighestAddress { get; private set; }

    /// <summary>The newest of those that the node chose; null if it chose none.</summary>
    public DepositAddress? NewestChosenAddress { get; private set; }

    public DepositAddress? FindAddress(ByteString script) => _addresses.Find(script);

    /// <summary>The address that was given out last; null before the first.</summary>
    public DepositAddress? NewestAddress => _addresses.Newest;

    public IReadOnlyList<DepositAddress> AddressesOf(WalletId wallet) => _addresses.Of(wallet);

    /// <summary>Whether a script may not be given to a wallet any more.</summary>
    public bool IsTaken(ByteString script) => _addresses.Contains(script) || script == Genesis!.AnchorScript;

    /// <summary>The height above which everything lies that pays an address from some index on; null if there is none. It costs
    /// a walk over all addresses.</summary>
    public uint? LowestOrigin(uint index) =>
        _addresses.Values.Where(a => a.Origin is { } origin && origin.Index >= index).Min(a => (uint?)a.Origin!.Value.Height);

    /// <summary>What would come of it if it were applied now, whatever scripts it has: asked before addresses are made for it.
    /// <see cref="Outcome.Known"/> for a retry.</summary>
    public Outcome Foresee(ClientCommand command, in ApplyContext context) =>
        Identify(command, context).Outcome is not Outcome.Accepted and var refusal ? refusal : command switch
        {
            AssignAddress a => CheckAddresses(a.Wallet, a.Purpose, 1, context),
            AssignAddresses a => CheckAddresses(a.Wallet, a.Purpose, a.Addresses.Count, context),
            _ => throw new ArgumentException($"nothing is foreseen of {command.GetType().Name}", nameof(command)),
        };

    private Outcome CheckAddresses(WalletId wallet, AddressPurpose purpose, int count, in ApplyContext context)
    {
        var slot = FindOwn(wallet, context);
        if (slot < 0 || (purpose == AddressPurpose.OperatorTopUp && slot != _operator)) return Outcome.WalletNotFound;
        return _addresses.CountOf(wallet) + count > Limits.AddressesPerWalletMax ? Outcome.TooManyAddresses : Outcome.Accepted;
    }

    private ApplyResult ApplyAssignAddress(AssignAddress command, in ApplyContext context, Span<byte> record)
    {
        if (CheckAddresses(command.Wallet, command.Purpose, 1, context) is not Outcome.Accepted and var refusal) return Refused(refusal);
        if (IsTaken(command.Script)) return Refused(Outcome.AddressTaken);
        // After this point the address belongs to the wallet for ever.
        Remember(command, forEver: true);
        Take(new DepositAddress(command.Wallet, command.Purpose, command.Script, NextSequence, command.Origin));
        return Write(EntryType.AddressAssigned, command, context, record).Finish();
    }

    private ApplyResult ApplyAssignAddresses(AssignAddresses command, in ApplyContext context, Span<byte> record)
    {
        if (CheckAddresses(command.Wallet, command.Purpose, command.Addresses.Count, context) is not Outcome.Accepted and var refusal) return Refused(refusal);
        var scripts = new HashSet<ByteString>(command.Addresses.Count);
        foreach (var address in command.Addresses)
        {
            if (IsTaken(address.Script) || !scripts.Add(address.Script)) return Refused(Outcome.AddressTaken);
        }
        // After this point the addresses belong to the wallet for ever.
        Remember(command, forEver: true);
        foreach (var address in command.Addresses)
            Take(new DepositAddress(command.Wallet, command.Purpose, address.Script, NextSequence, new AddressOrigin(address.Index, command.Height)));
        return Write(EntryType.AddressesAssigned, command, context, record).Finish();
    }

    private void Take(DepositAddress address)
    {
        _addresses.Set(address);
        Count(address);
    }

    private void Count(DepositAddress address)
    {
        if (address.Origin is not { } origin) NewestChosenAddress = address;
        else if (HighestAddress?.Origin is not { } highest || origin.Index > highest.Index) HighestAddress = address;
    }
}
