// Files in the database, behind the seam of files on disk: a partition's snapshots, and what settlement keeps, for a cluster in
// which any machine may open the partition, or settle, next.

using System.Data;
using Bitcache.Engine.Files;
using Bitcache.Engine.Settlement;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>Files of one owner. Each call is one statement that is committed when it returns, so that nothing is left
/// to sync but what a file has not written yet. Folders are there as soon as a file is in them.</summary>
public sealed class PostgresFiles : IFileSystem
{
    /// <summary>For statements that take something away: an owner that was replaced must not take the new one's.</summary>
    private const string IsWriter = "EXISTS (SELECT FROM bitcache.partitions WHERE partition = $3 AND writer_epoch = $4)";
    /// <summary>The same of files that cannot be made again: while such a statement runs nobody begins the next term.</summary>
    private const string IsSettling = "(SELECT true FROM bitcache.settlement WHERE $3 = 0 AND term = $4 FOR SHARE)";

    private readonly JournalDatabase _database;
    private readonly string _isOwner;
    private readonly int _partition;
    private readonly Func<string, Exception> _lost;

    private PostgresFiles(JournalDatabase database, string isOwner, int partition, Func<string, Exception> lost) =>
        (_database, _isOwner, _partition, _lost) = (database, isOwner, partition, lost);

    /// <summary>A partition's, which its writer changes.</summary>
    public PostgresFiles(JournalDatabase database, int partition) : this(database, IsWriter, partition, static why => new WriterFencedException(why))
    {
    }

    /// <summary>Settlement's, which whoever has the newest term changes.</summary>
    /// <param name="term">That was begun in every partition. Nobody of an older one changes anything when this returns.</param>
    /// <exception cref="IOException">The database cannot be asked now.</exception>
    public static PostgresFiles OfSettlement(JournalDatabase database, long term)
    {
        var files = new PostgresFiles(database, IsSettling, 0, _ => new TermOverException(term)) { Epoch = term };
        files.Run("INSERT INTO bitcache.settlement (term) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET term = excluded.term WHERE settlement.term < excluded.term", command =>
        {
            command.Parameters.Add(new() { Value = term });
            return command.ExecuteNonQuery();
        });
        return files;
    }

    /// <summary>The same to read alone.</summary>
    internal static PostgresFiles OfSettlement(JournalDatabase database) => new(database, IsSettling, 0, static why => new WriterFencedException(why));

    /// <summary>The names of the folders inside one in which there is something, in no order.</summary>
    internal IReadOnlyList<string> Folders(string folder) => Run("SELECT DISTINCT split_part(substr(folder, length($1) + 2), '/', 1) FROM bitcache.files WHERE starts_with(folder, $1 || '/')", command =>
    {
        command.Parameters.Add(new() { Value = folder });
        var names = new List<string>();
        using var rows = command.ExecuteReader();
        while (rows.Read()) names.Add(rows.GetString(0));
        return names;
    });

    /// <summary>The writer epoch that opening the journal gave, or the term; before that nothing is replaced or removed.</summary>
    public long Epoch { get; set; }

    public bool FolderExists(string folder) => true;

    public void CreateFolder(string folder)
    {
    }

    public IReadOnlyList<string> List(string folder) => Run("SELECT name FROM bitcache.files WHERE folder = $1", command =>
    {
        command.Parameters.Add(new() { Value = folder });
        var names = new List<string>();
        using var rows = command.ExecuteReader();
        while (rows.Read()) names.Add(rows.GetString(0));
        return names;
    });

    public IFile Create(string path) => new StoredFile(this, Run(
        "INSERT INTO bitcache.files (folder, name) VALUES ($1, $2) RETURNING id", command => (long)Named(command, path).ExecuteScalar()!), 0);

    public IFile Open(string path) => Run("SELECT id, bytes FROM bitcache.files WHERE folder = $1 AND name = $2", command =>
    {
        using var row = Named(command, path).ExecuteReader(CommandBehavior.SingleRow);
        return row.Read() ? new StoredFile(this, row.GetInt64(0), row.GetInt64(1)) : throw new FileNotFoundException($"There is no file {path} in {_database.Name}.");
    });

    public void Rename(string from, string to)
    {
        var renamed = Run("UPDATE bitcache.files SET name = $3 WHERE folder = $1 AND name = $2", command =>
        {
            Named(command, from).Parameters.Add(new() { Value = Path.GetFileName(to) });
            return command.ExecuteNonQuery();
        });
        if (renamed == 0) throw new FileNotFoundException($"There is no file {from} in {_database.Name}.");
    }

    public void Replace(string from, string to)
    {
        using var connection = Connect();
        try
        {
            using var transaction = connection.BeginTransaction();
            Remove(connection, to);
#pragma warning disable CA2100 // A constant of this file.
            using var command = new NpgsqlCommand($"UPDATE bitcache.files SET name = $5 WHERE folder = $1 AND name = $2 AND {_isOwner}", connection);
#pragma warning restore CA2100
            Guarded(command, from).Parameters.Add(new() { Value = Path.GetFileName(to) });
            if (command.ExecuteNonQuery() == 0) throw _lost($"{from} in {_database.Name} is not there, or another process has taken over what it belongs to.");
            transaction.Commit();
        }
        catch (NpgsqlException e)
        {
            throw Failure(e);
        }
    }

    public void Delete(string path)
    {
        using var connection = Connect();
        try
        {
            Remove(connection, path);
        }
        catch (NpgsqlException e)
        {
            throw Failure(e);
        }
    }

    public void SyncFolder(string folder)
    {
    }

    public IDisposable? TryLock(string path) => throw new NotSupportedException("Who may write is decided by the writer epoch.");

    private void Remove(NpgsqlConnection connection, string path)
    {
#pragma warning disable CA2100 // A constant of this file.
        using var command = new NpgsqlCommand($"DELETE FROM bitcache.files WHERE folder = $1 AND name = $2 AND {_isOwner}", connection);
#pragma warning restore CA2100
        Guarded(command, path).ExecuteNonQuery();
    }

    private NpgsqlCommand Guarded(NpgsqlCommand command, string path)
    {
        Named(command, path).Parameters.Add(new() { Value = _partition });
        command.Parameters.Add(new() { Value = Epoch });
        return command;
    }

    private static NpgsqlCommand Named(NpgsqlCommand command, string path)
    {
        command.Parameters.Add(new() { Value = Path.GetDirectoryName(path)! });
        command.Parameters.Add(new() { Value = Path.GetFileName(path) });
        return command;
    }

    private NpgsqlConnection Connect()
    {
        try
        {
            return _database.Connect();
        }
        catch (NpgsqlException e)
        {
            throw Failure(e);
        }
    }

    private T Run<T>(string sql, Func<NpgsqlCommand, T> run)
    {
        using var connection = Connect();
#pragma warning disable CA2100 // A constant of this file.
        using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
#pragma warning restore CA2100
        try
        {
            return run(command);
        }
        catch (NpgsqlException e)
        {
            throw Failure(e);
        }
    }

    private IOException Failure(NpgsqlException e) => e is PostgresException { SqlState: PostgresErrorCodes.DiskFull }
        ? new NoSpaceException($"{_database.Name} has no room: {e.Message}", e)
        : new IOException($"{_database.Name}: {e.Message}", e);

    /// <summary>One file in blocks. The block that is being written is held until another one is, or it is synced.</summary>
    private sealed class StoredFile(PostgresFiles files, long id, long length) : IFile
    {
        private const int BlockBytes = 1 << 20;

        private readonly byte[] _block = new byte[BlockBytes];
        private int _number = -1;
        private bool _isDirty;

        public long Length { get; private set; } = length;

        public int Read(long offset, Span<byte> bytes)
        {
            var wanted = bytes[..(int)Math.Clamp(Length - offset, 0, bytes.Length)];
            if (wanted.IsEmpty) return 0;
            Flush();
            wanted.Clear();
            var (first, last) = ((int)(offset / BlockBytes), (int)((offset + wanted.Length - 1) / BlockBytes));
            foreach (var (number, content) in ReadBlocks(first, last))
            {
                var begin = ((long)number * BlockBytes) - offset;
                var from = (int)Math.Max(-begin, 0);
                var at = (int)Math.Max(begin, 0);
                var count = Math.Min(content.Length - from, wanted.Length - at);
                if (count > 0) content.AsSpan(from, count).CopyTo(wanted[at..]);
            }
            return wanted.Length;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                var (number, at) = ((int)(offset / BlockBytes), (int)(offset % BlockBytes));
                if (number != _number) Hold(number);
                var part = bytes[..Math.Min(bytes.Length, BlockBytes - at)];
                part.CopyTo(_block.AsSpan(at));
                _isDirty = true;
                offset += part.Length;
                bytes = bytes[part.Length..];
                Length = Math.Max(Length, offset);
            }
        }

        public void SyncData()
        {
            Flush();
            files.Run("UPDATE bitcache.files SET bytes = $2 WHERE id = $1", command => Filled(command, Length).ExecuteNonQuery());
        }

        public void Truncate(long length)
        {
            Flush();
            _number = -1;
            files.Run("DELETE FROM bitcache.file_blocks WHERE file = $1 AND block >= $2", command =>
                Filled(command, (length + BlockBytes - 1) / BlockBytes).ExecuteNonQuery());
            if (length % BlockBytes is > 0 and var rest)
            {
                files.Run("UPDATE bitcache.file_blocks SET content = substring(content FROM 1 FOR $3::integer) WHERE file = $1 AND block = $2", command =>
                    Filled(command, length / BlockBytes, rest).ExecuteNonQuery());
            }
            Length = length;
        }

        /// <summary>The database takes the room when it is written to.</summary>
        public void Preallocate(long length) => Length = Math.Max(Length, length);

        public void Dispose()
        {
        }

        private void Hold(int number)
        {
            Flush();
            Array.Clear(_block);
            foreach (var (_, content) in ReadBlocks(number, number)) content.CopyTo(_block, 0);
            _number = number;
        }

        private void Flush()
        {
            if (!_isDirty) return;
            var used = (int)Math.Min(BlockBytes, Length - ((long)_number * BlockBytes));
            files.Run("INSERT INTO bitcache.file_blocks (file, block, content) VALUES ($1, $2, $3) ON CONFLICT (file, block) DO UPDATE SET content = excluded.content", command =>
            {
                Filled(command, _number).Parameters.Add(new() { Value = _block.AsMemory(0, used) });
                return command.ExecuteNonQuery();
            });
            _isDirty = false;
        }

        private List<(int Number, byte[] Content)> ReadBlocks(int first, int last) =>
            files.Run("SELECT block, content FROM bitcache.file_blocks WHERE file = $1 AND block BETWEEN $2 AND $3 ORDER BY block", command =>
            {
                var blocks = new List<(int, byte[])>();
                using var rows = Filled(command, first, last).ExecuteReader();
                while (rows.Read()) blocks.Add((rows.GetInt32(0), rows.GetFieldValue<byte[]>(1)));
                return blocks;
            });

        private NpgsqlCommand Filled(NpgsqlCommand command, params ReadOnlySpan<long> numbers)
        {
            command.Parameters.Add(new() { Value = id });
            foreach (var number in numbers) command.Parameters.Add(new() { Value = number });
            return command;
        }
    }
}
