using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

/// <summary>What is owed to each wallet at the close of an epoch. Added in any order; a wallet that is added several times, as the
/// operator's is that has an account in each partition, is owed the sum.</summary>
public sealed class LiabilityAccounts
{
    private const int RowBytes = 16 + sizeof(long);
    private const int RowsAtOnce = 1 << 12;

    private WalletId[] _wallets;
    private long[] _values;

    /// <param name="capacity">How many there will be, about.</param>
    public LiabilityAccounts(int capacity = 0) => (_wallets, _values) = (new WalletId[capacity], new long[capacity]);

    /// <summary>How many were added, zeros left out.</summary>
    public int Count { get; private set; }

    internal ReadOnlySpan<WalletId> Wallets => _wallets.AsSpan(0, Count);
    internal ReadOnlySpan<long> Values => _values.AsSpan(0, Count);

    /// <summary>Adds what a wallet is owed, or what is in suspense (<see cref="WalletId.Suspense"/>). Nothing is no liability.</summary>
    /// <exception cref="ArgumentException">The id is none of a wallet.</exception>
    public void Add(WalletId wallet, Msat value)
    {
        if (wallet.IsReserved && wallet != WalletId.Suspense) throw new ArgumentException($"{wallet} is no wallet", nameof(wallet));
        if (value.IsZero) return;
        if (Count == _wallets.Length)
        {
            var capacity = Math.Max(256, 2 * Count);
            Array.Resize(ref _wallets, capacity);
            Array.Resize(ref _values, capacity);
        }
        (_wallets[Count], _values[Count]) = (wallet, value.Value);
        Count++;
    }

    /// <summary>Writes what was added, from which <see cref="TryRead"/> makes the same: in the order of their ids, the wallet's 16
    /// bytes and u64be msat of each.</summary>
    public void Write(ByteSink sink)
    {
        Sort();
        var rows = new byte[RowBytes * RowsAtOnce];
        for (var first = 0; first < Count; first += RowsAtOnce)
        {
            var writer = new ByteWriter(rows);
            for (var i = first; i < Math.Min(first + RowsAtOnce, Count); i++)
            {
                writer.Wallet(_wallets[i]);
                writer.I64(_values[i]);
            }
            sink(rows.AsSpan(0, writer.Position));
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote, and nothing else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out LiabilityAccounts? accounts)
    {
        accounts = null;
        if (bytes.Length % RowBytes != 0) return false;
        var read = new LiabilityAccounts(bytes.Length / RowBytes);
        var reader = new ByteReader(bytes);
        for (var i = 0; i < bytes.Length / RowBytes; i++)
        {
            var (wallet, value) = (reader.Wallet(), reader.I64());
            if ((wallet.IsReserved && wallet != WalletId.Suspense) || value is < 1 or > Limits.SupplyMsatMax) return false;
            if (i > 0 && wallet.CompareTo(read._wallets[i - 1]) <= 0) return false;
            read.Add(wallet, new Msat(value));
        }
        accounts = read;
        return true;
    }

    /// <summary>Brings wallets into the order of their ids, each once.</summary>
    /// <exception cref="OverflowException">A sum is no amount of money.</exception>
    internal void Sort()
    {
        var isSorted = true;
        for (var i = 1; i < Count && isSorted; i++) isSorted = _wallets[i - 1] < _wallets[i];
        if (isSorted) return;
        Array.Sort(_wallets, _values, 0, Count);
        var last = 0;
        for (var i = 1; i < Count; i++)
        {
            if (_wallets[i] == _wallets[last]) _values[last] = new Msat(_values[last] + _values[i]).Value;
            else (_wallets[++last], _values[last]) = (_wallets[i], _values[i]);
        }
        Count = last + 1;
    }

    /// <summary>Where a wallet stands among the sorted ones; negative if it is not there.</summary>
    internal int Find(WalletId wallet) => Wallets.BinarySearch(wallet);

    /// <summary>Gives suspense a row of nothing, where there is none: behind all others.</summary>
    internal void AddEmptySuspense()
    {
        if (Count > 0 && _wallets[Count - 1] == WalletId.Suspense) return;
        Add(WalletId.Suspense, new Msat(1));
        _values[Count - 1] = 0;
    }
}
