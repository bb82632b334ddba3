using System.Reflection;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>Mistakes that settlement could make, each planted between it and the node.</summary>
public enum NodeBug
{
    None,
    /// <summary>The cursor stands at the newest block, and what the node lists as removed is taken for a change and credited.</summary>
    CreditsRemoved,
    /// <summary>The block that is being mined is counted.</summary>
    CountsOneTooMany,
    /// <summary>A deposit that was seen is not asked for again.</summary>
    AsksOnce,
    /// <summary>A transaction is sent when it is signed, before it is durable.</summary>
    SendsSigned,
    /// <summary>A transaction that was sent and that the node does not find is taken for dead, and its withdrawals are built anew.</summary>
    RebuildsUnknown,
}

public class BuggyNode : DispatchProxy
{
    private readonly Dictionary<Txid, Task<WalletTransaction?>> _asked = [];
    private readonly HashSet<Txid> _sent = [];
    private IBitcoinNode? _node;
    private NodeBug _bug;

    internal static IBitcoinNode In(IBitcoinNode node, NodeBug bug)
    {
        if (bug == NodeBug.None) return node;
        var seam = Create<IBitcoinNode, BuggyNode>();
        var proxy = (BuggyNode)(object)seam;
        (proxy._node, proxy._bug) = (node, bug);
        return seam;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => (_bug, targetMethod!.Name) switch
    {
        (NodeBug.CreditsRemoved, nameof(IBitcoinNode.ListSinceBlockAsync)) => ListAsync((BlockHash?)args![0], 1, WithRemoved),
        (NodeBug.CountsOneTooMany, nameof(IBitcoinNode.ListSinceBlockAsync)) => ListAsync((BlockHash?)args![0], (int)args[1]!, WithOneMore),
        (NodeBug.SendsSigned, nameof(IBitcoinNode.WalletProcessPsbtAsync)) => SignAndSendAsync((string)args![0]!),
        (NodeBug.RebuildsUnknown, nameof(IBitcoinNode.SendRawTransactionAsync)) => Send((byte[])args![0]!),
        (NodeBug.RebuildsUnknown, nameof(IBitcoinNode.GetTransactionAsync)) => FindAsync((Txid)args![0]!),
        (NodeBug.AsksOnce, nameof(IBitcoinNode.GetTransactionAsync)) => AskOnce((Txid)args![0]!),
        _ => targetMethod.Invoke(_node, args),
    };

    private async Task<WalletChanges?> ListAsync(BlockHash? cursor, int finality, Func<WalletChanges, WalletChanges> change) =>
        await _node!.ListSinceBlockAsync(cursor, finality, CancellationToken.None) is { } changes ? change(changes) : null;

    private static WalletChanges WithRemoved(WalletChanges changes) => changes with
    {
        Entries = [.. changes.Entries, .. changes.Removed.Select(e => e with { Confirmations = 6, Block = changes.LastBlock, Height = 1 })],
    };

    private static WalletChanges WithOneMore(WalletChanges changes) => changes with
    {
        Entries = [.. changes.Entries.Select(e => e with { Confirmations = e.Confirmations + 1 })],
    };

    private Task<WalletTransaction?> AskOnce(Txid txid)
    {
        if (!_asked.TryGetValue(txid, out var answer) || answer.IsFaulted) _asked[txid] = answer = _node!.GetTransactionAsync(txid, CancellationToken.None);
        return answer;
    }

    private async Task<SignedPsbt> SignAndSendAsync(string psbt)
    {
        var signed = await _node!.WalletProcessPsbtAsync(psbt, CancellationToken.None);
        // A wallet without keys signs nothing.
        if (signed.Transaction is { } raw) await _node.SendRawTransactionAsync(raw, CancellationToken.None);
        return signed;
    }

    /// <summary>How settlement finds out that a family is dead.</summary>
    internal static Func<Family, CancellationToken, Task<FinalSpend?>>? DeathIn(IBitcoinNode node, NodeBug bug)
    {
        if (bug != NodeBug.RebuildsUnknown) return null;
        var proxy = (BuggyNode)(object)node;
        return (family, _) => proxy.FindDeathAsync(family);
    }

    private Task<BroadcastResult> Send(byte[] raw)
    {
        if (BitcoinTransaction.TryParse(raw, out var transaction)) _sent.Add(transaction.Txid);
        return _node!.SendRawTransactionAsync(raw, CancellationToken.None);
    }

    private async Task<WalletTransaction?> FindAsync(Txid txid) =>
        await _node!.GetTransactionAsync(txid, CancellationToken.None)
        ?? (_sent.Contains(txid) ? new WalletTransaction(txid, int.MinValue, null, null, null, [], [], []) : null);

    private async Task<FinalSpend?> FindDeathAsync(Family family)
    {
        foreach (var attempt in family.Attempts)
        {
            if (await _node!.GetTransactionAsync(attempt.Txid, CancellationToken.None) is not null) return null;
        }
        return new FinalSpend(default, default, 0, default);
    }
}
