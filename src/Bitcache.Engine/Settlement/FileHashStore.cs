// The log's hashes in flat files, one for each tile level. They are derived from the journal and rebuilt from it
// at every start, so they are never synced and a damaged one heals itself.

using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Engine.Settlement;

/// <summary>Owned by <see cref="LogKeeper"/>, under its lock.</summary>
internal sealed class FileHashStore : IHashStore, IDisposable
{
    private readonly string _folder;
    private readonly List<Level> _levels = [];

    private sealed record Level(FileStream File)
    {
        public long Count { get; set; }
    }

    /// <param name="folder">Emptied of what an earlier start left.</param>
    public FileHashStore(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
        foreach (var old in Directory.GetFiles(folder, "level-*")) File.Delete(old);
    }

    public long Count(int level) => level < _levels.Count ? _levels[level].Count : 0;

    public void Append(int level, ReadOnlySpan<Hash256> hashes)
    {
        while (_levels.Count <= level)
        {
            var path = Path.Combine(_folder, $"level-{_levels.Count:00}");
            _levels.Add(new Level(new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0)));
        }
        var bytes = new byte[hashes.Length * Hash256.Bytes];
        for (var i = 0; i < hashes.Length; i++) hashes[i].Write(bytes.AsSpan(i * Hash256.Bytes));
        var target = _levels[level];
        RandomAccess.Write(target.File.SafeFileHandle, bytes, target.Count * Hash256.Bytes);
        target.Count += hashes.Length;
    }

    public void Read(int level, long start, Span<Hash256> hashes)
    {
        var bytes = new byte[hashes.Length * Hash256.Bytes];
        var read = RandomAccess.Read(_levels[level].File.SafeFileHandle, bytes, start * Hash256.Bytes);
        if (read != bytes.Length) throw new IOException($"level {level} of the log ends at hash {start + (read / Hash256.Bytes)}");
        for (var i = 0; i < hashes.Length; i++) hashes[i] = Hash256.Read(bytes.AsSpan(i * Hash256.Bytes));
    }

    public void Dispose()
    {
        foreach (var level in _levels) level.File.Dispose();
    }
}
