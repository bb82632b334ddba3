using BenchmarkDotNet.Attributes;
using Bitcache.Core;

namespace Bitcache.Benchmarks.Micro;

/// <summary>Bytes to payments and back.</summary>
public class CodecBenchmarks
{
    private readonly byte[] _record = new byte[PaymentRecord.Bytes];
    private readonly byte[] _entry = new byte[Limits.PaymentRecordBytesMax];
    private Payment _payment;
    private int _length;
    private string _wallet = "";

    [GlobalSetup]
    public void Setup()
    {
        var ledger = new SampleLedger(2);
        _payment = ledger.NextPayment();
        PaymentRecord.Write(_record, _payment);
        _length = ledger.Apply(_payment, _entry).BytesWritten;
        _wallet = ledger.Wallets[0].ToString();
    }

    [Benchmark]
    public bool ReadRecord() => PaymentRecord.TryRead(_record, out _);

    [Benchmark]
    public void WriteRecord() => PaymentRecord.Write(_record, _payment);

    [Benchmark]
    public Entry ReadEntry() => Entry.Read(_entry.AsSpan(0, _length));

    [Benchmark]
    public bool ParseWallet() => WalletId.TryParse(_wallet, out _);

    [Benchmark]
    public string FormatWallet() => _payment.Payer.ToString();
}

/// <summary>A ledger with funded wallets, without a journal.</summary>
internal sealed class SampleLedger
{
    private const int SaltBits = 64;
    private static readonly UnixTime Now = new(1_800_000_000_000);
    private readonly Ledger _ledger = new(0, secret: 12345);
    private readonly byte[] _scratch = new byte[Limits.RecordBytesMax];
    private readonly Xoshiro _random = new(1);

    public SampleLedger(int wallets)
    {
        Wallets = new WalletId[wallets];
        Apply(new Genesis("bench.example/log", 3, 1, new WalletId(1), new ByteString([0x51]), []));
        for (var i = 0; i < wallets; i++)
            Apply(new CreateWallet(NextId(), Ledger.OperatorTenant, Wallets[i] = new WalletId(new UInt128(_random.Next(), _random.Next()))));
        var script = new ByteString([0x00, 0x14, .. new byte[20]]);
        Apply(new AssignAddress(NextId(), new WalletId(1), AddressPurpose.OperatorTopUp, script));
        Apply(new ChangeDeposit(default, DepositState.Credited, Suspense: false, script, new Sats(1_000_000L * wallets), default, 1));
        foreach (var wallet in Wallets) Apply(new Transfer(NextId(), new WalletId(1), wallet, new Msat(1_000_000_000), 0, ByteString.Empty));
    }

    public WalletId[] Wallets { get; }
    public Ledger Ledger => _ledger;
    public static ApplyContext Context => new(Now, Ledger.OperatorTenant, (UInt128)7 << SaltBits, ClockTrusted: false);

    public Payment NextPayment()
    {
        var payer = (int)(_random.Next() % (ulong)Wallets.Length);
        var payee = (payer + 1 + (int)(_random.Next() % (ulong)(Wallets.Length - 1))) % Wallets.Length;
        return new Payment { Kind = PaymentKind.Transfer, Id = NextId(), Payer = Wallets[payer], Payee = Wallets[payee], Amount = new Msat(1) };
    }

    public PaymentResult Apply(in Payment payment, Span<byte> record) => _ledger.Apply(payment, Context, record);

    private void Apply(Command command) => _ledger.Apply(command, Context, _scratch);

    private OperationId NextId() => OperationId.Create(Now, new UInt128(_random.Next(), _random.Next()));
}
