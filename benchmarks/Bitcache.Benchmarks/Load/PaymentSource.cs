using Bitcache.Core;

namespace Bitcache.Benchmarks.Load;

/// <summary>Payments as all contenders get them: a fresh UUIDv7, two wallets of the whole set at random, 1 to 1000
/// msat. Belongs to one generator.</summary>
internal sealed class PaymentSource(int wallets)
{
    public const int AmountMsatMax = 1_000;
    /// <summary>Ids that are made between two looks at the clock, which cost as much as the rest of an id.</summary>
    private const int IdsOfOneTime = 256;

    private readonly Random _random = new();
    private UnixTime _now;
    private int _idsLeft;

    /// <summary>Wallets are numbered from 0; payer and payee differ.</summary>
    public (OperationId Id, int Payer, int Payee, int AmountMsat) Next()
    {
        var payer = _random.Next(wallets);
        var payee = (payer + 1 + _random.Next(wallets - 1)) % wallets;
        return (NextId(), payer, payee, 1 + _random.Next(AmountMsatMax));
    }

    /// <summary>Not drawn from the system's generator, whose cost would be the generator's and not the server's.</summary>
    public OperationId NextId()
    {
        if (_idsLeft-- == 0) (_now, _idsLeft) = (new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()), IdsOfOneTime - 1);
        return OperationId.Create(_now, new UInt128((ulong)_random.NextInt64(), (ulong)_random.NextInt64()));
    }
}
