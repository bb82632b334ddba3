namespace Bitcache.Benchmarks;

/// <summary>A folder for one benchmark, on the disk that is measured. Others may pass through it: PostgreSQL runs as
/// a user of its own.</summary>
internal sealed class ScratchFolder : IDisposable
{
    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public ScratchFolder(string parent)
    {
        Path = System.IO.Path.GetFullPath(System.IO.Path.Combine(parent, $"bitcache-bench-{Environment.ProcessId}"));
        Directory.CreateDirectory(Path, Passable);
    }

    public string Path { get; }

    public string Inside(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
