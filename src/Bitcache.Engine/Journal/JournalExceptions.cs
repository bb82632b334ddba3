namespace Bitcache.Engine.Journal;

/// <summary>The journal could not write or sync. What was being appended may or may not be durable, and the journal
/// takes no further call: the process must end and start again, because a second sync proves nothing.</summary>
public class JournalFailedException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>Another process has taken the journal over: nothing was appended, and nothing that was asked for is answered.
/// Whoever asks again asks the new owner.</summary>
public sealed class WriterFencedException(string message) : JournalFailedException(message);

/// <summary>What is durable cannot be read now. Nothing was changed; later it can be.</summary>
public sealed class JournalUnavailableException(string journal, Exception reason) : IOException($"{journal} cannot be read now: {reason.Message}", reason);

/// <summary>The database cannot be used as a journal. Nothing was changed in it.</summary>
public sealed class JournalRefusedException(string reason, Exception? inner = null) : IOException($"The database of the journal cannot be used: {reason}.", inner);

/// <summary>The journal on disk is damaged in a way that no crash explains. Nothing on disk was changed.</summary>
public sealed class JournalCorruptException(string file, long offset, string expected, string found) : IOException(
    $"The journal is damaged: {file} at byte {offset} should hold {expected}, but holds {found}. Nothing was changed. "
    + "Keep a copy of the whole journal folder, check the disk, and restore the journal from a backup that holds this "
    + "sequence; never delete or edit the file, for acknowledged payments are in it.")
{
    public string File => file;
    public long Offset => offset;
    public string Expected => expected;
    public string Found => found;
}

/// <summary>Segments of the journal were moved to an archive, and this is not it. Nothing was changed.</summary>
public sealed class ArchiveMissingException(string folder, string partition) : IOException(
    $"The archive {folder} has no folder {partition}, and the oldest segments of that journal were moved there. Mount the archive's disk, "
    + "or correct archiveFolder. Nothing was changed.");

/// <summary>Old ids cannot be looked up yet: the filters of too many segments are still being made. Later they can.</summary>
public sealed class IdsNotIndexedException(int segments) : Exception(
    $"The id filters of {segments} journal segments are still being made; look-ups of old ids wait for them.");
