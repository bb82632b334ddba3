using Bitcache.Core;

namespace Bitcache.Simulation;

/// <summary>What clients and the operator ask for, drawn at random from what there is.</summary>
internal sealed class Traffic(Random random, SimClock clock, Oracle oracle)
{
    public const uint Tenants = 2;
    private const int WalletsMax = 12;
    private const int SplitPartsMax = 8;
    /// <summary>Larger withdrawals wait for approval.</summary>
    private static readonly Sats ApprovalFrom = new(1_200);
    // The first asks for withdrawals.
    private static readonly ByteString[] Keys = [ByteString.FromUtf8("1a2b3c4d"), ByteString.FromUtf8("5e6f7a8b"), ByteString.FromUtf8("9c0d1e2f")];

    public static Genesis Genesis { get; } = new(
        "simulation.example/log", 3, 1, new WalletId(0x0f), new ByteString([0x51, 0x20, .. Enumerable.Repeat((byte)0xaa, 32)]), []);

    private int _wallets;
    private int _scripts;

    private Model Model => oracle.Latest;

    public OperationId NewId()
    {
        var skew = random.Next(40) switch
        {
            0 => Limits.IdAheadMillisecondsMax + 60_000,
            1 => -2 * Limits.WindowMillisecondsMin,
            2 => 20_000 + random.Next(200_000),
            _ => random.Next(4_000) - 2_000,
        };
        return OperationId.Create(new UnixTime(clock.Now + skew), new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64()));
    }

    /// <summary>A taproot script that no wallet has yet.</summary>
    public ByteString NewScript()
    {
        var number = ++_scripts;
        return new ByteString([0x51, 0x20, .. new byte[28], (byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number]);
    }

    public (ClientCommand Command, uint Tenant) NewWallet()
    {
        var number = ++_wallets;
        var tenant = 1 + ((uint)number % Tenants);
        return (new CreateWallet(NewId(), tenant, new WalletId((UInt128)(1_000 + number))), tenant);
    }

    /// <summary>A command of any kind that clients send.</summary>
    public (ClientCommand Command, uint Tenant) Next() => random.Next(100) switch
    {
        < 72 => NextPayment(),
        < 80 => NextSplit(),
        < 83 => NextFreeze(),
        < 87 => NextLimits(),
        < 88 => (new SetFees(NewId(), 1 + (uint)random.Next(2), new FeeSchedule(new Msat(random.Next(3) * 500), random.Next(30_000), new Msat(random.Next(2) * 900))), Ledger.OperatorTenant),
        < 90 when _wallets < WalletsMax => NewWallet(),
        < 92 => NextAddresses(),
        < 97 => NextWithdrawal(),
        < 99 when Frozen.Any() && random.Next(3) == 0 => NextSettlement(),
        < 99 when Suspense.Any() && random.Next(3) > 0 => NextAssignment(),
        < 99 => (new StopWithdrawals(NewId(), random.Next(3) == 0), Ledger.OperatorTenant),
        _ => (new EpochCut(NewId(), Model.Epochs + random.Next(2)), Ledger.OperatorTenant),
    };

    /// <summary>A payment of any kind, and who sends it.</summary>
    public (PaymentCommand Payment, uint Tenant) NextPayment() => random.Next(20) switch
    {
        < 9 => NextTransfer(upTo: false),
        < 11 => NextTransfer(upTo: true),
        < 14 => NextHold(),
        < 17 when oracle.Placed.Count > 0 => NextCapture(),
        < 18 when oracle.Placed.Count > 0 => NextRelease(),
        < 20 when oracle.Paid.Count > 0 => NextRefund(),
        _ => NextTransfer(upTo: false),
    };

    /// <summary>The same id with other terms.</summary>
    public static ClientCommand WithOtherTerms(ClientCommand command) => command switch
    {
        Transfer t => t with { Code = t.Code + 1 },
        PlaceHold h => h with { Code = h.Code + 1 },
        CaptureHold c => c with { Close = !c.Close },
        SetFrozen f => f with { Frozen = !f.Frozen },
        StopWithdrawals s => s with { Stopped = !s.Stopped },
        DecideWithdrawal d => new DecideWithdrawal(d.Id, d.Wallet, !d.Approved, d.By),
        SettleDeposit s => new SettleDeposit(s.Id, s.OutPoint, !s.Released, s.By, s.Reason),
        AssignSuspense a => a with { OutPoint = a.OutPoint with { Index = a.OutPoint.Index + 1 } },
        RequestWithdrawal w => w with { Deadline = new UnixTime((w.Deadline?.Milliseconds ?? 1_800_000_000_000) + 1) },
        AssignAddresses a => new AssignAddresses(a.Id, a.Wallet, a.Purpose, a.Height, [.. a.Addresses, .. a.Addresses]),
        _ => command,
    };

    private (PaymentCommand, uint) NextTransfer(bool upTo)
    {
        var (payer, payee) = (AnyWallet(), AnyWallet());
        var msat = Amount(payer);
        return (new Transfer(NewId(), payer, payee, msat, (uint)random.Next(9), Reference()) { UpTo = upTo ? msat : null }, TenantOf(payer));
    }

    private (PaymentCommand, uint) NextHold()
    {
        var (payer, payee) = (AnyWallet(), AnyWallet());
        var expires = clock.Now + (random.Next(10) == 0 ? -1 : random.Next(8) == 0 ? random.Next(7_200_000) : random.Next(20_000));
        return (new PlaceHold(NewId(), payer, payee, Amount(payer), 0, Reference(), new UnixTime(expires)), TenantOf(payer));
    }

    private (PaymentCommand, uint) NextCapture()
    {
        var hold = Recent(oracle.Placed);
        var byPayee = random.Next(3) != 0;
        var msat = new Msat(1 + random.NextInt64(hold.Amount.Value + (hold.Amount.Value / 4) + 1));
        var capture = new CaptureHold(NewId(), hold.Payer, hold.Payee, msat, 0, ByteString.Empty, hold.Id, random.Next(3) == 0);
        return (capture, TenantOf(byPayee ? hold.Payee : hold.Payer));
    }

    private (PaymentCommand, uint) NextRelease()
    {
        var hold = Recent(oracle.Placed);
        return (new ReleaseHold(NewId(), hold.Payer, hold.Payee, default, 0, ByteString.Empty, hold.Id), TenantOf(random.Next(4) == 0 ? hold.Payer : hold.Payee));
    }

    private (PaymentCommand, uint) NextRefund()
    {
        var (sequence, paid) = Recent(oracle.Paid);
        var msat = new Msat(1 + random.NextInt64(paid.Amount.Value));
        var refund = new RefundPayment(NewId(), paid.Payee, paid.Payer, msat, 0, ByteString.Empty, sequence, paid.Amount, paid.Id);
        return (refund, TenantOf(paid.Payee));
    }

    private (ClientCommand, uint) NextSplit()
    {
        var payer = AnyWallet();
        var parts = oracle.Wallets.Where(w => w != payer).ToArray();
        random.Shuffle(parts);
        parts = parts[..Math.Min(parts.Length, 1 + random.Next(SplitPartsMax))];
        var each = Amount(payer).Value / parts.Length;
        return (new Split(NewId(), payer, [.. parts.Select(p => new SplitPart(p, new Msat(each), 0, Reference(), (UInt128)random.NextInt64()))]), TenantOf(payer));
    }

    private (ClientCommand, uint) NextFreeze()
    {
        var wallet = AnyWallet();
        return (new SetFrozen(NewId(), wallet, random.Next(3) == 0), random.Next(2) == 0 ? Ledger.OperatorTenant : TenantOf(wallet));
    }

    private (ClientCommand, uint) NextLimits()
    {
        long Limit(long most) => random.Next(3) == 0 ? 1 + random.NextInt64(most) : 0;
        var limits = new SpendingLimits(new Msat(Limit(400_000)), new Msat(Limit(2_000_000)), new Msat(Limit(4_000_000)));
        return Own(w => new SetLimits(NewId(), w, limits));
    }

    /// <summary>One, as the node chose it or as we derived it, or several at once.</summary>
    private (ClientCommand, uint) NextAddresses() => Own(w => random.Next(3) switch
    {
        0 => new AssignAddress(NewId(), w, AddressPurpose.Deposit, NewScript()),
        1 => new AssignAddress(NewId(), w, AddressPurpose.Deposit, NewScript(), new AddressOrigin((uint)_scripts, 5)),
        _ => new AssignAddresses(NewId(), w, AddressPurpose.Deposit, 5, [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => new DerivedAddress((uint)_scripts, NewScript()))]),
    });

    private (ClientCommand, uint) NextWithdrawal() => random.Next(4) == 0 && Model.Withdrawals.Count > 0 ? random.Next(2) == 0 ? NextCancel() : NextDecision() : Own(w =>
    {
        var script = random.Next(5) == 0 ? oracle.Scripts[random.Next(oracle.Scripts.Count)] : NewScript();
        return new RequestWithdrawal(NewId(), w, script, new Sats(300 + random.Next(1_500)), random.Next(6) == 0)
        {
            Fee = new Sats(random.Next(3) == 0 ? 0 : random.Next(300)),
            FeeMax = random.Next(3) == 0 ? new Sats(random.Next(400)) : null,
            Deadline = random.Next(3) == 0 ? new UnixTime(clock.Now + (random.Next(8) == 0 ? -1 : random.Next(60_000))) : null,
            ApprovalFrom = ApprovalFrom,
            AskedBy = Keys[0],
        };
    });

    /// <summary>Takes back one of the newest withdrawals, which may be on its way; always sent by the same tenant, its owner.</summary>
    private (ClientCommand, uint) NextCancel()
    {
        var key = Model.Withdrawals.OrderByDescending(w => w.Value.Order).ElementAt(random.Next(Math.Min(4, Model.Withdrawals.Count))).Key;
        return (new CancelWithdrawal(key.Id, key.Wallet), Model.Wallets[key.Wallet].Tenant);
    }

    /// <summary>Approves or declines one of the newest withdrawals, of which a few wait for it.</summary>
    private (ClientCommand, uint) NextDecision()
    {
        var awaiting = Model.Withdrawals.Where(w => w.Value.State == WithdrawalState.AwaitingApproval || random.Next(8) == 0).OrderByDescending(w => w.Value.Order).ToArray();
        if (awaiting.Length == 0) return NextCancel();
        var key = awaiting[random.Next(Math.Min(4, awaiting.Length))].Key;
        return (new DecideWithdrawal(key.Id, key.Wallet, random.Next(3) != 0, Keys[random.Next(Keys.Length)]), Ledger.OperatorTenant);
    }

    /// <summary>Outputs that were booked to suspense, the newest first, whatever became of them.</summary>
    private IEnumerable<OutPoint> Suspense => Model.Deposits.Where(d => d.Value is { Suspense: true, Booked: true })
        .OrderByDescending(d => d.Value.State == DepositState.Final).ThenByDescending(d => d.Key.Index).Select(d => d.Key);

    private (ClientCommand, uint) NextAssignment()
    {
        var outputs = Suspense.Take(6).ToArray();
        return (new AssignSuspense(NewId(), outputs[random.Next(outputs.Length)], AnyWallet()), Ledger.OperatorTenant);
    }

    /// <summary>Deposits that are frozen, the newest first.</summary>
    private IEnumerable<OutPoint> Frozen => Model.Deposits.Where(d => d.Value.State == DepositState.Frozen).OrderByDescending(d => d.Key.Index).Select(d => d.Key);

    private (ClientCommand, uint) NextSettlement()
    {
        var outputs = Frozen.Take(6).ToArray();
        var settlement = new SettleDeposit(NewId(), outputs[random.Next(outputs.Length)], random.Next(2) == 0, Keys[random.Next(Keys.Length)], Reference());
        return (settlement, Ledger.OperatorTenant);
    }

    private (ClientCommand, uint) Own(Func<WalletId, ClientCommand> make)
    {
        var wallet = AnyWallet();
        return (make(wallet), TenantOf(wallet));
    }

    /// <summary>A wallet, now and then one that there is not.</summary>
    private WalletId AnyWallet() => random.Next(25) == 0
        ? random.Next(2) == 0 ? Genesis.Operator : new WalletId(77)
        : new WalletId((UInt128)(1_001 + random.Next(_wallets)));

    /// <summary>Its owner, now and then a stranger.</summary>
    private uint TenantOf(WalletId wallet) => random.Next(30) == 0 || !Model.Wallets.TryGetValue(wallet, out var there) ? 1 + (uint)random.Next(3) : there.Tenant;

    private Msat Amount(WalletId payer)
    {
        var available = Model.Wallets.TryGetValue(payer, out var wallet) ? wallet.Available : 1_000;
        return random.Next(12) switch
        {
            0 => new Msat(available),
            1 => new Msat(available + 1),
            2 => Msat.Zero,
            _ => new Msat(1 + random.NextInt64((available / 4) + 1)),
        };
    }

    private ByteString Reference() => random.Next(4) == 0 ? new ByteString(new byte[1 + random.Next(Limits.ReferenceBytesMax)]) : ByteString.Empty;

    /// <summary>One of the newest, as a rule.</summary>
    private T Recent<T>(List<T> list) => list[^(1 + random.Next(Math.Min(list.Count, random.Next(4) == 0 ? 200 : 12)))];
}
