using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>A ledger of one partition, as most tests of the engine begin: an operator whose wallet has money, and a wallet to
/// be paid.</summary>
internal static class BegunLedger
{
    public const string Origin = "ledger.test/log";

    /// <summary>What the operator's deposit was paid to.</summary>
    public static readonly ByteString Script = new([0, 20, .. new byte[20]]);

    /// <summary>The partition, which is not started yet.</summary>
    /// <param name="ledger">An empty one, if it is not given.</param>
    /// <param name="fatal">Fails loudly, if it is not given.</param>
    public static OwnedPartition Over(IJournal journal, TimeProvider time, Ledger? ledger = null, FatalHandler? fatal = null, PartitionBounds? bounds = null) => new(
        ledger ?? new Ledger(0), journal, new BatchClock(time, null), NullLogger.Instance,
        fatal ?? ((why, cause) => throw new InvalidOperationException(why, cause)), bounds: bounds);

    /// <summary>Makes the first entries. The payer is the operator's wallet, and has so much; the payee is the operator's, too.</summary>
    /// <param name="keys">What the genesis entry says of the ledger's keys.</param>
    /// <param name="settle">Has an entry become durable, where the partition has no threads that do.</param>
    public static async Task<(WalletId Payer, WalletId Payee)> BeginAsync(
        Partition partition, TimeProvider time, long sat, Func<Task<Answer>, Task<Answer>>? settle = null, IReadOnlyList<KeyFingerprint>? keys = null)
    {
        var (payer, payee) = (ClientIds.NextWallet(), ClientIds.NextWallet());
        Command[] first =
        [
            new Genesis(Origin, 3, 1, payer, new ByteString([0x51]), keys ?? []),
            new CreateWallet(ClientIds.Next(time), Ledger.OperatorTenant, payee),
            new AssignAddress(ClientIds.Next(time), payer, AddressPurpose.OperatorTopUp, Script),
            new ChangeDeposit(default, DepositState.Credited, false, Script, new Sats(sat), default, 1),
        ];
        foreach (var command in first)
        {
            var sent = partition.SubmitAsync(command);
            Assert.Equal(Outcome.Accepted, (await (settle?.Invoke(sent) ?? sent)).Outcome);
        }
        return (payer, payee);
    }
}
