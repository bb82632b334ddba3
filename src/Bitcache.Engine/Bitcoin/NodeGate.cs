using Bitcache.Core;

namespace Bitcache.Engine.Bitcoin;

/// <summary>Why nothing is done with the node in this tick.</summary>
public enum GateReason
{
    Open,
    /// <summary>Not running, or not where the settings say.</summary>
    Unreachable,
    WarmingUp,
    Unauthorized,
    Busy,
    /// <summary>The node gave no readable answer, or an error of its own.</summary>
    NoAnswer,
    /// <summary>Another network than ours: no waiting helps.</summary>
    WrongChain,
    /// <summary>A network of the same name with another first block: no waiting helps.</summary>
    WrongGenesis,
    InitialBlockDownload,
    /// <summary>It knows headers of blocks it does not have yet.</summary>
    Syncing,
    WalletScanning,
    /// <summary>Its chain is shorter than what we have already seen.</summary>
    BehindCursor,
}

/// <summary>What the gate found: the reason, a sentence for the operator, and the node's state if it told.</summary>
public sealed record GateResult(GateReason Reason, string Sentence, BlockchainInfo? Chain)
{
    public bool IsOpen => Reason == GateReason.Open;

    /// <summary>The settings name the wrong node: an operator must act.</summary>
    public bool IsWrongNode => Reason is GateReason.WrongChain or GateReason.WrongGenesis;
}

/// <summary>Asked before every tick: may we believe this node now? While the gate is closed nothing is credited,
/// built or counted; the caller shows the sentence and raises the alarm.</summary>
/// <param name="node">The node that is asked.</param>
/// <param name="chain">Our network by the node's name for it: <c>main</c>, <c>test</c>, <c>signet</c>, <c>regtest</c>.</param>
/// <param name="genesis">The hash of our network's first block.</param>
public sealed class NodeGate(IBitcoinNode node, string chain, BlockHash genesis)
{
    /// <summary>Headers may be this far ahead of blocks: a block that is arriving.</summary>
    public const int HeadersAheadMax = 1;

    /// <summary>Asks the node. Never throws for what the node does; only for cancellation.</summary>
    /// <param name="cursorHeight">The height of the last block that was worked through.</param>
    /// <param name="cancel">Ends the wait for the node.</param>
    public async Task<GateResult> CheckAsync(int cursorHeight, CancellationToken cancel)
    {
        try
        {
            var info = await node.GetBlockchainInfoAsync(cancel);
            var first = await node.GetBlockHashAsync(0, cancel);
            var closed = JudgeChain(info, first, cursorHeight);
            if (!closed.IsOpen) return closed;
            var wallet = await node.GetWalletInfoAsync(cancel);
            return wallet.Scanning
                ? new GateResult(GateReason.WalletScanning, $"the node's wallet '{wallet.Name}' is scanning the chain", info)
                : closed;
        }
        catch (NodeException e)
        {
            return new GateResult(Reason(e.Failure), e.Message, null);
        }
    }

    private GateResult JudgeChain(BlockchainInfo info, BlockHash? first, int cursorHeight)
    {
        if (info.Chain != chain)
            return new GateResult(GateReason.WrongChain, $"the node is on chain '{info.Chain}', we are on '{chain}'", info);
        if (first != genesis)
            return new GateResult(GateReason.WrongGenesis, $"the node's first block is {first}, ours is {genesis}", info);
        if (info.InitialBlockDownload)
            return new GateResult(GateReason.InitialBlockDownload, $"the node is still downloading the chain (block {info.Blocks})", info);
        if (info.Headers - info.Blocks > HeadersAheadMax)
            return new GateResult(GateReason.Syncing, $"the node has {info.Blocks} blocks of {info.Headers}", info);
        if (info.Blocks < cursorHeight)
            return new GateResult(GateReason.BehindCursor, $"the node is at block {info.Blocks}, we have worked through block {cursorHeight}", info);
        return new GateResult(GateReason.Open, $"the node is at block {info.Blocks}", info);
    }

    private static GateReason Reason(NodeFailure failure) => failure switch
    {
        NodeFailure.Unreachable => GateReason.Unreachable,
        NodeFailure.WarmingUp => GateReason.WarmingUp,
        NodeFailure.Unauthorized => GateReason.Unauthorized,
        NodeFailure.Busy => GateReason.Busy,
        NodeFailure.WalletLocked or NodeFailure.Rejected or NodeFailure.Unknown => GateReason.NoAnswer,
    };
}
