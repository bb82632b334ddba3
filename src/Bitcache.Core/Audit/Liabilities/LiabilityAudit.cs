using System.Globalization;
using System.Numerics;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>Reads <c>allocation.csv</c> as it arrives, and checks with it that the published tree is what follows from the wallets'
/// keys: every leaf is one wallet's chunk, every chunk a leaf, and a wallet's chunks are its balance. Takes the tree's leaves (40
/// bytes each, and a bit), and 32 bytes a wallet beside its key.</summary>
public sealed class LiabilityAudit : FieldReader
{
    private const int WordBits = 64;

    private static readonly string[] Headers = ["wallet", "account_no", "value", "chunks"];

    private readonly PublishedLiabilities _published;
    private readonly LiabilityKeys _keys;
    // Of the wallets that are being read, from the first of a batch on.
    private readonly HmacKey[] _nonces = new HmacKey[Sha256Batch.Count];
    private readonly Sha256Batch _batch = new();
    private readonly ulong[] _accountNumbers;
    private readonly LiabilityAccounts _balances;
    private readonly ulong[] _taken;
    // Leaves are gathered while the next wallets are made ready: each in lanes of their own.
    private readonly HmacBatch _leaves = new();
    private readonly HmacBatch _preparing = new();
    private readonly (int Wallet, long Value, int Position)[] _gathered = new (int, long, int)[HmacBatch.Count];
    private int _gatheredLeaves;
    private int _takenLeaves;
    private int _wallets;
    private int _header;
    private Part _next;
    private WalletId _wallet;
    private long _value;
    private long _chunks;
    private int _position;

    private enum Part
    {
        Wallet,
        Account,
        Value,
        Position,
        Chunk,
    }

    /// <param name="published">The tree, checked in itself.</param>
    /// <param name="keys">Of all wallets that have a balance.</param>
    public LiabilityAudit(PublishedLiabilities published, LiabilityKeys keys)
    {
        (_published, _keys) = (published, keys);
        _taken = new ulong[(published.Leaves + WordBits - 1) / WordBits];
        (_accountNumbers, _balances) = (new ulong[keys.Count], new LiabilityAccounts(keys.Count));
    }

    /// <summary>Whether the whole file was read and everything holds.</summary>
    public bool Finish()
    {
        if (!HasEnded(_next == Part.Wallet)) return false;
        if (_header < Headers.Length) return RefuseFile(LiabilityFault.Malformed, "the allocation is empty");
        if (!CheckLeaves()) return false;
        if (_takenLeaves != _published.Leaves) return RefuseFile(LiabilityFault.LeafUnclaimed, string.Create(CultureInfo.InvariantCulture, $"leaf {FirstUnclaimed()} is nobody's chunk"));
        if (_wallets != _keys.Count) return RefuseFile(LiabilityFault.KeysWrong, string.Create(CultureInfo.InvariantCulture, $"there are keys of {_keys.Count} wallets, but {_wallets} have a balance"));
        return CheckAccountNumbers();
    }

    /// <summary>What a wallet has in the tree.</summary>
    internal long ValueOf(WalletId wallet) => _balances.Find(wallet) is var at and >= 0 ? _balances.Values[at] : 0;

    /// <summary>Holds what the wallets have in the tree against what they are owed by the ledger.</summary>
    /// <param name="owed">Recomputed from the entries.</param>
    public bool Compare(LiabilityAccounts owed)
    {
        owed.Sort();
        for (int i = 0, j = 0; i < owed.Count || j < _balances.Count;)
        {
            if (j == _balances.Count || (i < owed.Count && owed.Wallets[i] < _balances.Wallets[j]))
                return RefuseFile(LiabilityFault.WalletLeftOut, $"{owed.Wallets[i]} is owed {new Msat(owed.Values[i])}, and is not in the tree");
            if (i == owed.Count || _balances.Wallets[j] < owed.Wallets[i])
                return RefuseFile(LiabilityFault.WalletNotOwed, $"{_balances.Wallets[j]} has {new Msat(_balances.Values[j])} in the tree, and is owed nothing");
            if (owed.Values[i] != _balances.Values[j])
                return RefuseFile(LiabilityFault.BalanceWrong, $"{owed.Wallets[i]} is owed {new Msat(owed.Values[i])}, and has {new Msat(_balances.Values[j])} in the tree");
            (i, j) = (i + 1, j + 1);
        }
        return true;
    }

    protected override bool Take(ReadOnlySpan<byte> field, char separator)
    {
        if (_header < Headers.Length) return TakeHeader(field, separator);
        return _next switch
        {
            Part.Wallet => separator == ',' ? TakeWallet(field) : Torn(),
            Part.Account => separator == ',' ? TakeAccount(field) : Torn(),
            Part.Value => separator == ',' ? TakeValue(field) : Torn(),
            Part.Position => separator == ':' ? TakePosition(field) : Torn(),
            Part.Chunk => separator is ';' or '\n' ? TakeChunk(field, isLast: separator == '\n') : Torn(),
        };
    }

    private bool Torn() => Refuse(LiabilityFault.Malformed, "the line is not a wallet, its account number, its balance and its chunks");

    private bool TakeHeader(ReadOnlySpan<byte> field, char separator)
    {
        var name = Headers[_header++];
        return (separator == (_header < Headers.Length ? ',' : '\n') && Ascii.Equals(field, name)) || Refuse(LiabilityFault.Malformed, "this is no header of an allocation");
    }

    private bool TakeWallet(ReadOnlySpan<byte> field)
    {
        if (!AllocationText.TryReadWallet(field, out var wallet)) return Refuse(LiabilityFault.Malformed, "this is no wallet");
        if (_wallets > 0 && wallet <= _wallet) return Refuse(LiabilityFault.OrderWrong, "wallets do not stand in the order of their ids, each once");
        if (_wallets >= _keys.Count || _keys.Wallets[_wallets] != wallet) return Refuse(LiabilityFault.KeysWrong, $"there is no key of {wallet} at its place");
        if (_wallets % Sha256Batch.Count == 0) PrepareWallets();
        (_wallet, _next) = (wallet, Part.Account);
        return true;
    }

    /// <summary>Makes ready what the next batch of wallets needs.</summary>
    private void PrepareWallets()
    {
        var count = Math.Min(Sha256Batch.Count, _keys.Count - _wallets);
        Span<Hash256> nonces = stackalloc Hash256[count];
        var numbers = _accountNumbers.AsSpan(_wallets, count);
        LiabilitySeed.AccountNumbers(_keys.Wallets.Slice(_wallets, count), numbers, _batch);
        LiabilitySeed.Nonces(_keys.Keys.Slice(_wallets, count), _published.Height, numbers, nonces, _batch);
        _preparing.Prepare(nonces, _nonces.AsSpan(0, count));
    }

    private bool TakeAccount(ReadOnlySpan<byte> field)
    {
        var number = _accountNumbers[_wallets];
        if (!TryReadNumber(field, out var written) || written != number) return Refuse(LiabilityFault.AccountNumberWrong, $"the account number of {_wallet} is {number}");
        _next = Part.Value;
        return true;
    }

    private bool TakeValue(ReadOnlySpan<byte> field)
    {
        if (!TakeAmount(field, out _value)) return false;
        (_chunks, _next) = (0, Part.Position);
        return true;
    }

    private bool TakePosition(ReadOnlySpan<byte> field)
    {
        if (!TryReadNumber(field, out var position)) return Torn();
        if (position >= (UInt128)_published.Leaves) return Refuse(LiabilityFault.PositionWrong, $"leaf {position} of {_wallet} is not in the tree of {_published.Leaves} leaves");
        _position = (int)position;
        ref var word = ref _taken[_position / WordBits];
        var bit = 1UL << (_position % WordBits);
        if ((word & bit) != 0) return Refuse(LiabilityFault.LeafShared, $"leaf {position} of {_wallet} is another chunk, too");
        word |= bit;
        _takenLeaves++;
        _next = Part.Chunk;
        return true;
    }

    private bool TakeChunk(ReadOnlySpan<byte> field, bool isLast)
    {
        if (!TakeAmount(field, out var value)) return false;
        if (value == 0 && _wallet != WalletId.Suspense) return Refuse(LiabilityFault.ChunkEmpty, $"leaf {_position} of {_wallet} is worth nothing");
        _leaves.Add(_nonces[_wallets % Sha256Batch.Count], value, _position);
        _gathered[_gatheredLeaves++] = (_wallets, value, _position);
        if (_leaves.IsFull && !CheckLeaves()) return false;
        // Both are amounts of money, so that their sum is a number.
        _chunks += value;
        if (_chunks > _value) return Refuse(LiabilityFault.ChunksWrong, $"the chunks of {_wallet} are more than its {new Msat(_value)}");
        _next = Part.Position;
        if (!isLast) return true;
        if (_chunks != _value) return Refuse(LiabilityFault.ChunksWrong, $"the chunks of {_wallet} come to {new Msat(_chunks)}, not to its {new Msat(_value)}");
        _balances.Add(_wallet, new Msat(_value));
        _wallets++;
        _next = Part.Wallet;
        return true;
    }

    /// <summary>Holds the gathered chunks against the leaves at their places.</summary>
    private bool CheckLeaves()
    {
        var hashes = _leaves.Finish();
        var published = _published.Nodes;
        for (var i = 0; i < hashes.Length; i++)
        {
            var (wallet, value, position) = _gathered[i];
            if (published.Sums[position] == value && published.Hashes[position] == hashes[i]) continue;
            return RefuseFile(LiabilityFault.LeafWrong, $"leaf {position} is not what follows from the key of {_keys.Wallets[wallet]} for {new Msat(value)} at this place");
        }
        _gatheredLeaves = 0;
        return true;
    }

    private int FirstUnclaimed()
    {
        var word = Array.FindIndex(_taken, taken => taken != ulong.MaxValue);
        return (word * WordBits) + BitOperations.TrailingZeroCount(~_taken[word]);
    }

    private bool CheckAccountNumbers()
    {
        Array.Sort(_accountNumbers);
        for (var i = 1; i < _accountNumbers.Length; i++)
        {
            if (_accountNumbers[i] == _accountNumbers[i - 1]) return RefuseFile(LiabilityFault.AccountNumberShared, $"two wallets have the account number {_accountNumbers[i]}");
        }
        return true;
    }
}
