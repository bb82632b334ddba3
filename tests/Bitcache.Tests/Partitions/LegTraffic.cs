// The clients of the simulation of several partitions: what they ask for, what they were answered, and what they ask again.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

internal sealed class LegTraffic
{
    private readonly record struct Answered(Outcome Outcome, long Sequence);

    private sealed class Request(WalletId owner, OperationId id, Func<Task<Answered>> send)
    {
        public WalletId Owner { get; } = owner;
        public OperationId Id { get; } = id;
        public Func<Task<Answered>> Send { get; } = send;
        /// <summary>What was asked for, where it is a single payment.</summary>
        public Payment Payment { get; init; }
        /// <summary>The first answer that is in the journal.</summary>
        public Answered? Answer { get; set; }
        public bool WasAnswered { get; set; }
    }

    private const int RoundsToAnswer = 5;
    private readonly Random _random;
    private readonly Func<UnixTime> _now;
    private readonly int _partitions;
    private readonly List<WalletId> _wallets = [];
    private readonly List<ByteString> _scripts = [];
    private readonly List<Request> _requests = [];
    private PartitionSet _set = null!;

    public LegTraffic(Random random, int partitions, int walletsInEach, Func<UnixTime> now)
    {
        (_random, _partitions, _now) = (random, partitions, now);
        Operator = IdOf(0, 0);
        for (var i = 0; i < partitions * walletsInEach; i++)
        {
            _wallets.Add(IdOf(i % partitions, 1 + (i / partitions)));
            _scripts.Add(new ByteString([0, 20, .. new byte[19], (byte)(i + 1)]));
        }
    }

    public WalletId Operator { get; }
    public int Retries { get; private set; }

    /// <summary>From now on requests go here.</summary>
    public void Connect(PartitionSet set) => _set = set;

    /// <summary>What makes the wallets, and the operator's money.</summary>
    public IEnumerable<(Command Command, int Partition, uint Tenant)> Opening(long funds)
    {
        var script = new ByteString([0, 20, .. new byte[20]]);
        yield return (new AssignAddress(NewId(), Operator, AddressPurpose.OperatorTopUp, script), 0, Ledger.OperatorTenant);
        yield return (new ChangeDeposit(default, DepositState.Credited, false, script, new Sats(2 * funds), default, 1), 0, Ledger.OperatorTenant);
        for (var i = 0; i < _wallets.Count; i++)
        {
            var (home, tenant) = (_wallets[i].PartitionOf(_partitions), TenantOf(_wallets[i]));
            yield return (new CreateWallet(NewId(), tenant, _wallets[i]), home, tenant);
            yield return (new AssignAddress(NewId(), _wallets[i], AddressPurpose.Deposit, _scripts[i]), home, tenant);
        }
        for (var number = 0; number < _partitions; number++)
        {
            if (_random.Next(2) == 0) yield return (new SetFees(NewId(), 1, new FeeSchedule(new Msat(3), 1_000, Msat.Zero)), number, Ledger.OperatorTenant);
        }
    }

    /// <summary>The operator pays every wallet something.</summary>
    public IEnumerable<Payment> FirstPayments(long funds) =>
        _wallets.Select(wallet => new Payment { Kind = PaymentKind.Transfer, Id = NewId(), Payer = Operator, Payee = wallet, Amount = new Msat(funds), Facts = PayeeFacts.Exists });

    /// <summary>Asks for something new, or again for something old.</summary>
    public void SendOne(IReadOnlyList<Ledger> ledgers)
    {
        if (_requests.Count > 0 && _random.Next(3) == 0)
        {
            Retries++;
            Send(_requests[_random.Next(_requests.Count)]);
            return;
        }
        switch (_random.Next(12))
        {
            case 0:
                SendSplit();
                break;
            case 1:
                SendWithdrawal();
                break;
            case 2:
                SendMove(ledgers);
                break;
            case 3:
                SendBlock();
                break;
            case 4:
                CutEpoch(ledgers);
                break;
            case 5:
                Freeze();
                break;
            case 6 or 7 when OfKind(PaymentKind.Hold) is { } hold:
                SendOnHold(hold);
                break;
            case 8 when OfKind(PaymentKind.Transfer) is { Answer.Outcome: Outcome.Accepted } paid:
                SendRefund(paid.Payment);
                break;
            default:
                SendPayment(NewPayment());
                break;
        }
    }

    /// <summary>Every request again, until it is answered.</summary>
    /// <param name="settle">Lets everybody take turns.</param>
    public void RetryEverything(Action settle)
    {
        foreach (var request in _requests) request.WasAnswered = false;
        for (var i = 0; i < RoundsToAnswer; i++)
        {
            foreach (var request in _requests.Where(request => !request.WasAnswered)) Send(request);
            for (var turn = 0; turn < RoundsToAnswer; turn++) settle();
        }
        Must.Hold(_requests.TrueForAll(request => request.WasAnswered), "A retry was not answered.");
    }

    /// <summary>Whatever was answered stands in the journal as it was answered.</summary>
    public void CheckAnswered(IReadOnlyList<Ledger> ledgers, IReadOnlyList<Partition> partitions)
    {
        foreach (var request in _requests)
        {
            if (request.Answer is not { } answer) continue;
            var home = request.Owner.PartitionOf(_partitions);
            Must.Hold(ledgers[home].FindId(request.Owner, request.Id) == answer.Sequence, "What was answered is not there after recovery.");
            Must.Hold(partitions[home].ReadEntry(answer.Sequence).Outcome == answer.Outcome, "What was answered stands there differently.");
        }
    }

    private static async void Send(Request request)
    {
        try
        {
            Take(request, await request.Send());
        }
        catch (Exception e) when (e is OutcomeUnknownException or PartitionUnavailableException)
        {
            // Whoever asked tries again.
        }
    }

    /// <summary>An answer, which is that of the first time.</summary>
    private static void Take(Request request, Answered answer)
    {
        if (answer.Outcome == Outcome.IdInFlight) return;
        request.WasAnswered = true;
        if (answer.Sequence == 0)
        {
            Must.Hold(request.Answer is null, $"A retry is {answer.Outcome}, and was {request.Answer}.");
            return;
        }
        Must.Hold(request.Answer is null || request.Answer == answer, $"A retry is {answer}, and was {request.Answer}.");
        request.Answer = answer;
    }

    private void Add(Request request)
    {
        _requests.Add(request);
        Send(request);
    }

    private Payment NewPayment()
    {
        var (payer, payee) = TwoWallets();
        var isHold = _random.Next(4) == 0;
        var payment = new Payment
        {
            Kind = isHold ? PaymentKind.Hold : PaymentKind.Transfer,
            Flags = !isHold && _random.Next(5) == 0 ? PaymentFlags.UpTo : PaymentFlags.None,
            Id = NewId(),
            Payer = payer,
            Payee = payee,
            Amount = NewAmount(),
            Code = (uint)_requests.Count,
            Expires = isHold ? new UnixTime(_now().Milliseconds + 100 + _random.Next(3_000)) : default,
        };
        payment.SetReference(new byte[_random.Next(20)]);
        return payment;
    }

    private void SendPayment(Payment payment, uint? tenant = null) => Add(
        new Request(payment.Payer, payment.Id, async () => Of(await _set.SubmitAsync(payment, tenant ?? TenantOf(payment.Payer)))) { Payment = payment });

    /// <summary>The payee's owner captures, in parts or all, or releases.</summary>
    private void SendOnHold(Request hold)
    {
        var (kind, of) = (_random.Next(4) == 0 ? PaymentKind.Release : PaymentKind.Capture, hold.Payment);
        var payment = new Payment
        {
            Kind = kind,
            Flags = kind == PaymentKind.Capture && _random.Next(3) == 0 ? PaymentFlags.Close : PaymentFlags.None,
            Id = NewId(),
            Payer = of.Payer,
            Payee = of.Payee,
            Target = of.Id,
            Amount = new Msat(1 + _random.NextInt64(of.Amount.Value)),
        };
        SendPayment(payment, TenantOf(of.Payee));
    }

    private void SendRefund(Payment paid)
    {
        var refund = new Payment
        {
            Kind = PaymentKind.Refund,
            Id = NewId(),
            Payer = paid.Payee,
            Payee = paid.Payer,
            Target = paid.Id,
            Amount = new Msat(1 + _random.NextInt64(paid.Amount.Value)),
        };
        Add(new Request(refund.Payer, refund.Id, async () =>
        {
            Payment[] refunds = [refund];
            var outcome = (await Refunds.CompleteAsync(_set, TenantOf(refund.Payer), refunds, CancellationToken.None))[0];
            return outcome == Outcome.Accepted ? Of(await _set.SubmitAsync(refunds[0], TenantOf(refund.Payer))) : new Answered(outcome, 0);
        }));
    }

    /// <summary>Payees are looked up one after the other: what waits for several at once goes on where the seed does not decide.</summary>
    private void SendSplit()
    {
        var payer = _wallets[_random.Next(_wallets.Count)];
        var payees = _wallets.Where(wallet => wallet != payer && _random.Next(2) == 0).ToList();
        if (payees.Count == 0) return;
        var split = new Split(NewId(), payer, [.. payees.Select(payee => new SplitPart(payee, NewAmount(), 1, ByteString.FromUtf8("part"), (UInt128)_random.NextInt64()))]);
        Add(new Request(payer, split.Id, async () =>
        {
            foreach (var payee in payees) await _set.HomeOf(payee).OwnersAsync([payee]);
            return Of(await _set.HomeOf(payer).SubmitAsync(split with { PayeesElsewhereExist = true }, TenantOf(payer)));
        }));
    }

    private void SendWithdrawal()
    {
        var (payer, payee) = TwoWallets();
        var script = _scripts[_wallets.IndexOf(payee)];
        var max = _random.Next(4) == 0;
        var withdrawal = new RequestWithdrawal(NewId(), payer, script, new Sats(max ? 0 : 300 + _random.Next(400)), max);
        Add(new Request(payer, withdrawal.Id, async () =>
        {
            var home = _set.HomeOf(payer);
            var owner = _set.HomeOf(payee) == home ? default : await _set.HomeOf(payee).QueryAsync(ledger => ledger.FindAddress(script)!.Wallet);
            return Of(await home.SubmitAsync(withdrawal with { OwnerElsewhere = owner }, TenantOf(payer)));
        }));
    }

    private void SendMove(IReadOnlyList<Ledger> ledgers)
    {
        var from = _random.Next(_partitions);
        var to = (from + 1 + _random.Next(_partitions - 1)) % _partitions;
        var there = ledgers[from].OperatorWallet.Available.Value;
        if (there == 0) return;
        // Its id is unique in the partition that sends: these are not asked again.
        Run(_set[from].SubmitAsync(new MoveOperatorFunds(NewId(), Operator, to, new Msat(1 + _random.NextInt64(there)))));
    }

    private void SendBlock()
    {
        var tenant = 1u + (uint)_random.Next(2);
        var payments = Enumerable.Range(0, 1 + _random.Next(12)).Select(_ => NewPayment()).Where(payment => TenantOf(payment.Payer) == tenant).ToArray();
        if (payments.Length == 0) return;
        for (var i = 0; i < payments.Length; i++)
        {
            var at = i;
            var request = new Request(payments[i].Payer, payments[i].Id, async () => Of(await _set.SubmitAsync(payments[at], tenant))) { Payment = payments[i] };
            _requests.Add(request);
        }
        SendTogether(payments, _requests[^payments.Length..], tenant);
    }

    private async void SendTogether(Payment[] payments, List<Request> requests, uint tenant)
    {
        var block = new PaymentBlock(payments.Length) { Tenant = tenant, Count = payments.Length };
        for (var i = 0; i < payments.Length; i++) block.Payments[i] = payments[i];
        try
        {
            await _set.SubmitAsync(block);
        }
        catch (Exception e) when (e is OutcomeUnknownException or PartitionUnavailableException)
        {
            return;
        }
        for (var i = 0; i < payments.Length; i++)
        {
            // What a retry was told before, only the journal knows.
            var result = block.Results[i];
            if (result.Outcome != Outcome.Known) Take(requests[i], new Answered(result.Outcome, result.Sequence));
        }
    }

    /// <summary>The first partition closes epochs, the others follow when they like, at the latest with a credit.</summary>
    private void CutEpoch(IReadOnlyList<Ledger> ledgers)
    {
        var (closed, behind) = (ledgers[0].LastEpoch?.Number ?? 0, _random.Next(_partitions));
        var there = ledgers[behind].LastEpoch?.Number ?? 0;
        if (behind == 0) Run(_set.First.SubmitAsync(new EpochCut(NewId(), closed + 1)));
        else if (there < closed) Run(_set[behind].SubmitAsync(new EpochCut(default, there + 1)));
    }

    private void Freeze()
    {
        var wallet = _wallets[_random.Next(_wallets.Count)];
        Run(_set.HomeOf(wallet).SubmitAsync(new SetFrozen(NewId(), wallet, _random.Next(3) == 0), TenantOf(wallet)));
    }

    private static async void Run(Task<Answer> task)
    {
        try
        {
            await task;
        }
        catch (Exception e) when (e is OutcomeUnknownException or PartitionUnavailableException)
        {
            // Nobody minds.
        }
    }

    private Request? OfKind(PaymentKind kind)
    {
        var some = _requests.Where(request => request.Payment.Kind == kind).ToList();
        return some.Count == 0 ? null : some[_random.Next(some.Count)];
    }

    private (WalletId Payer, WalletId Payee) TwoWallets()
    {
        var payer = _random.Next(_wallets.Count);
        return (_wallets[payer], _wallets[(payer + 1 + _random.Next(_wallets.Count - 1)) % _wallets.Count]);
    }

    /// <summary>One in a few is more than a wallet has.</summary>
    private Msat NewAmount() => new(1 + _random.NextInt64(_random.Next(5) == 0 ? 3_000_000 : 200_000));

    private OperationId NewId() => OperationId.Create(_now(), (UInt128)_random.NextInt64());

    private WalletId IdOf(int partition, int number) => new((UInt128)(uint)((_partitions * (100 + number)) + partition));

    private uint TenantOf(WalletId wallet) => 1 + (uint)(_wallets.IndexOf(wallet) % 2);

    private static Answered Of(in PaymentAnswer answer) => new(answer.Outcome, answer.Sequence);

    private static Answered Of(Answer answer) => new(answer.Outcome, answer.Entry?.Sequence ?? 0);
}
