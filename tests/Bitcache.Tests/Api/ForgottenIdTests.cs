using System.Net.Http.Headers;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Api;

/// <summary>A transfer is found by its id long after the window has forgotten the id, wherever its entry stands.</summary>
[Trait("suite", "core")]
public sealed class ForgottenIdTests : IAsyncLifetime
{
    private readonly TemporaryFolder _archive = new();
    private readonly ApiFixture _api;

    public ForgottenIdTests() => _api = new ApiFixture { ArchiveFolder = _archive.Path };

    public ValueTask InitializeAsync() => _api.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _api.DisposeAsync();
        _archive.Dispose();
    }

    [Fact]
    public async Task A_transfer_below_the_floor_and_its_receipt_are_still_found()
    {
        var (payer, payee) = (await _api.NewWalletAsync(_api.Shop, 10), await _api.NewWalletAsync(_api.Shop));
        var (paid, refused) = (NewIdOfLastHour(), NewIdOfLastHour());
        Assert.Equal(201, (await _api.TransferAsync(_api.Shop, paid, payer, payee, 250)).Status);
        Assert.Equal("insufficient_funds", (await _api.TransferAsync(_api.Shop, refused, payer, payee, 250_000)).Code);
        await _api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        string[] paths = [Path(payer, paid), Path(payer, paid) + "/receipt", Path(payer, refused), Path(payer, refused) + "/receipt"];
        var before = new List<ApiAnswer>();
        foreach (var path in paths) before.Add(await _api.GetAsync(_api.Shop, path));
        Assert.Equal([200, 200, 200, 409], before.Select(answer => answer.Status));

        await ForgetAsync();
        for (var i = 0; i < paths.Length; i++)
        {
            var after = await _api.GetAsync(_api.Shop, paths[i]);
            Assert.Equal((before[i].Status, before[i].Text), (after.Status, after.Text));
        }
        Assert.Equal("id_too_old", (await _api.TransferAsync(_api.Shop, paid, payer, payee, 250)).Code);

        // Under another wallet, for another tenant, and where no transfer has the id, there is nothing.
        Assert.Equal("transfer_not_found", (await _api.GetAsync(_api.Shop, Path(payee, paid))).Code);
        Assert.Equal("wallet_not_found", (await _api.GetAsync(_api.Other, paths[0])).Code);
        Assert.Equal("transfer_not_found", (await _api.GetAsync(_api.Shop, Path(payer, NewIdOfLastHour()))).Code);
        Assert.Equal("transfer_not_found", (await _api.GetAsync(_api.Shop, Path(payer, ApiFixture.NewId()))).Code);
    }

    [Fact]
    public async Task A_transfer_in_an_archived_segment_is_still_found()
    {
        var (payer, payee) = (await _api.NewWalletAsync(_api.Shop, 1_000), await _api.NewWalletAsync(_api.Shop));
        var id = NewIdOfLastHour();
        await _api.TransferAsync(_api.Shop, id, payer, payee, 250);
        var path = Path(payer, id);
        var before = await _api.GetAsync(_api.Shop, path);
        await ForgetAsync();

        // What is to be moved is there after some of it; a disk that others use may take its time to move it.
        for (var fills = 0; !File.Exists(System.IO.Path.Combine(_archive.Path, "p0000", "00000000000000000000.segment")); fills++)
        {
            if (fills < 100) await FillAsync(payer, payee);
            else await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
        }
        // And to make the id filters of the others.
        var unknown = Path(payer, NewIdOfLastHour());
        while ((await _api.GetAsync(_api.Shop, unknown)).Code == "busy") await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
        Assert.Equal("transfer_not_found", (await _api.GetAsync(_api.Shop, unknown)).Code);
        var after = await _api.GetAsync(_api.Shop, path);
        Assert.Equal(200, after.Status);
        Assert.Equal((before.Long("sequence"), before.String("time")), (after.Long("sequence"), after.String("time")));
        await _api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(200, (await _api.GetAsync(_api.Shop, path + "/receipt")).Status);
    }

    [Fact]
    public async Task Only_so_many_forgotten_originals_of_a_batch_are_looked_up()
    {
        var (payer, payee) = (await _api.NewWalletAsync(_api.Shop, 10), await _api.NewWalletAsync(_api.Other));
        var paid = NewIdOfLastHour();
        Assert.Equal(201, (await _api.TransferAsync(_api.Shop, paid, payer, payee, 250)).Status);
        await ForgetAsync();
        var originals = Enumerable.Range(0, Limits.BatchLookUpsMax - 1).Select(_ => NewIdOfLastHour()).Append(paid).Append(paid).Append(NewIdOfLastHour());
        var lines = string.Join('\n', originals.Select(original =>
            $$"""{"kind":"refund","id":"{{ApiFixture.NewId()}}","payer":"{{payee}}","payee":"{{payer}}","original":"{{original}}","amountMsat":1}"""));
        using var body = new StringContent(lines);
        body.Headers.ContentType = new MediaTypeHeaderValue(Server.Api.JsonLines.Type);
        var answer = await _api.SendAsync(HttpMethod.Post, "/v1/transfers:batch", _api.Other, body);
        Assert.Equal(
            [.. Enumerable.Repeat("original_not_found", Limits.BatchLookUpsMax - 1), "accepted", "too_many_look_ups", "too_many_look_ups"],
            answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line).GetProperty("outcome").GetString()));
    }

    [Fact]
    public async Task A_forgotten_hold_is_looked_up_for_its_payer_s_owner_alone()
    {
        var (payer, payee) = (await _api.NewWalletAsync(_api.Shop, 10), await _api.NewWalletAsync(_api.Other));
        var id = NewIdOfLastHour();
        var hold = await _api.HoldAsync(_api.Shop, payer, payee, 100, id: id);
        Assert.Equal(201, hold.Status);
        var path = $"/v1/wallets/{payer}/holds/{id}";
        await ForgetAsync();
        // While it is open the ledger knows it without a search.
        Assert.Equal("open", (await _api.GetAsync(_api.Other, path)).String("state"));
        Assert.Equal(201, (await _api.ReleaseAsync(_api.Other, hold)).Status);
        Assert.Equal("closed", (await _api.GetAsync(_api.Shop, path)).String("state"));
        Assert.Equal("wallet_not_found", (await _api.GetAsync(_api.Other, path)).Code);
    }

    private static string Path(string wallet, string id) => $"/v1/wallets/{wallet}/transfers/{id}";

    private static string NewIdOfLastHour() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow().AddMinutes(-30)).ToString();

    /// <summary>Raises the floor above everything of the last hour, as the partition does after a day or when its
    /// memory is full.</summary>
    private async Task ForgetAsync()
    {
        var floor = new UnixTime(TimeProvider.System.GetUtcNow().AddMinutes(-1).ToUnixTimeMilliseconds());
        Assert.Equal(Outcome.Accepted, (await _api.Engine.Partitions.First.SubmitAsync(new RaiseFloor(floor))).Outcome);
    }

    /// <summary>Many payments, past HTTP.</summary>
    private async Task FillAsync(string payer, string payee)
    {
        const int payments = 8_000;
        Assert.True(WalletId.TryParse(payer, out var from));
        Assert.True(WalletId.TryParse(payee, out var to));
        var tenant = (await _api.Engine.Partitions.First.QueryAsync(ledger => ledger.FindWallet(from)!.Value)).Tenant;
        var reference = new ByteString(new byte[Limits.ReferenceBytesMax]);
        var answers = await Task.WhenAll(Enumerable.Range(0, payments).Select(_ =>
            _api.Engine.Partitions.First.SubmitAsync(new Transfer(ClientIds.Next(TimeProvider.System), from, to, new Msat(1), 0, reference), tenant)));
        Assert.All(answers, answer => Assert.Equal(Outcome.Accepted, answer.Outcome));
    }
}
