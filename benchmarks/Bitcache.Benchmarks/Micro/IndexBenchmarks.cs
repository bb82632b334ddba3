using BenchmarkDotNet.Attributes;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Micro;

/// <summary>Finding wallets among a million, and applying payments between them.</summary>
public class IndexBenchmarks
{
    private const int WalletCount = 1_000_000;
    private const int BlockPayments = 8_192;
    private const int Blocks = 64;

    private readonly Payment[] _payments = new Payment[Blocks * BlockPayments];
    private readonly PaymentSight[] _sights = new PaymentSight[BlockPayments];
    private readonly UInt128[] _salts = new UInt128[BlockPayments];
    private readonly PaymentResult[] _results = new PaymentResult[BlockPayments];
    private readonly byte[] _records = new byte[BlockPayments * Limits.PaymentRecordBytesMax];
    private SampleLedger _ledger = null!;
    private int _next;

    [GlobalSetup]
    public void Setup() => _ledger = new SampleLedger(WalletCount);

    [Benchmark]
    public Wallet? FindWallet() => _ledger.Ledger.FindWallet(_ledger.Wallets[_next = (_next + 7_919) % WalletCount]);

    [IterationSetup(Target = nameof(Apply))]
    public void FreshPayments()
    {
        for (var i = 0; i < _payments.Length; i++) _payments[i] = _ledger.NextPayment();
    }

    /// <summary>A block as it is submitted and as the partition applies it, here on one thread.</summary>
    [Benchmark(OperationsPerInvoke = Blocks * BlockPayments)]
    public int Apply()
    {
        var applied = 0;
        for (var block = 0; block < Blocks; block++)
        {
            var payments = _payments.AsSpan(block * BlockPayments, BlockPayments);
            _ledger.Ledger.Sight(payments, _sights);
            applied += _ledger.Ledger.Apply(payments, _sights, SampleLedger.Context, _salts, _results, _records, out _);
        }
        return applied;
    }
}
