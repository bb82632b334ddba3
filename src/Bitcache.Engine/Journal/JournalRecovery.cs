// Reads a journal from its first byte to its last, proves it, and repairs what a crash may have left at its end.

using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Journal;

/// <summary>
/// One recovery. Nothing on disk changes before all of it is verified. What a crash can leave, and only that, is
/// repaired: bytes of a batch whose sync had not returned, and a segment made but not yet in use. A bad frame at
/// sequence e is a torn tail unless something written later says that e was durable: a frame header with
/// durableSeq >= e, or a later segment that is in use. Then it is damage, and the journal is refused.
/// </summary>
/// <param name="start">Where the state of what is replayed stands; null for nothing. Segments that end before it are taken by
/// their first page and their closing frame, which are checked to follow one another; they are read when they are asked for.</param>
internal sealed class JournalRecovery(IFileSystem files, string folder, FileJournalSettings settings, ILogger logger, JournalStart? start = null) : IDisposable
{
    private const string TornExtension = ".torn";

    private readonly string? _archive = settings.ArchiveFolder is null ? null : Path.Combine(settings.ArchiveFolder, settings.FolderName);
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<(string Path, long FirstSequence)> _found = [];
    private readonly List<string> _leftovers = [];
    private byte[] _buffer = [];

    private string? _unused;
    private byte[] _torn = [];
    private byte[] _lastFrame = [];
    private string _lastFramePath = "";
    private int _lastFrameOffset;
    private bool _closed;
    private long _epochSeen;
    private long _frames;
    private bool _startFound = start is null;

    internal List<SegmentIndex> Segments { get; } = [];
    internal Hash256 Chain { get; private set; }
    /// <summary>The chain hash of the frame that holds the last entry.</summary>
    internal Hash256 LastEntryChain { get; private set; }
    internal long NextSequence { get; private set; }
    internal bool EndsWithSeal { get; private set; } = true;
    /// <summary>The segment to append to, open, and where; null if there is none yet.</summary>
    internal IFile? Active { get; private set; }
    internal string ActivePath { get; private set; } = "";
    internal int Position { get; private set; }

    internal RecoveryReport Run(ReplayBatch replay, Action<long>? accept)
    {
        Verify(replay);
        accept?.Invoke(NextSequence);
        var tornFile = Repair();
        return Report(tornFile);
    }

    /// <summary>The same without the repair: nothing on disk is changed.</summary>
    internal RecoveryReport Read(ReplayBatch replay)
    {
        Verify(replay);
        return Report(null);
    }

    private RecoveryReport Report(string? tornFile) =>
        new(Segments.Count, _frames, NextSequence, _epochSeen + 1, _torn.Length, tornFile, _unused);

    private void Verify(ReplayBatch replay)
    {
        FindSegments();
        var last = start is null ? 0 : Math.Max(0, _found.FindLastIndex(segment => segment.FirstSequence < start.NextSequence));
        for (var i = 0; i < last; i++) PassOver(i);
        for (var i = last; i < _found.Count; i++) Verify(i, replay);
        if (_closed) throw Missing("no file");
        if (!_startFound) throw new SnapshotMismatchException(start!.Name, $"it holds {start.NextSequence} entries, and the journal ends after {NextSequence}");
    }

    private void FindSegments()
    {
        FindSegmentsIn(folder);
        if (_archive is not null) FindArchived(_archive);
        _found.Sort((a, b) => a.FirstSequence.CompareTo(b.FirstSequence));
    }

    /// <summary>Adds what is in the archive only. What is in both folders was being moved: the original is used, and the
    /// copy made again.</summary>
    private void FindArchived(string archive)
    {
        var inPlace = _found.ToDictionary(segment => segment.FirstSequence, segment => segment.Path);
        var newest = inPlace.Count == 0 ? -1 : inPlace.Keys.Max();
        FindSegmentsIn(archive);
        foreach (var (path, first) in _found[inPlace.Count..])
        {
            if (!inPlace.TryGetValue(first, out var original)) continue;
            // Above all, this finds an archive that is the journal's own folder under another name.
            if (first == newest) throw Corrupt(path, 0, "no copy of the newest segment, which is never archived", "one");
            RequireCopy(path, original);
            _leftovers.Add(path);
        }
        _found.RemoveAll(segment => _leftovers.Contains(segment.Path));
    }

    /// <summary>A copy gets its name when it is whole: one that differs is damaged, or another ledger's.</summary>
    private void RequireCopy(string path, string original)
    {
        using var copied = files.Open(path);
        var copy = Begin(path, copied).All.ToArray();
        using var file = files.Open(original);
        if (Begin(original, file).All.CommonPrefixLength(copy) is var same && (same < copy.Length || same <= SegmentHeader.Bytes))
            throw Corrupt(path, same, $"a copy of {original}", "other bytes, perhaps another ledger's");
    }

    private void FindSegmentsIn(string folder)
    {
        foreach (var name in files.List(folder))
        {
            var path = Path.Combine(folder, name);
            if (name.EndsWith(FileJournal.UnfinishedExtension, StringComparison.Ordinal)) _leftovers.Add(path);
            else if (SegmentHeader.TryParseFileName(name, out var first)) _found.Add((path, first));
            else if (name.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal)) throw Corrupt(path, 0, "no segment of that name", "one");
        }
    }

    /// <summary>Takes a segment that ends before the start by its two ends.</summary>
    private void PassOver(int number)
    {
        var path = _found[number].Path;
        using var file = files.Open(path);
        var page = new byte[SegmentHeader.Bytes];
        CheckHeader(number, page.AsSpan(0, file.Read(0, page)));
        if (SegmentCheck.ReadClosing(file) is not { } closing)
            throw Corrupt(path, file.Length, $"a closing frame at its end, for {_found[number + 1].Path} came after it", "none");
        Segments.Add(SegmentIndex.Unread(path, NextSequence, closing.Header, closing.Offset));
        (NextSequence, Chain, _epochSeen, _closed) = (closing.Header.FirstSequence, closing.Header.ChainHash, closing.Header.WriterEpoch, true);
    }

    /// <summary>Verifies one segment and replays its frames.</summary>
    private void Verify(int number, ReplayBatch replay)
    {
        var path = _found[number].Path;
        using var file = files.Open(path);
        var segment = Begin(path, file);
        if (!TryContinue(number, segment)) return;

        var index = new SegmentIndex(path, NextSequence, segment.Length);
        var (at, lastAt) = (SegmentHeader.Bytes, 0);
        _closed = false;
        while (!_closed && TryTakeFrame(path, segment, at, out var header))
        {
            var frame = segment.From(at, FrameHeader.FrameBytes(header.PayloadBytes));
            // One walk over the records says whether they are such, and where to find them later.
            if (!index.TryAdd(frame, at, header))
                throw Corrupt(path, at + FrameHeader.Bytes, $"records that cover {header.Sequences} sequences", "others");
            Accept(frame, header, replay);
            (lastAt, at) = (at, at + frame.Length);
        }
        var bytes = segment.All;
        var rest = bytes.Slice(at, bytes[at..].LastIndexOfAnyExcept((byte)0) + 1);
        if (_closed && rest.Length > 0) throw Corrupt(path, at, "zeros after the closing frame", "other bytes");
        if (rest.Length > 0) RefuseIfProvenDurable(path, bytes, at);

        _torn = rest.ToArray();
        (ActivePath, Position) = (path, at);
        // The first segment has none before it that is closed once its name is durable: without a frame it is made anew.
        if (number == 0 && lastAt == 0) _unused = path;
        else Segments.Add(index);
        if (lastAt > 0) (_lastFramePath, _lastFrameOffset, _lastFrame) = (path, lastAt, bytes[lastAt..at].ToArray());
    }

    /// <summary>Whether a segment continues what was verified so far; false if a crash came before it was used. Until
    /// the segment before is closed, a new one holds its header and nothing else.</summary>
    private bool TryContinue(int number, SegmentReader segment)
    {
        var (path, named) = _found[number];
        var bytes = segment.From(0, SegmentHeader.Bytes);
        var header = ReadHeader(number, bytes);
        if (!_closed && number == _found.Count - 1 && named == NextSequence && !segment.All[SegmentHeader.Bytes..].ContainsAnyExcept((byte)0))
        {
            _unused = path;
            return false;
        }
        if (!_closed && number > 0)
            throw Corrupt(ActivePath, Position, $"the frame with sequence {NextSequence}, or a closing frame", $"neither, though {path} came after it");
        CheckHeader(number, bytes);
        return true;
    }

    private SegmentHeader ReadHeader(int number, ReadOnlySpan<byte> bytes)
    {
        var (path, named) = _found[number];
        // A segment gets its name only when its header is durable: no crash explains a bad one.
        if (!SegmentHeader.TryRead(bytes, out var header, out var problem)) throw Corrupt(path, 0, "a segment's header", problem);
        if (header.Partition != settings.Partition)
            throw Corrupt(path, 0, $"a segment of partition {settings.Partition}", $"one of partition {header.Partition}");
        if (header.FirstSequence != named) throw Corrupt(path, 0, $"the segment from sequence {named}", $"the one from {header.FirstSequence}");
        return header;
    }

    /// <summary>A segment follows the one before without a gap.</summary>
    private void CheckHeader(int number, ReadOnlySpan<byte> bytes)
    {
        var (path, named) = _found[number];
        var header = ReadHeader(number, bytes);
        if (named != NextSequence) throw Missing($"no file; the next one is {path}");
        if (header.PreviousChainHash != Chain) throw Corrupt(path, 0, $"chain hash {Chain} in its header", $"{header.PreviousChainHash}");
    }

    /// <summary>Begins to read a segment, over the bytes of the one before.</summary>
    private SegmentReader Begin(string path, IFile file)
    {
        var length = file.Length;
        if (length > Limits.SegmentBytesMax) throw Corrupt(path, 0, $"at most {Limits.SegmentBytesMax} bytes", $"{length}");
        if (_buffer.Length < length) _buffer = GC.AllocateUninitializedArray<byte>((int)length);
        return new SegmentReader(file, _buffer, (int)length);
    }

    /// <summary>Whether a whole frame stands here that continues the journal, whatever its payload is made of. False if none does, or a torn one;
    /// throws if one does that no crash can have left.</summary>
    private bool TryTakeFrame(string path, SegmentReader segment, int at, out FrameHeader header)
    {
        var head = segment.From(at, FrameHeader.Bytes);
        if (!FrameHeader.TryRead(head, out header)) return false;
        if (FrameHeader.Problem(head, header, NextSequence, _epochSeen) is { } problem)
            throw Corrupt(path, at, $"a frame with sequence {NextSequence}", problem);
        var size = FrameHeader.FrameBytes(header.PayloadBytes);
        var frame = segment.From(at, size);
        if (frame.Length < size) return false;
        var payload = frame.Slice(FrameHeader.Bytes, header.PayloadBytes);
        if (Crc32C.Compute(payload) != header.PayloadCrc) return false;
        if (frame[(FrameHeader.Bytes + payload.Length)..].ContainsAnyExcept((byte)0)) return false;

        if (FrameHeader.Chain(frame, payload, Chain, _sha256) != header.ChainHash)
            throw Corrupt(path, at, $"the frame with sequence {NextSequence} that continues chain hash {Chain}", "a frame of another history");
        return true;
    }

    private void Accept(ReadOnlySpan<byte> frame, in FrameHeader header, ReplayBatch replay)
    {
        if (!header.IsSeal)
        {
            if (_startFound) replay(new RecoveredBatch(header.FirstSequence, header.Sequences, frame.Slice(FrameHeader.Bytes, header.PayloadBytes)));
            else LookForStart(header);
            LastEntryChain = header.ChainHash;
        }
        NextSequence += header.Sequences;
        Chain = header.ChainHash;
        EndsWithSeal = header.IsSeal;
        _epochSeen = header.WriterEpoch;
        _closed = header.IsClosing;
        _frames++;
    }

    /// <summary>The frame that ends where the replay is to begin must be the one that the kept state was taken behind.</summary>
    private void LookForStart(in FrameHeader header)
    {
        var end = header.FirstSequence + header.Sequences;
        if (end < start!.NextSequence) return;
        if (end > start.NextSequence || header.ChainHash != start.ChainHash)
            throw new SnapshotMismatchException(start.Name, $"the journal's first {start.NextSequence} entries are not those that it holds the state of");
        _startFound = true;
    }

    /// <summary>A bad frame is damage if a later one in the segment calls its sequence durable.</summary>
    private void RefuseIfProvenDurable(string path, ReadOnlySpan<byte> bytes, int at)
    {
        var from = at + FrameHeader.AlignmentBytes;
        // A header that reads well is believed: what follows its payload is later, what is inside is not a frame.
        if (FrameHeader.TryRead(bytes[at..], out var bad)) from = at + FrameHeader.FrameBytes(bad.PayloadBytes);
        for (var later = from; later <= bytes.Length - FrameHeader.Bytes; later += FrameHeader.AlignmentBytes)
        {
            if (FrameHeader.TryRead(bytes[later..], out var header) && header.DurableSequence >= NextSequence)
                throw Corrupt(path, at, $"the frame with sequence {NextSequence}, which the frame at byte {later} calls durable", "other bytes");
        }
    }

    /// <summary>
    /// Leaves a journal that a crash during this repair, too, leaves in order. The last frame is written again,
    /// although it reads well: if its sync failed before the process ended, the page cache may hold what the disk
    /// does not, and calls it clean.
    /// </summary>
    private string? Repair()
    {
        foreach (var leftover in _leftovers) files.Delete(leftover);
        var tornFile = _torn.Length > 0 ? KeepTornBytes() : null;
        if (_unused is not null)
        {
            files.Delete(_unused);
            logger.UnusedSegmentRemoved(_unused);
        }
        files.SyncFolder(folder);
        if (_archive is not null) files.SyncFolder(_archive);
        if (tornFile is not null) logger.TornTailCut(_torn.Length, ActivePath, Position, tornFile);
        if (Segments.Count == 0) return tornFile;

        Active = files.Open(ActivePath);
        if (_lastFramePath == ActivePath) Active.Write(_lastFrameOffset, _lastFrame);
        else if (_lastFrame.Length > 0) RewriteClosingFrame();
        if (_torn.Length > 0) Active.Write(Position, new byte[_torn.Length]);
        // Only a file that was cut from outside lacks the room for its last two seals, and a segment without frames
        // that for a batch, if the setting has grown since.
        Active.Preallocate(Position > SegmentHeader.Bytes ? Position + (2 * FrameHeader.Bytes) : settings.SegmentBytes);
        Active.SyncData();
        return tornFile;
    }

    private void RewriteClosingFrame()
    {
        using var file = files.Open(_lastFramePath);
        file.Write(_lastFrameOffset, _lastFrame);
        file.SyncData();
    }

    /// <summary>Copies what is about to be cut to a file of its own; an earlier copy, of a repair that did not end, stays.</summary>
    private string KeepTornBytes()
    {
        var stem = string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(ActivePath)}.{Position}");
        var taken = files.List(folder);
        var name = stem + TornExtension;
        for (var copy = 1; taken.Contains(name); copy++) name = string.Create(CultureInfo.InvariantCulture, $"{stem}.{copy}{TornExtension}");
        var path = Path.Combine(folder, name);
        using (var file = files.Create(path + FileJournal.UnfinishedExtension))
        {
            file.Write(0, _torn);
            file.SyncData();
        }
        files.Rename(path + FileJournal.UnfinishedExtension, path);
        return path;
    }

    private JournalCorruptException Missing(string found) =>
        Corrupt(Path.Combine(folder, SegmentHeader.FileName(NextSequence)), 0, $"the segment from sequence {NextSequence}", found);

    private static JournalCorruptException Corrupt(string file, long offset, string expected, string found) => new(file, offset, expected, found);

    public void Dispose() => _sha256.Dispose();
}
