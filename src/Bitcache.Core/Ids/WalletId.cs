using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>A wallet: 16 random bytes. As text Bech32m with the prefix <c>bcw</c> ("bcw1…", 36 characters),
/// so that a typo is refused.</summary>
public readonly record struct WalletId(UInt128 Value) : IComparable<WalletId>
{
    public const int Bytes = 16;
    /// <summary>Of its text.</summary>
    public const int TextCharacters = 36;
    private const string Prefix = "bcw";

    /// <summary>What is in suspense, where liabilities are listed. No wallet has this id: it is reserved.</summary>
    public static WalletId Suspense => new(UInt128.MaxValue);

    public bool IsNone => Value == 0;

    /// <summary>Whether it stands for a tenant, under whom ids are unique before there is a wallet, or for suspense. No wallet
    /// that is drawn has such an id, and none is taken from outside.</summary>
    public bool IsReserved => Value <= uint.MaxValue || Value == UInt128.MaxValue;

    /// <summary>The partition of the ledger that the wallet lives in, for ever. Ids are random, so that their lowest 64
    /// bits spread wallets evenly.</summary>
    /// <param name="partitions">How many the ledger has.</param>
    public int PartitionOf(int partitions) => (int)((ulong)(Value & ulong.MaxValue) % (uint)partitions);

    public static WalletId Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt128BigEndian(bytes));
    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);

    public static bool TryParse(ReadOnlySpan<char> text, out WalletId id)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        id = Bech32m.TryDecode(Prefix, text, bytes) ? Read(bytes) : default;
        return !id.IsReserved;
    }

    public int CompareTo(WalletId other) => Value.CompareTo(other.Value);
    public static bool operator <(WalletId a, WalletId b) => a.Value < b.Value;
    public static bool operator >(WalletId a, WalletId b) => a.Value > b.Value;
    public static bool operator <=(WalletId a, WalletId b) => a.Value <= b.Value;
    public static bool operator >=(WalletId a, WalletId b) => a.Value >= b.Value;

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        return Bech32m.Encode(Prefix, bytes);
    }
}
