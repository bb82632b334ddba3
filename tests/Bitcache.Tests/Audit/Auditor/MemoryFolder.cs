using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Auditor;

/// <summary>An exported folder in memory.</summary>
internal sealed class MemoryFolder : IAuditFolder
{
    public Dictionary<string, byte[]> Files { get; } = [];

    public byte[] this[string path]
    {
        get => Files[path];
        set => Files[path] = value;
    }

    public byte[]? Read(string path, int bytesMax) => Files.TryGetValue(path, out var file) && file.Length <= bytesMax ? file : null;

    public bool Read(string path, long bytesMax, PieceTaker pieces)
    {
        if (!Files.TryGetValue(path, out var file)) return false;
        Assert.InRange(file.Length, 0, bytesMax);
        // Short pieces: fields are cut anywhere.
        for (var first = 0; first < file.Length && pieces(file.AsSpan(first, Math.Min(1_000, file.Length - first))); first += 1_000)
        {
        }
        return true;
    }

    /// <summary>Puts it on the disk, in the place of what was there.</summary>
    public void WriteTo(string folder)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        foreach (var (path, bytes) in Files)
        {
            var file = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, bytes);
        }
    }

    public MemoryFolder Copy()
    {
        var copy = new MemoryFolder();
        foreach (var (path, file) in Files) copy[path] = file;
        return copy;
    }
}

/// <summary>One that is another from some file on, as where a server publishes what comes.</summary>
/// <param name="files">How many are read before it changes.</param>
internal sealed class ChangingFolder(MemoryFolder before, MemoryFolder after, int files) : IAuditFolder
{
    private int _read;

    public bool HasChanged => _read > files;

    public byte[]? Read(string path, int bytesMax) => Next().Read(path, bytesMax);

    public bool Read(string path, long bytesMax, PieceTaker pieces) => Next().Read(path, bytesMax, pieces);

    private MemoryFolder Next() => _read++ < files ? before : after;
}
