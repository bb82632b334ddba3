using Bitcache.Core;

namespace Bitcache.Benchmarks.Load;

/// <summary>Payments as all contenders get them: a fresh UUIDv7, two wallets of the whole set at random, 1 to 1000
/// msat. Belongs to one generator.</summary>
internal sealed class PaymentSource(int wallets)
{
    public const int AmountMsatMax = 1_000;

    private readonly Random _random = new();

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
        var now = new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        return OperationId.Create(now, new UInt128((ulong)_random.NextInt64(), (ulong)_random.NextInt64()));
    }
}
