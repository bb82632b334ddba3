// The partitions of one ledger under test: every command goes to the partition that decides it, with what whoever queues
// it finds out elsewhere, and is followed by every check there is. Credits travel when a test says so.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

internal sealed class Books
{
    public const uint Shop = 1;
    public const uint Other = 2;
    public static readonly Msat FeeCap = new Sats(100).ToMsat();
    private readonly byte[] _buffer = new byte[Limits.RecordBytesMax];
    private readonly Ledger[] _ledgers;
    private readonly List<byte[]>[] _records;
    private readonly List<Leg>[] _sent;
    private ulong _numbers;

    public Books(int partitions)
    {
        _ledgers = [.. Enumerable.Range(0, partitions).Select(number => new Ledger(number))];
        _records = [.. _ledgers.Select(_ => new List<byte[]>())];
        _sent = [.. _ledgers.Select(_ => new List<Leg>())];
        Operator = Wallet(0, 0);
        for (var number = 0; number < partitions; number++)
        {
            _ledgers[number].SendTo(_sent[number]);
            Assert.Equal(Outcome.Accepted, Apply(number, GenesisCommand, Ledger.OperatorTenant).Outcome);
        }
    }

    public WalletId Operator { get; }
    public UnixTime Now { get; set; } = Book.Start;
    public int Count => _ledgers.Length;
    public Ledger this[int number] => _ledgers[number];
    public IReadOnlyList<byte[]> RecordsOf(int number) => _records[number];

    /// <summary>Credits that were sent and not delivered yet, by their source.</summary>
    public IReadOnlyList<Leg> SentBy(int number) => _sent[number];

    private Genesis GenesisCommand => new(
        "bitcache.example/test", 3, Count, Operator, Book.AnchorScript, [new KeyFingerprint(KeyPurpose.Checkpoint, new Hash256(1, 2))]);

    /// <summary>The id of a wallet that lives in a partition.</summary>
    public WalletId Wallet(int partition, int number) => new((UInt128)(uint)((Count * (100 + number)) + partition));

    public Ledger HomeOf(WalletId wallet) => _ledgers[wallet.PartitionOf(Count)];

    public OperationId NewId() => OperationId.Create(Now, ++_numbers);

    /// <summary>Makes a wallet, and pays so many satoshis into it.</summary>
    public WalletId Open(int partition, int number, long sat = 0, uint tenant = Shop)
    {
        var wallet = Wallet(partition, number);
        Assert.Equal(Outcome.Accepted, Apply(partition, new CreateWallet(NewId(), tenant, wallet), tenant).Outcome);
        if (sat > 0) Deposit(partition, wallet, sat, AddressPurpose.Deposit, tenant);
        return wallet;
    }

    public ByteString Deposit(int partition, WalletId wallet, long sat, AddressPurpose purpose, uint tenant)
    {
        var script = AssignScript(partition, wallet, purpose, tenant);
        var output = new OutPoint(new Txid(new Hash256(7, ++_numbers)), 0);
        var deposit = new ChangeDeposit(output, DepositState.Credited, false, script, new Sats(sat), new BlockHash(new Hash256(8, 8)), 100);
        Assert.Equal(Outcome.Accepted, Apply(partition, deposit, Ledger.OperatorTenant).Outcome);
        return script;
    }

    public ByteString AssignScript(int partition, WalletId wallet, AddressPurpose purpose = AddressPurpose.Deposit, uint tenant = Shop)
    {
        var script = new ByteString([0, 20, .. new byte[12], .. BitConverter.GetBytes(++_numbers)]);
        Assert.Equal(Outcome.Accepted, Apply(partition, new AssignAddress(NewId(), wallet, purpose, script), tenant).Outcome);
        return script;
    }

    /// <summary>Applies a payment where its payer lives, with what is known of its payee where that lives.</summary>
    public PaymentResult Pay(Payment payment, uint tenant = Shop, PayeeFacts? facts = null)
    {
        var (home, there) = (HomeOf(payment.Payer), HomeOf(payment.Payee));
        if (home != there) payment = payment with { Facts = facts ?? FactsOf(there.FindWallet(payment.Payee)?.Tenant, tenant) };
        var (before, sent) = (Before(home), _sent[home.Partition].Count);
        var result = home.Apply(payment, Context(tenant), _buffer);
        Keep(home, result.IsJournaled, result.BytesWritten, before);
        if (!result.IsJournaled) Assert.Equal(sent, _sent[home.Partition].Count);
        return result;
    }

    public PaymentResult Transfer(WalletId payer, WalletId payee, long msat, OperationId? id = null, PaymentFlags flags = PaymentFlags.None, uint tenant = Shop)
    {
        var payment = new Payment { Kind = PaymentKind.Transfer, Flags = flags, Id = id ?? NewId(), Payer = payer, Payee = payee, Amount = new Msat(msat), Code = 7 };
        payment.SetReference("reference"u8);
        return Pay(payment, tenant);
    }

    public PaymentResult Hold(WalletId payer, WalletId payee, long msat, OperationId id, long milliseconds = 9_000, uint tenant = Shop) => Pay(
        new Payment
        {
            Kind = PaymentKind.Hold,
            Id = id,
            Payer = payer,
            Payee = payee,
            Amount = new Msat(msat),
            Expires = new UnixTime(Now.Milliseconds + milliseconds),
        },
        tenant);

    public PaymentResult OnHold(
        PaymentKind kind, WalletId payer, WalletId payee, OperationId hold, long msat = 0, bool close = false, uint tenant = Shop, OperationId? id = null) => Pay(
        new Payment
        {
            Kind = kind,
            Flags = close ? PaymentFlags.Close : PaymentFlags.None,
            Id = id ?? NewId(),
            Payer = payer,
            Payee = payee,
            Target = hold,
            Amount = new Msat(msat),
        },
        tenant);

    /// <summary>Refunds a payment whose entry is read as the engine reads it: where its payer lives.</summary>
    public PaymentResult Refund(WalletId payer, WalletId payee, OperationId original, long sequence, long msat, uint tenant = Shop)
    {
        var moved = EntryAt(payee.PartitionOf(Count), sequence).Moved!.Value;
        Assert.Equal((original, payee, payer), (moved.Id, moved.Payer, moved.Payee));
        return Pay(
            new Payment
            {
                Kind = PaymentKind.Refund,
                Id = NewId(),
                Payer = payer,
                Payee = payee,
                Target = original,
                Amount = new Msat(msat),
                OriginalSequence = sequence,
                OriginalAmount = moved.Amount,
            },
            tenant);
    }

    public ApplyResult Split(WalletId payer, OperationId id, params (WalletId Payee, long Msat)[] parts) => Split(payer, id, Shop, parts);

    public ApplyResult Split(WalletId payer, OperationId id, uint tenant, params (WalletId Payee, long Msat)[] parts)
    {
        var home = HomeOf(payer);
        var split = new Split(id, payer, [.. parts.Select((part, i) => new SplitPart(part.Payee, new Msat(part.Msat), 7, ByteString.FromUtf8("part"), (UInt128)(i + 1)))])
        {
            PayeesElsewhereExist = parts.All(part => HomeOf(part.Payee) == home || HomeOf(part.Payee).FindWallet(part.Payee) is not null),
        };
        return Apply(home.Partition, split, tenant);
    }

    public ApplyResult Withdraw(
        WalletId wallet, ByteString script, long sat, bool max = false, OperationId? id = null, long fee = 0, UnixTime? deadline = null)
    {
        var home = HomeOf(wallet);
        var owner = _ledgers.Where(ledger => ledger != home).Select(ledger => ledger.FindAddress(script)?.Wallet ?? default).FirstOrDefault(w => !w.IsNone);
        var request = new RequestWithdrawal(id ?? NewId(), wallet, script, new Sats(sat), max) { OwnerElsewhere = owner, Fee = new Sats(fee), Deadline = deadline };
        return Apply(home.Partition, request, Shop);
    }

    public ApplyResult Apply(int partition, Command command, uint tenant)
    {
        var ledger = _ledgers[partition];
        var (before, sent) = (Before(ledger), _sent[partition].Count);
        var result = ledger.Apply(command, Context(tenant), _buffer);
        Keep(ledger, result.IsJournaled, result.BytesWritten, before);
        if (!result.IsJournaled) Assert.Equal(sent, _sent[partition].Count);
        return result;
    }

    /// <summary>Delivers the credits that were sent, the oldest first, each to its partition, which follows to their epoch.</summary>
    public void Deliver(int source, int max = int.MaxValue)
    {
        foreach (var leg in _sent[source].Take(max).ToArray())
        {
            Assert.Equal(Outcome.Accepted, Receive(leg).Outcome);
            _sent[source].RemoveAt(0);
        }
    }

    public void DeliverAll()
    {
        for (var source = 0; source < Count; source++) Deliver(source);
    }

    public ApplyResult Receive(in Leg leg)
    {
        var ledger = _ledgers[leg.Destination];
        for (var next = (ledger.LastEpoch?.Number ?? 0) + 1; next <= leg.Epoch; next++) Apply(leg.Destination, new EpochCut(default, next), Ledger.OperatorTenant);
        var before = Before(ledger);
        var result = ledger.Apply(leg, Context(Ledger.OperatorTenant), _buffer);
        Keep(ledger, result.IsJournaled, result.BytesWritten, before);
        return result;
    }

    public ApplyResult Acknowledge(int source, int destination) => Apply(
        source, new AcknowledgeLegs(destination, _ledgers[destination].LegsReceivedFrom(source)), Ledger.OperatorTenant);

    public long Available(WalletId wallet) => HomeOf(wallet).FindWallet(wallet)!.Value.Available.Value;

    public long Held(WalletId wallet) => HomeOf(wallet).FindWallet(wallet)!.Value.Held.Value;

    /// <summary>What is on its way between the partitions.</summary>
    public long InFlight => -Totals.Sum(_ledgers.Select(ledger => ledger.Totals)).FromPartitions;

    public Entry Last(int partition) => Entry.Read(_records[partition][^1]);

    public Entry EntryAt(int partition, long sequence) => Entry.Read(
        _records[partition].Single(record => Entry.SequencesOf(record) is var (first, count) && sequence >= first && sequence < first + count), sequence);

    /// <summary>Everything that must be true at the end: what is replayed, and what is kept and loaded, is what there is; and
    /// each leg that is not acknowledged can be sent again from its entry.</summary>
    public void Check()
    {
        for (var number = 0; number < Count; number++)
        {
            var hash = _ledgers[number].StateHash();
            Assert.Equal(hash, Book.Replay(_records[number], number).StateHash());
            Assert.Equal(hash, KeptState.Of(_ledgers[number]).Load(number).StateHash());
            foreach (var leg in _sent[number])
                Assert.Equal(Show(leg), Show(Ledger.Resend(_ledgers[number].LegsTo(leg.Destination).Single(l => l.Number == leg.Number), EntryAt(number, leg.Sequence))));
        }
        Assert.Equal(InFlight, _sent.SelectMany(legs => legs).Sum(leg => leg.Credit.Amount.Value));
    }

    /// <summary>Every ledger goes on from what a snapshot keeps of it.</summary>
    public void Reload()
    {
        for (var number = 0; number < Count; number++)
        {
            _ledgers[number] = KeptState.Of(_ledgers[number]).Load(number);
            _ledgers[number].SendTo(_sent[number]);
        }
    }

    /// <summary>All that a leg says.</summary>
    private static string Show(in Leg leg) => string.Join(
        ' ', leg.Source, leg.Destination, leg.Number, leg.Sequence, leg.Type, leg.Epoch, leg.Credit.Id, leg.Credit.Payer, leg.Credit.Payee, leg.Credit.Amount.Value,
        leg.Credit.Code, Convert.ToHexString(leg.Credit.Reference));

    private static PayeeFacts FactsOf(uint? owner, uint tenant) =>
        owner is null ? PayeeFacts.None : owner == tenant ? PayeeFacts.All : PayeeFacts.Exists;

    private ApplyContext Context(uint tenant) => new(Now, tenant, new UInt128(0x5a17, ++_numbers), ClockTrusted: true);

    private static (long Next, Hash256 State) Before(Ledger ledger) => (ledger.NextSequence, ledger.Genesis is null ? default : ledger.StateHash());

    private void Keep(Ledger ledger, bool isJournaled, int bytes, (long Next, Hash256 State) before)
    {
        ledger.CheckConservation();
        ledger.CheckEveryBalance();
        var totals = Totals.Sum(_ledgers.Select(l => l.Totals));
        Assert.Equal(totals.FromBitcoin, totals.Inside + InFlight);
        Assert.True(InFlight >= 0);
        if (!isJournaled)
        {
            Assert.Equal(before.State, ledger.StateHash());
            return;
        }
        var record = _buffer.AsSpan(0, bytes).ToArray();
        _records[ledger.Partition].Add(record);
        Assert.Equal((before.Next, ledger.Partition), (Entry.Read(record).Sequence, Entry.Read(record).Partition));
    }
}
