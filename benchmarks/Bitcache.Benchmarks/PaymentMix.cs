using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Bitcache.Core;

namespace Bitcache.Benchmarks;

/// <summary>What one sender pays: fresh ids, wallets at random over the whole set. Of a hundred payments one goes into one
/// and the same wallet; two carry a reference, one is a hold, one captures or releases a hold that was answered before, and
/// one is paid by a wallet with limits.</summary>
internal sealed class PaymentMix
{
    private const int Hot = 0;
    private const int Referring = 10;
    private const int ReferringToo = 60;
    private const int Holding = 30;
    private const int Closing = 50;
    private const int LimitedPayer = 80;
    /// <summary>One wallet in so many has limits.</summary>
    private const int LimitedEvery = 100;
    private const long HoldMilliseconds = 3_600_000;

    private readonly WalletId[] _wallets;
    private readonly Xoshiro _random;
    private readonly Queue<Payment> _open = new();
    private readonly Queue<Payment> _placed = new();
    // Wallets are drawn some payments ahead, so that the generator does not wait for memory either.
    private readonly (int Payer, int Payee)[] _ahead = new (int, int)[16];
    private uint _count;

    public PaymentMix(WalletId[] wallets, ulong seed)
    {
        (_wallets, _random) = (wallets, new Xoshiro(seed));
        foreach (ref var pair in _ahead.AsSpan()) pair = Draw();
    }

    /// <summary>The wallets that are to be given limits.</summary>
    public static IEnumerable<WalletId> Limited(WalletId[] wallets) => wallets.Where((_, at) => at % LimitedEvery == 1);

    /// <summary>What was made so far has been answered.</summary>
    public void Answered()
    {
        while (_placed.TryDequeue(out var hold)) _open.Enqueue(hold);
    }

    public void Next(UnixTime now, out Payment payment)
    {
        var place = (int)(_count++ % 100);
        ref var drawn = ref _ahead[_count % (uint)_ahead.Length];
        var (payer, payee) = drawn;
        drawn = Draw();
        if (place == Hot) payee = 0;
        if (place == LimitedPayer) payer = Math.Min(1 + (payer / LimitedEvery * LimitedEvery), _wallets.Length - 1);
        if (payer == payee) payee = (payee + 1) % _wallets.Length;
        payment = new Payment
        {
            Kind = place == Holding ? PaymentKind.Hold : PaymentKind.Transfer,
            Id = OperationId.Create(now, new UInt128(_random.Next(), _random.Next())),
            Payer = _wallets[payer],
            Payee = _wallets[payee],
            Amount = new Msat(1 + (long)(_random.Next() % 1_000)),
            Expires = place == Holding ? new UnixTime(now.Milliseconds + HoldMilliseconds) : default,
            Code = _count,
        };
        if (place is Referring or ReferringToo) payment.SetReference("invoice 2026-11-21/000001"u8);
        if (place == Holding) _placed.Enqueue(payment);
        if (place == Closing && _open.TryDequeue(out var hold)) payment = Close(payment.Id, hold);
    }

    /// <summary>Captures the whole hold, or releases it.</summary>
    private Payment Close(OperationId id, in Payment hold)
    {
        var captures = (_count & 128) == 0;
        return hold with
        {
            Kind = captures ? PaymentKind.Capture : PaymentKind.Release,
            Amount = captures ? hold.Amount : Msat.Zero,
            Id = id,
            Target = hold.Id,
            Expires = default,
        };
    }

    private unsafe (int Payer, int Payee) Draw()
    {
        var drawn = _random.Next();
        var (payer, payee) = ((int)((drawn >> 32) * (ulong)_wallets.Length >> 32), (int)((drawn & uint.MaxValue) * (ulong)_wallets.Length >> 32));
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref _wallets[payer]));
            Sse.Prefetch0(Unsafe.AsPointer(ref _wallets[payee]));
        }
        return (payer, payee);
    }
}
