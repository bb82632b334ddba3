// Relations between bounds: what is written under one of them must fit the next.

using System.Runtime.CompilerServices;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Ids;

[Trait("suite", "core")]
public sealed class LimitsTests
{
    private const int LinkBytes = 16;

    [Fact]
    public void Money_fits_its_integers()
    {
        Assert.Equal(Limits.SupplyMsatMax, Limits.SupplySatMax * Limits.MsatPerSat);
        // Two amounts may be added before the sum is checked, and four balances of every wallet together.
        Assert.True(Limits.SupplyMsatMax <= long.MaxValue / 4);
        Assert.Equal(Limits.MsatPerBit, 100 * Limits.MsatPerSat);
        Assert.Equal(Limits.SupplySatMax * 10, Limits.SupplyMsatMax / Limits.MsatPerBit * 1_000);
    }

    [Fact]
    public void The_largest_record_fits_its_bound_and_a_batch()
    {
        Assert.True(Limits.RecordBytesMax < Limits.BatchBytesMax);
        // The two entries that can be large: a signed transaction, outside the statement, and a family's withdrawals, inside.
        var signed = Entry.RecordHeaderBytes + Entry.StatementHeaderBytes + 8 + 2 + 32 + 8 + Entry.SaltBytes + 4 + Limits.SignedTransactionBytesMax;
        Assert.True(signed <= Limits.RecordBytesMax);
        Assert.True(Entry.RecordHeaderBytes + Limits.StatementBytesMax + (2 * LinkBytes) <= Limits.RecordBytesMax);
        const int Payment = (3 * WalletId.Bytes) + 8 + 4 + 1;
        Assert.Equal(Limits.PaymentRecordBytesMin, Entry.RecordHeaderBytes + Entry.StatementHeaderBytes + Payment + Entry.SaltBytes + (2 * LinkBytes));
        Assert.True(Limits.PaymentRecordBytesMin + Limits.ReferenceBytesMax < Limits.PaymentRecordBytesMax);
        // The proof of a confirmation lies outside the statement as well.
        Assert.True(1 + 80 + 4 + 1 + (32 * Limits.MerkleSiblingsMax) < Limits.RecordBytesMax - Limits.StatementBytesMax);
    }

    [Fact]
    public void A_place_in_a_list_of_holds_is_a_number_that_is_exact_for_every_client() =>
        Assert.True((long)Limits.PartitionsOfProcessMax << HoldRoutes.PlaceBits <= 1L << 53);

    [Fact]
    public void The_largest_statement_fits_the_tiles()
    {
        const int Around = Entry.StatementHeaderBytes + Entry.SaltBytes;
        var family = Around + 8 + 8 + 1 + 8 + 8 + 32 + 2 + (Limits.FamilyWithdrawalsMax * (WalletId.Bytes + OperationId.Bytes));
        var cut = Around + 8 + 2 + (8 * Limits.PartitionsMax);
        var genesis = Around + 1 + Limits.OriginBytesMax + 1 + 2 + WalletId.Bytes + 1 + Limits.ScriptBytesMax + 1 + (Limits.KeysMax * (1 + Hash256.Bytes));
        var payment = (3 * WalletId.Bytes) + 8 + 4 + 1 + Limits.ReferenceBytesMax;
        var refused = Around + OperationId.Bytes + WalletId.Bytes + 1 + (Limits.SplitPayeesMax * (payment - (2 * WalletId.Bytes))) + 2;
        Assert.True(Limits.SplitPayeesMax * (2 + Around + payment + 8 + LinkBytes) < Limits.RecordBytesMax - Limits.StatementBytesMax);
        var addresses = Around + OperationId.Bytes + WalletId.Bytes + 1 + 4 + 2 + (Limits.AddressesAtOnceMax * (4 + 1 + Limits.ScriptBytesMax));
        Assert.All([family, cut, genesis, refused, addresses], size => Assert.InRange(size, 1, Limits.StatementBytesMax));
    }

    [Fact]
    public void A_familys_withdrawals_fit_one_transaction()
    {
        const int OutputBytesMax = 8 + 1 + Limits.ScriptBytesMax;
        Assert.True(Limits.FamilyWithdrawalsMax * OutputBytesMax < Limits.TransactionBytesMax);
        Assert.True(Limits.AnchorTransactionBytesMax < Limits.TransactionBytesMax);
        // A byte weighs at least one unit, and a standard transaction at most 400,000.
        Assert.Equal(4 * Limits.TransactionBytesMax, Limits.SignedTransactionBytesMax);
    }

    [Fact]
    public void Lengths_fit_the_fields_that_carry_them()
    {
        Assert.All([Limits.ReferenceBytesMax, Limits.ScriptBytesMax, Limits.OriginBytesMax, Limits.KeysMax, Limits.MerkleSiblingsMax], max => Assert.InRange(max, 1, byte.MaxValue));
        Assert.All([Limits.PartitionsMax, Limits.FamilyWithdrawalsMax, Limits.AddressesAtOnceMax, Limits.StatementBytesMax], max => Assert.InRange(max, 1, ushort.MaxValue));
    }

    [Fact]
    public void A_look_up_may_read_the_newest_segment_and_the_one_whose_filter_is_being_made() =>
        Assert.InRange(Limits.SegmentsScannedMax, 2, 10);

    [Fact]
    public void What_is_asked_for_at_once_is_watched_at_once()
    {
        Assert.True(Limits.AddressesAtOnceMax <= Limits.AddressesPerWalletMax);
        Assert.True(Limits.AddressesAtOnceMax + Limits.AddressesAhead <= Limits.AddressesWatchedAtOnceMax);
    }

    [Fact]
    public void Batches_leave_room_for_others()
    {
        // It takes several tenants to have all of them, and a body at the lowest rate is not waited for for a minute.
        Assert.InRange(Limits.BatchRequestsOfTenantMax, 1, Limits.BatchRequestsMax / 2);
        Assert.True(Limits.BatchBodyBytesMax / Limits.BatchBodyBytesPerSecondMin < 60);
        Assert.InRange(Limits.BatchLookUpsMax, 1, Limits.BlockPaymentsMax);
        // A line of a batch is a request of its own.
        Assert.True(Limits.RequestBodyBytesMax < Limits.BatchBodyBytesMax);
    }

    [Fact]
    public void Fees_and_holds_stay_within_what_is_counted()
    {
        // An amount and its fee, which may be twice as much, are added before the sum is checked.
        Assert.True(Limits.FeePartsPerMillionMax <= 1_000_000 && Limits.SupplyMsatMax <= long.MaxValue / 3);
        Assert.InRange(Limits.SplitPayeesMax, 1, byte.MaxValue);
        // A hold outlives the window of ids: the floor keeps its id from being taken again.
        Assert.True(Limits.HoldMillisecondsMax > Limits.WindowMillisecondsMin);
    }

    [Fact]
    public void The_window_is_longer_than_what_it_must_cover()
    {
        Assert.True(Limits.WindowMillisecondsMin > Limits.IdAheadMillisecondsMax + Limits.TimeAheadMillisecondsMax);
        Assert.True(Limits.TimeAheadMillisecondsMax < Limits.IdAheadMillisecondsFree && Limits.IdAheadMillisecondsFree < Limits.IdAheadMillisecondsMax);
        // When the floor rises early it gives up an eighth. Ids ahead must not be so many that it would pass the present.
        Assert.InRange(Limits.AheadIdsMax, Limits.QueueItemsMax, Limits.WindowIdsMax / 2);
        // With a clock that is trusted they are spread over far fewer slices of a second than they may be.
        Assert.True(Limits.AheadSlicesMax > Limits.IdAheadMillisecondsMax / 1_000 && (long)Limits.AheadSlicesMax * Limits.LoneIdBytes <= Limits.WindowBytesMax / 8);
        Assert.True(Limits.BatchEntriesMax <= Limits.QueueItemsMax);
        // However many partitions share them, a split to one of them finds room.
        Assert.True(Limits.LegsInFlightMax / (Limits.PartitionsOfProcessMax - 1) > Limits.SplitPayeesMax);
        Assert.True(Limits.QueueItemsMax < Limits.WindowIdsMax);
        // Row and cells of an id, where the index has just doubled: with busy seconds the count is met first.
        Assert.True(Limits.WindowBytesMax / Limits.WindowIdsMax > Unsafe.SizeOf<UsedId>() + (sizeof(ulong) * 8 / 3));
        Assert.True(Limits.HistoryPageMax < Limits.BatchEntriesMax);
    }
}
