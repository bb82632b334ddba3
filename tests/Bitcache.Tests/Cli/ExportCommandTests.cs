using System.Text;
using Bitcache.Cli;
using Bitcache.Core.Audit;
using Bitcache.Server.Keys;
using Bitcache.Tests.Api;

namespace Bitcache.Tests.Cli;

/// <summary>The published log as files, written from a running server.</summary>
[Trait("suite", "core")]
[Collection("api")]
public sealed class ExportCommandTests(ApiFixture api) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Open => _folder.File("export");
    private string Auditors => _folder.File("auditor");

    public void Dispose() => _folder.Dispose();

    private Task<CommandLineRun> ExportAsync(string? key, params string[] args) =>
        CommandLineRun.OfAsync(["export", "--out", Open, .. args, "--url", api.Address.ToString(), .. key is null ? (string[])[] : ["--key", key]]);

    private async Task PayAsync()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Shop));
        for (var i = 0; i < 10; i++) Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 1)).Status);
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task The_log_is_written_for_everybody_and_its_entries_for_auditors()
    {
        await PayAsync();
        Assert.Equal(ExitCode.Done, (await ExportAsync(key: null)).ExitCode);
        var rotated = await CommandLineRun.OfAsync("operator", "rotate-checkpoint-key", "--url", api.Address.ToString(), "--key", api.Admin);
        Assert.Equal((ExitCode.Done, true), (rotated.ExitCode, rotated.Output.StartsWith($"checkpoints are signed with {api.Engine.Verifier} from entry ", StringComparison.Ordinal)));
        await PayAsync();
        var run = await ExportAsync(api.Auditor, "--auditor", Auditors);
        Assert.True(run.ExitCode == ExitCode.Done, run.Error);

        Assert.True(Pins.TryParse(await ReadAsync(Open, "pins.json"), out var pins, out var refusal), refusal);
        Assert.True(KeyRotation.TryFollow(await ReadAsync(Open, "rotations"), pins.Key, out var keys, out refusal), refusal);
        Assert.Equal($"{keys[^1]}\n", await ReadAsync(Open, "vkey"));
        Assert.True(Checkpoint.TryVerify(await ReadAsync(Open, "checkpoint"), keys[^1], out var checkpoint, out refusal), refusal);
        Assert.StartsWith($"{checkpoint.Size} entries, ", run.Output, StringComparison.Ordinal);
        var log = PublishedTiles.Open(tile => File.ReadAllBytes(Path.Combine(Open, tile.ToString())), checkpoint.Size)!;
        Assert.Equal(checkpoint.Root, log.Root());
        foreach (var tile in LogTile.Between(0, checkpoint.Size).Where(tile => tile.Level == 0))
        {
            Assert.True(EntryBundle.TryRead(await File.ReadAllBytesAsync(Path.Combine(Auditors, tile.Bundle.ToString()), TestContext.Current.CancellationToken), tile.Width, out var entries));
            Assert.Equal(log.Tile(tile), entries.Select(entry => Rfc6962.LeafHash(entry.Span)).ToArray());
        }

        // A web server runs as somebody else; nobody else reads what is the auditors'.
        const UnixFileMode forAll = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        foreach (var path in Directory.EnumerateFileSystemEntries(Open, "*", SearchOption.AllDirectories).Append(Open).Where(path => Path.GetFileName(path) != ".lock"))
            Assert.Equal(forAll, File.GetUnixFileMode(path) & forAll);
        foreach (var path in Directory.EnumerateFileSystemEntries(Auditors, "*", SearchOption.AllDirectories).Append(Auditors))
            Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(path) & forAll);
        Assert.False(Directory.Exists(Path.Combine(Open, "tile", "entries")));
    }

    [Fact]
    public async Task A_receipt_of_after_a_rotation_is_verified_with_the_notes_beside_it_or_beside_the_pins()
    {
        await PayAsync();
        Assert.Equal(ExitCode.Done, (await CommandLineRun.OfAsync("operator", "rotate-checkpoint-key", "--url", api.Address.ToString(), "--key", api.Admin)).ExitCode);
        var (payer, payee, id) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop), ApiFixture.NewId());
        Assert.Equal(201, (await api.TransferAsync(api.Shop, id, payer, payee, 1)).Status);
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        var receipts = _folder.File("receipts");
        var fetched = await CommandLineRun.OfAsync("receipt", id, "--wallet", payer, "--out", receipts, "--url", api.Address.ToString(), "--key", api.Shop);
        var leaf = fetched.Output.Split('\n')[0];
        var verified = await CommandLineRun.OfAsync("verify", leaf);
        Assert.True(verified.ExitCode == ExitCode.Done, verified.Output);
        Assert.Contains("each time by the word of the key before", verified.Output, StringComparison.Ordinal);

        File.Delete(Path.Combine(receipts, "rotations"));
        Assert.Contains("is not signed by the key of 'ledger.test/log'", (await CommandLineRun.OfAsync("verify", leaf)).Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await ExportAsync(key: null)).ExitCode);
        Assert.Equal(ExitCode.Done, (await CommandLineRun.OfAsync("verify", leaf, "--pins", Path.Combine(Open, "pins.json"))).ExitCode);
    }

    [Fact]
    public async Task What_cannot_be_exported_says_why()
    {
        await PayAsync();
        var inside = await ExportAsync(api.Auditor, "--auditor", Path.Combine(Open, "entries"));
        Assert.Equal((ExitCode.Usage, true), (inside.ExitCode, inside.Error.Contains("lies in the public one", StringComparison.Ordinal)));
        var scope = await ExportAsync(api.Key(ApiFixture.OperatorTenant, Scopes.Admin), "--auditor", Auditors);
        Assert.Equal((ExitCode.Failed, true), (scope.ExitCode, scope.Error.Contains("scope audit", StringComparison.Ordinal)));
        var note = await ReadAsync(Open, "checkpoint", optional: true);
        Assert.Empty(note);

        Assert.Equal(ExitCode.Done, (await ExportAsync(key: null)).ExitCode);
        note = await ReadAsync(Open, "checkpoint");
        await File.WriteAllTextAsync(Path.Combine(Open, "checkpoint"), note.Replace("ledger.test", "ledger.best", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        var other = await ExportAsync(key: null);
        Assert.Equal((ExitCode.Failed, true), (other.ExitCode, other.Error.Contains("the checkpoint is of the log 'ledger.best/log'", StringComparison.Ordinal)));
    }

    private static async Task<string> ReadAsync(string folder, string name, bool optional = false) => optional && !File.Exists(Path.Combine(folder, name))
        ? ""
        : await File.ReadAllTextAsync(Path.Combine(folder, name), Encoding.UTF8, TestContext.Current.CancellationToken);
}
