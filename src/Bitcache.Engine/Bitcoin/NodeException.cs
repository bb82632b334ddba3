namespace Bitcache.Engine.Bitcoin;

/// <summary>What the caller may conclude from a call to the node that gave no answer of its own kind.</summary>
public enum NodeFailure
{
    /// <summary>No connection was made: nothing was sent, nothing was executed.</summary>
    Unreachable,
    /// <summary>The node is starting (-28): nothing was executed; wait.</summary>
    WarmingUp,
    /// <summary>The node refuses our credentials, also after the cookie was read again: nothing was executed.</summary>
    Unauthorized,
    /// <summary>The node's work queue is full (503): nothing was executed.</summary>
    Busy,
    /// <summary>The wallet's keys are locked (-13): nothing was signed; pause until the operator unlocks it.</summary>
    WalletLocked,
    /// <summary>The node answered with an error; <see cref="NodeException.Code"/> says which.</summary>
    Rejected,
    /// <summary>A timeout, a lost connection or an answer that cannot be read: the call may have been executed, or
    /// may be executed yet (a node runs queued calls after their caller has gone).</summary>
    Unknown,
}

/// <summary>A call to the node failed. Nothing was retried on the caller's behalf.</summary>
public sealed class NodeException : Exception
{
    public NodeException(NodeFailure failure, string message, Exception? inner = null)
        : base(message, inner) => Failure = failure;

    /// <summary>The node's own error, with its number and words.</summary>
    public NodeException(RpcError code, string message)
        : base($"{message} ({(int)code})")
    {
        (Failure, Code) = (code switch
        {
            RpcError.InWarmup => NodeFailure.WarmingUp,
            RpcError.WalletUnlockNeeded => NodeFailure.WalletLocked,
            _ => NodeFailure.Rejected,
        }, code);
    }

    public NodeFailure Failure { get; }

    /// <summary>Whether the node answered with more than is read: it would again.</summary>
    public bool IsAnswerTooLong { get; init; }

    /// <summary>The node's error number; <see cref="RpcError.None"/> unless the node answered with one.</summary>
    public RpcError Code { get; }
}

/// <summary>The error numbers of Bitcoin Core's <c>rpc/protocol.h</c> that decide something here. Others are
/// carried by their number.</summary>
public enum RpcError
{
    None = 0,
    WalletError = -4,
    InvalidAddressOrKey = -5,
    InvalidParameter = -8,
    WalletUnlockNeeded = -13,
    WalletNotFound = -18,
    /// <summary>RPC_VERIFY_ERROR: missing or spent inputs, or a fee above the node's own limit. Ambiguous.</summary>
    VerifyError = -25,
    /// <summary>RPC_VERIFY_REJECTED: against the network's rules or this node's policy.</summary>
    VerifyRejected = -26,
    /// <summary>RPC_VERIFY_ALREADY_IN_UTXO_SET: an unspent output of it is in the chain.</summary>
    VerifyAlreadyInChain = -27,
    InWarmup = -28,
    WalletAlreadyLoaded = -35,
}
