// The files of epochs as audit tools look for them: `epochs/<n>/` in the public folder, and what tells who has how much in the
// auditors'. An epoch whose anchor is final never changes again, and is not fetched twice;
// only the proof of its reserves may still come.

using System.Globalization;
using System.Text;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Settlement;

namespace Bitcache.Engine.Export;

/// <summary>Gets what the server publishes at a path; null if there is nothing.</summary>
public delegate Task<Stream?> FileSource(string path, CancellationToken cancel);

/// <param name="Epochs">With a statement.</param>
/// <param name="Files">That were written.</param>
public sealed record EpochExportReport(int Epochs, int Files);

/// <param name="open">Everybody's folder.</param>
/// <param name="auditors">The auditors' folder; null to write none.</param>
public sealed class EpochExport(FileSource source, ExportFolder open, ExportFolder? auditors)
{
    private const string Folder = "epochs";
    private const string Final = "final";
    /// <summary>How often what is published may change while it is fetched.</summary>
    private const int RoundsMax = 5;

    private static readonly string[] AnchorNames = [EpochPublication.AnchorName, EpochPublication.RecordName, EpochPublication.HeaderName];

    private sealed record Indexed(long Epoch, string State);

    /// <summary>Brings the folders up to the newest epoch.</summary>
    /// <exception cref="ExportContradictionException">What is published is not what was stated, or does not stay what it is for as
    /// long as it takes to fetch it. What was there stays.</exception>
    /// <exception cref="IOException">The disk failed or is full; the next run goes on.</exception>
    public async Task<EpochExportReport> RunAsync(CancellationToken cancel)
    {
        var before = open.Read($"{Folder}/{EpochPublication.IndexName}") is { } known ? Parse(known).Where(e => e.State == Final).Select(e => e.Epoch).ToHashSet() : [];
        for (var (round, files) = (1, 0); ; round++)
        {
            var index = await ReadAsync($"{Folder}/{EpochPublication.IndexName}", cancel) ?? throw new ExportContradictionException("the server has no list of epochs");
            var epochs = Parse(index);
            foreach (var epoch in epochs)
            {
                files += before.Contains(epoch.Epoch) ? await WriteLateProofAsync(epoch.Epoch, cancel) : await WritePublicAsync(epoch.Epoch, cancel);
                if (auditors is not null) files += await WriteForAuditorsAsync(auditors, epoch.Epoch, cancel);
            }
            if (!IsOfOneMoment([.. epochs.Select(e => e.Epoch)], before))
            {
                if (round == RoundsMax) throw new ExportContradictionException("the timestamps and anchors that the server shows do not fit together");
                continue;
            }
            open.Sync();
            auditors?.Sync();
            // What the list says is final is there.
            open.Write($"{Folder}/{EpochPublication.IndexName}", index);
            open.Sync();
            return new EpochExportReport(epochs.Count, files);
        }
    }

    /// <summary>Whether no anchor came or went while these were fetched: each is whole, what one of them covers has a timestamp, and
    /// each timestamp leads to one that is there.</summary>
    /// <param name="epochs">In order.</param>
    /// <param name="before">Whose anchor was final before: they change no more.</param>
    private bool IsOfOneMoment(long[] epochs, HashSet<long> before)
    {
        var anchors = new HashSet<Txid>();
        var covered = 0L;
        foreach (var epoch in epochs)
        {
            if (AnchorNames.DistinctBy(name => open.Has(PathOf(epoch, name))).Count() > 1) return false;
            if (open.Read(PathOf(epoch, EpochPublication.AnchorName)) is not { } hex || !BitcoinTransaction.TryParse(Encoding.ASCII.GetString(hex).TrimEnd('\n'), out var anchor)) continue;
            anchors.Add(anchor.Txid);
            covered = epoch;
        }
        foreach (var epoch in epochs.Where(e => !before.Contains(e) && open.Has(PathOf(e, EpochPublication.CloseName))))
        {
            var timestamp = open.Read(PathOf(epoch, EpochPublication.CloseName + ".ots"));
            if (timestamp is null && epoch <= covered) return false;
            if (timestamp is not null && !(OpenTimestamps.TryParse(timestamp, out var proof, out _) && AnchorPath.TryRead(proof, 0, out var way, out _) && anchors.Contains(way.Transaction.Txid))) return false;
        }
        return true;
    }

    private async Task<int> WritePublicAsync(long epoch, CancellationToken cancel)
    {
        if (await ReadAsync(PathOf(epoch, EpochPublication.CloseName), cancel) is not { } close) return 0;
        if (StatementIn(close) is not { } statement || statement.Epoch != epoch) throw new ExportContradictionException($"{PathOf(epoch, EpochPublication.CloseName)} is not the statement about epoch {epoch}");
        var written = 0;
        foreach (var name in EpochPublication.PublicNames)
        {
            var path = PathOf(epoch, name);
            // It is what it was when it was verified.
            if (name == EpochFolder.LiabilitiesName && open.Has(path)) continue;
            await using var stream = await source(path, cancel);
            if (stream is null)
            {
                // Of an anchor that left the chain.
                open.Delete(path);
                continue;
            }
            var hash = await open.WriteAsync(path, stream, cancel);
            var stated = name == WithdrawalsFile.Name ? statement.WithdrawalsHash : name == ReservesFile.Name ? statement.ReservesHash : hash;
            if (hash != stated)
            {
                open.Delete(path);
                throw new ExportContradictionException($"{path} is not the file that was stated about epoch {epoch}");
            }
            written++;
        }
        return written;
    }

    /// <summary>The one file that may come when all others are final: signers have time.</summary>
    private async Task<int> WriteLateProofAsync(long epoch, CancellationToken cancel)
    {
        var path = PathOf(epoch, EpochFolder.ReservesProofName);
        if (open.Has(path)) return 0;
        await using var stream = await source(path, cancel);
        if (stream is null) return 0;
        await open.WriteAsync(path, stream, cancel);
        return 1;
    }

    private async Task<int> WriteForAuditorsAsync(ExportFolder folder, long epoch, CancellationToken cancel)
    {
        var written = 0;
        foreach (var path in EpochPublication.AuditorNames.Select(name => PathOf(epoch, name)).Where(path => !folder.Has(path)))
        {
            await using var stream = await source(path, cancel) ?? throw new ExportContradictionException($"the server has no {path}");
            await folder.WriteAsync(path, stream, cancel);
            written++;
        }
        return written;
    }

    /// <summary>The statement in a leaf's file; null if it is none.</summary>
    private static EpochStatement? StatementIn(byte[] leaf)
    {
        if (leaf.Length != 1 + EpochStatement.EntryBytes || leaf[0] != Rfc6962.LeafPrefix) return null;
        try
        {
            return (Entry.ReadStatement(leaf.AsSpan(1)).Command as StateEpoch)?.Statement;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static List<Indexed> Parse(byte[] index)
    {
        try
        {
            using var json = JsonDocument.Parse(index);
            return [.. json.RootElement.GetProperty("epochs").EnumerateArray().Select(e => new Indexed(e.GetProperty("epoch").GetInt64(), e.GetProperty("state").GetString()!))];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new ExportContradictionException($"the list of epochs cannot be read: {e.Message}");
        }
    }

    private async Task<byte[]?> ReadAsync(string path, CancellationToken cancel)
    {
        await using var stream = await source(path, cancel);
        if (stream is null) return null;
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, cancel);
        return bytes.ToArray();
    }

    private static string PathOf(long epoch, string name) => string.Create(CultureInfo.InvariantCulture, $"{Folder}/{epoch}/{name}");
}
