using BenchmarkDotNet.Attributes;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Micro;

/// <summary>Finding wallets among a million, and applying payments between them.</summary>
public class IndexBenchmarks
{
    private const int WalletCount = 1_000_000;
    private const int BlockPayments = 8_192;

    private readonly Payment[] _payments = new Payment[BlockPayments];
    private readonly UInt128[] _salts = new UInt128[BlockPayments];
    private readonly PaymentResult[] _results = new PaymentResult[BlockPayments];
    private readonly byte[] _records = new byte[BlockPayments * Limits.PaymentRecordBytesMax];
    private SampleLedger _ledger = null!;
    private int _next;

    [GlobalSetup]
    public void Setup() => _ledger = new SampleLedger(WalletCount);

    [Benchmark]
    public Wallet? FindWallet() => _ledger.Ledger.FindWallet(_ledger.Wallets[_next = unchecked(_next + 7_919) & 0xFFFFF]);

    [IterationSetup(Target = nameof(Apply))]
    public void FreshPayments()
    {
        for (var i = 0; i < BlockPayments; i++) _payments[i] = _ledger.NextPayment();
    }

    /// <summary>A block as the partition applies it, memory asked for ahead.</summary>
    [Benchmark(OperationsPerInvoke = BlockPayments)]
    public int Apply() => _ledger.Ledger.Apply(_payments, SampleLedger.Context, _salts, _results, _records, out _);
}
