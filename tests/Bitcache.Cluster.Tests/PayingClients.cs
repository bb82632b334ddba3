// Clients that pay without a pause, each from wallets of one partition to any wallet, by way of this silo or that one. What was
// not acknowledged they send again with the same id, to the other silo, until it is.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cluster.Tests;

internal sealed class PayingClients
{
    /// <summary>How long a client waits for an answer before it asks another silo.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly SiloProcess[] _silos;
    private readonly WalletId[] _wallets;
    private readonly int _partitions;
    private readonly Task[] _clients;
    private readonly ConcurrentBag<Paid> _acknowledged = [];
    // When each partition was last asked what it answered, by the monotonic clock.
    private readonly long[] _heard;
    private int _failures;
    private volatile bool _isEnding;
    private volatile bool _isAbandoned;

    /// <param name="silos">The test replaces those that end.</param>
    /// <param name="wallets">The n-th lives in partition n modulo their number.</param>
    public PayingClients(SiloProcess[] silos, WalletId[] wallets, int partitions, int clients)
    {
        (_silos, _wallets, _partitions, _heard) = (silos, wallets, partitions, new long[partitions]);
        _clients = [.. Enumerable.Range(0, clients).Select(client => Task.Run(() => PayAsync(client)))];
    }

    public int Acknowledged => _acknowledged.Count;
    public int Failures => Volatile.Read(ref _failures);

    /// <summary>How long it took until every partition had answered again.</summary>
    public async Task<TimeSpan> UntilAllAnswerAsync(long since, CancellationToken cancel)
    {
        while (_heard.Any(at => Volatile.Read(in at) <= since))
        {
            foreach (var client in _clients.Where(client => client.IsFaulted)) await client;
            await Task.Delay(5, cancel);
        }
        return Stopwatch.GetElapsedTime(since, _heard.Max());
    }

    /// <summary>Ends the clients when everything was acknowledged.</summary>
    public async Task EndAsync(CancellationToken cancel)
    {
        _isEnding = true;
        await Task.WhenAll(_clients).WaitAsync(TimeSpan.FromSeconds(60), cancel);
    }

    /// <summary>Ends the clients, whatever was acknowledged.</summary>
    public async Task AbandonAsync()
    {
        _isEnding = _isAbandoned = true;
        await Task.WhenAll(_clients);
    }

    /// <summary>Holds what the clients were told against a copy of the ledger: each payment is there, and once.</summary>
    public async Task CheckAsync(PartitionSet ledger, long startMsat)
    {
        var expected = _wallets.ToDictionary(wallet => wallet, _ => startMsat);
        foreach (var paid in _acknowledged)
        {
            expected[paid.Payer]--;
            expected[paid.Payee]++;
        }
        while ((await ledger.QueryAllAsync(copy => Enumerable.Range(0, _partitions).Sum(to => copy.LegsTo(to).Count))).Sum() != 0) await Task.Yield();
        foreach (var wallet in _wallets)
            Assert.Equal(expected[wallet], await ledger.HomeOf(wallet).QueryAsync(copy => copy.FindWallet(wallet)!.Value.Available.Value));
        await ledger.QueryAllAsync(copy =>
        {
            copy.CheckConservation();
            return true;
        });
        foreach (var group in _acknowledged.GroupBy(paid => paid.Payer.PartitionOf(_partitions)))
        {
            var paid = group.OrderBy(one => one.Sequence).ToArray();
            // No two are one, and each is where its acknowledgement said.
            Assert.Equal(paid.Length, paid.DistinctBy(one => one.Sequence).Count());
            ledger[group.Key].ReadEach([.. paid.Select(one => one.Sequence)], (at, record) => Assert.Equal(paid[at].Id, ((PaymentCommand)Entry.Read(record).Command).Id));
        }
    }

    private async Task PayAsync(int client)
    {
        // Each has a partition of its own, so that one that is away does not keep the others from being asked.
        var own = _wallets.Where((_, at) => at % _partitions == client % _partitions).ToArray();
        var random = new Random(client);
        for (var asked = client; !_isEnding;)
        {
            var (payer, payee) = (own[random.Next(own.Length)], _wallets[random.Next(_wallets.Length)]);
            if (payer == payee) continue;
            var id = ClientIds.Next(TimeProvider.System);
            for (; !await TryAsync(_silos[asked % _silos.Length], id, payer, payee); asked++)
            {
                if (_isAbandoned) return;
                Interlocked.Increment(ref _failures);
                await Task.Delay(20);
            }
        }
    }

    private async Task<bool> TryAsync(SiloProcess silo, OperationId id, WalletId payer, WalletId payee)
    {
        var asked = Stopwatch.GetTimestamp();
        try
        {
            // What a silo says that could not do it has one word; so has whoever waits for it elsewhere.
            if (await silo.PayAsync(id, payer, payee).WaitAsync(Patience) is not [nameof(Outcome.Accepted), var sequence, _]) return false;
            _acknowledged.Add(new Paid(id, payer, payee, long.Parse(sequence, CultureInfo.InvariantCulture)));
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            return false;
        }
        Volatile.Write(ref _heard[payer.PartitionOf(_partitions)], asked);
        return true;
    }

    private readonly record struct Paid(OperationId Id, WalletId Payer, WalletId Payee, long Sequence);
}
