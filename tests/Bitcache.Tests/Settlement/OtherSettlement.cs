using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>A second settlement of one ledger: it has the same keys and the same node, and all else anew, as a process that
/// takes settlement over.</summary>
internal sealed class OtherSettlement : IAsyncDisposable
{
    private readonly LogKeeper _log;
    private readonly AddressAllocator _addresses;

    private OtherSettlement(SettlementTerm term, IBitcoinNode node, string keys, EngineSettings settings, TimeProvider time)
    {
        var (system, disk) = (new LinuxFileSystem(), LogBook.NewDisk());
        var key = CheckpointKey.Open(system, keys, BegunLedger.Origin, mayCreate: false);
        _log = new LogKeeper(term, key, SignedMark.Open(disk, "/data"), disk, LogBook.Folder);
        _addresses = new AddressAllocator(term, node, settings, NullLogger.Instance);
        var cold = new ColdWallet(node, settings);
        var books = new EpochBooks(
            term, node, _log, cold, LiabilityKey.Open(system, keys, mayCreate: true), new EpochFolder(disk, "/data/epochs"), settings, time, NullLogger.Instance);
        Loop = new SettlementLoop(
            term, _log, node, new NodeGate(node, "regtest", BitcoinNetwork.Regtest.GenesisBlock()), _addresses, cold, books, settings, time,
            NullLogger.Instance, (why, cause) => throw new InvalidOperationException(why, cause));
    }

    public SettlementLoop Loop { get; }

    public static async Task<OtherSettlement> BeginAsync(SettlementTerm term, IBitcoinNode node, string keys, EngineSettings settings, TimeProvider time)
    {
        var other = new OtherSettlement(term, node, keys, settings, time);
        await other._log.ResumeAsync();
        return other;
    }

    public async ValueTask DisposeAsync()
    {
        await Loop.DisposeAsync();
        await _addresses.DisposeAsync();
        _log.Dispose();
    }
}
