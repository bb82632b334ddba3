// Balances as they follow from statements alone, in as many bytes as a million wallets allow.

namespace Bitcache.Core.Audit;

/// <summary>An entry that moves what is not there, or ends what was not begun.</summary>
public sealed class ImpossibleEntryException(string found, AuditFault fault = AuditFault.EntryImpossible) : Exception(found)
{
    public AuditFault Fault { get; } = fault;
}

/// <summary>What one wallet has, in msat.</summary>
internal struct ReplayAccount : IReplayRow<WalletId>
{
    public const int RowBytes = WalletId.Bytes + (5 * sizeof(long)) + 1;

    public WalletId Wallet;
    public long Available;
    public long Held;
    public long Frozen;
    /// <summary>Of reversed deposits: what a credit repays first.</summary>
    public long Owed;
    /// <summary>Sent by other partitions and not arrived; below zero while the log has the arrival before the sending.</summary>
    public long InFlight;
    public bool Exists;

    public readonly WalletId Key => Wallet;
    public readonly long Value => Available + Held + Frozen + InFlight;

    public readonly void Write(ref ByteWriter row)
    {
        row.Wallet(Wallet);
        foreach (var amount in (ReadOnlySpan<long>)[Available, Held, Frozen, Owed, InFlight]) row.I64(amount);
        row.Flag(Exists);
    }

    public static ReplayAccount Read(ref ByteReader row) => new()
    {
        Wallet = row.Wallet(),
        Available = row.I64(),
        Held = row.I64(),
        Frozen = row.I64(),
        Owed = row.I64(),
        InFlight = row.I64(),
        Exists = row.Flag(),
    };
}

internal sealed class ReplayAccounts
{
    private readonly ReplayTable<WalletId, ReplayAccount> _accounts = new();
    // The operator has one in each partition.
    private ReplayAccount[] _operators = [];

    public void Begin(WalletId operatorWallet, int partitions)
    {
        Operator = operatorWallet;
        _operators = new ReplayAccount[partitions];
        Array.Fill(_operators, new ReplayAccount { Wallet = operatorWallet, Exists = true });
    }

    public int Partitions => _operators.Length;
    public WalletId Operator { get; private set; }

    /// <summary>Accounts, the operator's included.</summary>
    public int Count => _operators.Length + _accounts.Count;

    /// <summary>An account by its place: the operator's first, then the others in the order in which they were met.</summary>
    public ref readonly ReplayAccount At(int place) => ref place < _operators.Length ? ref _operators[place] : ref _accounts[place - _operators.Length];

    public void Create(WalletId wallet)
    {
        ref var account = ref Find(wallet, 0);
        if (account.Exists) throw new ImpossibleEntryException($"{wallet} is made a second time");
        account.Exists = true;
    }

    /// <summary>Whether a wallet's account is one of this partition's.</summary>
    public bool IsHere(WalletId wallet, int partition) => Partitions == 1 || wallet == Operator || wallet.PartitionOf(Partitions) == partition;

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
        if (wallet == Operator) return ref _operators[partition];
        var slot = _accounts.Find(wallet);
        return ref _accounts[slot >= 0 ? slot : _accounts.Add(new ReplayAccount { Wallet = wallet })];
    }

    public void Write(StateWriter writer)
    {
        writer.Section(StateSection.ReplayAccounts, Count);
        for (var place = 0; place < Count; place++)
        {
            var row = writer.Begin(ReplayAccount.RowBytes);
            At(place).Write(ref row);
            writer.End(row);
        }
    }

    public void Read(StateReader reader, int partitions)
    {
        _operators = new ReplayAccount[partitions];
        for (var (place, rows) = (0, reader.Rows(StateSection.ReplayAccounts)); place < rows; place++)
        {
            var row = reader.Begin();
            var account = ReplayAccount.Read(ref row);
            reader.End(row);
            if (place < partitions) _operators[place] = account;
            else _accounts.Add(account);
        }
        Operator = _operators[0].Wallet;
    }
}
