// Where the list of keys is kept: in the data folder of a single node, or in the database that the silos of a cluster share.

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal.Postgres;

namespace Bitcache.Server.Keys;

public abstract class KeyPlace
{
    private protected KeyPlace()
    {
    }

    /// <summary>What it is, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>The list's bytes; null where there is none yet.</summary>
    /// <exception cref="KeyFileException">It cannot be read.</exception>
    public abstract byte[]? Read();

    /// <summary>Replaces the list: a reader finds the old one or the new one. What the change throws changes nothing.</summary>
    /// <exception cref="KeyFileException">It cannot be changed now.</exception>
    public abstract void Change(Func<byte[]?, byte[]> change);
}

/// <summary>keys.json in a data folder. The new file is complete and durable under another name before it takes the old one's place.</summary>
public sealed class KeyFolder(IFileSystem files, string dataFolder) : KeyPlace
{
    public override string Name { get; } = Path.Combine(dataFolder, KeyFile.Name);

    public override byte[]? Read()
    {
        try
        {
            return File.ReadAllBytes(Name);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"{Name} cannot be read: {e.Message}", e);
        }
    }

    public override void Change(Func<byte[]?, byte[]> change)
    {
        using var alone = files.TryLock(Name + ".lock")
            ?? throw new KeyFileException($"another process is changing {Name}; try again when it is done");
        WholeFile.Write(files, dataFolder, KeyFile.Name, change(Read()));
    }
}

/// <summary>The same in the database of a cluster. Whoever reads it waits for the database: servers read a <see cref="KeyCopy"/>.</summary>
public sealed class KeyTable(JournalDatabase database) : KeyPlace
{
    private readonly SharedDocument _document = new(database, KeyFile.Name);

    public override string Name => _document.Name;

    public override byte[]? Read()
    {
        try
        {
            return _document.Read();
        }
        catch (IOException e)
        {
            throw new KeyFileException($"{Name} cannot be read: {e.Message}", e);
        }
    }

    public override void Change(Func<byte[]?, byte[]> change)
    {
        try
        {
            _document.Change(change);
        }
        catch (IOException e)
        {
            throw new KeyFileException($"{Name} cannot be changed: {e.Message}", e);
        }
    }
}
