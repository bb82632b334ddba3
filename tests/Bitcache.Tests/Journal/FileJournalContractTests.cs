using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

/// <summary>The contract, with files on the real disk in segments that are soon full.</summary>
[Trait("suite", "core")]
public sealed class FileJournalContractTests : JournalContract, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bitcache-journal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    protected override IJournal Open(ReplayBatch replay, JournalStart? start = null) => FileJournal.Open(
        new LinuxFileSystem(), _folder, new FileJournalSettings { SegmentBytes = 1 << 20, Partition = 7 }, replay, NullLogger.Instance, start: start);

    protected override void TakeTurns(IJournal journal)
    {
        while (((FileJournal)journal).Upkeep.TakeTurn())
        {
        }
    }
}
