// What a random run does, as plain data. Things are named by small numbers, which the run turns into ids, so that
// any part of a list is still a list that means something, and a failing one can be cut down.

using Bitcache.Core;
using FsCheck;
using FsCheck.Fluent;

namespace Bitcache.Tests.Ledgers;

internal abstract record Op
{
    public sealed record Create(int Wallet, int Id) : Op;
    public sealed record Pay(int From, int To, long Msat, int Id, bool ByStranger) : Op;
    public sealed record Address(int Wallet, int Script, int Id) : Op;
    public sealed record Deposit(int Output, int Script, long Sat, DepositState To, bool Suspense, int Block) : Op;
    public sealed record Withdraw(int Wallet, int Script, long Sat, bool Max, int Id) : Op;
    public sealed record Open(int Queued, bool Due, bool Anchor, long Cap) : Op;
    public sealed record Sign(int Family, long Fee) : Op;
    public sealed record Confirm(int Family, int Attempt, int Block) : Op;
    public sealed record Unconfirm(int Family) : Op;
    public sealed record Finish(int Family) : Op;
    public sealed record Abandon(int Family) : Op;
    public sealed record CutEpoch(int Skip) : Op;
    public sealed record RaiseFloor(long Back) : Op;
    public sealed record Wait(long Milliseconds) : Op;
    public sealed record TrustClock(bool Trusted) : Op;
    public sealed record Resend(int Which) : Op;
    public sealed record Restart : Op;

    private IEnumerable<Op> Smaller() => this switch
    {
        Pay p => [.. Cut(p.Msat).Select(v => p with { Msat = v }), .. p.ByStranger ? [p with { ByStranger = false }] : Array.Empty<Op>()],
        Deposit d => Cut(d.Sat).Select(v => d with { Sat = v }),
        Withdraw w => Cut(w.Sat).Select(v => w with { Sat = v }),
        Open o => Cut(o.Cap).Select(v => o with { Cap = v }),
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

    public static Gen<Story> StoriesOf(int length) => AnyOp.ListOf(length).Select(ops => new Story(ops));
    public static Gen<Story> Stories => AnyOp.ListOf().Select(ops => new Story(ops));

    // Amounts meet each other often when there are few of them; every kind of remainder occurs.
    private static Gen<long> Msats => Gen.Frequency(
        (6, Gen.Choose(1, 1_200).Select(v => v * 1_000L)), (3, Gen.Choose(0, 1_200_000).Select(v => (long)v)), (1, Gen.Elements(0L, 1L, 999L, Limits.SupplyMsatMax)));

    private static Gen<long> Sats => Gen.Frequency((8, Gen.Choose(1, 1_200).Select(v => (long)v)), (1, Gen.Elements(0L, 329L, 330L, Limits.SupplySatMax)));

    private static Gen<int> Few => Gen.Choose(0, 4);
    private static Gen<int> Ids => Gen.Choose(0, 40);

    private static Gen<bool> Rarely => Gen.Frequency((9, Gen.Constant(false)), (1, Gen.Constant(true)));

    private static Gen<Op> AnyOp => Gen.Frequency(
        (2, from wallet in Gen.Choose(0, 6) from id in Ids select (Op)new Create(wallet, id)),
        (24, AnyPay),
        (3, from wallet in Few from script in Gen.Choose(0, 6) from id in Ids select (Op)new Address(wallet, script, id)),
        (24, AnyDeposit),
        (12, AnyWithdraw),
        (6, from count in Few from due in Gen.Elements(true, false) from anchor in Rarely from cap in Sats select (Op)new Open(count, due, anchor, cap)),
        (5, from family in Few from fee in Gen.Choose(0, 1_000) select (Op)new Sign(family, fee)),
        (5, from family in Few from back in Gen.Choose(0, 2) from block in Gen.Choose(0, 2) select (Op)new Confirm(family, back, block)),
        (2, Few.Select(f => (Op)new Unconfirm(f))),
        (4, Few.Select(f => (Op)new Finish(f))),
        (2, Few.Select(f => (Op)new Abandon(f))),
        (1, Gen.Choose(0, 2).Select(s => (Op)new CutEpoch(s))),
        (3, Gen.Choose(-1, 60_000).Select(b => (Op)new RaiseFloor(b))),
        (4, Gen.Choose(0, 100_000).Select(ms => (Op)new Wait(ms))),
        (2, Gen.Elements(true, false).Select(t => (Op)new TrustClock(t))),
        (12, Gen.Choose(0, 40).Select(w => (Op)new Resend(w))),
        (1, Gen.Constant((Op)new Restart())));

    private static Gen<Op> AnyPay =>
        from payer in Gen.Choose(-1, 4)
        from payee in Gen.Choose(-1, 4)
        from msat in Msats
        from id in Ids
        from stranger in Rarely
        select (Op)new Pay(payer, payee, msat, id, stranger);

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
        select (Op)new Withdraw(wallet, script, sat, max, id);
}

/// <summary>A list of operations; a failing one is shown as it is.</summary>
internal sealed record Story(IReadOnlyList<Op> Ops)
{
    public override string ToString() => string.Concat(Ops.Select(o => "\n  " + o));
}
