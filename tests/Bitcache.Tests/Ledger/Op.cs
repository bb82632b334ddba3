// What a random run does, as plain data. Things are named by small numbers, which the run turns into ids, so that
// any part of a list is still a list that means something, and a failing one can be cut down.

using Bitcache.Core;
using FsCheck;
using FsCheck.Fluent;

namespace Bitcache.Tests.Ledgers;

/// <summary>Who sends what acts on a hold.</summary>
public enum Caller
{
    Payer,
    Payee,
    Stranger,
    /// <summary>The payee's owner, who names another wallet as the payee.</summary>
    OtherPayee,
}

public abstract record Op
{
    public sealed record Create(int Wallet, int Id) : Op;
    public sealed record Pay(int From, int To, long Msat, int Id, bool ByStranger, bool UpTo) : Op;
    public sealed record Split(int From, IReadOnlyList<(int To, long Msat)> Parts, int Id, bool ByStranger) : Op;
    public sealed record Hold(int From, int To, long Msat, long Milliseconds, int Id) : Op;
    public sealed record Capture(int Which, long Msat, bool Close, Caller By, int Id) : Op;
    public sealed record Release(int Which, Caller By, int Id) : Op;
    public sealed record Expire(int Which) : Op;
    public sealed record Refund(int Which, long Msat, int Id) : Op;
    public sealed record Limit(int Wallet, long Each, long Hour, long Day, bool ByOperator, int Id) : Op;
    public sealed record Fees(int Tenant, long Flat, int Parts, long Minimum) : Op;
    public sealed record Address(int Wallet, int Script, int Id) : Op;
    public sealed record Deposit(int Output, int Script, long Sat, DepositState To, bool Suspense, int Block) : Op;
    public sealed record Assign(int Output, int Wallet, int Id) : Op;
    public sealed record Settle(int Output, bool Released, int Id) : Op;
    public sealed record Withdraw(int Wallet, int Script, long Sat, bool Max, int Id, long Fee, long? FeeMax, long? Within, long? ApprovalFrom) : Op;
    public sealed record ExpireWithdrawal(int Which) : Op;
    public sealed record Charge(int Which) : Op;
    public sealed record Decide(int Which, bool Approved, int Key) : Op;
    public sealed record StopAll(bool Stopped, bool Follows) : Op;
    public sealed record Cancel(int Which, bool ByStranger) : Op;
    public sealed record Freeze(int Wallet, bool Frozen, bool ByOperator, int Id) : Op;
    public sealed record Open(int Queued, bool Due, bool Anchor, long Cap) : Op;
    public sealed record Prepare(int Family, long Fee) : Op;
    public sealed record Sign(int Family, long Fee) : Op;
    public sealed record Confirm(int Family, int Attempt, int Block) : Op;
    public sealed record Unconfirm(int Family) : Op;
    public sealed record Finish(int Family, long Shared, int Child) : Op;
    public sealed record Abandon(int Family) : Op;
    public sealed record Die(int Family) : Op;
    public sealed record Archive(int Family) : Op;
    public sealed record SignChild(int Family, int Attempt, long Fee) : Op;
    public sealed record Stop(int Family) : Op;
    public sealed record CutEpoch(int Skip) : Op;
    /// <summary>Another settles from here on, or, if it is late, it is told that it does not, and goes on all the same.</summary>
    public sealed record TakeOver(int Late) : Op;
    public sealed record RaiseFloor(long Back) : Op;
    public sealed record Wait(long Milliseconds) : Op;
    /// <summary>Waits until exactly the next hold is due, or a millisecond less.</summary>
    public sealed record WaitForHold(int Early) : Op;
    public sealed record TrustClock(bool Trusted) : Op;
    public sealed record Resend(int Which) : Op;
    public sealed record Restart : Op;

    private IEnumerable<Op> Smaller() => this switch
    {
        Pay p => [
            .. Cut(p.Msat).Select(v => p with { Msat = v }), .. p.ByStranger ? [p with { ByStranger = false }] : Array.Empty<Op>(),
            .. p.UpTo ? [p with { UpTo = false }] : Array.Empty<Op>()],
        Split s => [
            .. s.Parts.Count > 1 ? s.Parts.Select((_, i) => s with { Parts = [.. s.Parts.Take(i), .. s.Parts.Skip(i + 1)] }) : [],
            .. s.Parts.SelectMany((p, i) => Cut(p.Msat).Select(v => s with { Parts = [.. s.Parts.Take(i), (p.To, v), .. s.Parts.Skip(i + 1)] }))],
        Hold h => Cut(h.Msat).Select(v => h with { Msat = v }),
        Capture c => [.. Cut(c.Msat).Select(v => c with { Msat = v }), .. c.Which > 0 ? [c with { Which = 0 }, c with { Which = c.Which - 1 }] : Array.Empty<Op>()],
        Refund r => [.. Cut(r.Msat).Select(v => r with { Msat = v }), .. r.Which > 0 ? [r with { Which = 0 }, r with { Which = r.Which - 1 }] : Array.Empty<Op>()],
        Limit l => [
            .. Cut(l.Each).Select(v => l with { Each = v }), .. Cut(l.Hour).Select(v => l with { Hour = v }), .. Cut(l.Day).Select(v => l with { Day = v })],
        Fees f => [
            .. Cut(f.Flat).Select(v => f with { Flat = v }), .. Cut(f.Parts).Select(v => f with { Parts = (int)v }),
            .. Cut(f.Minimum).Select(v => f with { Minimum = v })],
        Deposit d => Cut(d.Sat).Select(v => d with { Sat = v }),
        Withdraw w => [
            .. Cut(w.Sat).Select(v => w with { Sat = v }), .. Cut(w.Fee).Select(v => w with { Fee = v }),
            .. w.FeeMax is null ? Array.Empty<Op>() : [w with { FeeMax = null }], .. w.Within is null ? Array.Empty<Op>() : [w with { Within = null }]],
        Finish f => Cut(f.Shared).Select(v => f with { Shared = v }),
        Open o => Cut(o.Cap).Select(v => o with { Cap = v }),
        Prepare p => Cut(p.Fee).Select(v => p with { Fee = v }),
        Sign s => Cut(s.Fee).Select(v => s with { Fee = v }),
        RaiseFloor f => Cut(f.Back).Select(v => f with { Back = v }),
        Resend { Which: > 0 } r => [new Resend(0), new Resend(r.Which / 2), new Resend(r.Which - 1)],
        Wait w => Cut(w.Milliseconds).Select(v => w with { Milliseconds = v }),
        _ => [],
    };

    /// <summary>Round amounts first, then half.</summary>
    private static IEnumerable<long> Cut(long value) =>
        new[] { 0, 1, 1_000, value / 1_000 * 1_000, value / 2 }.Where(v => v >= 0 && v < value).Distinct();

    /// <summary>Drops chunks, the largest first, then makes single amounts smaller.</summary>
    public static IEnumerable<Story> Shrink(Story story)
    {
        var ops = story.Ops;
        for (var size = ops.Count; size >= 1; size /= 2)
        {
            for (var from = 0; from < ops.Count; from += size)
                yield return new Story([.. ops.Take(from), .. ops.Skip(from + size)]);
        }
        // What is sent again is counted back from its end: without one operation, it is one nearer.
        for (var i = 0; i < ops.Count; i++)
            yield return new Story([.. ops.Take(i), .. ops.Skip(i + 1).Select(o => o is Resend { Which: > 0 } r ? new Resend(r.Which - 1) : o)]);
        for (var i = 0; i < ops.Count; i++)
        {
            foreach (var smaller in ops[i].Smaller()) yield return new Story([.. ops.Take(i), smaller, .. ops.Skip(i + 1)]);
        }
    }

    public static Gen<Story> StoriesOf(int length) => Topics.SelectMany(topic => OpsAbout(topic).ListOf(length)).Select(ops => new Story(ops));
    public static Gen<Story> Stories => Topics.SelectMany(topic => OpsAbout(topic).ListOf()).Select(ops => new Story(ops));

    // Amounts meet each other often when there are few of them; every kind of remainder occurs.
    private static Gen<long> Msats => Gen.Frequency(
        (6, Gen.Choose(1, 1_200).Select(v => v * 1_000L)), (3, Gen.Choose(0, 1_200_000).Select(v => (long)v)), (1, Gen.Elements(0L, 1L, 999L, Limits.SupplyMsatMax)));

    private static Gen<long> Sats => Gen.Frequency((8, Gen.Choose(1, 1_200).Select(v => (long)v)), (1, Gen.Elements(0L, 329L, 330L, Limits.SupplySatMax)));

    private static Gen<int> Few => Gen.Choose(0, 4);
    private static Gen<int> Ids => Gen.Choose(0, 40);

    private static Gen<bool> Rarely => Gen.Frequency((9, Gen.Constant(false)), (1, Gen.Constant(true)));

    private static Gen<bool> Sometimes => Gen.Elements(true, false);

    /// <summary>What a story is about. With all kinds of commands in each, what needs several of one kind would be rare.</summary>
    [Flags]
    private enum Topic
    {
        Payments = 1,
        Chain = 2,
        Any = Payments | Chain,
    }

    private static Gen<Topic> Topics => Gen.Elements(Topic.Payments, Topic.Chain, Topic.Any);

    private static Gen<Op> OpsAbout(Topic topic) => Gen.Frequency(AnyOp.Where(op => (op.About & topic) != 0).Select(op => (op.Weight, op.Op)));

    private static (int Weight, Topic About, Gen<Op> Op)[] AnyOp =>
    [
        (2, Topic.Any, from wallet in Gen.Choose(0, 6) from id in Ids select (Op)new Create(wallet, id)),
        (24, Topic.Payments, AnyPay),
        (3, Topic.Chain, from wallet in Few from script in Gen.Choose(0, 6) from id in Ids select (Op)new Address(wallet, script, id)),
        (8, Topic.Payments, AnySplit),
        (10, Topic.Payments, AnyHold),
        (10, Topic.Payments, AnyCapture),
        (3, Topic.Payments, from which in Gen.Choose(0, 5) from who in AnyCaller from id in Ids select (Op)new Release(which, who, id)),
        (5, Topic.Payments, Gen.Choose(-1, 3).Select(w => (Op)new Expire(w))),
        (6, Topic.Payments, from which in Gen.Choose(0, 5) from msat in Msats from id in Ids select (Op)new Refund(which, msat, id)),
        (8, Topic.Payments, AnyLimit),
        (3, Topic.Payments, AnyFees),
        (24, Topic.Any, AnyDeposit),
        (4, Topic.Chain, from output in Gen.Choose(0, 15) from wallet in Gen.Choose(-1, 4) from id in Ids select (Op)new Assign(output, wallet, id)),
        (2, Topic.Chain, from output in Gen.Choose(0, 15) from released in Sometimes from id in Ids select (Op)new Settle(output, released, id)),
        (12, Topic.Chain, AnyWithdraw),
        (3, Topic.Chain, from which in Gen.Choose(0, 5) from stranger in Rarely select (Op)new Cancel(which, stranger)),
        (4, Topic.Chain, from which in Gen.Choose(0, 5) from approved in Sometimes from key in Gen.Choose(0, 2) select (Op)new Decide(which, approved, key)),
        (2, Topic.Chain, from stopped in Rarely from follows in Rarely select (Op)new StopAll(stopped, follows)),
        (12, Topic.Any, from wallet in Gen.Choose(-1, 4) from frozen in Sometimes from op in Sometimes from id in Ids select (Op)new Freeze(wallet, frozen, op, id)),
        (6, Topic.Chain, from count in Few from due in Gen.Elements(true, false) from anchor in Rarely from cap in Sats select (Op)new Open(count, due, anchor, cap)),
        (5, Topic.Chain, from family in Few from fee in Gen.Choose(0, 1_000) select (Op)new Sign(family, fee)),
        (1, Topic.Chain, from family in Few from fee in Gen.Choose(0, 1_000) select (Op)new Prepare(family, fee)),
        (5, Topic.Chain, from family in Few from back in Gen.Choose(0, 2) from block in Gen.Choose(0, 2) select (Op)new Confirm(family, back, block)),
        (2, Topic.Chain, Few.Select(f => (Op)new Unconfirm(f))),
        (4, Topic.Chain, from family in Few
            from shared in Gen.Frequency((4, Gen.Choose(0, 200)), (1, Gen.Choose(0, 1_000)))
            from child in Gen.Frequency((3, Gen.Constant(0)), (1, Gen.Choose(1, 2)))
            select (Op)new Finish(family, shared, child)),
        (3, Topic.Chain, Gen.Choose(-1, 3).Select(w => (Op)new ExpireWithdrawal(w))),
        (4, Topic.Chain, Few.Select(w => (Op)new Charge(w))),
        (2, Topic.Chain, Few.Select(f => (Op)new Abandon(f))),
        (2, Topic.Chain, Few.Select(f => (Op)new Die(f))),
        (1, Topic.Chain, Few.Select(f => (Op)new Archive(f))),
        (3, Topic.Chain, from family in Few from back in Gen.Choose(0, 1) from fee in Gen.Choose(0, 600) select (Op)new SignChild(family, back, fee)),
        (1, Topic.Chain, from family in Few from really in Rarely where really select (Op)new Stop(family)),
        (1, Topic.Chain, Gen.Choose(0, 2).Select(s => (Op)new CutEpoch(s))),
        (2, Topic.Chain, Gen.Frequency((3, Gen.Constant(0)), (1, Gen.Constant(1))).Select(late => (Op)new TakeOver(late))),
        (3, Topic.Any, Gen.Choose(-1, 60_000).Select(b => (Op)new RaiseFloor(b))),
        (4, Topic.Any, Gen.Frequency((6, Gen.Choose(0, 100_000)), (1, Gen.Choose(0, 90_000_000))).Select(ms => (Op)new Wait(ms))),
        (3, Topic.Payments, Gen.Choose(0, 1).Select(early => (Op)new WaitForHold(early))),
        (2, Topic.Any, Gen.Elements(true, false).Select(t => (Op)new TrustClock(t))),
        (12, Topic.Any, Gen.Choose(0, 40).Select(w => (Op)new Resend(w))),
        (1, Topic.Any, Gen.Constant((Op)new Restart())),
    ];

    private static Gen<Op> AnyPay =>
        from payer in Gen.Choose(-1, 4)
        from payee in Gen.Choose(-1, 4)
        from msat in Msats
        from id in Ids
        from stranger in Rarely
        from upTo in Rarely
        select (Op)new Pay(payer, payee, msat, id, stranger, upTo);

    private static Gen<Op> AnySplit =>
        from payer in Gen.Choose(-1, 4)
        from count in Gen.Choose(1, 3)
        from first in Gen.Choose(-1, 4)
        from msats in Gen.ArrayOf(Msats, count)
        from step in Gen.Frequency((8, Gen.Constant(1)), (1, Gen.Constant(0)))
        from id in Ids
        from stranger in Rarely
        select (Op)new Split(payer, [.. msats.Select((v, i) => (((first + 1 + (i * step)) % 6) - 1, v / count))], id, stranger);

    private static Gen<Op> AnyHold =>
        from payer in Gen.Choose(-1, 4)
        from payee in Gen.Choose(-1, 4)
        from msat in Msats
        from ms in Gen.Frequency(
            (8, Gen.Choose(1, 200_000).Select(v => (long)v)), (1, Gen.Elements(-1L, 0L, Limits.HoldMillisecondsMax, Limits.HoldMillisecondsMax + 1)))
        from id in Ids
        select (Op)new Hold(payer, payee, msat, ms, id);

    private static Gen<Caller> AnyCaller => Gen.Frequency(
        (6, Gen.Constant(Caller.Payee)), (3, Gen.Constant(Caller.Payer)), (1, Gen.Constant(Caller.Stranger)), (1, Gen.Constant(Caller.OtherPayee)));

    private static Gen<Op> AnyCapture =>
        from which in Gen.Choose(0, 5)
        from msat in Msats
        from close in Sometimes
        from who in AnyCaller
        from id in Ids
        select (Op)new Capture(which, msat, close, who, id);

    private static Gen<Op> AnyLimit =>
        from wallet in Gen.Frequency((6, Gen.Choose(0, 2)), (1, Gen.Choose(-1, 4)))
        from each in LimitMsats
        from hour in LimitMsats
        from day in LimitMsats
        from op in Sometimes
        from id in Ids
        select (Op)new Limit(wallet, each, hour, day, op, id);

    private static Gen<long> LimitMsats => Gen.Frequency((2, Gen.Constant(0L)), (3, Gen.Choose(1, 2_000).Select(v => v * 500L)));

    private static Gen<Op> AnyFees =>
        from tenant in Gen.Choose(0, 2)
        from flat in Gen.Elements(0L, 1L, 700L, 20_000L, Limits.SupplyMsatMax)
        from parts in Gen.Frequency((3, Gen.Choose(0, 50_000)), (1, Gen.Elements(0, 1, Limits.FeePartsPerMillionMax)))
        from minimum in Gen.Elements(0L, 1L, 3_000L, 40_000L)
        select (Op)new Fees(tenant, flat, parts, minimum);

    private static Gen<Op> AnyDeposit =>
        from output in Gen.Choose(0, 15)
        from script in Gen.Frequency((8, Gen.Choose(0, 2)), (1, Gen.Choose(-1, 5)))
        from sat in Gen.Choose(1, 3_000)
        from to in Gen.Frequency(
            (1, Gen.Constant(DepositState.Seen)),
            (4, Gen.Constant(DepositState.Credited)),
            (3, Gen.Constant(DepositState.Frozen)),
            (1, Gen.Constant(DepositState.Reversed)),
            (1, Gen.Constant(DepositState.Final)))
        from suspense in Rarely
        from block in Gen.Choose(0, 2)
        select (Op)new Deposit(output, script, sat, to, suspense, block);

    private static Gen<Op> AnyWithdraw =>
        from wallet in Few
        from script in Gen.Choose(-1, 9)
        from sat in Sats
        from max in Rarely
        from id in Ids
        from fee in Gen.Frequency((2, Gen.Constant(0L)), (3, Gen.Choose(1, 300).Select(v => (long)v)), (1, Gen.Elements(1_000L, Limits.SupplySatMax)))
        from feeMax in Gen.Frequency((4, Gen.Constant((long?)null)), (1, Gen.Choose(0, 300).Select(v => (long?)v)))
        from within in Gen.Frequency((3, Gen.Constant((long?)null)), (2, Gen.Choose(-1, 4_000).Select(v => (long?)v)))
        from approval in Gen.Frequency((3, Gen.Constant<long?>(null)), (1, Sats.Select(v => (long?)v)))
        select (Op)new Withdraw(wallet, script, sat, max, id, fee, feeMax, within, approval);
}

/// <summary>A list of operations; a failing one is shown as it is.</summary>
public sealed record Story(IReadOnlyList<Op> Ops)
{
    public override string ToString() => string.Concat(Ops.Select(o => "\n  " + o));
}
