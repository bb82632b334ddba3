using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Journal;

/// <summary>
/// A partition's journal in files: <c>journal/pNNNN/</c> under the data folder, segments named by their first
/// sequence, frames in them (<see cref="SegmentHeader"/>, <see cref="FrameHeader"/>, <see cref="JournalRecord"/> give
/// the bytes), zeros after the last.
/// <para>A segment is made in this order, each step durable before the next: its space and header under another name;
/// its name; the closing frame of the segment before. So a segment that is in use has a sound header and a closed
/// predecessor, one that is closed has a successor, and a file that is missing is noticed.</para>
/// <para>A write that the power fails under may leave any mix of old and new bytes, but not bytes outside it.</para>
/// </summary>
public sealed class FileJournal : IRecoveredJournal
{
    internal const string UnfinishedExtension = ".new";
    /// <summary>How far zeros are written ahead of the frames: the file system then turns that much preallocated space
    /// into data in one go, and the syncs in between have no metadata to write.</summary>
    private const int ZeroAheadBytes = 256 << 10;
    private const int PageBytes = 4096;
    private static readonly byte[] Zeros = new byte[ZeroAheadBytes + PageBytes];

    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly FileJournalSettings _settings;
    private readonly ILogger _logger;

    private readonly SegmentReserve _reserve;

    // Owned by the partition's thread.
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _frame = new byte[64 << 10];
    private IFile? _active;
    private string _activePath;
    private int _capacity;
    private int _position;
    private int _zeroedTo;
    private Hash256 _chain;
    private long _next;
    private bool _endsWithSeal;
    private int _reserved;
    private bool _outOfSpace;
    /// <summary>Set before a frame or a segment is begun, and cleared once it is durable: whatever goes wrong in
    /// between, nothing is ever written after it.</summary>
    private bool _inDoubt;

    // Shared with readers and with the upkeep.
    private readonly SegmentList _segments;
    private readonly FolderSync _folderSync;
    private readonly IdSearch _ids;
    private long _durable;
    private volatile bool _failed;

    private FileJournal(IFileSystem files, string folder, FileJournalSettings settings, ILogger logger, JournalRecovery recovered, RecoveryReport report)
    {
        (_files, _folder, _settings, _logger, Recovery) = (files, folder, settings, logger, report);
        (_active, _activePath, _position) = (recovered.Active, recovered.ActivePath, recovered.Position);
        (_chain, _next, ChainHash) = (recovered.Chain, recovered.NextSequence, recovered.LastEntryChain);
        (_endsWithSeal, _segments, _durable) = (recovered.EndsWithSeal, new SegmentList(files, recovered.Segments), recovered.NextSequence - 1);
        (_capacity, _zeroedTo) = ((int)(_active?.Length ?? 0), _position);
        _reserve = new SegmentReserve(files, folder, settings.SegmentBytes);
        if (settings.PreparesSegments) _reserve.Start();
        _folderSync = new FolderSync(files, folder);
        Upkeep = new SegmentUpkeep(files, _segments, _folderSync, settings, logger);
        _ids = new SegmentIdSearch(files, _segments, Upkeep);
    }

    /// <summary>What opening it found and did.</summary>
    public RecoveryReport Recovery { get; }

    internal IFileSystem Files => _files;
    internal SegmentList Segments => _segments;

    /// <summary>What is done with closed segments. Its thread runs once it is started.</summary>
    public SegmentUpkeep Upkeep { get; }

    public void StartUpkeep(Action<Exception> fatal) => Upkeep.Start(fatal);

    public long DurableSequence => Volatile.Read(ref _durable);

    public Hash256 ChainHash { get; private set; }

    /// <summary>
    /// Opens a partition's journal, verifies every byte of it, replays its batches in order, and repairs what a crash
    /// left at its end. When this returns, all that was replayed is durable. The caller holds the data folder's
    /// <see cref="DataFolderLock"/> from before this call until after <see cref="Dispose"/>.
    /// </summary>
    /// <exception cref="JournalCorruptException">It is damaged; nothing was changed.</exception>
    /// <exception cref="IOException">The disk failed; the process must end.</exception>
    /// <param name="files">Where it is.</param>
    /// <param name="dataFolder">The folder that holds <c>journal/</c>.</param>
    /// <param name="settings">Which partition, and how large a new segment is.</param>
    /// <param name="replay">Takes the batches.</param>
    /// <param name="logger">Takes what is found and done.</param>
    /// <param name="accept">Called with the number of sequences when all is verified and nothing is repaired yet;
    /// throws to refuse the journal and leave it as it is.</param>
    /// <param name="start">Where to begin to replay; null for the beginning. Then what stands before is not verified now, but
    /// for the ends of its segments, and each segment when it is first read.</param>
    /// <exception cref="SnapshotMismatchException">The journal is not the one that <paramref name="start"/> stands in.</exception>
    public static FileJournal Open(
        IFileSystem files, string dataFolder, FileJournalSettings settings, ReplayBatch replay, ILogger logger, Action<long>? accept = null,
        JournalStart? start = null)
    {
        settings.Check();
        var journals = Path.Combine(dataFolder, "journal");
        var folder = Path.Combine(journals, settings.FolderName);
        DurableFolder.Ensure(files, journals);
        DurableFolder.Ensure(files, folder);
        if (settings.ArchiveFolder is { } archive) DurableFolder.Ensure(files, Path.Combine(archive, settings.FolderName));
        using var recovery = new JournalRecovery(files, folder, settings, logger, start);
        try
        {
            var report = recovery.Run(replay, accept);
            logger.JournalOpened(folder, report.Sequences, report.Frames, report.Segments, report.WriterEpoch);
            return new FileJournal(files, folder, settings, logger, recovery, report);
        }
        catch
        {
            recovery.Active?.Dispose();
            throw;
        }
    }

    /// <summary>Whether a folder holds any partition's journal. Empty folders, as a start that was refused leaves them, are none.</summary>
    public static bool IsIn(IFileSystem files, string dataFolder)
    {
        for (var partition = 0; partition < Limits.PartitionsOfProcessMax; partition++)
        {
            var folder = Path.Combine(dataFolder, "journal", new FileJournalSettings { Partition = partition }.FolderName);
            if (files.FolderExists(folder) && files.List(folder).Count > 0) return true;
        }
        return false;
    }

    /// <summary>Verifies a partition's whole journal and replays its batches in order, and changes nothing.</summary>
    /// <exception cref="JournalCorruptException">It is damaged.</exception>
    public static RecoveryReport Read(IFileSystem files, string dataFolder, FileJournalSettings settings, ReplayBatch replay, ILogger logger)
    {
        settings.Check();
        using var recovery = new JournalRecovery(files, Path.Combine(dataFolder, "journal", settings.FolderName), settings, logger);
        return recovery.Read(replay);
    }

    public bool TryReserve(int payloadBytes, int batches = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(payloadBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadBytes, _settings.PayloadBytesMax(batches));
        if (_inDoubt) throw AlreadyFailed();
        if (_reserve.Failure is { } failure)
        {
            _inDoubt = true;
            throw Failure($"Preparing a segment in {_folder} failed.", failure);
        }
        if (_position + FileJournalSettings.RoomFor(payloadBytes, batches) > _capacity && !TryBeginSegment()) return false;
        _reserved = payloadBytes;
        return true;
    }

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        if (_inDoubt) throw AlreadyFailed();
        if (payload.Length == 0 || payload.Length > _reserved)
            throw new InvalidOperationException($"A batch of {payload.Length} bytes needs a reservation of its size; {_reserved} bytes are reserved.");
        if (firstSequence != _next) throw new ArgumentOutOfRangeException(nameof(firstSequence), firstSequence, $"The next sequence is {_next}.");
        if (!JournalRecord.Tile(payload, sequences))
            throw new ArgumentException($"The payload is not records that cover {sequences} sequences.", nameof(payload));
        _reserved = 0;
        AppendFrame(FrameFlags.None, payload, sequences);
    }

    public void Seal()
    {
        if (_inDoubt) throw AlreadyFailed();
        if (!_endsWithSeal) AppendFrame(FrameFlags.Seal, [], 0);
    }

    /// <summary>The data folder's lock lets nobody else in.</summary>
    public bool IsShared => false;

    public void Confirm()
    {
    }

    /// <summary>The durable record that covers a sequence, whole, its header included; false if there is none yet.</summary>
    /// <exception cref="JournalCorruptException">What stands on disk is not what was written.</exception>
    public bool TryReadRecord(long sequence, [NotNullWhen(true)] out byte[]? record)
    {
        if (_failed) throw AlreadyFailed();
        record = null;
        if (sequence < 0 || sequence > DurableSequence) return false;
        record = _segments.ReadRecord(sequence);
        return true;
    }

    public void ReadRecords(long first, long count, RecordReader reader)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, DurableSequence + 1, nameof(count));
        for (var next = first; next < first + count;)
        {
            if (_failed) throw AlreadyFailed();
            next = _segments.ReadChunk(next, first + count, reader);
        }
    }

    public long? FindId(WalletId owner, OperationId id)
    {
        if (_failed) throw AlreadyFailed();
        return _ids.Find(new EntryId(owner, id), DurableSequence + 1);
    }

    /// <summary>Makes the next segment's file ahead of time; for a simulation, which has no threads.</summary>
    internal void PrepareSegment() => _reserve.Prepare();

    public void Dispose()
    {
        _reserve.Dispose();
        Upkeep.Dispose();
        _active?.Dispose();
        _sha256.Dispose();
    }

    private void AppendFrame(FrameFlags flags, ReadOnlySpan<byte> payload, int sequences)
    {
        var frame = BuildFrame(flags, payload, sequences, out var header);
        _inDoubt = true;
        try
        {
            ZeroAhead(_position + frame.Length, frame.Length);
            _active!.Write(_position, frame);
            _active.SyncData();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failure($"Writing sequence {_next} to {_activePath} failed; it may or may not be durable.", e);
        }
        Publish(frame, header);
        _inDoubt = false;
    }

    private Span<byte> BuildFrame(FrameFlags flags, ReadOnlySpan<byte> payload, int sequences, out FrameHeader header)
    {
        var size = FrameHeader.FrameBytes(payload.Length);
        if (_frame.Length < size) _frame = GC.AllocateUninitializedArray<byte>((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)size));
        var frame = _frame.AsSpan(0, size);
        payload.CopyTo(frame[FrameHeader.Bytes..]);
        header = new FrameHeader(flags, payload.Length, sequences, _next, _next - 1, Recovery.WriterEpoch, default, 0);
        header = header with { ChainHash = FrameHeader.Seal(frame, header, _chain, _sha256) };
        return frame;
    }

    /// <summary>After this point the frame is durable, and readers may see it.</summary>
    private void Publish(ReadOnlySpan<byte> frame, in FrameHeader header)
    {
        _segments.AddFrame(frame, _position, header);
        _position += frame.Length;
        _chain = header.ChainHash;
        _endsWithSeal = header.IsSeal;
        if (!header.IsSeal) ChainHash = header.ChainHash;
        _next += header.Sequences;
        Volatile.Write(ref _durable, _next - 1);
    }

    /// <summary>Large frames gain nothing from it, and would be written twice.</summary>
    private void ZeroAhead(int end, int frameBytes)
    {
        if (end <= _zeroedTo) return;
        var target = frameBytes >= ZeroAheadBytes ? end : Math.Min((end + ZeroAheadBytes) & -PageBytes, _capacity);
        if (target > end) _active!.Write(end, Zeros.AsSpan(0, target - end));
        _zeroedTo = target;
    }

    /// <summary>Goes on in a new segment; false, with nothing changed, if there is no space for one.</summary>
    private bool TryBeginSegment()
    {
        var path = Path.Combine(_folder, SegmentHeader.FileName(_next));
        _inDoubt = true;
        try
        {
            var isPrepared = _reserve.TryTake(out var unfinished, out var file);
            if (!isPrepared) file = TryAllocate(unfinished = path + UnfinishedExtension);
            using (file)
            {
                if (file is not null) BeginSegment(path, unfinished, file, isPrepared);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failure($"Beginning the segment {path} failed.", e);
        }
        _inDoubt = false;
        return !_outOfSpace;
    }

    private IFile? TryAllocate(string path)
    {
        IFile? file = null;
        try
        {
            file = _files.Create(path);
            file.Preallocate(_settings.SegmentBytes);
            _outOfSpace = false;
            return file;
        }
        catch (NoSpaceException e)
        {
            file?.Dispose();
            _files.Delete(path);
            if (!_outOfSpace) _logger.NoSpaceForSegment(_settings.SegmentBytes, _folder, e.Message);
            _outOfSpace = true;
            return null;
        }
    }

    private void BeginSegment(string path, string unfinished, IFile file, bool isPrepared)
    {
        _outOfSpace = false;
        // The closing frame is built first, for the new segment's header names its hash, and written last.
        FrameHeader closing = default;
        var frame = _active is null ? default : BuildFrame(FrameFlags.Seal | FrameFlags.Closing, [], 0, out closing);
        file.Write(0, new SegmentHeader(_settings.Partition, _next, closing.ChainHash).ToPage());
        file.SyncData();
        _files.Rename(unfinished, path);
        _folderSync.Run();
        if (_active is not null)
        {
            _active.Write(_position, frame);
            _active.SyncData();
            Publish(frame, closing);
            _active.Dispose();
            _reserve.AddClosed(_activePath);
        }
        _segments.Begin(new SegmentIndex(path, _next, _settings.SegmentBytes));
        (_active, _activePath) = (_files.Open(path), path);
        (_capacity, _position) = (_settings.SegmentBytes, SegmentHeader.Bytes);
        _zeroedTo = isPrepared ? _capacity : _position;
        _logger.SegmentBegun(path, _capacity);
        Upkeep.Wake();
    }

    private JournalFailedException Failure(string message, Exception reason)
    {
        _failed = true;
        _logger.JournalFailed(_folder, reason);
        return new JournalFailedException(message + " The journal takes no further call: end the process, the next start decides.", reason);
    }

    private JournalFailedException AlreadyFailed() => new($"The journal {_folder} has failed and takes no further call.");
}
