// Which of our nodes is in use. Another one takes its place when it has not served for some turns and the other could: that
// one is asked first, so that nobody goes from a node that is down to one that is behind. The one that took over stays,
// also when the first is back: each change costs a look at everything.
//
// A change is safe because a node is never believed more than its own answers. What is signed is durable here, and its same
// bytes are sent to whichever node is in use; that the new node does not know a transaction means nothing.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Which node is in use, and how the others are.</summary>
/// <param name="Why">Why it is not the first one; null if it is.</param>
public sealed record NodesHealth(string Used, string? Why, IReadOnlyList<StandbyHealth> Standbys);

/// <param name="Trouble">Why it could not take over now; null if it could, or was not asked yet.</param>
public sealed record StandbyHealth(string Name, string? Trouble);

/// <summary>Owned by the settlement loop.</summary>
public sealed class NodeFailover : IAsyncDisposable
{
    /// <summary>Turns without service, one after the other, before another node is tried.</summary>
    public const int PatienceTurns = 3;
    /// <summary>It doubles with each change, and is what it was once a node has served as many turns.</summary>
    private const int PatienceTurnsMax = 96;
    /// <summary>While all is well the standbys are looked at with each block, and after so many turns without one.</summary>
    private const int LookTurns = 30;
    /// <summary>A standby that is looked at may hear of a block a moment later. One that takes over must have it.</summary>
    private const int BlocksBehindMax = 1;

    private readonly NodeSwitch _nodes;
    private readonly PartitionSet _partitions;
    private readonly EngineSettings _settings;
    private readonly ILogger _log;
    private readonly StandbyWallet _wallet;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<NodeEndpoint, string?> _troubles = [];
    private Task _looking = Task.CompletedTask;
    // Whoever looks is the only one at it.
    private bool _mustLookAgain;
    private int _lookedAt;
    private int _patience = PatienceTurns;
    private int _served;
    private int _failed;
    private string? _why;
    private volatile NodesHealth _health;

    public NodeFailover(NodeSwitch nodes, PartitionSet partitions, EngineSettings settings, ILogger log)
    {
        (_nodes, _partitions, _settings, _log) = (nodes, partitions, settings, log);
        _wallet = new StandbyWallet(partitions, settings.Network);
        _health = Describe();
    }

    public NodesHealth Health => _health;

    /// <summary>The look at the standbys that is under way, or was last.</summary>
    internal Task Looking => _looking;

    private IEnumerable<NodeEndpoint> Standbys => _nodes.All.Where(n => n != _nodes.Used);

    /// <summary>A turn with the node in use was whole.</summary>
    /// <param name="height">Of its newest block. When it is another one than before, the standbys are looked at beside the turns:
    /// that one of them could not take over should be known before it has to.</param>
    public async Task ServedAsync(int height)
    {
        _failed = 0;
        if (++_served >= _patience) _patience = PatienceTurns;
        if (!_looking.IsCompleted) return;
        await _looking;
        if (height == _lookedAt && _served % LookTurns != 0 && !_mustLookAgain) return;
        (_lookedAt, _mustLookAgain) = (height, false);
        _looking = LookAsync(height);
    }

    /// <summary>A turn with the node in use did its part of something long.</summary>
    public void Worked() => _failed = 0;

    /// <summary>A turn with the node in use ended early, for a reason that another node may not have.</summary>
    public void Failed() => (_served, _failed) = (0, _failed + 1);

    /// <summary>Puts another node in use if it is time and one could take over. Between two turns only.</summary>
    /// <param name="height">The newest block that was seen of any node.</param>
    /// <param name="trouble">Why the node in use does not serve.</param>
    /// <param name="cancel">Ends the wait for the others.</param>
    /// <returns>True if another node is in use now.</returns>
    public async Task<bool> ChangeAsync(int height, string trouble, CancellationToken cancel)
    {
        if (_failed < _patience) return false;
        await _looking;
        foreach (var standby in Standbys.ToArray())
        {
            if (await NoteAsync(standby, height, behindMax: 0, cancel) is not null) continue;
            var before = _nodes.Used;
            _nodes.Use(standby);
            _patience = Math.Min(_patience * 2, PatienceTurnsMax);
            (_served, _failed) = (0, 0);
            _why = $"{before.Name} did not serve: {trouble}";
            _troubles[before] = trouble;
            _troubles.Remove(standby);
            _health = Describe();
            _log.NodeChanged(standby.Name, before.Name, trouble);
            return true;
        }
        return false;
    }

    /// <summary>Looks at all standbys. It runs beside the turns: one that does not answer must not hold them up.</summary>
    private async Task LookAsync(int height)
    {
        try
        {
            foreach (var standby in Standbys.ToArray()) await NoteAsync(standby, height, BlocksBehindMax, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The loop has ended.
        }
        catch (PartitionUnavailableException)
        {
            // Nothing was found out: the next look asks again.
        }
    }

    private async Task<string?> NoteAsync(NodeEndpoint standby, int height, int behindMax, CancellationToken cancel)
    {
        var trouble = await FindTroubleAsync(standby.Direct, height, behindMax, cancel);
        var isNew = !_troubles.TryGetValue(standby, out var before);
        if (trouble is not null && trouble != before) _log.StandbyUnfit(standby.Name, trouble);
        if (trouble is null && (isNew || before is not null)) _log.StandbyFit(standby.Name);
        _troubles[standby] = trouble;
        _health = Describe();
        return trouble;
    }

    /// <summary>Why a node could not take over; null if it could. It must be a node that the gate lets through, have every
    /// block that we have seen or another at its height, follow the chain that was worked through, and own what the hot
    /// wallet owns; it is told to look for as much.</summary>
    private async Task<string?> FindTroubleAsync(IBitcoinNode node, int height, int behindMax, CancellationToken cancel)
    {
        try
        {
            if (!await node.LoadWalletAsync(cancel)) return "it has no wallet of the configured name: restore the hot wallet there, too";
            var views = await _partitions.QueryAllAsync(ledger => (Height: NewestHeight(ledger), Script: ledger.NewestAddress?.Script));
            var gate = new NodeGate(node, _settings.Network.ChainName(), _settings.Network.GenesisBlock());
            var result = await gate.CheckAsync(Math.Max(height, views.Max(v => v.Height)) - behindMax, cancel);
            if (!result.IsOpen) return result.Sentence;
            var (cursor, anchor) = await _partitions.First.QueryAsync(ledger => (ledger.Cursor, ledger.Genesis!.AnchorScript));
            if (cursor is not null && await node.GetBlockInfoAsync(cursor.Block, cancel) is not { Confirmations: >= 1 })
                return $"it follows another chain: block {cursor.Block} at height {cursor.Height}, which we have worked through, is not in it";
            if (!await _wallet.FollowAsync(node, cancel))
            {
                _mustLookAgain = true;
                return "its wallet does not look for all addresses yet, and is being told to";
            }
            foreach (var script in views.Select(v => v.Script).Append(anchor).OfType<ByteString>())
            {
                var address = BitcoinAddress.FromScript(script.Span, _settings.Network)!;
                if (!(await node.GetAddressInfoAsync(address, cancel)).IsMine)
                    return $"its wallet does not own {address}, which was given out: it is another wallet, or its keys do not reach that far";
            }
            return null;
        }
        catch (Exception e) when (e is NodeException or WalletMismatchException)
        {
            return e.Message;
        }
    }

    /// <summary>The height up to which anything is booked that a reorganisation could change.</summary>
    private static int NewestHeight(Ledger ledger) => (int)ledger.OpenDeposits().Select(d => d.Height)
        .Concat(ledger.LiveFamilies().Select(f => f.Confirmation?.Height ?? 0))
        .Append(ledger.Cursor?.Height ?? 0).Max();

    private NodesHealth Describe() => new(
        _nodes.Used.Name, _nodes.Used == _nodes.All[0] ? null : _why,
        [.. Standbys.Select(standby => new StandbyHealth(standby.Name, _troubles.GetValueOrDefault(standby)))]);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _looking;
        _stop.Dispose();
    }
}
