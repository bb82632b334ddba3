// A folder that others read while it is written: a web server, an auditor. Its files are replaced whole. What was written
// is durable after Sync and not before: whoever writes files that belong together syncs them, and then writes the one
// that says so.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Export;

/// <summary>Owned by whoever writes an export, alone while it is not disposed of.</summary>
public sealed class ExportFolder : IDisposable
{
    private const string UnfinishedExtension = ".new";
    private const int StreamBufferBytes = 1 << 20;
    private const string LockName = ".lock";
    private readonly IFileSystem _files;
    private readonly string _root;
    private readonly bool _isPublic;
    private readonly HashSet<string> _known;
    private readonly HashSet<string> _unsynced = [];
    private readonly IDisposable _lock;

    /// <param name="folder">Made if it is not there.</param>
    /// <param name="isPublic">Whether everybody may read what is in it; otherwise its owner alone.</param>
    /// <exception cref="IOException">It cannot be made, or somebody else is writing in it.</exception>
    public ExportFolder(IFileSystem files, string folder, bool isPublic)
    {
        (_files, _root, _isPublic) = (files, Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)), isPublic);
        var isNew = !files.FolderExists(_root);
        DurableFolder.Ensure(files, _root);
        // One that was there has the rights that its owner gave it.
        if (isNew) Share(_root);
        _known = [_root];
        _lock = files.TryLock(Path.Combine(_root, LockName)) ?? throw new IOException($"another export is writing in {_root}.");
    }

    public override string ToString() => _root;

    /// <summary>The bytes of a file, or null if there is none.</summary>
    /// <param name="path">Under the folder, with slashes.</param>
    public byte[]? Read(string path)
    {
        var full = FullPath(path);
        var folder = Path.GetDirectoryName(full)!;
        if (!_files.FolderExists(folder) || !_files.List(folder).Contains(Path.GetFileName(full))) return null;
        using var file = _files.Open(full);
        var bytes = new byte[file.Length];
        return file.Read(0, bytes) == bytes.Length ? bytes : null;
    }

    /// <summary>Makes or replaces a file. Durable after <see cref="Sync"/>; until then, and after a crash, whoever opens it finds
    /// the old bytes or the new ones.</summary>
    public void Write(string path, ReadOnlySpan<byte> bytes)
    {
        var full = FullPath(path);
        var folder = Path.GetDirectoryName(full)!;
        MakeFolder(folder);
        var unfinished = full + UnfinishedExtension;
        _files.Delete(unfinished);
        using (var file = _files.Create(unfinished))
        {
            file.Write(0, bytes);
            file.SyncData();
        }
        Share(unfinished);
        _files.Replace(unfinished, full);
        _unsynced.Add(folder);
    }

    /// <summary>The same from a stream.</summary>
    /// <returns>SHA-256 of what was written.</returns>
    public async Task<Hash256> WriteAsync(string path, Stream stream, CancellationToken cancel)
    {
        var full = FullPath(path);
        var folder = Path.GetDirectoryName(full)!;
        MakeFolder(folder);
        var unfinished = full + UnfinishedExtension;
        _files.Delete(unfinished);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using (var file = _files.Create(unfinished))
        {
            var (buffer, end) = (new byte[StreamBufferBytes], 0L);
            while (await stream.ReadAsync(buffer, cancel) is var read and > 0)
            {
                file.Write(end, buffer.AsSpan(0, read));
                hash.AppendData(buffer, 0, read);
                end += read;
            }
            file.SyncData();
        }
        Share(unfinished);
        _files.Replace(unfinished, full);
        _unsynced.Add(folder);
        return Hash256.Read(hash.GetHashAndReset());
    }

    /// <summary>Whether a file is there.</summary>
    public bool Has(string path)
    {
        var full = FullPath(path);
        return _files.FolderExists(Path.GetDirectoryName(full)!) && _files.List(Path.GetDirectoryName(full)!).Contains(Path.GetFileName(full));
    }

    /// <summary>Removes a file, if it is there.</summary>
    public void Delete(string path)
    {
        if (!Has(path)) return;
        _files.Delete(FullPath(path));
        _unsynced.Add(Path.GetDirectoryName(FullPath(path))!);
    }

    /// <summary>Removes a folder and the files in it, if it is there.</summary>
    public void DeleteFolder(string path)
    {
        var full = FullPath(path);
        if (!_files.FolderExists(full)) return;
        foreach (var name in _files.List(full)) _files.Delete(Path.Combine(full, name));
        _files.DeleteFolder(full);
        _known.Remove(full);
        _unsynced.Remove(full);
        _unsynced.Add(Path.GetDirectoryName(full)!);
    }

    /// <summary>Everything that was written or deleted is durable when this returns.</summary>
    public void Sync()
    {
        foreach (var folder in _unsynced) _files.SyncFolder(folder);
        _unsynced.Clear();
    }

    public void Dispose() => _lock.Dispose();

    private string FullPath(string path) => Path.Combine(_root, path);

    private void MakeFolder(string folder)
    {
        if (_known.Contains(folder)) return;
        var parent = Path.GetDirectoryName(folder)!;
        MakeFolder(parent);
        _files.CreateFolder(folder);
        Share(folder);
        _known.Add(folder);
        // Also if it was there: an earlier process may have ended before its own sync.
        _unsynced.Add(parent);
    }

    private void Share(string path)
    {
        if (_isPublic) _files.Share(path);
    }
}
