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

    public bool Read(string path, ByteSink pieces)
    {
        if (!Files.TryGetValue(path, out var file)) return false;
        // Short pieces: fields are cut anywhere.
        for (var first = 0; first < file.Length; first += 1_000) pieces(file.AsSpan(first, Math.Min(1_000, file.Length - first)));
        return true;
    }

    public MemoryFolder Copy()
    {
        var copy = new MemoryFolder();
        foreach (var (path, file) in Files) copy[path] = file;
        return copy;
    }
}
