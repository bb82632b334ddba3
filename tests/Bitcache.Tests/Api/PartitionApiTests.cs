// The API over a ledger of three partitions: the same requests and answers as over one, whoever lives where.

using System.Net.Http.Headers;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class PartitionApiTests : IAsyncLifetime
{
    private readonly ApiFixture _api = new() { Partitions = 3 };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private PartitionSet Set => _api.Engine.Partitions;

    public ValueTask InitializeAsync() => _api.InitializeAsync();

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    [Fact]
    public async Task A_wallet_that_is_asked_for_again_is_the_same_wherever_it_lives()
    {
        // So many that each partition gets some.
        var ids = Enumerable.Range(0, 64).Select(_ => ApiFixture.NewId()).ToArray();
        var made = await Task.WhenAll(ids.Select(MakeAsync));
        Assert.Equal([0, 1, 2], made.Select(wallet => wallet.PartitionOf(3)).Distinct().Order());
        Assert.Equal(made, await Task.WhenAll(ids.Select(MakeAsync)));

        async Task<WalletId> MakeAsync(string id) =>
            ApiFixture.Parse((await _api.PostAsync(_api.Shop, "/v1/wallets", $$"""{"id":"{{id}}"}""")).String("wallet"));
    }

    [Fact]
    public async Task A_payment_to_another_partition_is_answered_at_once_and_arrives_once()
    {
        var (payer, payee) = (await _api.NewWalletInAsync(0, _api.Shop, 1), await _api.NewWalletInAsync(1, _api.Other));
        var id = ApiFixture.NewId();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _api.TransferAsync(_api.Shop, id, payer, payee, 300)));
        Assert.Single(answers, answer => answer.Status == 201);
        Assert.All(answers, answer => Assert.True(answer.Status is 200 or 201 || answer.Code == "id_in_flight", answer.Text));
        await _api.ArriveAsync();
        var later = await _api.TransferAsync(_api.Shop, id, payer, payee, 300);
        Assert.Equal((200, answers.Single(answer => answer.Status == 201).Text), (later.Status, later.Text));
        Assert.Equal((422, "id_reused"), (await _api.TransferAsync(_api.Shop, id, payer, payee, 301)).Refusal());
        Assert.Equal((700, 300), (await _api.AvailableAsync(_api.Shop, payer), await _api.AvailableAsync(_api.Other, payee)));
        var seen = await _api.GetAsync(_api.Shop, $"/v1/wallets/{payer}/transfers/{id}");
        Assert.Equal((200, 300), (seen.Status, seen.Long("amountMsat")));

        Assert.Equal([("transfer", "out", 300L, 700L, payee), ("deposit_credited", "in", 1_000, 1_000, null)], (await HistoryAsync(_api.Shop, payer))[..2]);
        Assert.Equal([("transfer", "in", 300L, 300L, payer), ("wallet_created", "in", 0, 0, null)], await HistoryAsync(_api.Other, payee));
    }

    [Fact]
    public async Task A_withdrawal_to_our_own_change_is_refused_wherever_that_was_paid()
    {
        var payer = await _api.NewWalletInAsync(2, _api.Shop, 10_000);
        var topUp = await _api.PostAsync(_api.Admin, "/v1/operator/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""");
        Assert.True(BitcoinAddress.TryParse(topUp.String("address"), BitcoinNetwork.Regtest, out var script, out _));
        await DoAsync(new ChangeDeposit(default, DepositState.Credited, false, new ByteString(script), new Sats(5_000), default, 1));
        await DoAsync(new OpenFamily(1, new Sats(1_000), null, []));
        var change = OfflineNode.NewAddress();
        Assert.True(BitcoinAddress.TryParse(change, BitcoinNetwork.Regtest, out script, out _));
        byte[] raw = [2, 0, 0, 0, 1, .. new byte[36], 0, 0xff, 0xff, 0xff, 0xff, 1, .. BitConverter.GetBytes(900L), (byte)script.Length, .. script, 0, 0, 0, 0];
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));

        // Asked for before it was ours: it is done, whatever it was.
        var early = ApiFixture.NewId();
        Assert.Equal(201, (await WithdrawAsync(early)).Status);
        await DoAsync(new SignAttempt(1, 1, transaction.Txid, new Sats(50), new ByteString(raw)));
        Assert.Equal(200, (await WithdrawAsync(early)).Status);
        Assert.Equal((422, "own_change_address"), (await WithdrawAsync(ApiFixture.NewId())).Refusal());
        Assert.Equal(9_000_000, await _api.AvailableAsync(_api.Shop, payer));

        Task<ApiAnswer> WithdrawAsync(string id) => _api.PostAsync(
            _api.Shop, $"/v1/wallets/{payer}/withdrawals", $$"""{"id":"{{id}}","address":"{{change}}","amountSat":1000}""");
        async Task DoAsync(Command command) => Assert.Equal(Outcome.Accepted, (await Set.First.SubmitAsync(command)).Outcome);
    }

    [Fact]
    public async Task What_is_in_suspense_in_one_partition_goes_to_a_wallet_of_another_once()
    {
        var (of, to) = (await _api.NewWalletInAsync(1, _api.Shop), await _api.NewWalletInAsync(2, _api.Other));
        var outputs = new[] { await _api.NewSuspenseAsync(_api.Shop, of, 300), await _api.NewSuspenseAsync(_api.Shop, await _api.NewWalletInAsync(0, _api.Shop), 400) };
        Assert.Equal(outputs, await SuspenseAsync());
        var id = ApiFixture.NewId();
        Assert.Equal((404, "wallet_not_found"), (await AssignAsync(outputs[0], ApiFixture.NewId(), ClientIds.NextWallet(2, 3).ToString())).Refusal());
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AssignAsync(outputs[0], id, to)));
        Assert.Single(answers, answer => answer.Status == 201);
        Assert.All(answers, answer => Assert.True(answer.Status is 200 or 201 || answer.Code == "id_in_flight", answer.Text));
        await _api.ArriveAsync();
        Assert.Equal(300_000, await _api.AvailableAsync(_api.Other, to));
        Assert.Equal((422, "id_reused"), (await AssignAsync(outputs[1], id, to)).Refusal());
        Assert.Equal((404, "suspense_not_found"), (await AssignAsync(outputs[0], ApiFixture.NewId(), of)).Refusal());
        Assert.Equal([("suspense_assigned", "in", 300_000L, 300_000L, null), ("wallet_created", "in", 0, 0, null)], await HistoryAsync(_api.Other, to));
        Assert.Equal([outputs[1]], await SuspenseAsync());
        // The operator has an account in each partition: it stays where it is.
        var operators = (await _api.GetAsync(_api.Admin, "/v1/operator")).Json.GetProperty("wallet").GetProperty("wallet").GetString()!;
        var before = (await _api.GetAsync(_api.Admin, "/v1/operator")).Long("availableMsat");
        Assert.Equal(201, (await AssignAsync(outputs[1], ApiFixture.NewId(), operators)).Status);
        Assert.Equal(before + 400_000, (await _api.GetAsync(_api.Admin, "/v1/operator")).Long("availableMsat"));
        Assert.Empty(await SuspenseAsync());
        Assert.Equal(0, (await Set.QueryAllAsync(ledger => ledger.Totals.Suspense)).Sum());

        Task<ApiAnswer> AssignAsync(string output, string id, string wallet) =>
            _api.PostAsync(_api.Admin, $"/v1/operator/suspense/{output.Replace(':', '/')}/assign", $$"""{"id":"{{id}}","wallet":"{{wallet}}"}""");

        // In pages of one.
        async Task<List<string>> SuspenseAsync()
        {
            var all = new List<string>();
            for (long? place = null; ;)
            {
                var page = await _api.GetAsync(_api.Admin, "/v1/operator/suspense?limit=1" + (place is null ? "" : $"&before={place}"));
                Assert.Equal(200, page.Status);
                all.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("output").GetString()!));
                if (!page.Json.TryGetProperty("next", out var next)) return all;
                place = next.GetInt64();
            }
        }
    }

    [Fact]
    public async Task What_is_refused_across_partitions_is_refused_as_within_one()
    {
        var (payer, payee) = (await _api.NewWalletInAsync(2, _api.Shop, 1), await _api.NewWalletInAsync(0, _api.Other));
        foreach (var partition in (int[])[0, 1, 2])
            Assert.Equal((422, "payee_not_found"), (await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), payer, ClientIds.NextWallet(partition, 3).ToString(), 1)).Refusal());
        var poor = ApiFixture.NewId();
        Assert.Equal((422, "insufficient_funds"), (await _api.TransferAsync(_api.Shop, poor, payer, payee, 1_001)).Refusal());
        Assert.Equal(404, (await _api.TransferAsync(_api.Other, ApiFixture.NewId(), payer, payee, 1)).Status);
        Assert.Equal(201, (await _api.PostAsync(_api.Shop, $"/v1/wallets/{payer}/limits", $$"""{"id":"{{ApiFixture.NewId()}}","perPaymentMsat":10}""")).Status);
        Assert.Equal("limit_exceeded", (await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), payer, payee, 11)).Code);
        Assert.Equal(201, (await _api.PostAsync(_api.Admin, $"/v1/wallets/{payer}/freeze", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).Status);
        Assert.Equal("wallet_frozen", (await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), payer, payee, 1)).Code);
        // Who is frozen is still paid.
        var rich = await _api.NewWalletInAsync(1, _api.Shop, 1);
        Assert.Equal(201, (await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), rich, payer, 5)).Status);
        await _api.ArriveAsync();
        Assert.Equal((1_005, 0), (await _api.AvailableAsync(_api.Shop, payer), await _api.AvailableAsync(_api.Other, payee)));
        Assert.Equal("insufficient_funds", (await _api.TransferAsync(_api.Shop, poor, payer, payee, 1_001)).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_batch_may_name_wallets_of_every_partition(bool binary)
    {
        var wallets = new WalletId[6];
        for (var i = 0; i < 6; i++) wallets[i] = ApiFixture.Parse(await _api.NewWalletInAsync(i % 3, i == 5 ? _api.Other : _api.Shop, 10));
        var payments = new List<Payment>();
        for (var i = 0; i < 200; i++) payments.Add(Pay(wallets[i % 5], wallets[(i + 1 + (i / 5 % 5)) % 6], 1 + (i % 150)));
        payments.RemoveAll(payment => payment.Payer == payment.Payee);
        payments.Insert(7, Pay(wallets[0], ClientIds.NextWallet(1, 3), 1));
        payments.Insert(8, Pay(wallets[5], wallets[0], 1));
        payments.Insert(9, Pay(wallets[1], wallets[2], 90_000_000));
        var first = await BatchAsync(binary, payments);
        Assert.Equal(["payee_not_found", "wallet_not_found", "insufficient_funds"], first[7..10].Select(line => line.Outcome));
        Assert.All(first.Where((_, i) => i is < 7 or > 9), line => Assert.Equal("accepted", line.Outcome));
        // The payer's balance is told, a far payee's is not.
        Assert.All(first.Zip(payments).Where(pair => pair.First.Outcome == "accepted"), pair =>
            Assert.Equal((true, IsNear(pair.Second) && pair.Second.Payee != wallets[5]), (pair.First.Payer is not null, pair.First.Payee is not null)));
        await _api.ArriveAsync();
        var entries = await _api.EntriesAsync();
        var again = await BatchAsync(!binary, payments);
        Assert.Equal(first.Select(line => (line.Outcome, line.Sequence)), again.Select(line => (line.Outcome, line.Sequence)));
        Assert.Equal(entries, await _api.EntriesAsync());
        foreach (var wallet in wallets)
        {
            var moved = payments.Where((_, i) => first[i].Outcome == "accepted").Sum(p => (p.Payee == wallet ? p.Amount.Value : 0) - (p.Payer == wallet ? p.Amount.Value : 0));
            Assert.Equal(10_000 + moved, await _api.AvailableAsync(wallet == wallets[5] ? _api.Other : _api.Shop, wallet.ToString()));
        }
    }

    [Fact]
    public async Task Refunds_splits_and_fees_reach_every_partition()
    {
        var (payer, near, far) = (await _api.NewWalletInAsync(0, _api.Shop, 10), await _api.NewWalletInAsync(0, _api.Other), await _api.NewWalletInAsync(2, _api.Other));
        var original = ApiFixture.NewId();
        await _api.TransferAsync(_api.Shop, original, payer, far, 1_000);
        await _api.ArriveAsync();
        var refund = ApiFixture.NewId();
        Assert.Equal(201, (await _api.RefundAsync(_api.Other, far, payer, original, 600, refund)).Status);
        Assert.Equal("refund_exceeds", (await _api.RefundAsync(_api.Other, far, payer, original, 401)).Code);
        Assert.Equal(200, (await _api.RefundAsync(_api.Other, far, payer, original, 600, refund)).Status);
        Assert.Equal("original_not_found", (await _api.RefundAsync(_api.Other, far, payer, ApiFixture.NewId(), 1)).Code);
        await _api.ArriveAsync();
        Assert.Equal(9_600, await _api.AvailableAsync(_api.Shop, payer));

        var split = ApiFixture.NewId();
        Assert.Equal("payee_not_found", (await _api.SplitAsync(_api.Shop, payer, [(near, 1), (ClientIds.NextWallet(1, 3).ToString(), 1)])).Code);
        Assert.Equal(201, (await _api.SplitAsync(_api.Shop, payer, [(near, 10), (far, 200)], split)).Status);
        Assert.Equal(200, (await _api.SplitAsync(_api.Shop, payer, [(near, 10), (far, 200)], split)).Status);
        await _api.ArriveAsync();
        Assert.Equal((10, 600), (await _api.AvailableAsync(_api.Other, near), await _api.AvailableAsync(_api.Other, far)));
        Assert.Equal(("split", "in", 200L, 600L, payer), (await HistoryAsync(_api.Other, far))[0]);
        Assert.Equal(201, (await _api.RefundAsync(_api.Other, far, payer, split, 200)).Status);

        Assert.Equal(201, (await _api.PostAsync(_api.Admin, "/v1/operator/fees", $$"""{"id":"{{ApiFixture.NewId()}}","tenant":"other","flatMsat":5}""")).Status);
        var charged = await _api.TransferAsync(_api.Other, ApiFixture.NewId(), far, payer, 100);
        Assert.Equal((201, 5), (charged.Status, charged.Long("feeMsat")));
        await _api.ArriveAsync();
        Assert.Equal((295, 9_690), (await _api.AvailableAsync(_api.Other, far), await _api.AvailableAsync(_api.Shop, payer)));
        var totals = (await _api.GetAsync(_api.Auditor, "/v1/operator")).Json;
        Assert.Equal(5, totals.GetProperty("availableMsat").GetInt64());
        Assert.Equal((true, 0), (totals.GetProperty("totals").GetProperty("conserved").GetBoolean(), totals.GetProperty("totals").GetProperty("inFlightMsat").GetInt64()));
        Assert.Equal(10_000, totals.GetProperty("totals").GetProperty("insideMsat").GetInt64());
        Assert.Equal(4, totals.GetProperty("wallets").GetInt32());
        var health = (await _api.GetAsync(_api.Auditor, "/v1/operator/health")).Json;
        Assert.Equal((0, true, 10_000), (health.GetProperty("legsInFlight").GetInt64(), health.GetProperty("conserved").GetBoolean(), health.GetProperty("liabilitiesMsat").GetInt64()));
    }

    [Fact]
    public async Task What_the_operator_paid_to_any_partition_can_be_refunded()
    {
        var wallet = (await _api.GetAsync(_api.Auditor, "/v1/operator")).Json.GetProperty("wallet").GetProperty("wallet").GetString()!;
        var operatorKey = _api.Key(ApiFixture.OperatorTenant, Server.Keys.Scopes.Pay | Server.Keys.Scopes.Read);
        var payer = await _api.NewWalletInAsync(0, _api.Shop, 10);
        await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), payer, wallet, 5_000);
        for (var partition = 0; partition < 3; partition++)
        {
            var (payee, id) = (await _api.NewWalletInAsync(partition, _api.Other), ApiFixture.NewId());
            Assert.Equal(201, (await _api.TransferAsync(operatorKey, id, wallet, payee, 1_000)).Status);
            await _api.ArriveAsync();
            Assert.Equal(201, (await _api.RefundAsync(_api.Other, payee, wallet, id, 900)).Status);
            Assert.Equal("refund_exceeds", (await _api.RefundAsync(_api.Other, payee, wallet, id, 101)).Code);
        }
        await _api.RestartAsync();
        Assert.Equal(4_700, (await _api.GetAsync(_api.Auditor, "/v1/operator")).Json.GetProperty("availableMsat").GetInt64());
    }

    [Fact]
    public async Task Holds_are_captured_and_released_from_both_sides_and_listed_in_pages()
    {
        var payee = await _api.NewWalletInAsync(1, _api.Other);
        string[] payers = [await _api.NewWalletInAsync(0, _api.Shop, 10), await _api.NewWalletInAsync(1, _api.Shop, 10), await _api.NewWalletInAsync(2, _api.Shop, 10)];
        var holds = new List<ApiAnswer>();
        for (var i = 0; i < 9; i++) holds.Add(await _api.HoldAsync(_api.Shop, payers[i % 3], payee, 100 + i));
        Assert.All(holds, hold => Assert.Equal(201, hold.Status));
        foreach (var (key, wallet, count) in ((string, string, int)[])[(_api.Other, payee, 9), (_api.Shop, payers[0], 3), (_api.Shop, payers[2], 3)])
        {
            for (var limit = 1; limit <= 10; limit += 3)
            {
                var listed = await HoldsAsync(key, wallet, limit);
                Assert.Equal(count, listed.Count);
                Assert.Equal(listed.Count, listed.Distinct().Count());
            }
        }
        Assert.Equal("open", (await _api.GetAsync(_api.Other, $"/v1/wallets/{payers[0]}/holds/{holds[0].String("id")}")).String("state"));
        Assert.Equal((404, "wallet_not_found"), (await _api.GetAsync(_api.Key("third", Server.Keys.Scopes.Read), $"/v1/wallets/{payers[0]}/holds/{holds[0].String("id")}")).Refusal());

        for (var i = 0; i < 3; i++)
        {
            var id = ApiFixture.NewId();
            var captured = await _api.CaptureAsync(_api.Other, holds[i], 40, close: false, id);
            Assert.Equal((201, 40), (captured.Status, captured.Long("amountMsat")));
            Assert.Equal(200, (await _api.CaptureAsync(_api.Other, holds[i], 40, close: false, id)).Status);
            Assert.Equal("hold_exceeded", (await _api.CaptureAsync(_api.Shop, holds[i], 100)).Code);
            Assert.Equal(201, (await _api.CaptureAsync(_api.Shop, holds[i], 10, close: true)).Status);
            Assert.Equal("hold_not_found", (await _api.CaptureAsync(_api.Other, holds[i], 1)).Code);
            Assert.Equal("payee_only", (await _api.ReleaseAsync(_api.Shop, holds[i + 3])).Code);
            Assert.Equal(201, (await _api.ReleaseAsync(_api.Other, holds[i + 3])).Status);
        }
        await _api.ArriveAsync();
        Assert.Equal(150, await _api.AvailableAsync(_api.Other, payee));
        Assert.Equal(holds[6..].Select(hold => hold.String("id")).Order(), (await HoldsAsync(_api.Other, payee, 2)).Order());
        Assert.Equal(10_000 - 50 - 106, await _api.AvailableAsync(_api.Shop, payers[0]));
    }

    [Fact]
    public async Task A_withdrawal_to_an_address_of_another_partition_settles_inside()
    {
        var (payer, payee) = (await _api.NewWalletInAsync(1, _api.Shop, 2_000), await _api.NewWalletInAsync(2, _api.Other));
        var address = (await _api.PostAsync(_api.Other, $"/v1/wallets/{payee}/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).String("address");
        var top = (await _api.PostAsync(_api.Admin, "/v1/operator/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).String("address");
        var id = ApiFixture.NewId();
        var first = await WithdrawAsync(id, address, 700);
        Assert.Equal((201, "settled_inside"), (first.Status, first.String("state")));
        var again = await WithdrawAsync(id, address, 700);
        Assert.Equal((200, first.Text), (again.Status, again.Text));
        Assert.Equal("settled_inside", (await WithdrawAsync(ApiFixture.NewId(), top, 600)).String("state"));
        await _api.ArriveAsync();
        Assert.Equal((700_000, 700_000), (await _api.AvailableAsync(_api.Shop, payer), await _api.AvailableAsync(_api.Other, payee)));
        Assert.Equal(("withdrawal_settled_inside", "in", 700_000L, 700_000L, payer), (await HistoryAsync(_api.Other, payee))[0]);
        await _api.RestartAsync();
        Assert.Equal(700_000, await _api.AvailableAsync(_api.Shop, payer));
        Assert.Equal(600_000, (await _api.GetAsync(_api.Auditor, "/v1/operator")).Json.GetProperty("availableMsat").GetInt64());

        Task<ApiAnswer> WithdrawAsync(string withdrawal, string to, long sat) =>
            _api.PostAsync(_api.Shop, $"/v1/wallets/{payer}/withdrawals", $$"""{"id":"{{withdrawal}}","address":"{{to}}","amountSat":{{sat}}}""");
    }

    [Fact]
    public async Task Receipts_of_every_partition_are_verified_against_one_checkpoint()
    {
        string[] wallets = [await _api.NewWalletInAsync(0, _api.Shop, 10), await _api.NewWalletInAsync(1, _api.Shop, 10), await _api.NewWalletInAsync(2, _api.Shop, 10)];
        var ids = new List<(string Payer, string Id)>();
        for (var round = 0; round < 3; round++)
        {
            var step = 1 + (round % 2);
            for (var i = 0; i < 12; i++)
            {
                var (payer, id) = (wallets[i % 3], ApiFixture.NewId());
                Assert.Equal(201, (await _api.TransferAsync(_api.Shop, id, payer, wallets[(i + step) % 3], 1 + i)).Status);
                ids.Add((payer, id));
            }
            await _api.ArriveAsync();
            Assert.Equal("receipt_not_ready", (await _api.GetAsync(_api.Shop, $"/v1/wallets/{ids[^1].Payer}/transfers/{ids[^1].Id}/receipt")).Code);
            if (round == 1) Assert.Equal(201, (await _api.PostAsync(_api.Admin, "/v1/epochs", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).Status);
            await _api.Engine.SettleAsync(Cancel);
            await VerifyAsync(ids);
        }
        await _api.RestartAsync();
        await _api.Engine.SettleAsync(Cancel);
        await VerifyAsync(ids);
        // The credits, too, are in the log.
        var pins = await PinsAsync();
        var credits = Set.All.SelectMany(Credits).ToList();
        Assert.Equal(ids.Count, credits.Count);
        foreach (var credit in credits)
        {
            var receipt = await _api.Engine.FindReceiptAsync(credit.Partition, credit.Sequence);
            Assert.NotNull(receipt);
            var report = ReceiptVerifier.Verify(new ReceiptFiles(receipt.Leaf, Encoding.UTF8.GetBytes(receipt.TlogProof)), pins);
            Assert.Equal(ReceiptVerdict.LoggedOnly, report.Verdict);
            var entry = Entry.ReadStatement(report.Entry.Span);
            Assert.Equal((credit.Partition, credit.Sequence), (entry.Partition, entry.Sequence));
        }

        static IEnumerable<Entry> Credits(Partition partition)
        {
            for (var sequence = 0L; sequence <= partition.DurableSequence; sequence++)
            {
                if (partition.ReadEntry(sequence) is { Command: ReceiveLeg } credit) yield return credit;
            }
        }
    }

    [Fact]
    public async Task The_log_is_the_same_when_its_list_of_cuts_is_lost_or_damaged()
    {
        var (payer, payee) = (await _api.NewWalletInAsync(2, _api.Shop, 10), await _api.NewWalletInAsync(1, _api.Shop));
        var ids = new List<(string, string)>();
        for (var i = 0; i < 6; i++)
        {
            ids.Add((payer, ApiFixture.NewId()));
            await _api.TransferAsync(_api.Shop, ids[^1].Item2, payer, payee, 1);
            await _api.ArriveAsync();
            await _api.Engine.SettleAsync(Cancel);
        }
        foreach (var damage in (Action<string>[])[File.Delete, path => Change(path, 3), path => Change(path, (int)new FileInfo(path).Length - 3), path => File.WriteAllBytes(path, File.ReadAllBytes(path)[..70])])
        {
            await _api.RestartAsync(folder => damage(Path.Combine(folder, "log", "cuts")));
            await _api.Engine.SettleAsync(Cancel);
            await VerifyAsync(ids);
        }

        static void Change(string path, int at)
        {
            var bytes = File.ReadAllBytes(path);
            bytes[at] ^= 4;
            File.WriteAllBytes(path, bytes);
        }
    }

    [Fact]
    public async Task Epochs_are_closed_in_all_partitions()
    {
        var (payer, payee) = (await _api.NewWalletInAsync(1, _api.Shop, 10), await _api.NewWalletInAsync(2, _api.Shop));
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            var id = ApiFixture.NewId();
            var closed = await _api.PostAsync(_api.Admin, "/v1/epochs", $$"""{"id":"{{id}}"}""");
            Assert.Equal((201, epoch), (closed.Status, closed.Long("epoch")));
            var again = await _api.PostAsync(_api.Admin, "/v1/epochs", $$"""{"id":"{{id}}"}""");
            Assert.Equal((200, closed.Text), (again.Status, again.Text));
            await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), payer, payee, 1);
            await _api.ArriveAsync();
            Assert.Equal([epoch, epoch, epoch], await Set.QueryAllAsync(ledger => ledger.LastEpoch!.Number));
        }
        var listed = (await _api.GetAsync(_api.Shop, "/v1/epochs")).Json.GetProperty("items").EnumerateArray().ToList();
        Assert.Equal([3L, 2, 1], listed.Select(e => e.GetProperty("epoch").GetInt64()));
        var sizes = listed.Select(e => e.GetProperty("treeSize").GetInt64()).Reverse().ToList();
        Assert.Equal(sizes.Order(), sizes);
        await _api.RestartAsync();
        Assert.Equal(sizes, (await _api.GetAsync(_api.Shop, "/v1/epochs")).Json.GetProperty("items").EnumerateArray().Select(e => e.GetProperty("treeSize").GetInt64()).Reverse());
    }

    [Fact]
    public async Task An_epoch_that_only_the_first_partition_closed_is_closed_by_the_others_at_the_next_turn()
    {
        // As when the process ends in between.
        await Set.First.SubmitAsync(new EpochCut(default, 1));
        await _api.Engine.SettleAsync(Cancel);
        Assert.Equal((long[])[1, 1, 1], await Set.QueryAllAsync(ledger => ledger.LastEpoch?.Number ?? 0));
    }

    private async Task VerifyAsync(IEnumerable<(string Payer, string Id)> payments)
    {
        var pins = await PinsAsync();
        foreach (var (payer, id) in payments)
        {
            var receipt = await _api.GetAsync(_api.Shop, $"/v1/wallets/{payer}/transfers/{id}/receipt");
            Assert.Equal(200, receipt.Status);
            var report = ReceiptVerifier.Verify(new ReceiptFiles(Convert.FromBase64String(receipt.String("leaf")), Convert.FromBase64String(receipt.String("tlogProof"))), pins);
            Assert.True(report.Verdict == ReceiptVerdict.LoggedOnly, string.Join('\n', report.Steps));
            Assert.Equal(id, ((Transfer)Entry.ReadStatement(report.Entry.Span).Command).Id.ToString());
        }
    }

    private async Task<Pins> PinsAsync()
    {
        Assert.True(Pins.TryParse((await _api.GetAsync(_api.Shop, "/v1/pins")).Text, out var pins, out _));
        return pins;
    }

    private async Task<List<(string Kind, string Direction, long Amount, long Available, string? Other)>> HistoryAsync(string key, string wallet)
    {
        var page = await _api.GetAsync(key, $"/v1/wallets/{wallet}/history");
        Assert.True(page.Status == 200, page.Text);
        return [.. page.Json.GetProperty("items").EnumerateArray().Select(item => (
            item.GetProperty("kind").GetString()!, item.GetProperty("direction").GetString()!, item.GetProperty("amountMsat").GetInt64(),
            item.GetProperty("availableMsat").GetInt64(), item.TryGetProperty("other", out var other) ? other.GetString() : null))];
    }

    private async Task<List<string>> HoldsAsync(string key, string wallet, int limit)
    {
        var ids = new List<string>();
        for (long? before = null; ;)
        {
            var page = await _api.GetAsync(key, $"/v1/wallets/{wallet}/holds?limit={limit}" + (before is null ? "" : $"&before={before}"));
            Assert.Equal(200, page.Status);
            var items = page.Json.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()!).ToList();
            Assert.True(items.Count <= limit);
            ids.AddRange(items);
            if (!page.Json.TryGetProperty("next", out var next)) return ids;
            before = next.GetInt64();
        }
    }

    private async Task<List<BatchApiTests.Line>> BatchAsync(bool binary, List<Payment> payments)
    {
        var (type, body) = binary
            ? (BinaryBatch.RequestType, BatchApiTests.Records([.. payments]))
            : (JsonLines.Type, Encoding.UTF8.GetBytes(string.Concat(payments.Select(p =>
                $$"""{"id":"{{p.Id}}","payer":"{{p.Payer}}","payee":"{{p.Payee}}","amountMsat":{{p.Amount.Value}}}""" + "\n"))));
        var answer = await _api.SendAsync(
            HttpMethod.Post, "/v1/transfers:batch", _api.Shop, new ByteArrayContent(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } });
        Assert.Equal(200, answer.Status);
        return BatchApiTests.Lines(answer);
    }

    private static Payment Pay(WalletId payer, WalletId payee, long msat) =>
        new() { Kind = PaymentKind.Transfer, Id = ClientIds.Next(TimeProvider.System), Payer = payer, Payee = payee, Amount = new Msat(msat) };

    private static bool IsNear(in Payment payment) => payment.Payer.PartitionOf(3) == payment.Payee.PartitionOf(3);
}
