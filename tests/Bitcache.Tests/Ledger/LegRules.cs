// Credits on their way: counted once, in order, never ahead of the epoch they were sent in, and kept until they are known
// to have arrived.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class LegRules
{
    private readonly Books _books = new(3);
    private readonly WalletId _a;
    private readonly WalletId _b;
    private readonly WalletId _c;

    public LegRules()
    {
        _a = _books.Open(0, 1, sat: 1_000);
        _b = _books.Open(1, 1, sat: 1_000);
        _c = _books.Open(2, 1);
    }

    [Fact]
    public void Legs_are_numbered_for_each_pair_of_partitions()
    {
        foreach (var payee in (WalletId[])[_b, _c, _b, _b, _c]) _books.Transfer(_a, payee, 1);
        _books.Transfer(_b, _a, 1);
        Assert.Equal([(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)], _books.SentBy(0).Select(leg => (leg.Destination, leg.Number)));
        Assert.Equal([(0, 1)], _books.SentBy(1).Select(leg => (leg.Destination, leg.Number)));
        Assert.Equal([1, 2, 3], _books[0].LegsTo(1).Select(leg => leg.Number));
        Assert.Empty(_books[0].LegsTo(0));
        _books.Check();
    }

    [Fact]
    public void A_leg_that_comes_again_changes_nothing()
    {
        _books.Transfer(_a, _b, 3);
        _books.Transfer(_a, _b, 4);
        var legs = _books.SentBy(0).ToArray();
        _books.Deliver(0);
        foreach (var leg in legs) Assert.Equal(Outcome.Unchanged, _books.Receive(leg).Outcome);
        _books.Reload();
        foreach (var leg in legs) Assert.Equal(Outcome.Unchanged, _books.Receive(leg).Outcome);
        Assert.Equal((1_000_007, 2L), (_books.Available(_b), _books[1].LegsReceivedFrom(0)));
        _books.Check();
    }

    [Fact]
    public void A_leg_that_is_missing_before_another_stops_the_partition()
    {
        _books.Transfer(_a, _b, 3);
        _books.Transfer(_a, _b, 4);
        var second = _books.SentBy(0)[1];
        Assert.Throws<LedgerInvariantException>(() => _books.Receive(second));
        Assert.Equal((1_000_000, 0L), (_books.Available(_b), _books[1].LegsReceivedFrom(0)));
        _books.Check();
    }

    [Fact]
    public void A_leg_of_another_partition_or_to_nobody_stops_the_partition()
    {
        _books.Transfer(_a, _b, 3);
        var leg = _books.SentBy(0)[0];
        var context = new ApplyContext(_books.Now, Ledger.OperatorTenant, 1, ClockTrusted: true);
        var record = new byte[Limits.RecordBytesMax];
        Assert.Throws<LedgerInvariantException>(() => _books[2].Apply(leg, context, record));
        Assert.Throws<LedgerInvariantException>(() => _books[1].Apply(leg with { Source = 1 }, context, record));
        Assert.Throws<LedgerInvariantException>(() => _books[1].Apply(leg with { Credit = leg.Credit with { Payee = _books.Wallet(1, 99) } }, context, record));
    }

    [Fact]
    public void Legs_are_kept_until_they_are_acknowledged_and_no_longer()
    {
        for (var i = 1; i <= 4; i++) _books.Transfer(_a, _b, i);
        _books.Deliver(0, max: 3);
        Assert.Equal(4, _books[0].LegsTo(1).Count);
        Assert.Equal(Outcome.Accepted, _books.Acknowledge(0, 1).Outcome);
        Assert.Equal((EntryType.LegsAcknowledged, new AcknowledgeLegs(1, 3)), (_books.Last(0).Type, (AcknowledgeLegs)_books.Last(0).Command));
        Assert.Equal([4L], _books[0].LegsTo(1).Select(leg => leg.Number));
        Assert.Equal(3, _books[0].LegsAcknowledgedBy(1));
        // Said again, and what was said before.
        Assert.Equal(Outcome.Unchanged, _books.Acknowledge(0, 1).Outcome);
        Assert.Equal(Outcome.Unchanged, _books.Apply(0, new AcknowledgeLegs(1, 2), Ledger.OperatorTenant).Outcome);
        Assert.Equal(Outcome.Unchanged, _books.Acknowledge(0, 2).Outcome);
        Assert.Throws<LedgerInvariantException>(() => _books.Apply(0, new AcknowledgeLegs(1, 5), Ledger.OperatorTenant));
        Assert.Throws<LedgerInvariantException>(() => _books.Apply(0, new AcknowledgeLegs(1, 4), Books.Shop));
        _books.Check();
    }

    [Fact]
    public void What_is_in_flight_is_part_of_a_snapshot_and_goes_on_from_it()
    {
        for (var i = 1; i <= 5; i++) _books.Transfer(_a, i % 2 == 0 ? _c : _b, 1_000 * i);
        _books.Split(_b, _books.NewId(), (_a, 7), (_c, 11));
        _books.Deliver(0, max: 2);
        _books.Acknowledge(0, 1);
        _books.Check();
        _books.Reload();
        _books.Check();
        Assert.Equal([2L, 3L], _books[0].LegsTo(1).Select(leg => leg.Number));
        Assert.Equal(1, _books[0].LegsAcknowledgedBy(1));
        _books.Transfer(_a, _b, 50);
        Assert.Equal(4, _books.SentBy(0)[^1].Number);
        _books.DeliverAll();
        for (var from = 0; from < 3; from++)
        {
            for (var to = 0; to < 3; to++)
            {
                if (from != to) _books.Acknowledge(from, to);
            }
        }
        Assert.Equal(0, _books.InFlight);
        Assert.Equal((1_000_000 - 15_050 + 7, 1_000_000 + 9_050 - 18, 6_011), (_books.Available(_a), _books.Available(_b), _books.Available(_c)));
        _books.Check();
    }

    [Fact]
    public void Whatever_is_in_flight_is_in_the_state_hash()
    {
        var hashes = new HashSet<Hash256>();
        void Note() => Assert.True(hashes.Add(_books[0].StateHash()));
        Note();
        _books.Transfer(_a, _b, 1);
        Note();
        _books.Deliver(0);
        _books.Acknowledge(0, 1);
        Note();
        _books.Transfer(_b, _a, 1);
        _books.Deliver(1);
        Note();
    }

    [Fact]
    public void A_credit_from_a_later_epoch_waits_for_the_cut()
    {
        _books.Apply(0, new EpochCut(_books.NewId(), 1), Ledger.OperatorTenant);
        _books.Apply(0, new EpochCut(_books.NewId(), 2), Ledger.OperatorTenant);
        _books.Transfer(_a, _b, 5);
        var leg = _books.SentBy(0)[0];
        Assert.Equal(2, leg.Epoch);
        var context = new ApplyContext(_books.Now, Ledger.OperatorTenant, 1, ClockTrusted: true);
        Assert.Throws<LedgerInvariantException>(() => _books[1].Apply(leg, context, new byte[Limits.RecordBytesMax]));
        _books.Deliver(0);
        Assert.Equal(2, _books[1].LastEpoch!.Number);
        Assert.Equal((EntryType.LegReceived, EntryType.EpochCut), (_books.Last(1).Type, Entry.Read(_books.RecordsOf(1)[^2]).Type));
        // Who followed has no id to remember, and following again is no entry.
        Assert.False(((EpochCut)Entry.Read(_books.RecordsOf(1)[^2]).Command).IsNamed);
        Assert.Equal(Outcome.Unchanged, _books.Apply(1, new EpochCut(default, 2), Ledger.OperatorTenant).Outcome);
        _books.Check();
    }

    /// <summary>A destination may be an epoch ahead: what comes late is part of its next.</summary>
    [Fact]
    public void A_credit_from_an_earlier_epoch_is_taken()
    {
        _books.Transfer(_a, _b, 5);
        _books.Apply(1, new EpochCut(default, 1), Ledger.OperatorTenant);
        _books.Check();
        _books.DeliverAll();
        Assert.Equal(1_000_005, _books.Available(_b));
        _books.Check();
    }

    [Fact]
    public void An_entry_that_sent_no_such_leg_is_not_sent_again()
    {
        _books.Transfer(_a, _b, 5);
        var leg = Assert.Single(_books[0].LegsTo(1));
        var entry = _books.EntryAt(0, leg.Sequence);
        Assert.Equal(5, Ledger.Resend(leg, entry).Credit.Amount.Value);
        Assert.Throws<LedgerInvariantException>(() => Ledger.Resend(leg with { Number = 2 }, entry));
        Assert.Throws<LedgerInvariantException>(() => Ledger.Resend(leg with { Amount = new Msat(6) }, entry));
        Assert.Throws<LedgerInvariantException>(() => Ledger.Resend(leg, _books.EntryAt(0, leg.Sequence - 1)));
    }

    [Fact]
    public void A_marked_record_that_cannot_send_is_no_record()
    {
        var created = _books.RecordsOf(0)[1].ToArray();
        Assert.Equal(EntryType.WalletCreated, Entry.Read(created).Type);
        created[7] = 1;
        Assert.Throws<FormatException>(() => Entry.Read(created));
        _books.Transfer(_a, _b, 5);
        var record = _books.RecordsOf(0)[^1].ToArray();
        Assert.Equal(1, record[7]);
        foreach (var mark in (byte[])[0, 2, 255])
        {
            record[7] = mark;
            var refusal = Record.Exception(() => Book.Replay([.. _books.RecordsOf(0).SkipLast(1), record]));
            Assert.True(refusal is FormatException or LedgerInvariantException, $"{mark}: {refusal}");
        }
    }
}
