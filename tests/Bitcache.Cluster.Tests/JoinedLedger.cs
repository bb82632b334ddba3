// A process's share in a ledger over PostgreSQL, as a silo has it: a copy of each partition, any of which may come to be written
// here.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Cluster.Tests;

internal sealed class JoinedLedger : IAsyncDisposable
{
    public const string Origin = "tests.example/log";
    public const byte Network = 3;

    private JoinedLedger(SharedLedger shared, SharedPartition[] partitions) => (Shared, Set) = (shared, new PartitionSet(partitions, shared.Courier));

    public SharedLedger Shared { get; }
    public PartitionSet Set { get; }

    /// <summary>Partitions that are written here, as far as is known here.</summary>
    public int Owned => Set.All.Count(partition => this[partition.Number].IsOwned);

    public SharedPartition this[int partition] => (SharedPartition)Set[partition];

    /// <param name="owner">The way to whoever writes a partition that is not written here.</param>
    /// <param name="fatal">Told when the process must end.</param>
    public static async Task<JoinedLedger> OpenAsync(string connection, int partitions, IPartitionOwner owner, ILogger logger, FatalHandler fatal)
    {
        var database = JournalDatabase.Open(new PostgresSettings { ConnectionString = connection, Origin = Origin, Network = Network, Partitions = partitions, Cluster = "test" });
        var tail = new JournalTail(database, logger, cause => fatal("a copy cannot follow", cause));
        var shared = new SharedLedger(
            database, tail, owner, new RecoveryTerms(new SnapshotSettings(), ClientIds.DrawSecret()), TimeProvider.System, logger, fatal,
            // As many partitions share a process, none takes much at a time.
            new PartitionBounds { BatchBytes = 2 * Limits.RecordBytesMax, BatchEntries = 1_000 });
        return new JoinedLedger(shared, await Task.WhenAll(Enumerable.Range(0, partitions).Select(number => SharedPartition.OpenAsync(number, shared))));
    }

    /// <summary>Makes the first entries of every partition, and wallets with money, spread evenly.</summary>
    public async Task<WalletId[]> BeginAsync(int walletsEach, long satEach)
    {
        var operatorWallet = ClientIds.NextWallet(0, Set.Count);
        foreach (var partition in Set.All)
            await AcceptAsync(partition, new Genesis(Origin, Network, Set.Count, operatorWallet, new ByteString([0x51]), []), ledger => ledger.Genesis is not null);
        var wallets = Enumerable.Range(0, walletsEach * Set.Count).Select(at => ClientIds.NextWallet(at % Set.Count, Set.Count)).ToArray();
        await Task.WhenAll(wallets.Select((wallet, at) => FundAsync(wallet, at, satEach)));
        return wallets;
    }

    public ValueTask<PaymentAnswer> PayAsync(OperationId id, WalletId payer, WalletId payee) => Set.SubmitAsync(
        new Payment { Kind = PaymentKind.Transfer, Id = id, Payer = payer, Payee = payee, Amount = new Msat(1) }, Ledger.OperatorTenant);

    public async ValueTask DisposeAsync()
    {
        await Set.DisposeAsync();
        Shared.Tail.Dispose();
        Shared.Database.Dispose();
    }

    private async Task FundAsync(WalletId wallet, int at, long sat)
    {
        var script = new ByteString([0, 20, .. new byte[19], (byte)at]);
        var output = new OutPoint(default, (uint)at);
        var home = Set.HomeOf(wallet);
        await AcceptAsync(home, new CreateWallet(ClientIds.Next(TimeProvider.System), Ledger.OperatorTenant, wallet), ledger => ledger.FindWallet(wallet) is not null);
        await AcceptAsync(home, new AssignAddress(ClientIds.Next(TimeProvider.System), wallet, AddressPurpose.Deposit, script), ledger => ledger.FindAddress(script) is not null);
        await AcceptAsync(home, new ChangeDeposit(output, DepositState.Credited, false, script, new Sats(sat), default, 1), ledger => ledger.FindDeposit(output) is not null);
    }

    /// <summary>Until it is done: a silo that has just come may take a partition over in the middle of it.</summary>
    private static async Task AcceptAsync(Partition partition, Command command, Func<Ledger, bool> isThere)
    {
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                if (await partition.QueryAsync(isThere)) return;
                var answer = await partition.SubmitAsync(command);
                if (answer.Outcome != Outcome.Accepted) throw new InvalidOperationException($"{command} was answered {answer.Outcome}");
            }
            catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException && Stopwatch.GetElapsedTime(begun) < SiloStage.Patience)
            {
                await Task.Delay(20);
            }
        }
    }
}
