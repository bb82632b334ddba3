using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Snapshots;

/// <summary>
/// The snapshots of one partition: <c>snapshots/pNNNN/</c> under the data folder, and a manifest that names them.
/// A new one is made in this order, each step durable before the next: its bytes, under another name, which are read
/// back; its name; the manifest that names it; only then the end of those that are no longer named.
/// Owned by one caller at a time.
/// </summary>
internal sealed class SnapshotFolder
{
    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly int _partition;
    private readonly ILogger _logger;
    private List<SnapshotName> _named = [];
    private bool _exists;
    private bool _isDurable;

    internal SnapshotFolder(IFileSystem files, string dataFolder, int partition, ILogger logger)
    {
        (_files, _partition, _logger) = (files, partition, logger);
        _folder = FolderOf(dataFolder, partition);
        _exists = files.FolderExists(_folder);
        if (_exists) ReadManifest();
    }

    /// <summary>Those that the manifest names, the newest first.</summary>
    internal IReadOnlyList<SnapshotName> Named => _named;

    internal string PathOf(SnapshotName snapshot) => Path.Combine(_folder, snapshot.FileName);

    internal static string FolderOf(string dataFolder, int partition) =>
        Path.Combine(dataFolder, "snapshots", new FileJournalSettings { Partition = partition }.FolderName);

    /// <summary>The ledger of the newest snapshot that is good, or null if there is none; whatever is passed over is logged.</summary>
    /// <exception cref="SnapshotMismatchException">A snapshot is another partition's.</exception>
    internal (Ledger Ledger, JournalStart Start)? Load(ulong secret)
    {
        foreach (var (path, expected) in Candidates())
        {
            try
            {
                return Load(path, expected, secret);
            }
            catch (IOException e) when (e is SnapshotDamagedException or FileNotFoundException)
            {
                _logger.SnapshotPassedOver(path, e.Message);
            }
        }
        return null;
    }

    private (Ledger, JournalStart) Load(string path, SnapshotName? expected, ulong secret)
    {
        using var file = Open(path);
        using var reader = new SnapshotReader(file, path);
        CheckHeader(reader, path);
        var (ledger, stateHash) = SnapshotLoad.Run(file, path, reader, secret);
        CheckName(reader, stateHash, path, expected);
        return (ledger, new JournalStart(path, reader.Header.NextSequence, reader.Header.ChainHash));
    }

    /// <summary>Reads a snapshot and keeps nothing of it.</summary>
    /// <exception cref="SnapshotDamagedException">It is not what was written, or not the one that the manifest names.</exception>
    internal void Verify(SnapshotName named)
    {
        var path = PathOf(named);
        using var file = Open(path);
        using var reader = new SnapshotReader(file, path);
        CheckHeader(reader, path);
        reader.Verify(_ => { });
        CheckName(reader, reader.StateHash, path, named);
    }

    /// <summary>Writes a snapshot, and removes those that are no longer kept.</summary>
    /// <param name="chainHash">Of the journal's frame that holds the last entry of the state.</param>
    /// <param name="pace">See <see cref="SnapshotWriter"/>.</param>
    /// <exception cref="NoSpaceException">There is no room; nothing was changed.</exception>
    /// <exception cref="SnapshotDamagedException">It reads otherwise than it was written; nothing was changed.</exception>
    /// <exception cref="IOException">The disk failed: the process must end.</exception>
    internal SnapshotName Save(LedgerCapture capture, Hash256 chainHash, int kept, Action<int> pace)
    {
        EnsureFolder();
        var header = new SnapshotHeader(_partition, capture.NextSequence, capture.Time, chainHash);
        var path = Path.Combine(_folder, SnapshotHeader.FileName(capture.NextSequence));
        // One of that name that no manifest names is what a crash left.
        _files.Delete(path);
        SnapshotName? name = null;
        NewFile.Make(_files, path, file =>
        {
            var expected = _named.Count == 0 ? 0 : _named[0].Bytes;
            var stateHash = new SnapshotWriter(file, pace).Write(capture, header, expected);
            using var reader = new SnapshotReader(file, path);
            reader.Verify(pace);
            if (reader.StateHash != stateHash) throw new SnapshotDamagedException(path, 0, "it reads otherwise than it was written");
            name = new SnapshotName(header.NextSequence, file.Length, header.Digest(stateHash), stateHash);
        });
        _files.SyncFolder(_folder);
        try
        {
            WriteManifest([name!, .. _named.Where(s => s.NextSequence != name!.NextSequence).Take(kept - 1)]);
        }
        catch (NoSpaceException)
        {
            // No manifest names it, and its room is needed. Should it come back after a crash, it is swept away.
            _files.Delete(path);
            throw;
        }
        Sweep();
        return name!;
    }

    private void WriteManifest(List<SnapshotName> named)
    {
        WholeFile.Write(_files, _folder, SnapshotManifest.FileName, new SnapshotManifest(_partition, named).ToBytes());
        _named = named;
    }

    /// <summary>Removes what the manifest, which is durable, does not name. What comes back after a crash goes the next time.</summary>
    private void Sweep()
    {
        var named = _named.Select(s => s.FileName).Append(SnapshotManifest.FileName).ToHashSet(StringComparer.Ordinal);
        foreach (var name in _files.List(_folder))
        {
            if (!named.Contains(name)) _files.Delete(Path.Combine(_folder, name));
        }
    }

    private void EnsureFolder()
    {
        if (_isDurable) return;
        // Each of both, if it is there already, too: an earlier process may have ended in between.
        DurableFolder.Ensure(_files, Path.GetDirectoryName(_folder)!);
        DurableFolder.Ensure(_files, _folder);
        (_exists, _isDurable) = (true, true);
    }

    /// <summary>What to try, the newest first. Without a sound manifest the files speak for themselves: each proves that
    /// it is whole, and whose it is.</summary>
    private IEnumerable<(string Path, SnapshotName? Expected)> Candidates()
    {
        if (!_exists) return [];
        if (_named.Count > 0) return _named.Select(s => (PathOf(s), (SnapshotName?)s));
        return _files.List(_folder).Where(n => n.EndsWith(SnapshotHeader.Extension, StringComparison.Ordinal))
            .OrderDescending(StringComparer.Ordinal).Select(n => (Path.Combine(_folder, n), (SnapshotName?)null));
    }

    private void ReadManifest()
    {
        var path = Path.Combine(_folder, SnapshotManifest.FileName);
        if (!_files.List(_folder).Contains(SnapshotManifest.FileName)) return;
        using var file = _files.Open(path);
        var bytes = new byte[Math.Min(file.Length, SnapshotManifest.BytesMax)];
        var manifest = file.Length > bytes.Length ? null : SnapshotManifest.TryRead(bytes.AsSpan(0, file.Read(0, bytes)));
        if (manifest is null) _logger.SnapshotManifestRefused(path);
        else if (manifest.Partition != _partition) throw new SnapshotMismatchException(path, $"it names snapshots of partition {manifest.Partition}");
        else _named = [.. manifest.Snapshots];
    }

    private void CheckHeader(SnapshotReader reader, string path)
    {
        if (reader.Header.Partition != _partition)
            throw new SnapshotMismatchException(path, $"it is one of partition {reader.Header.Partition}, where partition {_partition} is");
        if (SnapshotHeader.FileName(reader.Header.NextSequence) != Path.GetFileName(path))
            throw new SnapshotDamagedException(path, 0, $"under this name stands the snapshot of {reader.Header.NextSequence} entries");
    }

    private static void CheckName(SnapshotReader reader, Hash256 stateHash, string path, SnapshotName? expected)
    {
        if (expected is not null && (expected.Bytes, expected.Digest, expected.StateHash) != (reader.Length, reader.Header.Digest(stateHash), stateHash))
            throw new SnapshotDamagedException(path, 0, "it is whole, but another one than the manifest names");
    }

    private IFile Open(string path)
    {
        try
        {
            return _files.Open(path);
        }
        catch (IOException e) when (!_files.List(_folder).Contains(Path.GetFileName(path)))
        {
            throw new FileNotFoundException("there is no such file.", e);
        }
    }
}
