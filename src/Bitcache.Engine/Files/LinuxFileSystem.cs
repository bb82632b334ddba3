// The real disk. Syncs, allocation and locks go straight to the system, because their failures must be seen.

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bitcache.Engine.Files;

public sealed class LinuxFileSystem : IFileSystem
{
    public bool FolderExists(string folder) => Directory.Exists(folder);

    public void CreateFolder(string folder)
    {
        if (Libc.MakeFolder(folder, Libc.OwnerOnlyFolder) != 0 && !FolderExists(folder)) throw Libc.AllocationError("mkdir", folder);
    }

    public IReadOnlyList<string> List(string folder)
    {
        var names = Directory.GetFiles(folder);
        for (var i = 0; i < names.Length; i++) names[i] = Path.GetFileName(names[i]);
        return names;
    }

    public IFile Create(string path) =>
        new LinuxFile(path, Libc.ReadWrite | Libc.CreateFlag | Libc.ExclusiveFlag);

    public IFile Open(string path) => new LinuxFile(path, Libc.ReadWrite);

    public void Rename(string from, string to)
    {
        // rename(2) would replace a file of that name without a word.
        if (File.Exists(to)) throw new IOException($"rename of {from} failed: {to} exists.");
        if (Libc.Rename(from, to) != 0) throw Libc.Error("rename", from);
    }

    public void Replace(string from, string to)
    {
        if (Libc.Rename(from, to) != 0) throw Libc.Error("rename", from);
    }

    public void Delete(string path) => File.Delete(path);

    public void SyncFolder(string folder)
    {
        using var handle = Libc.Open(folder, Libc.ReadOnly);
        if (Libc.Sync(handle) != 0) throw Libc.Error("fsync", folder);
    }

    public void Uncache(string path)
    {
        try
        {
            using var handle = Libc.Open(path, Libc.ReadOnly);
            _ = Libc.Advise(handle, 0, 0, Libc.AdviceNotNeeded);
        }
        catch (IOException)
        {
            // It was a hint. The archive may have taken the file since the caller saw it.
        }
    }

    public void DeleteFolder(string folder)
    {
        try
        {
            Directory.Delete(folder);
        }
        catch (IOException)
        {
            // Something is in it, or somebody else removed it.
        }
    }

    public void Share(string path)
    {
        const UnixFileMode file = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        const UnixFileMode folder = file | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(path, Directory.Exists(path) ? folder : file);
    }

    public IDisposable? TryLock(string path)
    {
        var handle = Libc.Open(path, Libc.ReadWrite | Libc.CreateFlag);
        if (Libc.Lock(handle, Libc.LockExclusive | Libc.LockNonBlocking) == 0) return handle;
        var held = Marshal.GetLastPInvokeError() == Libc.ErrorWouldBlock;
        var error = Libc.Error("flock", path);
        handle.Dispose();
        return held ? null : throw error;
    }

    private sealed class LinuxFile(string path, int flags) : IFile
    {
        private const int ZeroChunkBytes = 1 << 20;
        private readonly SafeFileHandle _handle = Libc.Open(path, flags);

        public long Length => RandomAccess.GetLength(_handle);

        public int Read(long offset, Span<byte> bytes)
        {
            var total = 0;
            while (total < bytes.Length)
            {
                var read = RandomAccess.Read(_handle, bytes[total..], offset + total);
                if (read == 0) break;
                total += read;
            }
            return total;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes) => RandomAccess.Write(_handle, bytes, offset);

        public void WriteOut(long offset, long length)
        {
            if (Libc.SyncRange(_handle, offset, length, Libc.WriteAndWait) == 0) return;
            // Some systems do not offer it. Any other failure is as final as that of a sync: it may not be told again.
            if (Marshal.GetLastPInvokeError() is Libc.ErrorNotImplemented or Libc.ErrorNotSupported) return;
            throw Libc.Error("sync_file_range", path);
        }

        public void SyncData()
        {
            // Not repeated even when interrupted: whether the first one lost the error is not knowable.
            if (Libc.SyncData(_handle) != 0) throw Libc.Error("fdatasync", path);
        }

        public void Truncate(long length)
        {
            if (Libc.Truncate(_handle, length) != 0) throw Libc.Error("ftruncate", path);
        }

        public void Preallocate(long length)
        {
            if (length <= Length) return;
            int result;
            do result = Libc.Allocate(_handle, 0, 0, length);
            while (result != 0 && Marshal.GetLastPInvokeError() == Libc.ErrorInterrupted);
            if (result == 0) return;
            if (Marshal.GetLastPInvokeError() != Libc.ErrorNotSupported) throw Libc.AllocationError("fallocate", path);
            WriteZeros(length);
        }

        /// <summary>For file systems without fallocate: only written blocks are surely there.</summary>
        private void WriteZeros(long length)
        {
            var zeros = new byte[ZeroChunkBytes];
            try
            {
                for (var offset = Length; offset < length; offset += ZeroChunkBytes)
                    RandomAccess.Write(_handle, zeros.AsSpan(0, (int)Math.Min(ZeroChunkBytes, length - offset)), offset);
            }
            catch (IOException e) when (NoSpaceException.IsCauseOf(e))
            {
                throw new NoSpaceException($"No space to extend {path} to {length} bytes.");
            }
        }

        public void Dispose() => _handle.Dispose();
    }
}
