// The system calls that .NET does not offer: waiting for many sockets on one thread, with a timeout finer than a
// millisecond. A generator that shares two cores with what it measures must cost little.

using System.Buffers.Binary;
using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bitcache.Benchmarks.Load;

internal sealed partial class Epoll : IDisposable
{
    private const int CloseOnExecFlag = 0x80000;
    private const int Add = 1;
    private const int Modify = 3;
    private const uint Readable = 1;
    private const uint Writable = 4;
    private const int ErrorInterrupted = 4;
    private const int EventsMax = 1_024;

    // struct epoll_event is packed on x86-64 and nowhere else.
    private static readonly int TokenOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EventBytes = TokenOffset + 8;

    private readonly SafeFileHandle _epoll;
    private readonly byte[] _events = new byte[EventsMax * EventBytes];

    public Epoll()
    {
        var descriptor = CreateCall(CloseOnExecFlag);
        if (descriptor < 0) throw new Win32Exception();
        _epoll = new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Reports the socket under this token whenever it can be read.</summary>
    public void Watch(Socket socket, int token) => Control(Add, socket, token, Readable);

    /// <summary>Whether the socket is also reported when it can be written.</summary>
    public void WatchWrites(Socket socket, int token, bool wanted) => Control(Modify, socket, token, wanted ? Readable | Writable : Readable);

    /// <summary>Waits until a watched socket is ready, or the time is over; returns how many are.</summary>
    public int Wait(TimeSpan timeout)
    {
        var time = new TimeSpec(timeout.Ticks / TimeSpan.TicksPerSecond, timeout.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        var ready = WaitCall(_epoll, ref _events[0], EventsMax, time, 0);
        if (ready >= 0) return ready;
        return Marshal.GetLastPInvokeError() == ErrorInterrupted ? 0 : throw new Win32Exception();
    }

    /// <summary>The token of one of the sockets that the last wait found.</summary>
    public int Token(int ready) => BinaryPrimitives.ReadInt32LittleEndian(_events.AsSpan((ready * EventBytes) + TokenOffset));

    public void Dispose() => _epoll.Dispose();

    private void Control(int operation, Socket socket, int token, uint events)
    {
        Span<byte> wanted = stackalloc byte[EventBytes];
        wanted.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(wanted, events);
        BinaryPrimitives.WriteInt32LittleEndian(wanted[TokenOffset..], token);
        if (ControlCall(_epoll, operation, socket.SafeHandle, ref wanted[0]) < 0) throw new Win32Exception();
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct TimeSpec(long Seconds, long Nanoseconds);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int CreateCall(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ControlCall(SafeFileHandle epoll, int operation, SafeSocketHandle socket, ref byte wanted);

    [LibraryImport("libc", EntryPoint = "epoll_pwait2", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int WaitCall(SafeFileHandle epoll, ref byte events, int eventsMax, in TimeSpec timeout, nint signals);
}
