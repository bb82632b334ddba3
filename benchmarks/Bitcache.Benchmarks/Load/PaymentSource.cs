using System.Buffers.Binary;
using System.Security.Cryptography;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Load;

/// <summary>Payments as all contenders get them: a fresh UUIDv7, two wallets of the whole set at random, 1 to 1000
/// msat. Belongs to one generator.</summary>
internal sealed class PaymentSource(int wallets)
{
    public const int AmountMsatMax = 1_000;
    /// <summary>Ids that are made between two looks at the clock, which cost as much as the rest of an id.</summary>
    private const int IdsOfOneTime = 256;

    /// <summary>Of SplitMix64 (Steele, Lea and Flood, 2014): by so much the state goes on, and by these it is mixed.</summary>
    private const ulong Step = 0x9e3779b97f4a7c15;
    private const ulong Mix1 = 0xbf58476d1ce4e5b9;
    private const ulong Mix2 = 0x94d049bb133111eb;

    // Drawn from the system, so that no two generators make the same ids.
    private ulong _state = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    private UnixTime _now;
    private int _idsLeft;

    /// <summary>Wallets are numbered from 0; payer and payee differ.</summary>
    public (OperationId Id, int Payer, int Payee, int AmountMsat) Next()
    {
        var bits = NextBits();
        var payer = Below(wallets, (uint)(bits >> 32));
        // Any but the payer: those from there on are one further.
        var payee = Below(wallets - 1, (uint)(bits & uint.MaxValue));
        if (payee >= payer) payee++;
        bits = NextBits();
        return (NextId((uint)(bits & uint.MaxValue)), payer, payee, 1 + Below(AmountMsatMax, (uint)(bits >> 32)));
    }

    /// <summary>Not drawn from the system's generator, whose cost would be the generator's and not the server's.</summary>
    /// <param name="upper">Its ten lowest bits are the upper ones of the 74 that are drawn for an id.</param>
    private OperationId NextId(uint upper)
    {
        if (_idsLeft-- == 0) (_now, _idsLeft) = (new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()), IdsOfOneTime - 1);
        return OperationId.Create(_now, new UInt128(upper, NextBits()));
    }

    private ulong NextBits()
    {
        unchecked
        {
            var bits = _state += Step;
            bits = (bits ^ (bits >> 30)) * Mix1;
            bits = (bits ^ (bits >> 27)) * Mix2;
            return bits ^ (bits >> 31);
        }
    }

    /// <summary>One of so many numbers from 0 on, each as likely as the next but for one part in four billion.</summary>
    private static int Below(int count, uint bits) => (int)(((ulong)bits * (uint)count) >> 32);
}
