// F12: two owners of one partition. The first is paused just before it asks the database for something, the second takes
// the journal over and goes on; when the first goes on, too, it writes nothing and answers nothing.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class PausedOwnerTests(PostgresFixture postgres)
{
    private static readonly int Pauses = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 500 : 20;

    private WalletId _payer;
    private WalletId _payee;
    private long _paid;

    [Fact]
    public async Task An_owner_that_was_paused_while_another_took_over_writes_no_row_and_answers_nothing_stale()
    {
        // A cluster: a single server would not let the second one in.
        var settings = postgres.NewDatabase() with { Cluster = "tests" };
        await using (var first = PostgresBook.Open(settings)) (_payer, _payee) = await first.BeginAsync();
        for (var pause = 0; pause < Pauses; pause++)
        {
            PausableJournal? gate = null;
            await using var paused = PostgresBook.Open(settings, journal => gate = new PausableJournal(journal));
            for (var i = 0; i < pause % 3; i++) await PayAsync(paused);
            gate!.Pause();
            // In turn it is paused before an append and before the question who writes the journal.
            var asked = pause % 2 == 0 ? Stale(paused.PayAsync(NewId(), _payer, _payee).AsTask()) : Stale(ReceivedAsync(paused));
            await gate.Reached.WaitAsync(TestContext.Current.CancellationToken);
            var behind = new[]
            {
                Stale(ReceivedAsync(paused)), Stale(paused.PayAsync(NewId(), _payer, _payee).AsTask()),
                // Whether a wallet is there is answered at once; that it is not may have changed.
                Stale(paused.Partition.OwnersAsync([new WalletId(4_711)])),
            };
            Assert.Equal([Ledger.OperatorTenant], await paused.Partition.OwnersAsync([_payee]));
            await using var owner = PostgresBook.Open(settings);
            Assert.Equal(_paid, await ReceivedAsync(owner));
            for (var i = 0; i <= pause % 4; i++) await PayAsync(owner);

            gate.GoOn();

            await asked;
            await Task.WhenAll(behind);
            Assert.IsType<WriterFencedException>(Assert.Single(paused.Ends));
            Assert.Equal(_paid, await ReceivedAsync(owner));
        }
        await using var last = PostgresBook.Open(settings);
        Assert.Equal(_paid, await ReceivedAsync(last));
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private async Task PayAsync(PostgresBook book)
    {
        Assert.Equal(Outcome.Accepted, (await book.PayAsync(NewId(), _payer, _payee)).Outcome);
        _paid++;
    }

    private Task<long> ReceivedAsync(PostgresBook book) => book.Partition.QueryAsync(ledger => ledger.FindWallet(_payee)!.Value.Available.Value);

    /// <summary>Whoever asked an owner that was replaced learns that nothing can be told.</summary>
    private static Task<OutcomeUnknownException> Stale(Task asked) => Assert.ThrowsAsync<OutcomeUnknownException>(() => asked);
}
