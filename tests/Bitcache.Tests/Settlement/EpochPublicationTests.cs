using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Export;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>What is published of epochs, from the first block to the last: as the server gives it and as folders have it.</summary>
[Trait("suite", "core")]
public sealed class EpochPublicationTests : IAsyncLifetime
{
    private const string Public = "/www/log";
    private const string Auditors = "/audit/log";

    private FakeNode _world = null!;
    private FakeBitcoind _fake = null!;
    private BitcoinRpc _rpc = null!;
    private LoopStage _stage = null!;
    private EpochPublication _epochs = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _world = LoopStage.NewWorld();
        _fake = new FakeBitcoind(_world, new NodeFaults(seed: 1, oneIn: 0));
        _rpc = _fake.Connect();
        _stage = await LoopStage.CreateAsync(_world, new NodeSwitch([new NodeEndpoint("it", _rpc, LoopStage.WalletName)]));
        _epochs = _stage.NewPublication();
    }

    public async ValueTask DisposeAsync()
    {
        _epochs.Dispose();
        await _stage.DisposeAsync();
        _rpc.Dispose();
        _fake.Dispose();
    }

    [Fact]
    public async Task What_an_anchor_gives_comes_with_its_block_and_goes_with_it()
    {
        await _stage.CloseAndTurnAsync();
        string[] always = [EpochPublication.CloseName, EpochPublication.CloseName + ".tlog-proof", EpochFolder.LiabilitiesName, WithdrawalsFile.Name, ReservesFile.Name];
        string[] anchored = [EpochPublication.CloseName + ".ots", EpochPublication.AnchorName, EpochPublication.RecordName, EpochPublication.HeaderName];
        await _stage.LogAdvancesAsync();
        Assert.Equal(always.Order(), (await NamesAsync(1)).Order());
        var block = _world.Mine();
        await _stage.TurnAsync();
        Assert.Equal(always.Concat(anchored).Order(), (await NamesAsync(1)).Order());

        var record = (await _epochs.FindAsync(1, EpochPublication.RecordName))!.Value.Bytes!;
        Assert.True(AnchorRecord.TryRead(record, out var read));
        var raw = Encoding.ASCII.GetString((await _epochs.FindAsync(1, EpochPublication.AnchorName))!.Value.Bytes!).TrimEnd('\n');
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        Assert.True(AnchorRecord.TryFindCommitment(transaction, out var commitment));
        Assert.Equal(read.Commitment(), commitment);
        Assert.Equal(Convert.ToHexStringLower(block.Bytes) + "\n", Encoding.ASCII.GetString((await _epochs.FindAsync(1, EpochPublication.HeaderName))!.Value.Bytes!));

        _world.Invalidate(block);
        _world.Mine(_world.Chain.Tip, []);
        _world.Mine(_world.Chain.Tip, []);
        await _stage.TurnAsync();
        Assert.Equal(always.Order(), (await NamesAsync(1)).Order());
    }

    [Fact]
    public async Task A_balance_is_proven_by_the_files_alone_up_to_the_block()
    {
        await _stage.CloseAndTurnAsync();
        _world.Mine();
        await _stage.TurnAsync();
        var balance = (await _epochs.FindBalanceAsync(1, _stage.Wallet))!;
        Assert.Equal(600_000_000, balance.Chunks.Sum(c => c.Value.Value));
        var owner = new BalanceOwner(_stage.Wallet, _epochs.KeyOf(_stage.Wallet));
        foreach (var chunk in balance.Chunks)
        {
            var files = new ReceiptFiles(chunk.File, Encoding.UTF8.GetBytes(balance.TlogProof)) { Timestamp = chunk.OpenTimestamps };
            var report = BalanceVerifier.Verify(files, _stage.LogKey, owner);
            Assert.True(report.Verdict != ReceiptVerdict.Invalid, string.Join('\n', report.Steps.Select(s => s.Text)));
        }
        // Somebody who has nothing has no leaf.
        Assert.Empty((await _epochs.FindBalanceAsync(1, ClientIds.NextWallet()))!.Chunks);
        Assert.Null(await _epochs.FindBalanceAsync(2, _stage.Wallet));
    }

    [Fact]
    public async Task The_files_of_an_older_epoch_are_made_again_byte_for_byte()
    {
        var first = await _stage.CloseAndTurnAsync();
        string[] large = [EpochFolder.LiabilitiesName, EpochFolder.AllocationName, EpochFolder.KeysName, EpochFolder.LinesName];
        var before = large.Select(name => _stage.Epochs.Read(1, name)!).ToArray();
        for (var i = 0; i < EpochFolder.LargeFilesKept; i++)
        {
            await _stage.PayOperatorAsync(new Msat(1_000));
            await _stage.CloseAndTurnAsync();
        }
        Assert.All(large, name => Assert.False(_stage.Epochs.Has(1, name)));
        Assert.Equal(_stage.Epochs.PathOf(1, EpochFolder.LiabilitiesName), (await _epochs.FindAsync(1, EpochFolder.LiabilitiesName))!.Value.Path);
        Assert.Equal(before, large.Select(name => _stage.Epochs.Read(1, name)!));
        Assert.Equal(600_000_000, (await _epochs.FindBalanceAsync(first.Epoch, _stage.Wallet))!.Chunks.Sum(c => c.Value.Value));
    }

    [Theory]
    [InlineData(EpochFolder.LinesName)]
    [InlineData(EpochFolder.AllocationName)]
    [InlineData(EpochFolder.LiabilitiesName)]
    public async Task A_damaged_file_that_can_be_made_again_is(string name)
    {
        await _stage.CloseAndTurnAsync();
        var whole = _stage.Epochs.Read(1, name)!;
        _stage.Epochs.Write(1, name, Enumerable.Repeat((byte)'?', whole.Length).ToArray());
        Assert.Equal(600_000_000, (await _epochs.FindBalanceAsync(1, _stage.Wallet))!.Chunks.Sum(c => c.Value.Value));
        Assert.Equal(whole, _stage.Epochs.Read(1, name));
    }

    [Fact]
    public async Task Without_what_they_are_made_of_it_is_said_which_file_is_missing()
    {
        await _stage.CloseAndTurnAsync();
        _stage.Epochs.DropLargeFiles(1);
        _stage.Epochs.Delete(1, EpochFolder.BalancesName);
        var error = await Assert.ThrowsAsync<IOException>(() => _epochs.FindBalanceAsync(1, _stage.Wallet));
        Assert.Contains(_stage.Epochs.PathOf(1, EpochFolder.BalancesName), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Folders_have_what_is_published_and_everybodys_tells_of_no_wallet()
    {
        await _stage.WithdrawAsync();
        await _stage.CloseAndTurnAsync();
        _world.Mine();
        await _stage.TurnAsync();
        await _stage.CloseAndTurnAsync();
        var disk = NewDisk();
        var report = await ExportAsync(disk);
        Assert.Equal(2, report.Epochs);
        var open = Files(disk, Public);
        foreach (var (epoch, names) in new[] { (1, await NamesAsync(1)), (2, await NamesAsync(2)) })
            Assert.Equal(names.Order(), open.Where(f => f.Path.StartsWith($"{Public}/epochs/{epoch}/", StringComparison.Ordinal)).Select(f => Path.GetFileName(f.Path)).Order());
        Assert.Equal(["allocation.csv", "keys.csv"], Files(disk, $"{Auditors}/epochs/1").Select(f => Path.GetFileName(f.Path)).Order());
        var wallets = await _stage.WalletsAsync();
        foreach (var (path, bytes) in open)
        {
            foreach (var wallet in wallets)
            {
                var raw = new byte[WalletId.Bytes];
                wallet.Write(raw);
                Assert.True(bytes.AsSpan().IndexOf(raw) < 0, $"{path} has the bytes of {wallet}");
                Assert.True(bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(wallet.ToString())) < 0, $"{path} names {wallet}");
                Assert.True(bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(raw))) < 0, $"{path} has {wallet} in hex");
            }
        }
    }

    [Fact]
    public async Task What_is_final_is_not_fetched_again_and_what_left_the_chain_is_taken_away()
    {
        await _stage.CloseAndTurnAsync();
        var block = _world.Mine();
        await _stage.TurnAsync();
        var disk = NewDisk();
        await ExportAsync(disk);
        Assert.Contains(Files(disk, Public), f => f.Path.EndsWith("/header.hex", StringComparison.Ordinal));
        _world.Invalidate(block);
        _world.Mine(_world.Chain.Tip, []);
        _world.Mine(_world.Chain.Tip, []);
        await _stage.TurnAsync();
        await ExportAsync(disk);
        Assert.DoesNotContain(Files(disk, Public), f => f.Path.EndsWith("/header.hex", StringComparison.Ordinal) || f.Path.EndsWith(".ots", StringComparison.Ordinal));

        for (var i = 0; i <= LoopStage.ToFinal; i++)
        {
            _world.Mine();
            await _stage.TurnAsync();
        }
        Assert.Contains("\"state\":\"final\"", Encoding.ASCII.GetString(await _stage.NewPublication().IndexAsync()), StringComparison.Ordinal);
        await ExportAsync(disk);
        Assert.Equal(0, (await ExportAsync(disk)).Files);

        // But for the proof of the reserves, whose signers have time.
        _stage.Epochs.Write(1, EpochFolder.ReservesProofName, "signed"u8);
        Assert.Equal(1, (await ExportAsync(disk)).Files);
        Assert.Equal("signed"u8, Files(disk, Public).Single(f => f.Path.EndsWith("/reserves.psbt", StringComparison.Ordinal)).Bytes);
        Assert.Equal(0, (await ExportAsync(disk)).Files);
    }

    [Theory]
    [InlineData("withdrawals.csv")]
    [InlineData("reserves.json")]
    public async Task A_file_that_is_not_what_was_stated_is_not_published(string name)
    {
        await _stage.CloseAndTurnAsync();
        var disk = NewDisk();
        var error = await Assert.ThrowsAsync<ExportContradictionException>(() => ExportAsync(disk, (path, bytes) =>
        {
            if (path.EndsWith(name, StringComparison.Ordinal)) bytes[^1] ^= 1;
            return bytes;
        }));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Files(disk, Public), f => f.Path.EndsWith(name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_list_of_epochs_is_never_older_than_the_checkpoint()
    {
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            await _stage.CloseAndTurnAsync();
            await _stage.LogAdvancesAsync();
            Assert.Contains($"\"epoch\":{epoch},", Encoding.ASCII.GetString(await _epochs.IndexAsync()), StringComparison.Ordinal);
            _world.Mine();
            await _stage.TurnAsync();
        }
    }

    private async Task<string[]> NamesAsync(long epoch)
    {
        var names = new List<string>();
        foreach (var name in EpochPublication.PublicNames)
        {
            if (await _epochs.FindAsync(epoch, name) is not null) names.Add(name);
        }
        return [.. names];
    }

    private static SimDisk NewDisk()
    {
        var disk = new SimDisk(1);
        disk.MakeDurableFolder("/www");
        disk.MakeDurableFolder("/audit");
        return disk;
    }

    private async Task<EpochExportReport> ExportAsync(SimDisk disk, Func<string, byte[], byte[]>? change = null)
    {
        using var epochs = _stage.NewPublication();
        using var open = new ExportFolder(disk, Public, isPublic: true);
        using var auditors = new ExportFolder(disk, Auditors, isPublic: false);
        return await new EpochExport(async (path, _) => await PublishAsync(epochs, path, change ?? ((_, bytes) => bytes)), open, auditors).RunAsync(Cancel);
    }

    private async Task<Stream?> PublishAsync(EpochPublication epochs, string path, Func<string, byte[], byte[]> change)
    {
        var parts = path.Split('/');
        if (parts[1] == EpochPublication.IndexName) return new MemoryStream(await epochs.IndexAsync());
        if (await epochs.FindAsync(long.Parse(parts[1]), parts[2]) is not { } file) return null;
        return new MemoryStream(change(path, [.. file.Bytes ?? _stage.Epochs.Read(long.Parse(parts[1]), parts[2])!]));
    }

    private static List<(string Path, byte[] Bytes)> Files(SimDisk disk, string folder) =>
        [.. disk.Image().Where(f => f.Value is not null && f.Key.StartsWith(folder + "/", StringComparison.Ordinal) && Path.GetFileName(f.Key)[0] != '.')
            .Select(f => (f.Key, disk[f.Key]))];
}
