// The published log and receipts of a running server, read by a tool that nobody here wrote: over HTTP, and from the
// folder that `bitcache export` writes. It accepts all of it, and nothing of it with one byte changed.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Crashes;

namespace Bitcache.IntegrationTests.Audit;

[Trait("suite", "node")]
public sealed class LogPeerTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>, IDisposable
{
    private const int Payments = 350;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-peer-");

    private string Export => Path.Combine(_folder.FullName, "export");
    private string Receipts => Path.Combine(_folder.FullName, "receipts");
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_strangers_tool_reads_the_log_and_refuses_one_changed_byte()
    {
        var peer = await LogPeer.BuildAsync(_folder.FullName);
        await using var server = new ServerProcess(regtest.Node);
        using var clients = new PayingClients(server);
        await server.StartAsync();
        await clients.PrepareAsync(server, new Sats(100_000));
        var vkey = Path.Combine(_folder.FullName, "pinned");
        await File.WriteAllTextAsync(vkey, await clients.GetTextAsync(server, "vkey"), Cancel);
        var early = await PayAsync(server, clients);
        await RunAsync("operator", "rotate-checkpoint-key", "--url", server.Url.ToString(), "--key", server.OperatorKey);
        var late = await PayAsync(server, clients);
        await RunAsync("export", "--out", Export, "--url", server.Url.ToString());

        var published = (await peer.AskAsync(server.Url.ToString().TrimEnd('/'), vkey, early, late)).Size;
        Assert.InRange(published, 2 * Payments, 3 * Payments);
        Assert.InRange((await peer.AskAsync(Export, vkey, early, late)).Size, 2 * Payments, published);

        var random = new Random(8);
        foreach (var file in Directory.EnumerateFiles(_folder.FullName, "*", SearchOption.AllDirectories).Where(IsRead).ToArray())
        {
            var whole = await File.ReadAllBytesAsync(file, Cancel);
            // Every byte of the checkpoint, some of all else.
            var places = Path.GetFileName(file) == "checkpoint" ? Enumerable.Range(0, whole.Length) : Enumerable.Range(0, 30).Select(_ => random.Next(whole.Length));
            foreach (var place in places)
            {
                var changed = whole.ToArray();
                changed[place] ^= (byte)(1 << random.Next(8));
                await File.WriteAllBytesAsync(file, changed, Cancel);
                var answer = await peer.AskAsync(Export, vkey, early, late);
                Assert.True(answer.ExitCode == 1, $"byte {place} of {file} was changed, and the peer answers {answer.Output}{answer.Error}");
            }
            await File.WriteAllBytesAsync(file, whole, Cancel);
        }
        Assert.Equal(0, (await peer.AskAsync(Export, vkey, early, late)).ExitCode);
    }

    /// <summary>The pinned key and what is in the two folders, but for the pins, which are ours, and what the peer finds by itself;
    /// of epochs it knows nothing.</summary>
    private bool IsRead(string file) => !file.StartsWith(Path.Combine(Export, "epochs"), StringComparison.Ordinal) && (Path.GetFileName(file) == "pinned" || (Path.GetFileName(file) is not (".lock" or "pins.json" or "vkey")
        && (file.StartsWith(Export, StringComparison.Ordinal) || file == Path.Combine(Receipts, Path.GetFileName(file)) && Path.GetFileName(file) != "rotations")));

    /// <summary>Pays, and fetches the receipt of the last payment.</summary>
    private async Task<string> PayAsync(ServerProcess server, PayingClients clients)
    {
        var ids = Enumerable.Range(0, Payments).Select(_ => PayingClients.NewId()).ToArray();
        foreach (var some in ids.Chunk(50))
        {
            foreach (var answer in await Task.WhenAll(some.Select(id => clients.SendAsync(server, id, 1))))
            {
                Assert.True(answer.IsSuccessStatusCode);
                answer.Dispose();
            }
        }
        await RunAsync("receipt", ids[^1], "--wallet", clients.Payer, "--out", Receipts, "--url", server.Url.ToString(), "--key", server.UserKey);
        return Path.Combine(Receipts, ids[^1] + ".leaf");
    }

    private static async Task RunAsync(params string[] args)
    {
        var answer = await LogPeer.RunAsync(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "bitcache"), args));
        Assert.True(answer.ExitCode == 0, answer.Error);
    }
}
