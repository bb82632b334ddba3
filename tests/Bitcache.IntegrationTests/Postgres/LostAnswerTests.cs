// F11: PostgreSQL dies, or its answer is lost after the commit. What was acknowledged is there, what nobody was told of is
// there once or not at all, and a retry under the same id tells which.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.IntegrationTests.Bitcoin;
using Npgsql;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class LostAnswerTests(PostgresFixture postgres)
{
    private static readonly bool IsFull = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1";
    private static readonly int Kills = IsFull ? 200 : 10;
    private static readonly int Cuts = IsFull ? 2_000 : 100;
    private const int Clients = 8;
    private const int RetriesOfEach = 20;

    [Fact]
    public async Task With_PostgreSQL_killed_under_load_what_was_acknowledged_is_there_and_nothing_twice()
    {
        var settings = postgres.NewDatabase();
        var payments = new Payments();
        for (var kill = 0; kill < Kills; kill++)
        {
            await using var book = PostgresBook.Open(settings);
            await payments.CheckAsync(book);
            var paying = Enumerable.Range(0, Clients).Select(_ => Task.Run(() => payments.PayUntilItEndsAsync(book), TestContext.Current.CancellationToken)).ToArray();
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5, 300)), TestContext.Current.CancellationToken);
            await postgres.Server.KillAsync();
            await Task.WhenAll(paying);
            Assert.NotEmpty(book.Ends);
            await postgres.Server.StartAsync(TestContext.Current.CancellationToken);
        }
        await using var last = PostgresBook.Open(settings);
        await payments.CheckAsync(last);
        Assert.True(payments.Acknowledged > Kills, $"{payments.Acknowledged} payments were acknowledged");
    }

    [Fact]
    public async Task With_the_answer_lost_after_the_commit_the_outcome_is_unknown_and_a_retry_finds_it()
    {
        // A cluster: the lock of a single server would be waited for, until the server notices that its owner is gone.
        var settings = postgres.NewDatabase() with { Cluster = "tests" };
        await using var proxy = new TcpProxy(postgres.Server.Port);
        var proxied = settings with { ConnectionString = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Port = proxy.Endpoint.Port }.ConnectionString };
        using var database = JournalDatabase.Open(proxied);
        var payments = new Payments();
        for (var cut = 0; cut < Cuts; cut++)
        {
            await using var book = PostgresBook.Open(database);
            await payments.CheckAsync(book);
            var id = ClientIds.Next(TimeProvider.System);
            proxy.Mode = ProxyMode.Reset;
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => book.PayAsync(id, payments.Payer, payments.Payee).AsTask());
            Assert.IsType<JournalFailedException>(Assert.Single(book.Ends));
            // Nobody is told anything any more, not even what was durable before.
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => book.Partition.QueryAsync(ledger => ledger.NextSequence));
            proxy.Mode = ProxyMode.Forward;
            payments.Unknown(id);
        }
        await using var last = PostgresBook.Open(settings);
        await payments.CheckAsync(last);
        // The server had committed each: the retries found what was there.
        Assert.Equal((Cuts, 0), (payments.FoundAgain, payments.MadeAnew));
    }

    /// <summary>The other of the pair: it failed, and was not done. The journal cannot tell the two apart, the reload can.</summary>
    [Fact]
    public async Task With_the_connection_ended_before_the_commit_a_retry_makes_the_payment()
    {
        var settings = postgres.NewDatabase();
        var payments = new Payments();
        await using (var book = PostgresBook.Open(settings))
        {
            await payments.CheckAsync(book);
            using var blocker = new NpgsqlConnection(settings.ConnectionString);
            await blocker.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken);
            PostgresFixture.Lock(transaction);
            var id = ClientIds.Next(TimeProvider.System);
            var paying = book.PayAsync(id, payments.Payer, payments.Payee).AsTask();
            while (!PostgresFixture.TryEndWhoWaits(settings.ConnectionString)) await Task.Yield();
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => paying);
            payments.Unknown(id);
        }
        await using var again = PostgresBook.Open(settings);
        await payments.CheckAsync(again);
        Assert.Equal((0, 1), (payments.FoundAgain, payments.MadeAnew));
    }

    [Fact]
    public async Task What_PostgreSQL_rolled_back_is_tried_again_and_nobody_notices()
    {
        var settings = postgres.NewDatabase();
        await using var book = PostgresBook.Open(settings);
        var (payer, payee) = await book.BeginAsync();
        // Two of three appends are refused as serialisation failures and deadlocks.
        PostgresFixture.Execute(settings.ConnectionString,
            """
            CREATE SEQUENCE attempts;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                attempt bigint := nextval('attempts');
            BEGIN
                IF attempt % 3 = 1 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
                IF attempt % 3 = 2 THEN RAISE EXCEPTION USING ERRCODE = '40P01'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON bitcache.batches FOR EACH ROW EXECUTE FUNCTION refuse();
            """);
        for (var i = 0; i < 20; i++) Assert.Equal(Outcome.Accepted, (await book.PayAsync(ClientIds.Next(TimeProvider.System), payer, payee)).Outcome);
        Assert.Empty(book.Ends);
        Assert.Equal(60L, PostgresFixture.Ask(settings.ConnectionString, "SELECT last_value FROM attempts"));
    }

    /// <summary>What clients sent and what they were told.</summary>
    private sealed class Payments
    {
        private readonly Dictionary<OperationId, long> _acknowledged = [];
        private readonly HashSet<OperationId> _unknown = [];

        public WalletId Payer { get; private set; }
        public WalletId Payee { get; private set; }

        /// <summary>Retries that found the first attempt done, and those that did it.</summary>
        public int FoundAgain { get; private set; }
        public int MadeAnew { get; private set; }

        public int Acknowledged
        {
            get
            {
                lock (_acknowledged) return _acknowledged.Count;
            }
        }

        public void Unknown(OperationId id)
        {
            lock (_unknown) _unknown.Add(id);
        }

        public async Task PayUntilItEndsAsync(PostgresBook book)
        {
            while (true)
            {
                var id = ClientIds.Next(TimeProvider.System);
                try
                {
                    var answer = await book.PayAsync(id, Payer, Payee);
                    Assert.Equal(Outcome.Accepted, answer.Outcome);
                    lock (_acknowledged) _acknowledged.Add(id, answer.Sequence);
                }
                catch (OutcomeUnknownException)
                {
                    Unknown(id);
                    return;
                }
            }
        }

        /// <summary>Begins the ledger, or holds what a new owner found against what was told to anybody.</summary>
        public async Task CheckAsync(PostgresBook book)
        {
            if (book.Ledger.NextSequence == 0)
            {
                (Payer, Payee) = await book.BeginAsync();
                return;
            }
            var (ids, sequences) = (_acknowledged.Keys.ToArray(), _acknowledged.Values.Select(sequence => (long?)sequence));
            Assert.Equal(sequences, await book.Partition.QueryAsync(ledger => Array.ConvertAll(ids, id => ledger.FindId(Payer, id))));
            foreach (var (id, sequence) in _acknowledged.TakeLast(RetriesOfEach))
            {
                var told = await book.PayAsync(id, Payer, Payee);
                Assert.Equal((Outcome.Accepted, sequence, true), (told.Outcome, told.Sequence, told.IsRetry));
            }
            foreach (var id in _unknown)
            {
                var told = await book.PayAsync(id, Payer, Payee);
                Assert.Equal(Outcome.Accepted, told.Outcome);
                if (told.IsRetry) FoundAgain++;
                else MadeAnew++;
                _acknowledged.Add(id, told.Sequence);
            }
            _unknown.Clear();
            // Each payment is of one msat: as many came as there are ids, and each has an entry of its own.
            var received = await book.Partition.QueryAsync(ledger => ledger.FindWallet(Payee)!.Value.Available.Value);
            Assert.Equal(_acknowledged.Count, received);
            Assert.Equal(_acknowledged.Count, _acknowledged.Values.Distinct().Count());
        }
    }
}
