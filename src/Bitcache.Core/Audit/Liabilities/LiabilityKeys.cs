using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

/// <summary>The keys of an epoch's wallets, from <c>keys.csv</c>. Read as it arrives; 48 bytes a wallet.</summary>
public sealed class LiabilityKeys : FieldReader
{
    private readonly List<WalletId> _wallets = [];
    private readonly List<Hash256> _keys = [];
    private bool _isKey;
    private bool _hasHeader;

    /// <summary>How many there are.</summary>
    public int Count => _keys.Count;

    /// <summary>Whether the whole file was read, and is good.</summary>
    public bool Finish() => HasEnded(!_isKey) && (_hasHeader || RefuseFile(LiabilityFault.Malformed, "the file of keys is empty"));

    internal ReadOnlySpan<WalletId> Wallets => CollectionsMarshal.AsSpan(_wallets);
    internal ReadOnlySpan<Hash256> Keys => CollectionsMarshal.AsSpan(_keys);

    protected override bool Take(ReadOnlySpan<byte> field, char separator)
    {
        if (separator != (_isKey ? '\n' : ',')) return Refuse(LiabilityFault.Malformed, "the line is not a wallet and its key");
        var isKey = _isKey;
        _isKey = !isKey;
        if (!_hasHeader)
        {
            _hasHeader = isKey;
            return field.SequenceEqual(isKey ? "key"u8 : "wallet"u8) || Refuse(LiabilityFault.Malformed, "this is no header of a file of keys");
        }
        if (isKey)
        {
            if (!TakeHash(field, out var key)) return false;
            _keys.Add(key);
            return true;
        }
        if (!AllocationText.TryReadWallet(field, out var wallet)) return Refuse(LiabilityFault.Malformed, "this is no wallet");
        if (_wallets.Count > 0 && wallet <= _wallets[^1]) return Refuse(LiabilityFault.OrderWrong, "wallets do not stand in the order of their ids, each once");
        _wallets.Add(wallet);
        return true;
    }
}
