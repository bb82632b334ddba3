// What is found out about payments before their turn saves the owner time, and decides nothing.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class SightTests
{
    private const uint Tenant = 1;
    private const int WalletCount = 100;
    private const int FirstWallets = 20;
    private const int PaymentCount = 700;
    private static readonly WalletId[] Wallets = DrawWallets(new Random(5));

    /// <summary>When payments are looked at: as a partition does it, before most of their wallets are made, and not at all: with slots of
    /// other wallets, and with such as are none.</summary>
    public enum Looks
    {
        Before,
        TooEarly,
        Wrongly,
        PastTheEnd,
        FarPastTheEnd,
    }

    [Theory]
    [InlineData(Looks.Before)]
    [InlineData(Looks.TooEarly)]
    [InlineData(Looks.Wrongly)]
    [InlineData(Looks.PastTheEnd)]
    [InlineData(Looks.FarPastTheEnd)]
    public void Whatever_was_seen_of_payments_they_come_out_the_same(Looks looks)
    {
        var payments = Draw();
        var (expected, results, records) = ApplyOneByOne(payments);

        var ledger = Begin();
        var sights = new PaymentSight[payments.Length];
        if (looks == Looks.TooEarly) ledger.Sight(payments, sights);
        MakeTheOthers(ledger);
        if (looks == Looks.Before) ledger.Sight(payments, sights);
        var random = new Random(7);
        foreach (ref var sight in sights.AsSpan())
        {
            if (looks == Looks.Wrongly) sight = new PaymentSight(random.Next(-1, WalletCount), random.Next(-1, WalletCount), (uint)random.Next());
            // The operator's wallet has slot 0.
            if (looks == Looks.PastTheEnd) sight = new PaymentSight(WalletCount + 1, WalletCount + 1, 0);
            if (looks == Looks.FarPastTheEnd) sight = new PaymentSight(int.MaxValue, int.MinValue, uint.MaxValue);
        }
        var found = new PaymentResult[payments.Length];
        var written = new List<byte>();
        // In several parts, as where a batch is full.
        var space = new byte[100 * Limits.PaymentRecordBytesMax];
        for (var done = 0; done < payments.Length;)
        {
            var applied = ledger.Apply(payments.AsSpan(done), sights.AsSpan(done), Context, Salts(payments.Length).AsSpan(done), found.AsSpan(done), space, out var bytes);
            Assert.InRange(applied, 1, payments.Length - done);
            written.AddRange(space.AsSpan(0, bytes));
            done += applied;
        }

        Assert.Equal(results, found);
        Assert.Equal(records, written);
        Assert.Equal(expected.StateHash(), ledger.StateHash());
        Assert.Contains(found, result => result.Outcome == Outcome.Accepted);
        Assert.Contains(found, result => result.Outcome == Outcome.Known);
        Assert.Contains(found, result => result.Outcome == Outcome.WalletNotFound);
        Assert.Contains(found, result => result.Outcome == Outcome.InsufficientFunds);
    }

    [Fact]
    public void A_wallet_that_is_there_is_seen()
    {
        var ledger = Begin();
        MakeTheOthers(ledger);
        var payments = Draw();
        var sights = new PaymentSight[payments.Length];
        ledger.Sight(payments, sights);
        for (var i = 0; i < payments.Length; i++)
        {
            Assert.Equal(Array.IndexOf(Wallets, payments[i].Payer) is var payer and >= 0 ? payer + 1 : -1, sights[i].Payer);
            Assert.Equal(Array.IndexOf(Wallets, payments[i].Payee) is var payee and >= 0 ? payee + 1 : -1, sights[i].Payee);
        }
    }

    private static ApplyContext Context => new(Book.Start, Tenant, 0, ClockTrusted: true);

    private static (Ledger Ledger, PaymentResult[] Results, byte[] Records) ApplyOneByOne(Payment[] payments)
    {
        var ledger = Begin();
        MakeTheOthers(ledger);
        var results = new PaymentResult[payments.Length];
        var records = new List<byte>();
        var record = new byte[Limits.RecordBytesMax];
        for (var i = 0; i < payments.Length; i++)
        {
            results[i] = ledger.Apply(payments[i], Context with { Salt = Salts(payments.Length)[i] }, record);
            records.AddRange(record.AsSpan(0, results[i].BytesWritten));
        }
        return (ledger, results, [.. records]);
    }

    /// <summary>Between wallets that are there and one in eight that is not; one in ten has an id that came before; most payers have
    /// been paid nothing yet.</summary>
    private static Payment[] Draw()
    {
        var random = new Random(3);
        var payments = new Payment[PaymentCount];
        for (var i = 0; i < payments.Length; i++)
        {
            payments[i] = new Payment
            {
                Kind = PaymentKind.Transfer,
                Id = OperationId.Create(Book.Start, (UInt128)(uint)(i % 10 == 9 ? i - 9 : i) + 1),
                Payer = i % 10 is 0 or 9 ? Wallets[0] : Any(),
                Payee = i % 10 is 0 or 9 ? Wallets[1] : Any(),
                Amount = new Msat(1 + random.Next(50)),
            };
        }
        return payments;

        WalletId Any() => random.Next(8) == 0 ? DrawWallet(random) : Wallets[random.Next(WalletCount)];
    }

    private static WalletId[] DrawWallets(Random random) => [.. Enumerable.Range(0, WalletCount).Select(_ => DrawWallet(random))];

    private static WalletId DrawWallet(Random random) => new(new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64()));

    private static UInt128[] Salts(int count) => [.. Enumerable.Range(1, count).Select(i => new UInt128(0x5a17, (ulong)i))];

    /// <summary>A ledger with a few of the wallets, the first of which has money.</summary>
    private static Ledger Begin()
    {
        var ledger = new Ledger(0);
        Apply(ledger, Book.GenesisCommand, Ledger.OperatorTenant);
        MakeWallets(ledger, Wallets[..FirstWallets]);
        var script = new ByteString([0x00, 0x14, .. new byte[20]]);
        Apply(ledger, new AssignAddress(Id(1), Wallets[0], AddressPurpose.Deposit, script), Tenant);
        Apply(ledger, new ChangeDeposit(new OutPoint(default, 0), DepositState.Credited, Suspense: false, script, new Sats(100_000), default, 1), Ledger.OperatorTenant);
        return ledger;
    }

    private static void MakeTheOthers(Ledger ledger) => MakeWallets(ledger, Wallets[FirstWallets..]);

    private static void MakeWallets(Ledger ledger, WalletId[] wallets)
    {
        foreach (var wallet in wallets) Apply(ledger, new CreateWallet(Id(1_000 + Array.IndexOf(Wallets, wallet)), Tenant, wallet), Tenant);
    }

    private static OperationId Id(int number) => OperationId.Create(Book.Start, (UInt128)(uint)number << 32);

    private static void Apply(Ledger ledger, Command command, uint tenant) =>
        Assert.Equal(Outcome.Accepted, ledger.Apply(command, new ApplyContext(Book.Start, tenant, 1, ClockTrusted: true), new byte[Limits.RecordBytesMax]).Outcome);
}
