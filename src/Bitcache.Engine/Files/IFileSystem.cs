// The one way to the disk: what is written through this seam can be run against a simulated disk that loses power.

namespace Bitcache.Engine.Files;

/// <summary>
/// Files and folders, with the two kinds of sync apart. What a call changed may be lost in a power failure, in part
/// and in any order, until <see cref="IFile.SyncData"/> (bytes and length) or <see cref="SyncFolder"/> (names) has
/// returned. Every failure is an <see cref="IOException"/>; after a failed sync nothing may be concluded about the
/// bytes it covered, and a second sync that succeeds says nothing about them either: stop.
/// </summary>
public interface IFileSystem
{
    bool FolderExists(string folder);

    /// <summary>Makes one folder inside an existing one; one that is there already is left as it is.
    /// Durable after <see cref="SyncFolder"/> of the folder around it.</summary>
    /// <exception cref="NoSpaceException">There is no room for another folder; nothing was made.</exception>
    void CreateFolder(string folder);

    /// <summary>The names of the files in a folder, without path, in no order.</summary>
    IReadOnlyList<string> List(string folder);

    /// <summary>Makes an empty file for reading and writing; fails if there is one of that name.</summary>
    /// <exception cref="NoSpaceException">There is no room for another file; nothing was made.</exception>
    IFile Create(string path);

    /// <summary>Opens an existing file for reading and writing.</summary>
    IFile Open(string path);

    /// <summary>Gives a file another name in the same folder, which must be free.</summary>
    void Rename(string from, string to);

    /// <summary>Gives a file another name in the same folder, in the place of the file that has it: after a crash one of the
    /// two has the name.</summary>
    void Replace(string from, string to);

    /// <summary>Removes a file's name; none of that name is no failure.</summary>
    void Delete(string path);

    /// <summary>Makes all names created, changed or removed in the folder durable.</summary>
    void SyncFolder(string folder);

    /// <summary>Gives back the memory in which the system caches a file that will hardly be read: a hint, and no
    /// failure if it is not there any more.</summary>
    void Uncache(string path)
    {
    }

    /// <summary>Removes a folder that is empty; none of that name, or one that is not empty, is no failure.</summary>
    void DeleteFolder(string folder)
    {
    }

    /// <summary>Lets everybody read a file, or look into a folder. What is made here is otherwise for its owner alone.</summary>
    void Share(string path)
    {
    }

    /// <summary>Takes a file as an exclusive lock, making it if it is not there. Null if another process, or another
    /// call in this one, holds it. The lock ends when disposed of, and with the process.</summary>
    IDisposable? TryLock(string path);
}

/// <summary>One open file. Reads may come from any thread; everything else has one owner at a time. The same
/// descriptor stays open from the first write to the sync that covers it: the kernel reports a failed write-back
/// to descriptors that were open when it happened.</summary>
public interface IFile : IDisposable
{
    long Length { get; }

    /// <summary>Reads from an offset until the bytes are filled or the file ends; returns how many were read.</summary>
    int Read(long offset, Span<byte> bytes);

    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Has a part that was written go to the disk now, and waits for it, so that a later sync has less to do. It is
    /// no sync: nothing is durable by it.</summary>
    void WriteOut(long offset, long length)
    {
    }

    /// <summary>Returns once every byte written through any descriptor of the file, and its length, is on stable storage.</summary>
    void SyncData();

    void Truncate(long length);

    /// <summary>Extends the file to a length and takes the space for it now; new bytes read as zeros. A file that is
    /// as long already is left as it is.</summary>
    /// <exception cref="NoSpaceException">There is not that much room; the file may have grown in part.</exception>
    void Preallocate(long length);
}

/// <summary>The disk or the quota is full. Thrown only where nothing that was promised is harmed.</summary>
public sealed class NoSpaceException(string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>Whether this is what a write says when the disk or the quota is full. For files that nothing rests on yet:
    /// for any other a write that failed has failed.</summary>
    internal static bool IsCauseOf(Exception failure) => failure is NoSpaceException or IOException { HResult: Libc.ErrorNoSpace or Libc.ErrorQuota };
}
