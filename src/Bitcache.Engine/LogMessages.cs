// Every message that the engine logs, in one place: what an operator may read, and at which level.

using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

internal static partial class LogMessages
{
    [LoggerMessage(EventId = 100, Level = LogLevel.Information,
        Message = "Journal {Folder} is open: {Sequences} sequences in {Frames} frames and {Segments} segments were verified; writer epoch {WriterEpoch}")]
    internal static partial void JournalOpened(ILogger logger, string folder, long sequences, long frames, int segments, long writerEpoch);

    [LoggerMessage(EventId = 101, Level = LogLevel.Warning,
        Message = "An unfinished write of {TornBytes} bytes was cut from {File} at byte {Offset}, as after a power failure. "
            + "It was never acknowledged. Its bytes are kept in {TornFile}")]
    internal static partial void TornTailCut(ILogger logger, long tornBytes, string file, long offset, string tornFile);

    [LoggerMessage(EventId = 102, Level = LogLevel.Information,
        Message = "Segment {File} was made but not yet used when the process ended; it is removed and will be made again")]
    internal static partial void UnusedSegmentRemoved(ILogger logger, string file);

    [LoggerMessage(EventId = 103, Level = LogLevel.Debug, Message = "Journal segment {File} of {Bytes} bytes begins")]
    internal static partial void SegmentBegun(ILogger logger, string file, long bytes);

    [LoggerMessage(EventId = 104, Level = LogLevel.Error,
        Message = "No space for a new journal segment of {Bytes} bytes in {Folder}: new operations are refused until there is. {Reason}")]
    internal static partial void NoSpaceForSegment(ILogger logger, long bytes, string folder, string reason);

    [LoggerMessage(EventId = 105, Level = LogLevel.Critical,
        Message = "Journal {Folder} failed and is closed; what was being written may or may not be durable, the next start decides")]
    internal static partial void JournalFailed(ILogger logger, string folder, Exception reason);
}
