// Settlement of a ledger from this process: all that stands between the partitions and Bitcoin, and the log over them. It begins
// where it is taken over and ends where it is handed on, as often as that may be, while the partitions go on.

using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>What a process settles with, whenever it does.</summary>
/// <param name="Files">Those of this machine, where the log's hashes are.</param>
/// <param name="Node">Whoever makes calls to the node in use.</param>
/// <param name="Nodes">All of them; null if there is nothing to choose from and to listen to.</param>
/// <param name="Keys">Those of the ledger.</param>
/// <param name="Mark">What was signed, ever.</param>
/// <param name="Epochs">What is kept of epochs in files.</param>
/// <param name="Fees">What users were quoted, whenever it settled.</param>
/// <param name="Fatal">Told when settlement must not go on. When another process has taken it over, the cause is a <see cref="TermOverException"/>.</param>
internal sealed record SettlementTools(
    EngineSettings Settings, IFileSystem Files, IBitcoinNode Node, NodeSwitch? Nodes, LedgerKeys Keys, SignedMark Mark,
    EpochFolder Epochs, WithdrawalFees Fees, TimeProvider Time, ILogger Logger, FatalHandler Fatal);

/// <summary>One term of settlement. Disposed of before the partitions; another may begin when it is.</summary>
internal sealed class SettlementDesk : IAsyncDisposable
{
    private readonly SettlementTools _tools;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _isLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BlockAnnouncements[] _announcements = [];
    // Under the lock: requests that are in it, and whether it takes no more.
    private int _requests;
    private bool _isEnding;

    private SettlementDesk(SettlementTools tools, SettlementTerm term, LogKeeper log)
    {
        var (settings, node, partitions) = (tools.Settings, tools.Node, term.Partitions);
        (_tools, Term, Log) = (tools, term, log);
        var gate = new NodeGate(node, settings.Network.ChainName(), settings.Network.GenesisBlock());
        var failover = tools.Nodes is { All.Count: > 1 } nodes ? new NodeFailover(nodes, partitions, settings, tools.Logger) : null;
        Addresses = new AddressAllocator(term, node, settings, tools.Logger);
        var cold = new ColdWallet(node, settings);
        var epochs = tools.Epochs;
        var books = new EpochBooks(term, node, log, cold, tools.Keys.Liabilities, epochs, settings, tools.Time, tools.Logger);
        Loop = new SettlementLoop(term, log, node, gate, Addresses, cold, books, settings, tools.Time, tools.Logger, tools.Fatal, tools.Fees, failover);
        Prover = new ReservesProver(partitions, node, cold, epochs, Key.Origin, tools.Logger);
        Receipts = new Receipts(partitions, log, Key.Origin);
        Epochs = new EpochPublication(partitions, Receipts, epochs, tools.Keys.Liabilities, Key.Origin, tools.Time);
    }

    public SettlementTerm Term { get; }
    public CheckpointKey Key => _tools.Keys.Checkpoint;
    public LogKeeper Log { get; }
    public SettlementLoop Loop { get; }
    public AddressAllocator Addresses { get; }
    public Receipts Receipts { get; }
    public ReservesProver Prover { get; }

    /// <summary>What is published of epochs.</summary>
    public EpochPublication Epochs { get; }

    /// <summary>Has this machine hash the log as far as it is cut, before settlement is taken over: whoever has it goes on meanwhile.</summary>
    /// <param name="tools">With what was signed until now.</param>
    /// <exception cref="HistoryMismatchException">The journal's history is not the one that was signed.</exception>
    public static async Task PrepareAsync(SettlementTools tools, PartitionSet partitions, CancellationToken cancel)
    {
        using var log = NewLog(tools, new SettlementTerm(partitions));
        await log.OpenAsync(cancel);
    }

    /// <summary>Goes on from what is journaled: opens the log, and signs its newest cut again.</summary>
    /// <param name="term">Was taken over; whoever had it before changes nothing any more.</param>
    /// <param name="cancel">Gives it up while the log is hashed.</param>
    /// <exception cref="HistoryMismatchException">The journal's history is not the one that was signed.</exception>
    /// <exception cref="TermOverException">Another process has settlement already.</exception>
    public static async Task<SettlementDesk> BeginAsync(SettlementTools tools, SettlementTerm term, CancellationToken cancel)
    {
        var log = NewLog(tools, term);
        try
        {
            await log.OpenAsync(cancel);
            await log.ResumeAsync();
            return new SettlementDesk(tools, term, log);
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    private static LogKeeper NewLog(SettlementTools tools, SettlementTerm term) =>
        new(term, tools.Keys.Checkpoint, tools.Mark, tools.Files, Path.Combine(tools.Settings.DataFolder, "log"));

    /// <summary>Has turns taken by themselves, and blocks heard of from the nodes that announce them. Only what the node in use
    /// has can be looked at.</summary>
    public void Start()
    {
        Loop.Start();
        _announcements =
        [
            .. from node in _tools.Nodes?.All ?? []
            where node.Announcements is not null
            select new BlockAnnouncements(node.Announcements!, () => { if (_tools.Nodes!.Used == node) Loop.Wake(); }, _tools.Logger),
        ];
    }

    /// <summary>Has the desk do something for a request, which it finishes before it ends.</summary>
    /// <exception cref="SettledElsewhereException">It ends. Nothing was done.</exception>
    public async Task<T> AskAsync<T>(Func<SettlementDesk, Task<T>> ask)
    {
        lock (_lock)
        {
            if (_isEnding) throw new SettledElsewhereException();
            _requests++;
        }
        try
        {
            return await ask(this);
        }
        finally
        {
            lock (_lock)
            {
                if (--_requests == 0 && _isEnding) _isLeft.TrySetResult();
            }
        }
    }

    /// <summary>Takes no more requests, and ends the turn that is under way. When this is done nothing is opened, signed or sent here
    /// any more: the requests that were in it are answered, or nothing is taken that they submit, because the term is over.</summary>
    public async Task EndAsync()
    {
        lock (_lock)
        {
            _isEnding = true;
            if (_requests == 0) _isLeft.TrySetResult();
        }
        await Loop.StopAsync();
        await Task.WhenAny(_isLeft.Task, Term.End);
    }

    /// <summary>Ends it. Requests that are in it are answered before: where the term is over, that it is.</summary>
    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        await _isLeft.Task;
        foreach (var announcements in _announcements) await announcements.DisposeAsync();
        await Loop.DisposeAsync();
        Epochs.Dispose();
        Prover.Dispose();
        await Addresses.DisposeAsync();
        Log.Dispose();
    }
}
