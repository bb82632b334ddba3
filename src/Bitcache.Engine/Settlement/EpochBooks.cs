// Closes the books of an epoch, step by step:
//
//   facts of the chain, durable -> cut of every partition, which keeps its balances -> proofs of the coins -> tree of what is
//   owed, off the loop -> files, durable -> the statement, journaled -> an anchor over it
//
// A process that ends in between goes on where it was: balances are kept again when the cut is replayed, and everything else is
// made again from them. Where they cannot be had any more, as after a snapshot behind the cut, or where the block left the chain,
// the epoch stays without a statement, and the next one follows at once.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>How far the books are. Replaced whole.</summary>
/// <param name="Stated">The newest epoch with a statement; 0 before the first.</param>
/// <param name="Open">Epochs whose books are being closed.</param>
/// <param name="Trouble">Why that does not go on; null when it does.</param>
public sealed record BooksHealth(long Stated, int Open, string? Trouble);

/// <summary>Owned by the settlement loop.</summary>
public sealed class EpochBooks : IAsyncDisposable
{
    /// <summary>How long a turn waits for a tree, before others have theirs: one of a million wallets is done by then.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    /// <summary>After so long the balances are not kept any more, and snapshots are taken again.</summary>
    private static readonly TimeSpan OpenMax = TimeSpan.FromMinutes(15);
    /// <summary>How soon an epoch follows one that stays without a statement.</summary>
    private static readonly TimeSpan AgainAfter = TimeSpan.FromMinutes(1);

    private readonly SettlementTerm _term;
    private readonly PartitionSet _partitions;
    private readonly IBitcoinNode _node;
    private readonly LogKeeper _log;
    private readonly LiabilitySeed _seed;
    private readonly EpochFolder _folder;
    private readonly EngineSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CutFinder _facts;
    private readonly CoinProofs _proofs;
    private readonly Queue<OpenBooks> _open = new();
    private readonly CancellationTokenSource _stop = new();
    private IReadOnlyList<ListedCoin> _listed = [];
    private bool _isResumed;
    // At this block the newest statement's was in the chain.
    private BlockHash? _stoodAt;

    private sealed record OpenBooks(long Epoch, IReadOnlyList<EpochBalances> Balances, CutFacts Facts, long Since)
    {
        public Task<Built>? Building { get; set; }
    }

    private sealed record Built(Hash256 Root, Msat Total, Hash256 Withdrawals, Hash256 Reserves);

    internal EpochBooks(
        SettlementTerm term, IBitcoinNode node, LogKeeper log, ColdWallet cold, LiabilityKey key, EpochFolder folder, EngineSettings settings,
        TimeProvider time, ILogger logger)
    {
        (_term, _partitions, _node, _log, _seed, _folder, _settings, _time, _logger) = (term, term.Partitions, node, log, key.Seed, folder, settings, time, logger);
        _facts = new CutFinder(_partitions, node, cold);
        _proofs = new CoinProofs(node, settings);
    }

    public BooksHealth Health { get; private set; } = new(0, 0, null);

    /// <summary>Why the books did not go on when that was tried last, if it was for files of this machine; else null.</summary>
    internal Exception? FilesTrouble { get; private set; }

    /// <summary>Goes on with what was begun before a restart, once. Every partition has cut the epochs that the first has.</summary>
    public async Task ResumeAsync()
    {
        if (_isResumed) return;
        _isResumed = true;
        var (last, stated) = await _partitions.First.QueryAsync(ledger => (ledger.LastEpoch, ledger.LastStatedEpoch));
        if (stated is not null && _folder.Read(stated.Number, ReservesFile.Name) is { } file && ReservesFile.TryParse(file, _settings.Origin, out var reserves, out _))
        {
            _proofs.Take(reserves.Coins);
            _listed = [.. reserves.Coins.Select(c => new ListedCoin(c.Output, c.Amount, c.Script, c.Height))];
        }
        if (last is { Statement: null }) await OpenAsync(last.Number, _folder.Read(last.Number, EpochFolder.FactsName) is { } facts ? CutFacts.Read(facts) : null);
        await ReleaseOthersAsync();
        Tell(null, stated?.Number ?? 0);
    }

    /// <summary>Whether the newest epoch will stay without a statement, or its block left the chain, and another one should follow
    /// it. The node is asked once a block.</summary>
    /// <param name="best">The newest block that was looked at.</param>
    /// <param name="cancel">Ends the question.</param>
    public async Task<bool> IsMissingAsync(BlockHash? best, CancellationToken cancel)
    {
        var first = _partitions.First;
        var last = await first.QueryAsync(ledger => ledger.LastEpoch);
        if (last is null || _open.Count > 0 || (await first.TimeAsync()).Now.Milliseconds - last.Closed.Milliseconds < (long)AgainAfter.TotalMilliseconds) return false;
        if (last.Statement is not { } statement) return true;
        if (_stoodAt == best) return false;
        if (await _node.GetBlockHashAsync((int)statement.Height, cancel) != statement.Block) return true;
        _stoodAt = best;
        return false;
    }

    /// <summary>Finds out and keeps what only now can be asked about the block by which an epoch is about to be closed.</summary>
    /// <param name="block">The newest one that was looked at for deposits.</param>
    /// <returns>Null if the chain is not there any more.</returns>
    /// <exception cref="NodeException">Nothing is known now.</exception>
    public async Task<CutFacts?> PrepareAsync(long epoch, BlockHash? block, CancellationToken cancel)
    {
        if (await _facts.FindAsync(block, _listed, cancel) is not { } facts) return null;
        _folder.Write(epoch, EpochFolder.FactsName, facts.Write());
        return facts;
    }

    /// <summary>What was found out for an epoch before is not true of its cut.</summary>
    public void Forget(long epoch) => _folder.Delete(epoch, EpochFolder.FactsName);

    /// <summary>Begins to close the books of an epoch that every partition has cut.</summary>
    /// <param name="facts">Null where nothing is known of the chain: then there will be no statement.</param>
    public async Task OpenAsync(long epoch, CutFacts? facts)
    {
        var balances = await _partitions.QueryAllAsync(ledger => ledger.HoldBalances(epoch));
        if (facts is null || Array.Exists(balances, b => b is null))
        {
            _logger.EpochWithoutStatement(epoch, facts is null ? "the node could not be asked" : "its balances are not kept any more");
            await ReleaseAsync(epoch);
            return;
        }
        _open.Enqueue(new OpenBooks(epoch, balances!, facts, _time.GetTimestamp()));
        Tell(null);
    }

    /// <summary>Goes on with the oldest open books.</summary>
    /// <returns>Whether there is more to do now.</returns>
    /// <exception cref="IOException">There is no room: the next call tries again.</exception>
    public async Task<bool> AdvanceAsync(CancellationToken cancel)
    {
        FilesTrouble = null;
        if (!_open.TryPeek(out var books)) return false;
        try
        {
            if (await _node.GetBlockHashAsync((int)books.Facts.Block.Height, cancel) != books.Facts.Block.Block) return await GiveUpAsync(books, "its block left the chain");
            if (books.Building is null)
            {
                if (await _proofs.FindAsync(books.Facts.Coins, books.Facts.Block.Height, cancel) is not { } coins) return true;
                var operatorWallet = await _partitions.First.QueryAsync(ledger => ledger.OperatorWallet.Id);
                books.Building = Task.Run(() => BuildAndLetGo(books, coins, operatorWallet), CancellationToken.None);
            }
            await ((Task)books.Building).WaitAsync(Patience, _time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!books.Building.IsCompleted) return false;
            await StateAsync(books, await books.Building);
            return _open.Count > 0;
        }
        catch (Exception e) when (e is NodeException or UnauthorizedAccessException or (IOException and not Journal.JournalFailedException))
        {
            if (SettlementHinderedException.IsCausedBy(e)) FilesTrouble = e;
            books.Building = null;
            Tell(e.Message);
            if (_time.GetElapsedTime(books.Since) > OpenMax) return await GiveUpAsync(books, e.Message);
            return false;
        }
    }

    /// <summary>A tree of millions of wallets is a gigabyte for some seconds. Left to itself the collector lets several of them pile
    /// up; told so it finds them in the background.</summary>
    private Built BuildAndLetGo(OpenBooks books, IReadOnlyList<ReserveCoin> coins, WalletId operatorWallet)
    {
        var built = Build(books, coins, operatorWallet);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
        return built;
    }

    /// <summary>What a tree is built of does not change: the same epoch gives the same files, whenever it is built.</summary>
    private Built Build(OpenBooks books, IReadOnlyList<ReserveCoin> coins, WalletId operatorWallet)
    {
        var (epoch, block) = (books.Epoch, books.Facts.Block);
        var withdrawals = WithdrawalsFile.Write(books.Facts.Paid.Select(p => new PaidWithdrawal(p.Output, p.Amount, p.Script)));
        var reserves = new ReservesFile(epoch, block.Height, block.Block, _settings.Origin, coins).Write();
        var accounts = EpochLiabilities.Collect(_partitions, books.Balances, books.Facts, operatorWallet);
        _folder.Write(epoch, EpochFolder.BalancesName, accounts.Write);
        _stop.Token.ThrowIfCancellationRequested();
        var tree = LiabilityTree.Build(_seed, epoch, block.Height, accounts);
        _stop.Token.ThrowIfCancellationRequested();
        _folder.WriteLargeFiles(epoch, tree);
        _folder.Write(epoch, WithdrawalsFile.Name, withdrawals);
        _folder.Write(epoch, ReservesFile.Name, reserves);
        return new Built(tree.Root, tree.Total, HashOf(withdrawals), HashOf(reserves));
    }

    private async Task StateAsync(OpenBooks books, Built built)
    {
        var block = books.Facts.Block;
        var (size, _) = await _log.CutAtAsync(books.Epoch);
        var statement = new EpochStatement(books.Epoch, size, block.Height, block.Block, built.Root, built.Total, built.Withdrawals, built.Reserves);
        await _term.SubmitAsync(new StateEpoch(statement));
        _logger.EpochStated(books.Epoch, built.Total, new Sats(books.Facts.Coins.Sum(c => c.Amount.Value)), block.Height);
        _listed = books.Facts.Coins;
        _open.Dequeue();
        await ReleaseAsync(books.Epoch);
        if (books.Epoch > EpochFolder.LargeFilesKept) _folder.DropLargeFiles(books.Epoch - EpochFolder.LargeFilesKept);
        Tell(null, books.Epoch);
    }

    private async Task<bool> GiveUpAsync(OpenBooks books, string reason)
    {
        _logger.EpochWithoutStatement(books.Epoch, reason);
        // Nobody may read balances that are given back.
        if (books.Building is { } building) await ((Task)building).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _open.Dequeue();
        await ReleaseAsync(books.Epoch);
        Tell(null);
        return _open.Count > 0;
    }

    private Task<bool[]> ReleaseAsync(long epoch) => _partitions.QueryAllAsync(ledger =>
    {
        if (ledger.FindBalances(epoch) is { } kept) ledger.Release(kept);
        return true;
    });

    /// <summary>Those of the newest epoch are kept in any case, also where it is stated already, or will never be.</summary>
    private Task<bool[]> ReleaseOthersAsync()
    {
        var open = _open.Select(o => o.Epoch).ToHashSet();
        return _partitions.QueryAllAsync(ledger =>
        {
            foreach (var kept in ledger.Balances.Where(b => !open.Contains(b.Epoch)).ToArray()) ledger.Release(kept);
            return true;
        });
    }

    /// <summary>A tree that is being built is given up, and the balances wait for whoever makes it again.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var books in _open.Where(o => o.Building is not null)) await ((Task)books.Building!).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var held = _open.SelectMany(o => o.Balances).ToHashSet();
        try
        {
            if (held.Count > 0) await _partitions.QueryAllAsync(ledger => ledger.LetGo(held));
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            // A partition that ends holds nothing any more.
        }
        _stop.Dispose();
    }

    private void Tell(string? trouble, long? stated = null) => Health = new BooksHealth(stated ?? Health.Stated, _open.Count, trouble);

    private static Hash256 HashOf(byte[] file) => Hash256.Read(SHA256.HashData(file));
}
