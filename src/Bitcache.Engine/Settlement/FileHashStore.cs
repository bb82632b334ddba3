// The log's hashes in flat files, one for each tile level. They are derived from the journal and never synced: after a
// crash a file may be short, torn or old. The log believes none of it without a proof.

using System.Globalization;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>Owned by <see cref="LogKeeper"/>, under its lock.</summary>
internal sealed class FileHashStore : IHashStore, IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly SortedDictionary<int, IFile> _levels = [];
    private byte[] _bytes = [];

    /// <param name="folder">Made if it is not there, in a folder that is.</param>
    public FileHashStore(IFileSystem files, string folder)
    {
        (_files, _folder) = (files, folder);
        files.CreateFolder(folder);
    }

    public void Write(int level, long start, ReadOnlySpan<Hash256> hashes)
    {
        var bytes = Room(hashes.Length);
        for (var i = 0; i < hashes.Length; i++) hashes[i].Write(bytes[(i * Hash256.Bytes)..]);
        Level(level).Write(start * Hash256.Bytes, bytes);
    }

    public bool TryRead(int level, long start, Span<Hash256> hashes)
    {
        if (hashes.IsEmpty) return true;
        var bytes = Room(hashes.Length);
        try
        {
            if (Level(level).Read(start * Hash256.Bytes, bytes) != bytes.Length) return false;
        }
        catch (IOException)
        {
            // A sector that cannot be read is one more way of being damaged.
            return false;
        }
        for (var i = 0; i < hashes.Length; i++) hashes[i] = Hash256.Read(bytes[(i * Hash256.Bytes)..]);
        return true;
    }

    public void Dispose()
    {
        foreach (var file in _levels.Values) file.Dispose();
    }

    /// <summary>Bytes for so many hashes, the same for each call: of a full turn they are too many to be allocated each time.</summary>
    private Span<byte> Room(int hashes)
    {
        if (_bytes.Length < hashes * Hash256.Bytes) _bytes = new byte[hashes * Hash256.Bytes];
        return _bytes.AsSpan(0, hashes * Hash256.Bytes);
    }

    private IFile Level(int level)
    {
        if (_levels.TryGetValue(level, out var open)) return open;
        var name = string.Create(CultureInfo.InvariantCulture, $"level-{level:00}");
        var path = Path.Combine(_folder, name);
        return _levels[level] = _files.List(_folder).Contains(name) ? _files.Open(path) : _files.Create(path);
    }
}
