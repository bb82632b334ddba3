// Balances as they follow from statements alone, in as many bytes as a million wallets allow.

using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

/// <summary>An entry that moves what is not there, or ends what was not begun.</summary>
public sealed class ImpossibleEntryException(string found, AuditFault fault = AuditFault.EntryImpossible) : Exception(found)
{
    public AuditFault Fault { get; } = fault;
}

/// <summary>What one wallet has, in msat.</summary>
internal struct ReplayAccount
{
    public WalletId Wallet;
    public long Available;
    public long Held;
    public long Frozen;
    /// <summary>Of reversed deposits: what a credit repays first.</summary>
    public long Owed;
    /// <summary>Sent by other partitions and not arrived; below zero while the log has the arrival before the sending.</summary>
    public long InFlight;
    public bool Exists;
}

internal sealed class ReplayAccounts
{
    private readonly Dictionary<WalletId, int> _slots = [];
    private readonly List<ReplayAccount> _accounts = [];
    private readonly List<int> _operators = [];
    private WalletId _operator;

    /// <summary>The operator has an account in each partition.</summary>
    public void Begin(WalletId operatorWallet, int partitions)
    {
        _operator = operatorWallet;
        for (var i = 0; i < partitions; i++) _operators.Add(Add(operatorWallet));
        foreach (var slot in _operators) CollectionsMarshal.AsSpan(_accounts)[slot].Exists = true;
    }

    public int Partitions => _operators.Count;
    public WalletId Operator => _operator;

    public void Create(WalletId wallet)
    {
        ref var account = ref Find(wallet, 0);
        if (account.Exists) throw new ImpossibleEntryException($"{wallet} is made a second time");
        account.Exists = true;
    }

    /// <summary>Whether a wallet's account is one of this partition's.</summary>
    public bool IsHere(WalletId wallet, int partition) => Partitions == 1 || wallet == _operator || wallet.PartitionOf(Partitions) == partition;

    /// <summary>An account of a wallet that was made.</summary>
    public ref ReplayAccount this[WalletId wallet, int partition]
    {
        get
        {
            ref var account = ref Find(wallet, partition);
            if (!account.Exists) throw new ImpossibleEntryException($"{wallet} was not made");
            return ref account;
        }
    }

    /// <summary>An account that may be made by an entry further on.</summary>
    public ref ReplayAccount Find(WalletId wallet, int partition)
    {
        if (wallet == _operator) return ref CollectionsMarshal.AsSpan(_accounts)[_operators[partition]];
        ref var slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_slots, wallet, out var isKnown);
        if (!isKnown) slot = Add(wallet);
        return ref CollectionsMarshal.AsSpan(_accounts)[slot];
    }

    public ReadOnlySpan<ReplayAccount> All => CollectionsMarshal.AsSpan(_accounts);

    private int Add(WalletId wallet)
    {
        _accounts.Add(new ReplayAccount { Wallet = wallet });
        return _accounts.Count - 1;
    }
}
