// The system calls that .NET does not offer, or whose failures it swallows.

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bitcache.Engine.Files;

internal static partial class Libc
{
    private const nint PageBytes = 4096;
    /// <summary>SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER.</summary>
    internal const uint WriteAndWait = 1 | 2 | 4;
    internal const int ReadOnly = 0;
    internal const int ReadWrite = 2;
    internal const int CreateFlag = 0x40;
    internal const int ExclusiveFlag = 0x80;
    private const int CloseOnExecFlag = 0x80000;
    private const int OwnerOnlyFile = 0b110_000_000;
    internal const int OwnerOnlyFolder = 0b111_000_000;

    /// <summary>POSIX_FADV_DONTNEED.</summary>
    internal const int AdviceNotNeeded = 4;

    /// <summary>MADV_HUGEPAGE.</summary>
    private const int AdviceHugePages = 14;

    /// <summary>MADV_POPULATE_WRITE.</summary>
    private const int AdvicePopulate = 23;

    /// <summary>PRIO_PROCESS, which on Linux means a thread: 0 is the one that calls (man 2 setpriority).</summary>
    private const int PriorityOfProcess = 0;
    private const int NiceOfBackground = 10;

    /// <summary>AT_FDCWD: a path that is not absolute begins in the working folder.</summary>
    private const int WorkingFolder = -100;
    /// <summary>AT_SYMLINK_NOFOLLOW.</summary>
    private const int NoFollow = 0x100;
    /// <summary>STATX_ATTR_MOUNT_ROOT.</summary>
    private const ulong MountRoot = 0x2000;

    internal const int LockExclusive = 2;
    internal const int LockNonBlocking = 4;

    internal const int ErrorInterrupted = 4;
    internal const int ErrorAccess = 13;
    internal const int ErrorWouldBlock = 11;
    internal const int ErrorNoSpace = 28;
    internal const int ErrorNotImplemented = 38;
    internal const int ErrorNotSupported = 95;
    internal const int ErrorQuota = 122;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenCall(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int SyncData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int SyncRange(SafeFileHandle file, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int AdviseMemory(nint address, nint bytes, int advice);

    /// <summary>Asks for large pages, for the whole pages that the range touches: where arrays follow one another no gap
    /// must be left between their ranges, which a large page could not span. Only advice: a system without them goes on
    /// with small ones.</summary>
    internal static void AdviseHugePages(nint address, nint bytes)
    {
        var first = address & -PageBytes;
        _ = AdviseMemory(first, (address + bytes - first + PageBytes - 1) & -PageBytes, AdviceHugePages);
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetPriorityCall(int which, uint who, int nice);

    [LibraryImport("libc", EntryPoint = "usleep")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SleepCall(uint microseconds);

    /// <summary>Has the system find memory for the whole pages in the range, as the first write to each would. What they hold
    /// stays; a range that is not there any more is left alone.</summary>
    internal static void Populate(nint address, nint bytes)
    {
        var first = (address + PageBytes - 1) & -PageBytes;
        _ = AdviseMemory(first, (address + bytes - first) & -PageBytes, AdvicePopulate);
    }

    /// <summary>Only advice: what it returns does not matter.</summary>
    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Truncate(SafeFileHandle file, long length);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Lock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int MakeFolder(string path, int mode);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int StatCall(int folder, string path, int flags, uint mask, out Status status);

    /// <summary>Whether something is mounted at a path: then it cannot be given another name. Also false where nothing is there,
    /// and on kernels before 5.8, which do not tell.</summary>
    internal static bool IsMountPoint(string path) => StatCall(WorkingFolder, path, NoFollow, 0, out var status) == 0 && (status.Attributes & MountRoot) != 0;

    /// <summary>What is needed of struct statx (man 2 statx).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(8)]
        internal ulong Attributes;
    }

    /// <summary>Has this thread, and no other of the process, take less of a processor that others want. The framework's
    /// priorities do nothing on Linux.</summary>
    internal static void GiveWay() => _ = SetPriorityCall(PriorityOfProcess, 0, NiceOfBackground);

    /// <summary>Sleeps so long, or less where a signal comes. The framework's sleep counts in milliseconds.</summary>
    internal static void Sleep(TimeSpan time) => _ = SleepCall((uint)time.TotalMicroseconds);

    /// <summary>Opens a file or a folder; a child process does not inherit it.</summary>
    internal static SafeFileHandle Open(string path, int flags)
    {
        int descriptor;
        do descriptor = OpenCall(path, flags | CloseOnExecFlag, OwnerOnlyFile);
        while (descriptor < 0 && Marshal.GetLastPInvokeError() == ErrorInterrupted);
        if (descriptor < 0) throw (flags & CreateFlag) == 0 ? Error("open", path) : AllocationError("open", path);
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Names the call, the file and the reason of the failure that this thread has just met.</summary>
    internal static IOException Error(string call, string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{call} of {path} failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error}).", error);
    }

    /// <summary>The same for calls that take space and change nothing else.</summary>
    internal static IOException AllocationError(string call, string path)
    {
        var error = Error(call, path);
        return error.HResult is ErrorNoSpace or ErrorQuota ? new NoSpaceException(error.Message) : error;
    }
}
