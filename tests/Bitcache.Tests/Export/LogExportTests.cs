using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Export;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;
using Bitcache.Tests.Settlement;

namespace Bitcache.Tests.Export;

/// <summary>The published log as files: what a web server would show at any moment, whatever ends in between.</summary>
[Trait("suite", "core")]
public sealed class LogExportTests : IAsyncLifetime
{
    private const string Public = "/www/log";
    private const string Auditors = "/audit/log";

    private readonly SimDisk _logDisk = LogBook.NewDisk();
    private LogBook _book = null!;
    private LogKeeper _keeper = null!;
    private byte[] _pinnedSeed = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _book = await LogBook.CreateAsync(300);
        _pinnedSeed = _book.OpenKey(new LinuxFileSystem()).Seed.ToArray();
        _keeper = _book.Keeper(_logDisk);
        await _keeper.ResumeAsync();
        await _keeper.AdvanceAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _keeper.Dispose();
        await _book.DisposeAsync();
    }

    private static SimDisk NewDisk(int seed = 1)
    {
        var disk = new SimDisk(seed);
        disk.MakeDurableFolder("/www");
        disk.MakeDurableFolder("/audit");
        return disk;
    }

    private Pins Pins(Txid? first = null) => new(_book.Verifier, [0x51], first, BitcoinNetwork.Regtest);

    /// <summary>What the server publishes now.</summary>
    private byte[] Publish(string path) => path switch
    {
        LogExport.CheckpointFile => Encoding.UTF8.GetBytes(_keeper.Checkpoint),
        LogExport.PinsFile => Encoding.UTF8.GetBytes(Pins().Write()),
        LogExport.RotationsFile => Encoding.UTF8.GetBytes(_keeper.KeyRotations),
        _ when LogTile.TryParse(path, out var tile) => _keeper.FindTile(tile)!,
        _ => throw new FileNotFoundException(path),
    };

    private Task<LogExportReport> ExportAsync(IFileSystem disk, bool auditors = true, Func<string, byte[]>? publish = null)
    {
        using var open = new ExportFolder(disk, Public, isPublic: true);
        using var authorised = auditors ? new ExportFolder(disk, Auditors, isPublic: false) : null;
        // Nothing is really waited for: the folders are written when this returns.
        var run = new LogExport((path, _) => Task.FromResult((publish ?? Publish)(path)), open, authorised).RunAsync(Cancel);
        Assert.True(run.IsCompleted);
        return run;
    }

    private async Task GrowAsync(int payments)
    {
        await _book.PayAsync(payments);
        await _keeper.AdvanceAsync();
    }

    /// <summary>What a folder shows is whole up to its checkpoint.</summary>
    /// <returns>The checkpoint's size; 0 without one.</returns>
    private long Check(SimDisk disk)
    {
        var image = disk.Image();
        if (image.GetValueOrDefault($"{Public}/checkpoint") is not { } note) return 0;
        Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetString(note), _book.Verifier, out var checkpoint, out var refusal), refusal);
        Assert.Equal($"{_book.Verifier}\n", Encoding.UTF8.GetString(image[$"{Public}/vkey"]!));
        Assert.Equal(Pins().Write(), Encoding.UTF8.GetString(image[$"{Public}/pins.json"]!));
        var log = PublishedTiles.Open(tile => Shown(image, Public, tile), checkpoint.Size)!;
        Assert.Equal(checkpoint.Root, log.Root());
        foreach (var tile in LogTile.Between(0, checkpoint.Size)) Assert.Equal(_keeper.FindTile(tile), HashTile.Write(log.Tile(tile)));
        if (image.GetValueOrDefault($"{Auditors}/checkpoint") is not { } entries) return checkpoint.Size;
        Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetString(entries), _book.Verifier, out var covered, out _));
        foreach (var tile in LogTile.Between(0, covered.Size).Where(tile => tile.Level == 0))
        {
            Assert.True(Shown(image, Auditors, tile.Bundle) is { } bundle && bundle.AsSpan().StartsWith(_keeper.FindTile(tile.Bundle)));
        }
        return checkpoint.Size;
    }

    /// <summary>A tile as its clients look for it: one that is full now stands in for a partial one.</summary>
    private static byte[]? Shown(SortedDictionary<string, byte[]?> image, string folder, LogTile tile) =>
        image.GetValueOrDefault($"{folder}/{tile}") ?? (image.GetValueOrDefault($"{folder}/{tile with { Width = LogTile.WidthMax }}") is not { } full
            ? null
            : tile.IsBundle ? full : full[..(tile.Width * Hash256.Bytes)]);

    [Fact]
    public async Task An_export_holds_the_log_and_grows_with_it()
    {
        var disk = NewDisk();
        var first = await ExportAsync(disk);
        Assert.Equal(new LogExportReport(0, _keeper.CheckpointSize, Tiles: 3, Bundles: 2), first);
        Assert.Equal(first.Size, Check(disk));

        // Nothing new: no tile is written again.
        var again = await ExportAsync(disk);
        Assert.Equal(new LogExportReport(first.Size, first.Size, Tiles: 0, Bundles: 0), again);

        await GrowAsync(100);
        var written = new List<string>();
        await ExportAsync(disk, publish: path => { written.Add(path); return Publish(path); });
        Assert.Equal(_keeper.CheckpointSize, Check(disk));
        var partial = LogTile.Between(first.Size, _keeper.CheckpointSize).First(tile => tile.Level == 0);
        Assert.Equal(["pins.json", "checkpoint", "rotations", partial.ToString(), partial.Bundle.ToString()], written);
        // Whoever reads the log at the earlier checkpoint still finds its tiles.
        Assert.Contains($"{Public}/tile/0/001.p/{first.Size - 256}", disk.Image().Keys);

        // A tile that is full now stands in for its partial ones.
        await GrowAsync(200);
        await ExportAsync(disk);
        Assert.Equal(_keeper.CheckpointSize, Check(disk));
        Assert.DoesNotContain(disk.Image().Keys, path => path.Contains("001.p", StringComparison.Ordinal));
        Assert.Contains($"{Public}/tile/0/001", disk.Image().Keys);
        Assert.Contains($"{Public}/tile/1/000.p/1", disk.Image().Keys);
        Assert.DoesNotContain(disk.Image().Keys, path => path.EndsWith(".new", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_auditors_folder_that_is_wanted_later_gets_every_entry()
    {
        var disk = NewDisk();
        await ExportAsync(disk, auditors: false);
        await GrowAsync(50);
        Assert.Equal(0, (await ExportAsync(disk, auditors: false)).Bundles);
        Assert.Equal(2, (await ExportAsync(disk)).Bundles);
        Check(disk);
        Assert.Contains($"{Auditors}/tile/entries/000", disk.Image().Keys);
    }

    [Fact]
    public async Task What_everybody_may_read_shows_nobody()
    {
        var disk = NewDisk();
        await GrowAsync(400);
        await ExportAsync(disk);
        var entries = new List<byte[]>();
        _book.Journal.ReadRecords(0, _keeper.CheckpointSize, record => entries.Add(Entry.StatementOf(record).ToArray()));
        var secrets = entries.Concat(_book.Wallets.SelectMany(wallet => (byte[][])[WalletBytes(wallet), Encoding.UTF8.GetBytes(wallet.ToString())])).ToArray();
        foreach (var (path, bytes) in disk.Image().Where(file => file.Key.StartsWith(Public, StringComparison.Ordinal) && file.Value is not null))
        {
            Assert.DoesNotContain("entries", path, StringComparison.Ordinal);
            foreach (var secret in secrets) Assert.True(bytes.AsSpan().IndexOf(secret) < 0, $"{path} shows an entry or a wallet");
        }
        // The search finds them where they are.
        var bundle = disk[$"{Auditors}/tile/entries/001"];
        Assert.True(bundle.AsSpan().IndexOf(entries[300]) >= 0 && bundle.AsSpan().IndexOf(WalletBytes(_book.Wallets[0])) >= 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_that_stops_at_any_operation_leaves_a_folder_that_is_whole(bool losesPower)
    {
        var old = NewDisk();
        await ExportAsync(old);
        await GrowAsync(300);
        var before = Check(old);
        for (var at = 1L; ; at++)
        {
            var disk = SimDisk.FromImage(old.Image(), seed: (int)at);
            disk.HaltAt = at;
            try
            {
                await ExportAsync(disk);
                Assert.InRange(at, 30, 300);
                break;
            }
            catch (MachineStoppedException)
            {
                // The next start tells what became of it.
            }
            if (losesPower) disk.PowerLoss();
            else disk.Restart();
            Assert.Contains(Check(disk), (long[])[before, _keeper.CheckpointSize]);
            await ExportAsync(disk);
            Assert.Equal(_keeper.CheckpointSize, Check(disk));
            Assert.DoesNotContain(disk.Image().Keys, path => path.Contains("001.p", StringComparison.Ordinal) || path.EndsWith(".new", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_key_that_was_rotated_is_followed_from_the_one_that_was_published()
    {
        var disk = NewDisk();
        await ExportAsync(disk);
        var pinned = _book.Verifier;
        Assert.Equal($"{pinned}\n", Encoding.UTF8.GetString(disk[$"{Public}/vkey"]));
        Assert.DoesNotContain($"{Public}/rotations", disk.Image().Keys);
        for (var round = 0; round < 2; round++)
        {
            await _keeper.RotateKeyAsync(ClientIds.Next(TimeProvider.System));
            await GrowAsync(50);
            await ExportAsync(disk, publish: path => path == "pins.json" ? Encoding.UTF8.GetBytes((Pins() with { Key = pinned }).Write()) : Publish(path));
            Assert.Equal($"{_keeper.Verifier}\n", Encoding.UTF8.GetString(disk[$"{Public}/vkey"]));
            Assert.True(KeyRotation.TryFollow(Encoding.UTF8.GetString(disk[$"{Public}/rotations"]), pinned, out var keys, out var refusal), refusal);
            Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetString(disk[$"{Public}/checkpoint"]), keys[^1], out _, out refusal), refusal);
        }
        // Another way of the key is one too many, also where each step of it is signed.
        var other = KeyRotation.Sign(_pinnedSeed, VerifierKey.FromSeed(BegunLedger.Origin, new byte[32]));
        var refused = await Assert.ThrowsAsync<ExportContradictionException>(() => ExportAsync(disk, publish: path => path switch
        {
            "pins.json" => Encoding.UTF8.GetBytes((Pins() with { Key = pinned }).Write()),
            "rotations" => Encoding.UTF8.GetBytes(other.Note),
            "checkpoint" => Encoding.UTF8.GetBytes(new Checkpoint(BegunLedger.Origin, _keeper.CheckpointSize, default).Sign(new byte[32])),
            _ => Publish(path),
        }));
        Assert.Contains("another way", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_does_not_fit_is_not_published()
    {
        var disk = NewDisk();
        await ExportAsync(disk);
        var before = Check(disk);
        await GrowAsync(700);
        foreach (var path in LogTile.Between(before, _keeper.CheckpointSize).Select(tile => tile.ToString()).Append("tile/entries/001").Append("checkpoint"))
        {
            foreach (var damage in (Func<byte[], byte[]>[])[Changed, bytes => bytes[..^1], bytes => [.. bytes, 0]])
            {
                await Assert.ThrowsAsync<ExportContradictionException>(() => ExportAsync(disk, publish: p => p == path ? damage(Publish(p)) : Publish(p)));
                Assert.Equal(before, Check(disk));
            }
        }
        var other = new Pins(_book.Verifier, [0x52], null, BitcoinNetwork.Regtest);
        var refused = await Assert.ThrowsAsync<ExportContradictionException>(() => ExportAsync(disk, publish: p => p == "pins.json" ? Encoding.UTF8.GetBytes(other.Write()) : Publish(p)));
        Assert.Contains("keep both", refused.Message, StringComparison.Ordinal);
        await ExportAsync(disk);
        Assert.Equal(_keeper.CheckpointSize, Check(disk));
    }

    /// <summary>The operator signs another history with the same key: a folder that has seen the first notices.</summary>
    [Fact]
    public async Task A_log_that_shrank_or_was_rewritten_is_not_published()
    {
        var disk = NewDisk();
        await GrowAsync(100);
        await ExportAsync(disk);
        var size = Check(disk);
        foreach (var (other, reason) in new[] { (size - 50, "only grows"), (size, "two roots"), (size + 300, "was rewritten") })
        {
            var log = new MerkleLog(new MemoryHashStore());
            log.Append([.. Enumerable.Range(0, (int)other).Select(i => Rfc6962.LeafHash(BitConverter.GetBytes(i)))]);
            var note = _book.Sign(new Checkpoint(_book.Verifier.Name, other, log.Root()));
            var refused = await Assert.ThrowsAsync<ExportContradictionException>(() => ExportAsync(disk, auditors: false, publish: path => path switch
            {
                "checkpoint" => Encoding.UTF8.GetBytes(note),
                _ when LogTile.TryParse(path, out var tile) => HashTile.Write(log.Tile(tile)),
                _ => Publish(path),
            }));
            Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
            Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetString(disk[$"{Public}/checkpoint"]), _book.Verifier, out var kept, out _));
            Assert.Equal(size, kept.Size);
        }
    }

    private static byte[] Changed(byte[] bytes)
    {
        var changed = bytes.ToArray();
        changed[bytes.Length / 2] ^= 4;
        return changed;
    }

    private static byte[] WalletBytes(WalletId wallet)
    {
        var bytes = new byte[WalletId.Bytes];
        wallet.Write(bytes);
        return bytes;
    }
}
