// What the engine makes of payments that are more than a transfer: retries, histories from every side, receipts.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class PaymentHistoryTests(ApiFixture api)
{
    // A tenant of its own: what it is charged is no affair of the other tests.
    private string Key => api.Key("payments", Scopes.Read | Scopes.Pay | Scopes.Withdraw);

    private Partition Partition => api.Engine.Partitions.First;

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private async Task<(WalletId Id, uint Tenant)> WalletAsync(string key, long sat = 0)
    {
        Assert.True(WalletId.TryParse(await api.NewWalletAsync(key, sat), out var id));
        return (id, (await Partition.QueryAsync(ledger => ledger.FindWallet(id)!.Value)).Tenant);
    }

    private async Task<Entry> DoAsync(Command command, uint tenant)
    {
        var answer = await Partition.SubmitAsync(command, tenant);
        Assert.Equal(Outcome.Accepted, answer.Outcome);
        return answer.Entry!;
    }

    private async Task<List<(string Kind, string Direction, long Amount, long Available)>> HistoryAsync(string key, WalletId wallet)
    {
        var page = await api.GetAsync(key, $"/v1/wallets/{wallet}/history?limit=50");
        Assert.Equal(200, page.Status);
        return [.. page.Json.GetProperty("items").EnumerateArray().Select(i => (
            i.GetProperty("kind").GetString()!, i.GetProperty("direction").GetString()!,
            i.GetProperty("amountMsat").GetInt64(), i.GetProperty("availableMsat").GetInt64()))];
    }

    [Fact]
    public async Task Every_kind_of_payment_is_in_the_histories_of_those_it_concerns()
    {
        var ((a, tenant), (b, other)) = (await WalletAsync(Key, 1), await WalletAsync(api.Other));
        var none = ByteString.Empty;
        var expires = new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + 600_000);
        await DoAsync(new SetFees(NewId(), tenant, new FeeSchedule(new Msat(3), 0, default)), Ledger.OperatorTenant);
        var (hold, closed) = (NewId(), NewId());
        await DoAsync(new PlaceHold(hold, a, b, new Msat(500), 0, none, expires), tenant);
        var capture = await DoAsync(new CaptureHold(NewId(), a, b, new Msat(200), 0, none, hold, Close: false), other);
        await DoAsync(new CaptureHold(NewId(), a, b, new Msat(100), 0, none, hold, Close: true), tenant);
        await DoAsync(new PlaceHold(closed, a, b, new Msat(50), 0, none, expires), tenant);
        await DoAsync(new ReleaseHold(NewId(), a, b, default, 0, none, closed), other);
        await DoAsync(new RefundPayment(NewId(), b, a, new Msat(40), 0, none, capture.Sequence, new Msat(200), ((CaptureHold)capture.Command).Id), other);
        await DoAsync(new Transfer(NewId(), a, b, new Msat(10), 0, none), tenant);
        await DoAsync(new Transfer(NewId(), a, b, Msat.Zero, 0, none) { UpTo = new Msat(Limits.SupplyMsatMax) }, tenant);
        Assert.Equal(
            [
                ("transfer", "out", 721, 0), ("transfer", "out", 10, 724), ("refund", "in", 40, 737), ("hold_released", "in", 53, 697),
                ("hold_placed", "out", 50, 644), ("hold_captured", "in", 200, 697), ("hold_placed", "out", 500, 497),
                ("deposit_credited", "in", 1_000, 1_000), ("wallet_created", "in", 0, 0),
            ],
            await HistoryAsync(Key, a));
        Assert.Equal(
            [
                ("transfer", "in", 721, 991), ("transfer", "in", 10, 270), ("refund", "out", 40, 260), ("hold_captured", "in", 100, 300),
                ("hold_captured", "in", 200, 200), ("wallet_created", "in", 0, 0),
            ],
            await HistoryAsync(api.Other, b));
        var operatorWallet = await Partition.QueryAsync(ledger => ledger.Genesis!.Operator);
        var fees = (await History.ReadAsync(Partition, operatorWallet, null, 3))!.Lines;
        Assert.All(fees, line => Assert.Equal((true, true, new Msat(3)), (line.IsFee, line.Incoming, line.Change)));
    }

    [Fact]
    public async Task Every_part_of_a_split_has_its_own_place_in_histories_and_its_own_receipt()
    {
        var (a, tenant) = await WalletAsync(Key, 1);
        var payees = new List<WalletId>();
        for (var i = 0; i < 3; i++) payees.Add((await WalletAsync(i < 2 ? Key : api.Other)).Id);
        var split = new Split(NewId(), a, [.. payees.Select((p, i) => new SplitPart(p, new Msat(10 * (i + 1)), 0, ByteString.FromUtf8("part " + i), (UInt128)(i + 7)))]);
        var entry = await DoAsync(split, tenant);
        var retry = await Partition.SubmitAsync(split, tenant);
        Assert.Equal((true, Outcome.Accepted, entry.Sequence), (retry.IsRetry, retry.Outcome, retry.Entry!.Sequence));
        var after = await DoAsync(new Transfer(NewId(), a, payees[2], new Msat(1), 0, ByteString.Empty), tenant);
        Assert.Equal(entry.Sequence + 3, after.Sequence);
        Assert.Equal(("split", "out", 60, 1_000 - 60 - await FeeAsync(split)), (await HistoryAsync(Key, a))[1]);
        Assert.Equal(("split", "in", 20, 20), (await HistoryAsync(Key, payees[1]))[0]);
        Assert.Equal(("split", "in", 30, 30), (await HistoryAsync(api.Other, payees[2]))[1]);

        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        Assert.True(Pins.TryParse((await api.GetAsync(api.Shop, "/v1/pins")).Text, out var pins, out _));
        for (var i = 0; i < 4; i++)
        {
            var receipt = (await api.Engine.FindReceiptAsync(0, entry.Sequence + i))!;
            var report = ReceiptVerifier.Verify(new ReceiptFiles(receipt.Leaf, System.Text.Encoding.UTF8.GetBytes(receipt.TlogProof)) { Rotations = api.Engine.KeyRotations }, pins!);
            Assert.Equal(ReceiptVerdict.LoggedOnly, report.Verdict);
            var shown = Entry.ReadStatement(report.Entry.Span);
            Assert.Equal(entry.Sequence + i, shown.Sequence);
            if (i < 3) Assert.Equal(payees[i], Assert.Single(((Split)shown.Command).Parts).Payee);
        }
    }

    /// <summary>What the parts cost, as the tenant's schedule is now: another test may have set one.</summary>
    private async Task<long> FeeAsync(Split split)
    {
        var schedule = await Partition.QueryAsync(ledger => ledger.FeesOf(ledger.FindWallet(split.Payer)!.Value.Tenant));
        return split.Parts.Sum(part => schedule.Of(part.Amount));
    }

    [Fact]
    public async Task A_retry_of_what_acts_on_a_hold_is_answered_after_the_hold_is_closed()
    {
        var ((a, tenant), (b, other)) = (await WalletAsync(Key, 1), await WalletAsync(api.Other));
        var hold = new PlaceHold(NewId(), a, b, new Msat(100), 0, ByteString.Empty, new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + 600_000));
        await DoAsync(hold, tenant);
        var capture = new CaptureHold(NewId(), a, b, new Msat(100), 0, ByteString.Empty, hold.Id, Close: true);
        var first = await DoAsync(capture, other);
        var retry = await Partition.SubmitAsync(capture, other);
        Assert.Equal((Outcome.Accepted, first.Sequence, true), (retry.Outcome, retry.Entry!.Sequence, retry.IsRetry));
        Assert.Equal(Outcome.IdReused, (await Partition.SubmitAsync(capture with { Amount = new Msat(1) }, other)).Outcome);
        // The owner of another payee learns that the id was used, and no more; a stranger not even that.
        var (c, third) = await WalletAsync(api.Shop);
        var theirs = new CaptureHold(capture.Id, a, c, capture.Amount, 0, ByteString.Empty, hold.Id, Close: true);
        var stranger = await Partition.SubmitAsync(theirs, third);
        Assert.Equal((Outcome.IdReused, null, null), (stranger.Outcome, stranger.Entry, stranger.Owner));
        Assert.Equal(Outcome.WalletNotFound, (await Partition.SubmitAsync(capture, third)).Outcome);
    }
}
