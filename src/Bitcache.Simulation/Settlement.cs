using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Simulation;

/// <summary>The operator's side: deposits, withdrawals and cuts, one command at a time as the settlement loop sends them.
/// After a crash it looks at what there is and goes on from there.</summary>
internal sealed class Settlement(Random random, SimClock clock, Oracle oracle)
{
    private Command? _pending;
    private LogCut? _lastCut;
    private readonly List<(OutPoint OutPoint, ByteString Script, Sats Amount)> _outputs = [];
    private uint _height = 100;

    private static readonly ByteString Silo = ByteString.FromUtf8("silo");

    // Not one of ours: those have the id that is all zeros here.
    private static readonly Txid Stranger = new(new Hash256(0, 7));

    private static BlockHash Block(int number) => new(new Hash256(0, (UInt128)(number + 1)));

    public bool IsIdle => _pending is null;

    /// <summary>The term under which the next command is sent: as a rule the newest.</summary>
    public long Term { get; private set; }

    /// <summary>The next command, or null where none would be in order.</summary>
    public Command? Next()
    {
        var command = Draw();
        if (command is null) return null;
        // One that was taken over, and does not know it, sends what it likes.
        Term = Math.Max(0, oracle.Latest.Term - (random.Next(20) == 0 ? 1 : 0));
        // Whatever a caller must not send is not sent: it would stop the process.
        var (outcome, _) = (oracle.Latest with { Now = new UnixTime(clock.Now), Under = Term }).Apply(command, Ledger.OperatorTenant);
        return outcome is null ? null : _pending = command;
    }

    public Command Deposit(ByteString script, Sats amount)
    {
        Term = oracle.Latest.Term;
        return _pending = NewOutput(script, amount, DepositState.Credited, suspense: false);
    }

    /// <summary>The command was answered, or is lost with its process.</summary>
    public void End() => _pending = null;

    /// <summary>Takes an entry of the operator's.</summary>
    public void Admit(Entry entry)
    {
        Must.Hold(_pending is not null && _pending.GetType() == entry.Command.GetType(), $"Nobody asked for {entry.Command}.");
        if (entry.Command is LogCut cut) _lastCut = cut;
    }

    private Command? Draw()
    {
        var model = oracle.Latest;
        if (random.Next(2) == 0 && model.Uncharged.Any()) return new ChargeWithdrawal(model.Uncharged.First());
        if (random.Next(5) == 0 && Further(model) is { } step) return step;
        switch (random.Next(13))
        {
            case 0 or 1:
                var state = random.Next(3) == 0 ? DepositState.Seen : DepositState.Credited;
                return NewOutput(oracle.Scripts[random.Next(oracle.Scripts.Count)], new Sats(1 + random.Next(2_000)), state, random.Next(8) == 0);
            case 2 or 3:
                return ChangeDeposit(model);
            case 4:
                return Open(model, model.Due.Take(random.Next(4)));
            case 5 or 6 when model.Families.Count > 0:
                return Sign(model, Family(model));
            case 7 when model.Families.Count > 0:
                return Confirm(model, Family(model));
            case 8 when model.Families.Count > 0:
                return random.Next(3) == 0 ? new UnconfirmFamily(Family(model)) : Finish(model, Family(model));
            case 9 when model.Families.Count > 0:
                return random.Next(2) == 0 ? new AbandonFamily(Family(model)) : new DeclareFamilyDead(Family(model), Spend());
            case 11 when model.Families.Count > 0:
                return Rare(model);
            case 10 when random.Next(8) == 0:
                return new BeginTerm(model.Term + random.Next(3), Silo);
            case 10 when random.Next(4) == 0:
                return new MarkRescan(model.Rescan ?? (uint)random.Next(100), Done: random.Next(2) == 0);
            case 10:
                return new MoveCursor(++_height, Block((int)_height));
            case 12 when model.Epochs > model.Stated:
                return new StateEpoch(new EpochStatement(model.Epochs, oracle.Next, _height, Block(0), default, new Msat(random.Next(1_000)), default, default));
            default:
                return new LogCut((_lastCut?.Round ?? 0) + 1, [oracle.Next - 1]);
        }
    }

    /// <summary>The next step of the newest payout that has not ended, or a new one. By chance alone few would come to the end, where
    /// their withdrawals are charged.</summary>
    private Command? Further(Model model)
    {
        var number = 1 + model.Families.FindLastIndex(f => f.Pays.Count > 0 && f.State is FamilyState.Opened or FamilyState.Signed or FamilyState.Confirmed);
        if (number == 0) return model.Due.Any() ? Open(model, model.Due.Take(3)) : null;
        return model.Families[number - 1].State switch
        {
            FamilyState.Opened => Sign(model, number),
            FamilyState.Signed => Confirm(model, number),
            _ => Finish(model, number),
        };
    }

    private OpenFamily Open(Model model, IEnumerable<WithdrawalKey> due) =>
        new(model.Families.Count + 1, new Sats(200 + random.Next(800)), random.Next(4) == 0 ? new AnchorTerms(1, 1, default) : null, [.. due]);

    private Command Sign(Model model, long number)
    {
        var (family, fee) = (model.Families[(int)number - 1], new Sats(random.Next(400)));
        // What a signer was given comes back with its fee, as a rule.
        if (family.Prepared is { } prepared && random.Next(8) > 0) fee = new Msat(prepared).RoundDownToSats();
        return random.Next(10) == 0
            ? new PrepareAttempt(number, family.Fees.Count + 1, default, fee, ByteString.Empty)
            : new SignAttempt(number, family.Fees.Count + 1, default, fee, ByteString.Empty, _height);
    }

    private ConfirmFamily Confirm(Model model, long number) =>
        new(number, Math.Max(1, model.Families[(int)number - 1].Fees.Count), 6, Block(random.Next(2)), ByteString.Empty, 0, []);

    /// <summary>The withdrawals share what the confirmed attempt paid, or a part of it.</summary>
    private FinishFamily Finish(Model model, long number)
    {
        var family = model.Families[(int)number - 1];
        var fee = family.Attempt > 0 ? new Msat(family.Fees[family.Attempt - 1]).RoundDownToSats() : Sats.Zero;
        return new FinishFamily(number, new Sats(random.NextInt64(fee.Value + 1)), random.Next(1 + Math.Min(1, family.Children.Count)));
    }

    private Command Rare(Model model)
    {
        var number = Family(model);
        var family = model.Families[(int)number - 1];
        // Nothing is opened after a stop: it comes late in a story.
        if (random.Next(100) == 0) return new StopSettlement(number, Spend());
        if (family.State is FamilyState.Final or FamilyState.Dead) return new ArchiveFamily(number, ByteString.Empty);
        return new SignChild(number, Math.Max(1, family.Fees.Count), family.Children.Count + 1, default, new Sats(random.Next(200)), ByteString.Empty, _height);
    }

    private FinalSpend Spend() => new(default, Stranger, _height, Block(random.Next(2)));

    private ChangeDeposit NewOutput(ByteString script, Sats amount, DepositState state, bool suspense)
    {
        var output = new OutPoint(default, (uint)_outputs.Count);
        _outputs.Add((output, script, amount));
        return new ChangeDeposit(output, state, suspense, script, amount, Block(0), 1);
    }

    private ChangeDeposit ChangeDeposit(Model model)
    {
        var (output, script, amount) = _outputs[^(1 + random.Next(Math.Min(20, _outputs.Count)))];
        // A booked deposit stays where it was booked.
        var suspense = model.Deposits.TryGetValue(output, out var deposit) && deposit.Suspense;
        return new ChangeDeposit(output, (DepositState)(1 + random.Next(5)), suspense, script, amount, Block(random.Next(2)), 5);
    }

    /// <summary>One of the newest.</summary>
    private long Family(Model model) => model.Families.Count - random.Next(Math.Min(3, model.Families.Count));
}
