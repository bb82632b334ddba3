using System.Security.Cryptography;
using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Makes ids as every client does: UUIDv7, 74 bits of them drawn from the system's generator.</summary>
public static class ClientIds
{
    public static OperationId Next(TimeProvider time) =>
        OperationId.Create(new UnixTime(time.GetUtcNow().ToUnixTimeMilliseconds()), Draw128());

    /// <summary>A wallet id.</summary>
    public static WalletId NextWallet() => new(Draw128());

    /// <summary>A wallet id of one partition.</summary>
    public static WalletId NextWallet(int partition, int partitions)
    {
        WalletId id;
        do id = NextWallet();
        while (id.PartitionOf(partitions) != partition || id.IsReserved);
        return id;
    }

    /// <summary>The salt of a statement.</summary>
    public static UInt128 DrawSalt() => Draw128();

    /// <summary>Keys the hash tables of one process.</summary>
    public static ulong DrawSecret() => unchecked((ulong)Draw128());

    internal static void DrawSalts(Span<UInt128> salts) => RandomNumberGenerator.Fill(System.Runtime.InteropServices.MemoryMarshal.AsBytes(salts));

    internal static UInt128 Draw128()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        return new ByteReader(bytes).U128();
    }
}
