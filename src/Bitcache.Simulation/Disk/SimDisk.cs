// A disk in memory that loses power, fails syncs and runs out of space when told to, the same way for the same seed.

using Bitcache.Engine.Files;

namespace Bitcache.Simulation;

/// <summary>
/// Three states of every file: what the disk holds, what was written since the last sync, and what the process sees.
/// Meant to be as unkind as real disks and kernels may be:
/// <list type="bullet">
/// <item>a power loss leaves each unsynced 512-byte sector new, old or torn, each for itself, and a file's length old or new;</item>
/// <item>sectors also reach the disk unasked, at any time;</item>
/// <item>a name created, changed or removed without a folder sync is there or not, each for itself;</item>
/// <item>a failed sync forgets what it had to write, reports it once, and leaves the new bytes in the page cache, called
/// clean: the next sync succeeds, and the process may read them until they are dropped from the cache.</item>
/// </list>
/// </summary>
internal sealed class SimDisk(int seed) : IFileSystem
{
    private readonly Random _random = new(seed);
    private readonly HashSet<string> _locks = [];
    private readonly SortedSet<string> _pendingNames = new(StringComparer.Ordinal);
    private Dictionary<string, SimFile?> _seen = [];
    private Dictionary<string, SimFile?> _durable = [];
    private bool _halted;

    /// <summary>Operations that change something, from the first one on.</summary>
    public long Operations { get; private set; }

    /// <summary>Syncs of files and folders, from the first one on.</summary>
    public long Syncs { get; private set; }

    /// <summary>The number of the operation in which the machine stops; 0 for never.</summary>
    public long HaltAt { get; set; }

    /// <summary>The number of the sync that fails; 0 for none.</summary>
    public long FailSyncAt { get; set; }

    /// <summary>The number of the operation that fails if it is a write: some of its bytes are written, and there is no room
    /// for the rest; 0 for none.</summary>
    public long ShortWriteAt { get; set; }

    /// <summary>Whether a sync or a write failed since the process was started.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>From now on nothing fails.</summary>
    public void CalmDown() => (HaltAt, FailSyncAt, ShortWriteAt, Full) = (0, 0, 0, false);

    /// <summary>Whether the sync that failed was a folder's.</summary>
    public bool FolderSyncFailed { get; private set; }

    /// <summary>While set, nothing can be allocated, and no write can make a file longer.</summary>
    public bool Full { get; set; }

    /// <summary>The machine stops: what was not synced is there, or not, or in part.</summary>
    public void PowerLoss()
    {
        foreach (var file in AllFiles()) file.LosePower(_random);
        foreach (var path in _pendingNames.ToList())
        {
            if (_random.Next(2) == 0) SettleName(path);
        }
        // What stood in a folder whose own name was lost is lost with it.
        foreach (var path in _durable.Keys.ToList())
        {
            if (!ParentsExist(path)) _durable.Remove(path);
        }
        Boot();
    }

    /// <summary>The process ends and starts again; the machine does not. Clean pages may be dropped from the cache.</summary>
    public void Restart()
    {
        foreach (var file in AllFiles()) file.DropCleanPages(_random);
        _locks.Clear();
        _halted = false;
        (HaltAt, FailSyncAt, ShortWriteAt, HasFailed) = (0, 0, 0, false);
    }

    /// <summary>The bytes of a file as the process sees them.</summary>
    public byte[] this[string path]
    {
        get => File(path).Seen.AsSpan(0, File(path).SeenLength).ToArray();
        set => _seen[path] = _durable[path] = new SimFile(value);
    }

    /// <summary>All files and folders, by path; folders are null.</summary>
    public SortedDictionary<string, byte[]?> Image() =>
        new(_seen.ToDictionary(entry => entry.Key, entry => entry.Value is null ? null : this[entry.Key]), StringComparer.Ordinal);

    /// <summary>A folder that was there before anything began.</summary>
    public void MakeDurableFolder(string folder) => _seen[folder] = _durable[folder] = null;

    public static SimDisk FromImage(IEnumerable<KeyValuePair<string, byte[]?>> image, int seed = 0)
    {
        var disk = new SimDisk(seed);
        foreach (var (path, bytes) in image) disk._seen[path] = disk._durable[path] = bytes is null ? null : new SimFile(bytes);
        return disk;
    }

    public bool FolderExists(string folder)
    {
        Running();
        return IsFolder(_seen, folder);
    }

    public void CreateFolder(string folder) => Operate(() =>
    {
        if (!IsFolder(_seen, Parent(folder))) throw new DirectoryNotFoundException(folder);
        if (!FolderExists(folder)) See(folder, null);
    });

    public IReadOnlyList<string> List(string folder)
    {
        Running();
        return [.. _seen.Where(entry => entry.Value is not null && Parent(entry.Key) == folder).Select(entry => Path.GetFileName(entry.Key))];
    }

    public IFile Create(string path)
    {
        Operate(() =>
        {
            if (Full && _random.Next(2) == 0) throw new NoSpaceException("No space for another file.");
            if (_seen.ContainsKey(path)) throw new IOException($"{path} exists.");
            See(path, new SimFile([]));
        });
        return Open(path);
    }

    public IFile Open(string path)
    {
        Running();
        return new SimHandle(this, File(path));
    }

    public void Rename(string from, string to) => Operate(() =>
    {
        if (_seen.ContainsKey(to)) throw new IOException($"{to} exists.");
        See(to, File(from));
        Unsee(from);
    });

    public void Replace(string from, string to) => Operate(() =>
    {
        See(to, File(from));
        Unsee(from);
    });

    public void Delete(string path) => Operate(() => Unsee(path));

    public void DeleteFolder(string folder) => Operate(() =>
    {
        if (IsFolder(_seen, folder) && !_seen.Keys.Any(path => Parent(path) == folder)) Unsee(folder);
    });

    public void SyncFolder(string folder) => Sync(
        () =>
        {
            foreach (var path in PendingNamesIn(folder)) SettleName(path);
        },
        () =>
        {
            FolderSyncFailed = true;
            // The others stay pending: a file system that loses a change of names for good stops by itself.
            foreach (var path in PendingNamesIn(folder))
            {
                if (_random.Next(2) == 0) SettleName(path);
            }
        });

    public IDisposable? TryLock(string path)
    {
        Running();
        return _locks.Add(path) ? new SimLock(() => _locks.Remove(path)) : null;
    }

    private static string Parent(string path) => Path.GetDirectoryName(path)!;

    private static bool IsFolder(Dictionary<string, SimFile?> names, string path) =>
        path == "/" || (names.TryGetValue(path, out var file) && file is null);

    private bool ParentsExist(string path)
    {
        for (var parent = Parent(path); parent is not null; parent = Parent(parent))
        {
            if (!IsFolder(_durable, parent)) return false;
        }
        return true;
    }

    private SimFile File(string path) =>
        _seen.TryGetValue(path, out var file) && file is not null ? file : throw new FileNotFoundException($"There is no {path}.");

    private IEnumerable<SimFile> AllFiles() => _seen.Values.Concat(_durable.Values).OfType<SimFile>().Distinct();

    private List<string> PendingNamesIn(string folder) => [.. _pendingNames.Where(path => Parent(path) == folder)];

    private void See(string path, SimFile? file)
    {
        _seen[path] = file;
        _pendingNames.Add(path);
    }

    private void Unsee(string path)
    {
        if (_seen.Remove(path)) _pendingNames.Add(path);
    }

    private void SettleName(string path)
    {
        _pendingNames.Remove(path);
        if (_seen.TryGetValue(path, out var file)) _durable[path] = file;
        else _durable.Remove(path);
    }

    private void Boot()
    {
        _seen = new Dictionary<string, SimFile?>(_durable);
        _pendingNames.Clear();
        _locks.Clear();
        _halted = false;
        (HaltAt, FailSyncAt, ShortWriteAt, Full, HasFailed) = (0, 0, 0, false, false);
    }

    private void Running()
    {
        if (_halted) throw new MachineStoppedException();
    }

    private void Operate(Action operation)
    {
        BeginOperation();
        operation();
        EndOperation();
    }

    private void BeginOperation()
    {
        Running();
        Operations++;
        if (_random.Next(8) == 0) WriteBackUnasked();
    }

    private void EndOperation()
    {
        if (Operations == HaltAt) Halt();
    }

    /// <summary>A sync during which the machine stops may have finished, or not begun.</summary>
    private void Sync(Action succeed, Action fail)
    {
        Running();
        Operations++;
        Syncs++;
        if (Operations == HaltAt && _random.Next(2) == 0) Halt();
        if (Syncs == FailSyncAt)
        {
            HasFailed = true;
            fail();
            throw new IOException("Input/output error (errno 5).");
        }
        succeed();
        if (Operations == HaltAt) Halt();
    }

    private void Halt()
    {
        _halted = true;
        throw new MachineStoppedException();
    }

    private void WriteBackUnasked()
    {
        foreach (var file in _seen.Values)
        {
            if (file is { IsDirty: true }) file.WriteBackUnasked(_random);
        }
    }

    private sealed class SimLock(Action release) : IDisposable
    {
        public void Dispose() => release();
    }

    private sealed class SimHandle(SimDisk disk, SimFile file) : IFile
    {
        public long Length
        {
            get
            {
                disk.Running();
                return file.SeenLength;
            }
        }

        public int Read(long offset, Span<byte> bytes)
        {
            disk.Running();
            return file.Read((int)offset, bytes);
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            disk.BeginOperation();
            if (disk.Operations == disk.ShortWriteAt)
            {
                disk.HasFailed = true;
                file.Write((int)offset, bytes[..disk._random.Next(bytes.Length)]);
                throw new IOException("No space left on device (errno 28).", Libc.ErrorNoSpace);
            }
            if (disk.Full && offset + bytes.Length > file.SeenLength) throw new IOException("No space left on device (errno 28).", Libc.ErrorNoSpace);
            file.Write((int)offset, bytes);
            disk.EndOperation();
        }

        public void SyncData() => disk.Sync(file.Sync, () => file.FailSync(disk._random));

        public void Truncate(long length) => disk.Operate(() => file.Resize((int)length));

        public void Preallocate(long length) => disk.Operate(() =>
        {
            if (length <= file.SeenLength) return;
            if (disk.Full)
            {
                file.Resize((int)(file.SeenLength + ((length - file.SeenLength) / 2)));
                throw new NoSpaceException("No space left on device (errno 28).");
            }
            file.Resize((int)length);
        });

        public void Dispose()
        {
        }
    }
}

/// <summary>The machine has no power: nothing that was running goes on. Not an IOException, so that no error handling
/// of the code under test takes it for a failed call.</summary>
public sealed class MachineStoppedException() : Exception("The simulated machine has stopped.");
