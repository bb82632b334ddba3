// The mistakes that a journal's author makes, each as a file system that makes it for a sound journal.

using System.Buffers.Binary;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;

namespace Bitcache.Simulation;

internal sealed class BuggyFileSystem(IFileSystem inner, PlantedBug bug) : IFileSystem
{
    public bool FolderExists(string folder) => inner.FolderExists(folder);

    public void CreateFolder(string folder) => inner.CreateFolder(folder);

    public IReadOnlyList<string> List(string folder) => inner.List(folder);

    public IFile Create(string path) => new BuggyFile(inner.Create(path), bug);

    public IFile Open(string path) => new BuggyFile(inner.Open(path), bug);

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void Replace(string from, string to) => inner.Replace(from, to);

    public void Delete(string path) => inner.Delete(path);

    public void SyncFolder(string folder)
    {
        if (bug == PlantedBug.NoFolderSync) return;
        Sync(() => inner.SyncFolder(folder), bug);
    }

    public IDisposable? TryLock(string path) => inner.TryLock(path);

    private static void Sync(Action sync, PlantedBug bug)
    {
        try
        {
            sync();
        }
        catch (IOException) when (bug == PlantedBug.RetriedSync)
        {
            sync();
        }
    }

    private sealed class BuggyFile(IFile inner, PlantedBug bug) : IFile
    {
        public long Length => inner.Length;

        public int Read(long offset, Span<byte> bytes) => inner.Read(offset, bytes);

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            if (bug == PlantedBug.NoZeroing && !bytes.ContainsAnyExcept((byte)0)) return;
            if (bug == PlantedBug.NoRewrite && Holds(offset, bytes)) return;
            if (bug == PlantedBug.DurableTooHigh && FrameHeader.TryRead(bytes, out var header)) bytes = CallDurable(bytes, header);
            inner.Write(offset, bytes);
        }

        private static byte[] CallDurable(ReadOnlySpan<byte> frame, in FrameHeader header)
        {
            const int durableAt = 24, crcAt = 76;
            var changed = frame.ToArray();
            BinaryPrimitives.WriteInt64BigEndian(changed.AsSpan(durableAt), header.FirstSequence + header.Sequences - 1);
            BinaryPrimitives.WriteUInt32BigEndian(changed.AsSpan(crcAt), Crc32C.Compute(changed.AsSpan(0, crcAt)));
            return changed;
        }

        private bool Holds(long offset, ReadOnlySpan<byte> bytes)
        {
            var there = new byte[bytes.Length];
            return inner.Read(offset, there) == there.Length && bytes.SequenceEqual(there);
        }

        public void SyncData()
        {
            if (bug == PlantedBug.NoDataSync) return;
            Sync(inner.SyncData, bug);
        }

        public void Truncate(long length) => inner.Truncate(length);

        public void Preallocate(long length) => inner.Preallocate(length);

        public void Dispose() => inner.Dispose();
    }
}
