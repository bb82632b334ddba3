// A hold whose payee lives in another partition: it stands where its payer lives, and is paid out over there.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class PartitionHoldRules
{
    private readonly Books _books = new(2);
    private readonly WalletId _a;
    private readonly WalletId _x;
    private readonly OperationId _hold;

    public PartitionHoldRules()
    {
        _a = _books.Open(0, 1, sat: 1_000);
        _x = _books.Open(1, 1, tenant: Books.Other);
        _hold = _books.NewId();
        Assert.Equal(Outcome.Accepted, _books.Hold(_a, _x, 500_000, _hold).Outcome);
    }

    [Fact]
    public void A_hold_is_captured_in_parts_and_closed_by_the_far_payees_owner()
    {
        Assert.Equal((500_000, 500_000, 0), (_books.Available(_a), _books.Held(_a), _books.InFlight));
        Assert.Equal(_hold, Assert.Single(_books[0].HoldsOf(_x, long.MaxValue, 9)).Id);
        Assert.Equal(_hold, Assert.Single(_books[0].HoldsOf(_a, long.MaxValue, 9)).Id);
        Assert.Empty(_books[1].HoldsOf(_x, long.MaxValue, 9));

        var capture = _books.NewId();
        Assert.Equal(120_000, _books.OnHold(PaymentKind.Capture, _a, _x, _hold, 120_000, tenant: Books.Other, id: capture).Amount.Value);
        Assert.Equal((EntryType.HoldCaptured, HistorySides.None, new LegName(1, 1)), (_books.Last(0).Type, _books.Last(0).Sides, _books.Last(0).Leg));
        Assert.Equal(Outcome.Known, _books.OnHold(PaymentKind.Capture, _a, _x, _hold, 120_000, tenant: Books.Other, id: capture).Outcome);
        Assert.Equal(Outcome.HoldExceeded, _books.OnHold(PaymentKind.Capture, _a, _x, _hold, 380_001, tenant: Books.Other).Outcome);
        _books.Check();
        // The payer's owner may capture for the payee as well.
        var last = _books.OnHold(PaymentKind.Capture, _a, _x, _hold, 80_000, close: true);
        Assert.Equal((80_000, 300_000), (last.Amount.Value, last.Released.Value));
        Assert.Equal((HistorySides.Payer, new LegName(1, 2)), (_books.Last(0).Sides, _books.Last(0).Leg));
        Assert.Empty(_books[0].OpenHolds());
        Assert.Equal(Outcome.HoldNotFound, _books.OnHold(PaymentKind.Capture, _a, _x, _hold, 1, tenant: Books.Other).Outcome);
        _books.DeliverAll();
        Assert.Equal((800_000, 0, 200_000), (_books.Available(_a), _books.Held(_a), _books.Available(_x)));
        _books.Check();
    }

    [Fact]
    public void A_capture_of_a_far_hold_is_refunded_like_a_transfer()
    {
        var capture = _books.NewId();
        var sequence = _books.OnHold(PaymentKind.Capture, _a, _x, _hold, 500_000, tenant: Books.Other, id: capture).Sequence;
        _books.DeliverAll();
        Assert.Equal(Outcome.Accepted, _books.Refund(_x, _a, capture, sequence, 499_999, Books.Other).Outcome);
        Assert.Equal(Outcome.RefundExceeds, _books.Refund(_x, _a, capture, sequence, 2, Books.Other).Outcome);
        _books.DeliverAll();
        Assert.Equal((999_999, 1), (_books.Available(_a), _books.Available(_x)));
        _books.Check();
    }

    [Fact]
    public void A_fee_on_hold_is_taken_where_the_payer_lives()
    {
        _books.Apply(0, new SetFees(_books.NewId(), Books.Shop, new FeeSchedule(new Msat(1_000), 0, Msat.Zero)), Ledger.OperatorTenant);
        var hold = _books.NewId();
        Assert.Equal(1_000, _books.Hold(_a, _x, 10_000, hold).Fee.Value);
        Assert.Equal(1_000, _books.OnHold(PaymentKind.Capture, _a, _x, hold, 10_000, tenant: Books.Other).Fee.Value);
        Assert.Equal(HistorySides.Operator, _books.Last(0).Sides);
        Assert.Equal((1_000, 10_000), (_books[0].OperatorWallet.Available.Value, _books.InFlight));
        _books.Check();
    }

    [Fact]
    public void The_far_payees_owner_alone_releases_it()
    {
        Assert.Equal(Outcome.PayeeOnly, _books.OnHold(PaymentKind.Release, _a, _x, _hold).Outcome);
        Assert.Equal(500_000, _books.OnHold(PaymentKind.Release, _a, _x, _hold, tenant: Books.Other).Released.Value);
        Assert.Equal((1_000_000, 0, 0), (_books.Available(_a), _books.Held(_a), _books.InFlight));
        Assert.Equal(Outcome.HoldNotFound, _books.OnHold(PaymentKind.Release, _a, _x, _hold, tenant: Books.Other).Outcome);
        _books.Check();
    }

    [Fact]
    public void Who_owns_neither_side_learns_nothing_of_a_far_hold()
    {
        const uint stranger = 3;
        var mine = _books.Open(1, 2, tenant: stranger);
        foreach (var kind in (PaymentKind[])[PaymentKind.Capture, PaymentKind.Release])
        {
            Assert.Equal(Outcome.WalletNotFound, _books.OnHold(kind, _a, _x, _hold, 1, tenant: stranger).Outcome);
            Assert.Equal(Outcome.HoldNotFound, _books.OnHold(kind, _a, mine, _hold, 1, tenant: stranger).Outcome);
            // Nor does a payee become one's own by saying so of a wallet that would live here.
            Assert.Equal(Outcome.WalletNotFound, _books.Pay(
                new Payment { Kind = kind, Id = _books.NewId(), Payer = _a, Payee = _books.Wallet(0, 99), Target = _hold, Amount = new Msat(1), Facts = PayeeFacts.All }, stranger).Outcome);
        }
        _books.Check();
    }

    [Fact]
    public void It_expires_to_the_payer()
    {
        _books.Now = new UnixTime(_books.Now.Milliseconds + 9_000);
        var due = _books[0].NextHoldToExpire(_books.Now)!;
        Assert.Equal(new ExpireHold(_a, _hold), due);
        Assert.Equal(Outcome.Accepted, _books.Apply(0, due, Ledger.OperatorTenant).Outcome);
        Assert.Equal((1_000_000, 0, 0), (_books.Available(_a), _books.Held(_a), _books.InFlight));
        Assert.Equal(_x, _books.Last(0).Payee);
        _books.Check();
    }

    [Fact]
    public void Far_payees_of_many_holds_are_kept_apart_and_their_lists_come_in_pages()
    {
        var y = _books.Open(1, 3);
        var ids = Enumerable.Range(0, 9).Select(_ => _books.NewId()).ToArray();
        for (var i = 0; i < ids.Length; i++) _books.Hold(_a, i % 3 == 0 ? y : _x, 1_000 + i, ids[i]);
        _books.Reload();
        Assert.Equal([ids[6], ids[3], ids[0]], _books[0].HoldsOf(y, long.MaxValue, 9).Select(h => h.Id));
        var page = _books[0].HoldsOf(_x, long.MaxValue, 4);
        Assert.Equal([ids[8], ids[7], ids[5], ids[4]], page.Select(h => h.Id));
        Assert.Equal([ids[2], ids[1], _hold], _books[0].HoldsOf(_x, page[^1].Sequence, 4).Select(h => h.Id));
        Assert.Empty(_books[0].HoldsOf(_books.Wallet(1, 77), long.MaxValue, 9));
        Assert.Equal(Outcome.HoldNotFound, _books.OnHold(PaymentKind.Capture, _a, y, ids[1], 1).Outcome);
        Assert.Equal(Outcome.Accepted, _books.OnHold(PaymentKind.Capture, _a, y, ids[3], 1).Outcome);
        _books.Check();
    }
}
