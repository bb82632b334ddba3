// Copies the records of a ledger's journals as they are, in order, sealed in frames of the new journal. The copy is then read and
// replayed from its first entry, and must have the same bytes of records and come to the same state as the original.

using System.Buffers;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

/// <summary>Where journals are, or will be.</summary>
/// <param name="Remedy">What to do where it holds something else than the copy of the journal that is moved.</param>
/// <param name="Open">To append to.</param>
/// <param name="Read">Verifies the whole journal and replays it.</param>
/// <param name="Heads">Of the partitions that were read, in their order; only of a database.</param>
internal sealed record JournalEnd(string Name, string Remedy, Func<int, IRecoveredJournal> Open, Action<int, ReplayBatch> Read, IReadOnlyList<JournalHead> Heads)
{
    /// <summary>Who reads it takes it over: whoever had it writes nothing to it any more, and the head proves that it is whole.</summary>
    internal static JournalEnd InDatabase(JournalDatabase database, string remedy, ILogger logger)
    {
        var heads = new List<JournalHead>();
        PostgresJournal Open(int partition, ReplayBatch replay) => PostgresJournal.Open(database, partition, replay, logger);
        return new JournalEnd(database.Name, remedy, partition => Open(partition, static _ => { }), Read, heads);

        void Read(int partition, ReplayBatch batches)
        {
            using var journal = Open(partition, batches);
            heads.Add(journal.Head);
        }
    }

    /// <param name="folder">That holds <c>journal/</c>.</param>
    internal static JournalEnd InFiles(LinuxFileSystem files, EngineSettings settings, string folder, string remedy, ILogger logger) => new(
        folder,
        remedy,
        partition => FileJournal.Open(files, folder, JournalStore.ToFiles(settings, partition) with { PreparesSegments = false }, static _ => { }, logger),
        (partition, batches) => FileJournal.Read(files, folder, JournalStore.ToFiles(settings, partition), batches, logger),
        []);
}

internal static class JournalCopy
{
    /// <summary>Copies and compares all partitions.</summary>
    /// <exception cref="MigrationRefusedException">The original is not the ledger that the settings name or does not replay, or the
    /// copy is not its copy.</exception>
    internal static List<MovedPartition> Run(EngineSettings settings, JournalEnd from, JournalEnd to, MigrationProgress progress)
    {
        var moved = new List<MovedPartition>();
        for (var partition = 0; partition < settings.Partitions; partition++)
        {
            MovedPartition original;
            using (var journal = to.Open(partition))
            {
                var copy = new RecordCopy(journal, to);
                original = Replay(settings, partition, from, batch =>
                {
                    copy.Add(batch);
                    progress("copied", partition, batch.FirstSequence + batch.Sequences);
                });
                copy.Finish();
            }
            var copied = Replay(settings, partition, to, batch => progress("compared", partition, batch.FirstSequence + batch.Sequences));
            if (copied != original)
                throw IsOther(to, $"partition {partition}: {Describe(from, original)}, and the copy: {Describe(to, copied)}");
            moved.Add(original);
        }
        return moved;
    }

    private static string Describe(JournalEnd end, MovedPartition found) =>
        $"{end.Name} has {found.Entries} entries with the SHA-256 {found.RecordsHash} that come to the state {found.StateHash}";

    private static MigrationRefusedException IsOther(JournalEnd to, string found) => new($"{found}. {to.Name} holds another journal, or a damaged copy: {to.Remedy}");

    /// <summary>What a partition's journal comes to.</summary>
    private static MovedPartition Replay(EngineSettings settings, int partition, JournalEnd end, ReplayBatch batches)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var ledger = new Ledger(partition, ClientIds.DrawSecret());
        try
        {
            using var replay = new ReplayPipeline(ledger);
            end.Read(partition, batch =>
            {
                batches(batch);
                sha256.AppendData(batch.Payload);
                replay.Add(batch);
            });
            replay.Finish();
            if (ledger.Genesis is { } genesis) CheckIdentity(settings, genesis, end.Name);
            else throw new MigrationRefusedException($"partition {partition} in {end.Name} is empty");
            ledger.CheckEveryBalance();
        }
        catch (Exception e) when (e is LedgerInvariantException or FormatException)
        {
            throw new MigrationRefusedException($"partition {partition} in {end.Name}: {e.Message}", e);
        }
        return new MovedPartition(partition, ledger.NextSequence, ledger.StateHash(), Hash256.Read(sha256.GetHashAndReset()));
    }

    private static void CheckIdentity(EngineSettings settings, Genesis genesis, string name)
    {
        if (genesis.Origin == settings.Origin && genesis.Network == (byte)settings.Network && genesis.Partitions == settings.Partitions) return;
        throw new MigrationRefusedException($"{name} holds the ledger '{genesis.Origin}' on {(BitcoinNetwork)genesis.Network} with {genesis.Partitions} partitions, which the settings do not name");
    }

    /// <summary>Appends batches behind what the copy has already. Small ones go together, since each append is synced.</summary>
    private sealed class RecordCopy(IRecoveredJournal journal, JournalEnd to)
    {
        private const int AppendBytes = 1 << 20;

        private readonly ArrayBufferWriter<byte> _gathered = new();
        private long _first = journal.DurableSequence + 1;
        private int _sequences;
        private long _read;

        public void Add(RecoveredBatch batch)
        {
            _read = batch.FirstSequence + batch.Sequences;
            var next = _first + _sequences;
            if (_read <= next) return;
            if (batch.FirstSequence != next) throw IsOther(to, $"{to.Name} has {next} entries already, which is not where a batch ends");
            if (_gathered.WrittenCount > 0 && _gathered.WrittenCount + batch.Payload.Length > AppendBytes) Append();
            _gathered.Write(batch.Payload);
            _sequences += batch.Sequences;
        }

        public void Finish()
        {
            if (_sequences > 0) Append();
            if (_first != _read) throw IsOther(to, $"{to.Name} has {_first} entries already, and there are {_read}");
            journal.Seal();
        }

        private void Append()
        {
            if (!journal.TryReserve(_gathered.WrittenCount)) throw new NoSpaceException($"there is no room for the journal in {to.Name}");
            journal.Append(_gathered.WrittenSpan, _first, _sequences);
            (_first, _sequences) = (_first + _sequences, 0);
            _gathered.ResetWrittenCount();
        }
    }
}
