using Bitcache.Engine.Files;

namespace Bitcache.Tests.Simulation;

/// <summary>A file system that tells a test what happens, at the moment it happens: what another thread does then, a
/// test can do there on its own.</summary>
internal sealed class HookedFiles(IFileSystem inner) : IFileSystem
{
    /// <summary>Before a file is opened, with its path.</summary>
    public Action<string> Opening { get; set; } = _ => { };

    /// <summary>Before an opened file is read, with its path.</summary>
    public Action<string> Reading { get; set; } = _ => { };

    /// <summary>After a name was made, changed, removed or made durable.</summary>
    public Action Changed { get; set; } = () => { };

    public bool FolderExists(string folder) => inner.FolderExists(folder);

    public void CreateFolder(string folder) => inner.CreateFolder(folder);

    public IReadOnlyList<string> List(string folder) => inner.List(folder);

    public IFile Create(string path)
    {
        var file = inner.Create(path);
        Changed();
        return file;
    }

    public IFile Open(string path)
    {
        Opening(path);
        return new HookedFile(inner.Open(path), () => Reading(path));
    }

    public void Rename(string from, string to)
    {
        inner.Rename(from, to);
        Changed();
    }

    public void Replace(string from, string to)
    {
        inner.Replace(from, to);
        Changed();
    }

    public void Delete(string path)
    {
        inner.Delete(path);
        Changed();
    }

    public void SyncFolder(string folder)
    {
        inner.SyncFolder(folder);
        Changed();
    }

    public IDisposable? TryLock(string path) => inner.TryLock(path);

    private sealed class HookedFile(IFile file, Action reading) : IFile
    {
        public long Length => file.Length;

        public int Read(long offset, Span<byte> bytes)
        {
            reading();
            return file.Read(offset, bytes);
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes) => file.Write(offset, bytes);

        public void SyncData() => file.SyncData();

        public void Truncate(long length) => file.Truncate(length);

        public void Preallocate(long length) => file.Preallocate(length);

        public void Dispose() => file.Dispose();
    }
}
