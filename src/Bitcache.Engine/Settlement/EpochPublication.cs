// What is published of each epoch about which something was stated, under the names that auditors know. Of the files of
// millions of rows the newest are kept; those of an older epoch are made again, byte for byte, from its balances.

using System.Buffers;
using System.Text;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>A file of an epoch: its bytes, or where it lies if it is long.</summary>
public readonly record struct PublishedFile(byte[]? Bytes, string? Path);

/// <summary>A chunk of a balance: its file, and the proof of it up to a block once there is one.</summary>
public sealed record StatedChunk(Msat Value, byte[] File, byte[]? OpenTimestamps);

/// <summary>What a wallet is owed by a statement.</summary>
/// <param name="TlogProof">Of the statement.</param>
public sealed record StatedBalance(EpochStatement Statement, string TlogProof, IReadOnlyList<StatedChunk> Chunks);

public sealed class EpochPublication : IDisposable
{
    public const string IndexName = "index.json";
    public const string CloseName = "close.leaf";
    public const string AnchorName = "anchor.tx";
    public const string RecordName = "anchor.record";
    public const string HeaderName = "header.hex";

    private const int PageOfEpochs = 1_000;

    private readonly PartitionSet _partitions;
    private readonly Receipts _receipts;
    private readonly EpochFolder _folder;
    private readonly LiabilitySeed _seed;
    private readonly string _origin;
    private readonly Recent<byte[]> _index;
    private readonly SemaphoreSlim _restoring = new(1);
    // Under the semaphore: whose large files were made again.
    private long? _restored;

    internal EpochPublication(PartitionSet partitions, Receipts receipts, EpochFolder folder, LiabilityKey key, string origin, TimeProvider time)
    {
        (_partitions, _receipts, _folder, _seed, _origin) = (partitions, receipts, folder, key.Seed, origin);
        // Whoever has a checkpoint finds all epochs in the list that it covers.
        _index = new Recent<byte[]>(WriteIndexAsync, TimeSpan.FromSeconds(1), time, () => receipts.LogSize);
    }

    /// <summary>Names of the files that everybody may have.</summary>
    public static IReadOnlyList<string> PublicNames { get; } =
    [
        CloseName, CloseName + ".tlog-proof", CloseName + ".ots", EpochFolder.LiabilitiesName, WithdrawalsFile.Name, ReservesFile.Name,
        EpochFolder.ReservesProofName, AnchorName, RecordName, HeaderName,
    ];

    /// <summary>Names of those that tell who has how much.</summary>
    public static IReadOnlyList<string> AuditorNames { get; } = [EpochFolder.AllocationName, EpochFolder.KeysName];

    /// <summary><c>{"epochs":[{"epoch":3,"anchor":4,"state":"mined"}]}</c>: the epochs with a statement, the epoch whose anchor covers
    /// each, and whether that is pending, mined or final; as it was at most a second ago, and never older than the checkpoint.</summary>
    public ValueTask<byte[]> IndexAsync() => _index.GetAsync();

    /// <summary>A file of an epoch; null if there is none of this name, or not yet.</summary>
    public async Task<PublishedFile?> FindAsync(long number, string name)
    {
        var (epoch, anchor) = await _partitions.First.QueryAsync(ledger => (ledger.FindEpoch(number), ledger.FindAnchorOf(number)));
        if (epoch?.Statement is null) return null;
        switch (name)
        {
            case CloseName or CloseName + ".tlog-proof" or CloseName + ".ots":
                if (await _receipts.FindAsync(0, epoch.Stated) is not { } receipt) return null;
                return Bytes(name switch
                {
                    CloseName => receipt.Leaf,
                    CloseName + ".ots" => receipt.OpenTimestamps,
                    _ => Encoding.UTF8.GetBytes(receipt.TlogProof),
                });
            case AnchorName or RecordName or HeaderName:
                // It is its own epoch's, although it covers others.
                if (anchor is not { Confirmation: { } confirmation } || anchor.Anchor!.Epoch != number) return null;
                return Bytes(name switch
                {
                    AnchorName => HexLine(_receipts.RawTransactionOf(anchor).Span),
                    HeaderName => HexLine(confirmation.Header.Span),
                    _ => AnchorChain.ToRecord(anchor.Anchor, _origin).ToArray(),
                });
            case EpochFolder.LiabilitiesName or EpochFolder.AllocationName or EpochFolder.KeysName:
                return new PublishedFile(null, await RestoreAsync(epoch.Statement, name));
            case WithdrawalsFile.Name or ReservesFile.Name or EpochFolder.ReservesProofName:
                return Bytes(_folder.Read(number, name));
            default:
                return null;
        }
    }

    /// <summary>A wallet's key, with which it finds its leaves in every epoch.</summary>
    public Hash256 KeyOf(WalletId wallet) => _seed.AccountKey(wallet);

    /// <summary>What an epoch owes a wallet, as its owner keeps it: each chunk with the proof that it was stated; null if nothing is
    /// stated about the epoch.</summary>
    public async Task<StatedBalance?> FindBalanceAsync(long number, WalletId wallet)
    {
        if (await _partitions.First.QueryAsync(ledger => ledger.FindEpoch(number)) is not { Statement: { } statement } epoch) return null;
        if (await _receipts.FindAsync(0, epoch.Stated) is not { } close) return null;
        try
        {
            return await ProveAsync(statement, close, wallet);
        }
        catch (FormatException)
        {
            // Whatever is wrong with files that can be made again is cured by that.
            await DropAsync(number);
            return await ProveAsync(statement, close, wallet);
        }
    }

    public void Dispose() => _restoring.Dispose();

    /// <exception cref="FormatException">A file is damaged.</exception>
    private async Task<StatedBalance> ProveAsync(EpochStatement statement, Receipt close, WalletId wallet)
    {
        await RestoreAsync(statement, EpochFolder.LinesName);
        if (!LineIndex.TryRead(_folder.Read(statement.Epoch, EpochFolder.LinesName), out var lines)) throw new FormatException($"{_folder.PathOf(statement.Epoch, EpochFolder.LinesName)} is damaged");
        using var csv = _folder.Open(statement.Epoch, EpochFolder.LiabilitiesName);
        using var allocation = _folder.Open(statement.Epoch, EpochFolder.AllocationName);
        var files = new LiabilityFiles(csv.Read, lines, allocation.Read, allocation.Length);
        var nonce = LiabilitySeed.Nonce(_seed.AccountKey(wallet), statement.Height, LiabilitySeed.AccountNumber(wallet));
        return new StatedBalance(statement, close.TlogProof, [.. files.ChunksOf(wallet).Select(chunk => files.Prove(chunk, nonce)).Select(proof => new StatedChunk(
            proof.Value, proof.ToFile(), close.OpenTimestamps is { } timestamp ? proof.ToTimestamp(close.Leaf, timestamp) : null))]);
    }

    private async Task DropAsync(long epoch)
    {
        await _restoring.WaitAsync();
        try
        {
            _folder.DropLargeFiles(epoch);
        }
        finally
        {
            _restoring.Release();
        }
    }

    private static PublishedFile? Bytes(byte[]? bytes) => bytes is null ? null : new PublishedFile(bytes, null);

    private static byte[] HexLine(ReadOnlySpan<byte> bytes) => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes) + "\n");

    /// <summary>Where a large file lies, which is made again if it is not there any more.</summary>
    private async Task<string> RestoreAsync(EpochStatement statement, string name)
    {
        var path = _folder.PathOf(statement.Epoch, name);
        await _restoring.WaitAsync();
        try
        {
            if (_folder.Has(statement.Epoch, name)) return path;
            await Task.Run(() => Restore(statement));
            // See EpochBooks: trees must not pile up.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
            return path;
        }
        finally
        {
            _restoring.Release();
        }
    }

    private void Restore(EpochStatement statement)
    {
        var balances = _folder.Read(statement.Epoch, EpochFolder.BalancesName)
            ?? throw new IOException($"{_folder.PathOf(statement.Epoch, EpochFolder.BalancesName)} is missing: restore it from its backup");
        if (!LiabilityAccounts.TryRead(balances, out var accounts)) throw new IOException($"{_folder.PathOf(statement.Epoch, EpochFolder.BalancesName)} is damaged: restore it from its backup");
        var tree = LiabilityTree.Build(_seed, statement.Epoch, statement.Height, accounts);
        if ((tree.Root, tree.Total) != (statement.LiabilitiesRoot, statement.Total))
            throw new IOException($"{_folder.PathOf(statement.Epoch, EpochFolder.BalancesName)} is not what was stated: restore it from its backup");
        _folder.WriteLargeFiles(statement.Epoch, tree);
        // One of them at a time is kept beside the newest.
        if (_restored is { } before && before != statement.Epoch) _folder.DropLargeFiles(before);
        _restored = statement.Epoch;
    }

    private async Task<byte[]> WriteIndexAsync()
    {
        var epochs = new List<(long Epoch, Family? Anchor)>();
        for (long? before = long.MaxValue; before is { } place;)
        {
            var page = await _partitions.First.QueryAsync(ledger =>
            {
                var some = ledger.Epochs(place, PageOfEpochs);
                return (some.Next, Items: some.Items.Where(e => e.Statement is not null).Select(e => (e.Number, ledger.FindAnchorOf(e.Number))).ToArray());
            });
            epochs.AddRange(page.Items);
            before = page.Next;
        }
        epochs.Reverse();
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartArray("epochs");
            foreach (var (epoch, anchor) in epochs)
            {
                json.WriteStartObject();
                json.WriteNumber("epoch", epoch);
                if (anchor is { Confirmation: not null }) json.WriteNumber("anchor", anchor.Anchor!.Epoch);
                else json.WriteNull("anchor");
                json.WriteString("state", anchor is null or { Confirmation: null } ? "pending" : anchor.State == FamilyState.Final ? "final" : "mined");
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }
}
