using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Partitions;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>Wallets in all partitions of a ledger that several processes share, what they pay one another, and what must come of it.</summary>
internal sealed class SharedWallets(Silos silos, int partitions)
{
    private const int WalletsInEach = 3;
    private const long Funds = 1_000_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly WalletId[] _wallets =
        [.. Enumerable.Range(0, partitions * WalletsInEach).Select(i => ClientIds.NextWallet(i % partitions, partitions))];

    // What was acknowledged, by any process: guarded by itself.
    private readonly List<(WalletId Payer, OperationId Id, long Sequence)> _acknowledged = [];

    public int Acknowledged
    {
        get
        {
            lock (_acknowledged) return _acknowledged.Count;
        }
    }

    /// <summary>One of a partition's.</summary>
    public WalletId In(int partition, int which = 0) => _wallets[(which * partitions) + partition];

    /// <summary>Makes the wallets, and has the operator pay every one of them. Every partition must have an owner.</summary>
    public async Task BeginAsync()
    {
        var (set, owner) = (silos[0].Set, ClientIds.NextWallet(0, partitions));
        foreach (var partition in set.All) await AcceptedAsync(partition.SubmitAsync(new Genesis(BegunLedger.Origin, 3, partitions, owner, new ByteString([0x51]), [])));
        await AcceptedAsync(set.First.SubmitAsync(new AssignAddress(NewId(), owner, AddressPurpose.OperatorTopUp, BegunLedger.Script)));
        await AcceptedAsync(set.First.SubmitAsync(new ChangeDeposit(default, DepositState.Credited, false, BegunLedger.Script, new Sats(_wallets.Length * Funds / 1_000), default, 1)));
        foreach (var wallet in _wallets) await AcceptedAsync(set.HomeOf(wallet).SubmitAsync(new CreateWallet(NewId(), Ledger.OperatorTenant, wallet)));
        foreach (var wallet in _wallets) await PayAsync(silos[0], owner, wallet, Funds);
    }

    public async Task<PaymentAnswer> PayAsync(Silo through, WalletId payer, WalletId payee, long amount = 1)
    {
        var payment = Transfer(payer, payee, amount);
        var answer = await through.Set.SubmitAsync(payment, Ledger.OperatorTenant);
        Assert.Equal(Outcome.Accepted, answer.Outcome);
        Acknowledge(payment, answer.Sequence);
        return answer;
    }

    public static Payment Transfer(WalletId payer, WalletId payee, long amount) =>
        new() { Kind = PaymentKind.Transfer, Id = NewId(), Payer = payer, Payee = payee, Amount = new Msat(amount) };

    /// <summary>Pays at random through any process, each payment until it is acknowledged; now and then many in a block.</summary>
    public async Task PayUntilAsync(Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var payments = Enumerable.Range(0, random.Next(8) == 0 ? 40 : 1).Select(_ => NewPayment(random)).ToArray();
            while (!await TryPayAsync(silos[random.Next(silos.Count)], payments))
            {
                Assert.Equal("", Described());
                await Task.Yield();
            }
        }
    }

    /// <summary>Everything that was sent has arrived, and every process knows.</summary>
    public async Task ArriveAsync()
    {
        var begun = TimeProvider.System.GetTimestamp();
        for (var number = 0; number < silos.Count; number++)
        {
            while (silos[number].Set.LegsInFlight > 0)
            {
                if (TimeProvider.System.GetElapsedTime(begun) > Patience) Assert.Fail($"{silos[number].Set.LegsInFlight} legs do not arrive; {Described()}");
                await Task.Delay(1);
            }
        }
    }

    /// <summary>The processes have the same states; money is conserved with what is on its way; and nothing ended a process.</summary>
    /// <returns>Legs on their way.</returns>
    public async Task<long> CheckAsync()
    {
        Assert.Equal("", Described());
        var states = new HashSet<string>();
        var onTheWay = 0L;
        for (var number = 0; number < silos.Count; number++)
        {
            var ledgers = await silos[number].Set.QueryAllAsync(ledger => ledger);
            states.Add(string.Join(' ', await silos[number].Set.QueryAllAsync(ledger => $"{ledger.NextSequence}:{ledger.StateHash()}")));
            onTheWay = LegAudit.CheckMoney(ledgers);
        }
        Assert.Single(states);
        return onTheWay;
    }

    /// <summary>Once all has arrived: every debit has one credit, and what was acknowledged stands in the journal as it was.</summary>
    public async Task AuditAsync()
    {
        Assert.Equal(0L, await CheckAsync());
        var reader = silos[0];
        var audit = LegAudit.Of(reader.Partitions);
        audit.CompareBalances(await reader.Set.QueryAllAsync(ledger => ledger));
        Assert.True(audit.Credits > 0);
        foreach (var group in _acknowledged.GroupBy(one => reader.Set.HomeOf(one.Payer)))
        {
            var ordered = group.OrderBy(one => one.Sequence).ToArray();
            group.Key.ReadEach(Array.ConvertAll(ordered, one => one.Sequence), (at, record) => Assert.Equal(ordered[at].Id, ((PaymentCommand)Entry.Read(record).Command).Id));
        }
    }

    /// <summary>What would have ended processes; empty as long as nothing has.</summary>
    public string Described() =>
        string.Join("; ", Enumerable.Range(0, silos.Count).SelectMany(number => silos[number].Ends.Select(end => $"process {number} would have ended: {end}")));

    private Payment NewPayment(Random random)
    {
        var payer = random.Next(_wallets.Length);
        return Transfer(_wallets[payer], _wallets[(payer + 1 + random.Next(_wallets.Length - 1)) % _wallets.Length], 1 + random.Next(20));
    }

    private async Task<bool> TryPayAsync(Silo through, Payment[] payments)
    {
        try
        {
            return payments.Length == 1 ? await TryPayAsync(through, payments[0]) : await TryPayBlockAsync(through, payments);
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            return false;
        }
    }

    private async Task<bool> TryPayAsync(Silo through, Payment payment)
    {
        var answer = await through.Set.SubmitAsync(payment, Ledger.OperatorTenant);
        return IsDone(payment, answer.Outcome, answer.Sequence);
    }

    private async Task<bool> TryPayBlockAsync(Silo through, Payment[] payments)
    {
        var block = new PaymentBlock(payments.Length) { Tenant = Ledger.OperatorTenant, Count = payments.Length };
        payments.CopyTo(block.Payments);
        await through.Set.SubmitAsync(block);
        through.Set.Recall(block);
        if (block.Results.ToArray().Any(result => result.Outcome == Outcome.IdInFlight)) return false;
        for (var i = 0; i < payments.Length; i++) IsDone(payments[i], block.Results[i].Outcome, block.Results[i].Sequence);
        return true;
    }

    private bool IsDone(in Payment payment, Outcome outcome, long sequence)
    {
        if (outcome == Outcome.IdInFlight) return false;
        Assert.Contains(outcome, new[] { Outcome.Accepted, Outcome.InsufficientFunds });
        Acknowledge(payment, sequence);
        return true;
    }

    private void Acknowledge(in Payment payment, long sequence)
    {
        lock (_acknowledged) _acknowledged.Add((payment.Payer, payment.Id, sequence));
    }

    private static async Task AcceptedAsync(Task<Answer> task) => Assert.Equal(Outcome.Accepted, (await task).Outcome);

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
