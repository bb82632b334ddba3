// The published log as its clients meet it: over HTTP, at the paths of c2sp.org/tlog-tiles, of a ledger of three partitions.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class LogApiTests : IAsyncLifetime
{
    private readonly ApiFixture _api = new() { Partitions = 3 };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _api.InitializeAsync();

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    [Fact]
    public async Task The_log_of_several_partitions_is_published_in_its_order()
    {
        var wallets = new List<string>();
        for (var partition = 0; partition < 3; partition++) wallets.Add(await _api.NewWalletInAsync(partition, _api.Shop, 100));
        var paid = new List<(int Partition, long Sequence)>();
        for (var round = 0; round < 4; round++)
        {
            for (var i = 0; i < 15; i++) paid.AddRange(await PayAsync(i % 3, wallets));
            await _api.ArriveAsync();
            await _api.Engine.SettleAsync(Cancel);
        }
        var (size, root) = await CheckpointAsync();
        Assert.InRange(size, 300, 1_000);
        var shown = new Dictionary<string, byte[]>();
        foreach (var tile in LogTile.Between(0, size))
        {
            shown[tile.ToString()] = await FetchAsync(tile);
            if (tile.Level == 0) shown[tile.Bundle.ToString()] = await FetchAsync(tile.Bundle);
        }
        Assert.Equal(root, PublishedTiles.Open(tile => shown.GetValueOrDefault(tile.ToString()), size)!.Root());

        // Each entry is at the place that its receipt names, and no place is empty.
        var entries = new List<byte[]>();
        foreach (var tile in LogTile.Between(0, size).Where(tile => tile.Level == 0))
        {
            Assert.True(EntryBundle.TryRead(shown[tile.Bundle.ToString()], tile.Width, out var bundle));
            Assert.Equal(shown[tile.ToString()], HashTile.Write([.. bundle.Select(entry => Rfc6962.LeafHash(entry.Span))]));
            entries.AddRange(bundle.Select(entry => entry.ToArray()));
        }
        Assert.Equal(size, entries.Count);
        foreach (var (partition, sequence) in paid)
        {
            var receipt = await _api.Engine.FindReceiptAsync(partition, sequence);
            Assert.True(TlogProof.TryParse(receipt!.TlogProof, out var proof));
            Assert.Equal(receipt.Leaf[1..], entries[(int)proof.Index]);
        }
        Assert.Equal([0, 1, 2], entries.Select(entry => Entry.ReadStatement(entry).Partition).Distinct().Order());

        // Whoever comes back later finds what was published before, or more of it.
        await _api.RestartAsync();
        await PayAsync(0, wallets);
        await _api.Engine.SettleAsync(Cancel);
        Assert.True((await CheckpointAsync()).Size > size);
        foreach (var (path, bytes) in shown) Assert.Equal(bytes, (await _api.GetAsync(_api.Auditor, "/" + path)).Bytes);
    }

    [Fact]
    public async Task Receipts_of_before_and_after_a_rotation_of_the_key_lead_to_the_pinned_one()
    {
        var wallets = new List<string>();
        for (var partition = 0; partition < 3; partition++) wallets.Add(await _api.NewWalletInAsync(partition, _api.Shop, 100));
        var pins = (await AskAsync("/pins.json")).Text;
        var pinned = (await AskAsync("/vkey")).Text;
        Assert.Equal("", (await AskAsync("/rotations")).Text);
        var places = new List<(int Partition, long Sequence)>();
        var receipts = new List<ReceiptFiles>();
        string[] ids = [ApiFixture.NewId(), ApiFixture.NewId()];
        foreach (var id in ids)
        {
            places.AddRange(await PayAsync(1, wallets));
            await _api.Engine.SettleAsync(Cancel);
            receipts.Add(await ReceiptAsync(places[^1]));
            var rotated = await _api.PostAsync(_api.Admin, "/v1/operator/checkpoint-key:rotate", $$"""{"id":"{{id}}"}""");
            Assert.Equal((201, (await AskAsync("/vkey")).Text), (rotated.Status, rotated.String("vkey") + "\n"));
            Assert.EndsWith(rotated.String("note"), (await AskAsync("/rotations")).Text, StringComparison.Ordinal);
            // The checkpoint that covers it is there when it is answered.
            await CheckpointAsync();
        }
        var again = await _api.PostAsync(_api.Admin, "/v1/operator/checkpoint-key:rotate", $$"""{"id":"{{ids[0]}}"}""");
        Assert.Equal((200, pinned), (again.Status, again.String("oldVkey") + "\n"));
        // The same after a restart, whose log has several partitions.
        var (rotations, vkey) = ((await AskAsync("/rotations")).Text, (await AskAsync("/vkey")).Text);
        await _api.RestartAsync();
        Assert.Equal((pins, rotations, vkey), ((await AskAsync("/pins.json")).Text, (await AskAsync("/rotations")).Text, (await AskAsync("/vkey")).Text));
        await CheckpointAsync();
        receipts.Add(await ReceiptAsync(places[0]));

        Assert.True(Pins.TryParse(pins, out var trusted, out _));
        foreach (var (number, receipt) in receipts.Index())
        {
            Assert.Equal(number == 0 ? ReceiptVerdict.LoggedOnly : ReceiptVerdict.Invalid, ReceiptVerifier.Verify(receipt, trusted).Verdict);
            Assert.Equal(ReceiptVerdict.LoggedOnly, ReceiptVerifier.Verify(receipt with { Rotations = rotations }, trusted).Verdict);
            var altered = ReceiptVerifier.Verify(receipt with { Rotations = rotations.Replace("v1", "v2", StringComparison.Ordinal) }, trusted);
            Assert.Equal(ReceiptVerdict.Invalid, altered.Verdict);
        }

        async Task<ReceiptFiles> ReceiptAsync((int Partition, long Sequence) place)
        {
            var receipt = await _api.Engine.FindReceiptAsync(place.Partition, place.Sequence);
            return new ReceiptFiles(receipt!.Leaf, System.Text.Encoding.UTF8.GetBytes(receipt.TlogProof));
        }
    }

    [Fact]
    public async Task What_is_published_says_what_it_is_and_how_long_it_stays()
    {
        var wallets = new List<string>();
        for (var partition = 0; partition < 3; partition++) wallets.Add(await _api.NewWalletInAsync(partition, _api.Shop, 100));
        for (var i = 0; i < 30; i++) await PayAsync(i % 3, wallets);
        await _api.ArriveAsync();
        await _api.Engine.SettleAsync(Cancel);

        var checkpoint = await AskAsync("/checkpoint");
        Assert.Equal((200, "text/plain; charset=utf-8", "no-store"), Says(checkpoint));
        Assert.Equal((await AskAsync("/v1/checkpoint")).Text, checkpoint.Text);
        var vkey = await AskAsync("/vkey");
        Assert.Equal((200, "text/plain; charset=utf-8", "no-store"), Says(vkey));
        Assert.Equal($"{_api.Engine.Verifier}\n", vkey.Text);
        var pins = await AskAsync("/pins.json");
        Assert.Equal((200, "application/json; charset=utf-8", "no-store"), Says(pins));
        Assert.Equal((await AskAsync("/v1/pins")).Text, pins.Text);

        Assert.Equal((200, "application/octet-stream", "public, max-age=31536000, immutable"), Says(await AskAsync("/tile/0/000")));
        Assert.Equal((200, "application/octet-stream", "public, max-age=3600, immutable"), Says(await AskAsync("/tile/0/000.p/255")));
        Assert.Equal((200, "application/octet-stream", "public, max-age=3600, immutable"), Says(await AskAsync("/tile/1/000.p/1")));
        Assert.Equal((200, "application/octet-stream", "private, max-age=31536000, immutable"), Says(await _api.GetAsync(_api.Auditor, "/tile/entries/000")));
        Assert.Equal((200, "application/octet-stream", "private, max-age=3600, immutable"), Says(await _api.GetAsync(_api.Auditor, "/tile/entries/000.p/7")));
    }

    [Fact]
    public async Task A_path_that_names_no_published_tile_is_not_found()
    {
        await _api.NewWalletAsync(_api.Shop);
        await _api.Engine.SettleAsync(Cancel);
        foreach (var path in new[]
        {
            "/tile/0/001", "/tile/0/x001/000", "/tile/0/000.p/256", "/tile/0/000.p/0", "/tile/0/0", "/tile/0/", "/tile/00/000", "/tile/1/000",
            "/tile/3/000.p/1", "/tile/64/000", "/tile/x/000", "/tile/entries/001", "/tile/entries/x000/000", "/tile/Entries/000.p/1", "/tile/entries",
        })
        {
            var answer = await _api.GetAsync(_api.Auditor, path);
            Assert.Equal((path, 404, "tile_not_found", "no-store"), (path, answer.Status, answer.Code, CacheControlOf(answer)));
        }
    }

    [Fact]
    public async Task No_spelling_of_a_bundles_path_gets_round_its_scope()
    {
        await _api.NewWalletAsync(_api.Shop);
        await _api.Engine.SettleAsync(Cancel);
        string[] paths =
        [
            "/tile/entries/000.p/1", "/tile/ENTRIES/000.p/1", "/tile/%65ntries/000.p/1", "/tile//entries/000.p/1", "/tile/0/../entries/000.p/1",
            "/tile/entries%2f000.p/1",
        ];
        foreach (var key in new[] { null, _api.Shop, _api.Key(ApiFixture.OperatorTenant, Scopes.Admin | Scopes.Read) })
        {
            foreach (var path in paths)
            {
                var answer = await AskAsync(path, key);
                Assert.True(answer.Code is "key_missing" or "scope_missing" or "route_not_found" or "tile_not_found", $"{path}: {answer.Status} {answer.Text}");
            }
        }
    }

    private Task<ApiAnswer> AskAsync(string path, string? key = null) => _api.SendAsync(HttpMethod.Get, path, key);

    private static string CacheControlOf(ApiAnswer answer) => answer.Headers.NonValidated["Cache-Control"].ToString();

    private static (int, string?, string?) Says(ApiAnswer answer) => (answer.Status, answer.ContentType, CacheControlOf(answer));

    private async Task<byte[]> FetchAsync(LogTile tile)
    {
        var answer = await AskAsync($"/{tile}", tile.IsBundle ? _api.Auditor : null);
        Assert.Equal(200, answer.Status);
        return answer.Bytes;
    }

    private async Task<(long Size, Hash256 Root)> CheckpointAsync()
    {
        var note = (await AskAsync("/checkpoint")).Text;
        Assert.True(VerifierKey.TryParse((await AskAsync("/vkey")).Text.TrimEnd('\n'), out var key));
        Assert.True(Checkpoint.TryVerify(note, key, out var checkpoint, out var refusal), refusal);
        return (checkpoint.Size, checkpoint.Root);
    }

    /// <summary>One transfer and one split, to wallets in other partitions.</summary>
    /// <returns>Where their entries are.</returns>
    private async Task<IEnumerable<(int Partition, long Sequence)>> PayAsync(int payer, List<string> wallets)
    {
        var (one, other) = (wallets[(payer + 1) % 3], wallets[(payer + 2) % 3]);
        var transfer = await _api.TransferAsync(_api.Shop, ApiFixture.NewId(), wallets[payer], one, 1);
        var split = await _api.PostAsync(
            _api.Shop, "/v1/splits",
            $$"""{"id":"{{ApiFixture.NewId()}}","payer":"{{wallets[payer]}}","parts":[{"payee":"{{one}}","amountMsat":1},{"payee":"{{other}}","amountMsat":2}]}""");
        Assert.Equal((201, 201), (transfer.Status, split.Status));
        return [(payer, transfer.Long("sequence")), (payer, split.Long("sequence")), (payer, split.Long("sequence") + 1)];
    }
}
