namespace Bitcache.Core;

/// <summary>One wallet's balances.</summary>
public readonly record struct Wallet
{
    /// <summary>Of its row: id, u32 tenant, u8 freezes, i64 msat each available, held, frozen, owed and owed for pending
    /// deposits, i64 sequence of its newest entry.</summary>
    public const int Bytes = WalletId.Bytes + sizeof(uint) + 1 + (6 * sizeof(long));

    public WalletId Id { get; init; }
    /// <summary>The owner whose keys may see and use the wallet; 0 is the operator.</summary>
    public uint Tenant { get; init; }
    /// <summary>Who stopped this wallet's outflow. Not to be taken for <see cref="Frozen"/>, which is money.</summary>
    public Freezes Freezes { get; init; }
    public Msat Available { get; init; }
    /// <summary>Set aside for withdrawals that were asked for, or for mining fees.</summary>
    public Msat Held { get; init; }
    /// <summary>Credited deposits that left the chain, as far as their money was still here.</summary>
    public Msat Frozen { get; init; }
    /// <summary>Money of reversed deposits that was spent before: a receivable.</summary>
    public Msat Owed { get; init; }
    /// <summary>The same for frozen deposits, which may still come back.</summary>
    public Msat OwedPending { get; init; }
    /// <summary>The wallet's newest entry; its history is a walk back along the links from there.</summary>
    public long LastSequence { get; init; }

    public bool Owes => !Owed.IsZero || !OwedPending.IsZero;
    public bool IsFrozen => Freezes != Freezes.None;

    public void Write(ref ByteWriter row)
    {
        row.Wallet(Id);
        row.U32(Tenant);
        row.U8((byte)Freezes);
        row.Amount(Available);
        row.Amount(Held);
        row.Amount(Frozen);
        row.Amount(Owed);
        row.Amount(OwedPending);
        row.I64(LastSequence);
    }

    /// <exception cref="FormatException">It is no wallet's row.</exception>
    public static Wallet Read(ref ByteReader row) => new()
    {
        Id = row.Wallet(),
        Tenant = row.U32(),
        Freezes = ReadFreezes(row.U8()),
        Available = row.Msat(),
        Held = row.Msat(),
        Frozen = row.Msat(),
        Owed = row.Msat(),
        OwedPending = row.Msat(),
        LastSequence = row.I64(),
    };

    private static Freezes ReadFreezes(byte value) => value <= (byte)(Freezes.Owner | Freezes.Operator)
        ? (Freezes)value
        : throw new FormatException($"a wallet frozen by {value}");
}
