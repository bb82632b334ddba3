// The partition's simulation over a journal in a real PostgreSQL: the same clients, crashes, retries, snapshots and book of
// accounts as on a simulated disk, with the faults that a database has.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Partitions;
using Bitcache.Tests.Simulation;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class PostgresSimulationTests(PostgresFixture postgres)
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 1_000 : 20;

    [Fact]
    public void Every_answered_payment_survives_and_a_retry_has_no_second_effect()
    {
        int halts = 0, retries = 0, snapshots = 0, fromSnapshots = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var stage = new PostgresStage(seed, postgres.NewDatabase());
            using var simulation = new PartitionSimulation(seed, stage);
            simulation.Run();
            Interlocked.Add(ref halts, simulation.Halts);
            Interlocked.Add(ref retries, simulation.Retries);
            Interlocked.Add(ref snapshots, simulation.Snapshots);
            Interlocked.Add(ref fromSnapshots, simulation.FromSnapshots);
        });
        if (Seeds.Only is not null) return;
        Assert.True(
            halts >= SeedsInAll / 4 && retries >= SeedsInAll && snapshots >= SeedsInAll / 4 && fromSnapshots >= SeedsInAll / 4,
            $"{halts} halts, {retries} retries, {snapshots} snapshots, {fromSnapshots} recoveries from one");
    }

    private sealed class PostgresStage(int seed, PostgresSettings settings) : PartitionStage, IDisposable
    {
        private readonly Random _random = new(seed);
        // Whoever takes over from elsewhere must be let in.
        private readonly JournalDatabase _database = JournalDatabase.Open(settings with { Cluster = "simulation" });
#pragma warning disable CA2213 // The simulation closes what is in it at each end of a life.
        private FailingJournal? _journal;
#pragma warning restore CA2213

        public override RecoveredLedger<IRecoveredJournal> Open(RecoveryTerms terms, ILogger log)
        {
            var (ledger, journal, snapshots, start) = LedgerRecovery.Open(_database, 0, null, terms, log);
            return new RecoveredLedger<IRecoveredJournal>(ledger, journal, snapshots, start);
        }

        public override IJournal Plant(IRecoveredJournal journal) =>
            _journal = new FailingJournal(journal, () => PostgresJournal.Open(_database, 0, _ => { }, NullLogger.Instance).Dispose());

        // An append is one operation here, and several on a disk.
        public override void HaltWithin(int operations) => _journal!.FailAt(1 + _random.Next(operations / 4), (Fault)_random.Next(3));

        public override void Crash()
        {
        }

        public override Ledger Replayed()
        {
            var ledger = new Ledger(0);
            var scratch = new byte[Limits.RecordBytesMax];
            PostgresJournal.Read(_database, 0, batch => ledger.ReplayBatch(batch.Payload, scratch));
            return ledger;
        }

        public void Dispose() => _database.Dispose();
    }

    private enum Fault
    {
        FailedAndNotDone,
        FailedButDone,
        TakenOver,
    }

    /// <summary>A journal that fails at one of its calls to the database.</summary>
    private sealed class FailingJournal(IJournal journal, Action takeOver) : JournalInFront(journal)
    {
        private int _callsLeft = int.MaxValue;
        private Fault _fault;

        public void FailAt(int call, Fault fault) => (_callsLeft, _fault) = (call, fault);

        public override void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
        {
            var fails = Begin();
            base.Append(payload, firstSequence, sequences);
            if (fails) throw new JournalFailedException("planted: done, and not told");
        }

        public override void Confirm()
        {
            var fails = Begin();
            base.Confirm();
            if (fails) throw new JournalFailedException("planted: done, and not told");
        }

        /// <summary>Whether the call fails after it was done.</summary>
        private bool Begin()
        {
            if (--_callsLeft != 0) return false;
            if (_fault == Fault.FailedAndNotDone) throw new JournalFailedException("planted: not done");
            if (_fault == Fault.TakenOver) takeOver();
            return _fault == Fault.FailedButDone;
        }
    }
}
