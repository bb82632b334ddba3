namespace Bitcache.Core.Audit;

/// <summary>What can be wrong with the files of an epoch's liabilities.</summary>
public enum LiabilityFault
{
    /// <summary>A file is not written as it must be: one content has one form.</summary>
    Malformed,
    /// <summary>A sum or a value is negative.</summary>
    Negative,
    /// <summary>A sum or a value, or what they come to, is more than there is money.</summary>
    Overflow,
    /// <summary>The rows are not those of a whole tree.</summary>
    NotATree,
    /// <summary>A node's sum is not that of the two below it.</summary>
    SumWrong,
    /// <summary>A node's hash is not that of the two below it.</summary>
    HashWrong,
    /// <summary>Wallets do not stand in the order of their ids, each once.</summary>
    OrderWrong,
    /// <summary>A wallet's account number does not follow from its id.</summary>
    AccountNumberWrong,
    /// <summary>Two wallets have one account number, so that one leaf could be shown to both owners.</summary>
    AccountNumberShared,
    /// <summary>The keys are not those of the wallets that have a balance.</summary>
    KeysWrong,
    /// <summary>The chunks of a balance do not come to it.</summary>
    ChunksWrong,
    /// <summary>A chunk is worth nothing, and is no filler of suspense.</summary>
    ChunkEmpty,
    /// <summary>A chunk is at a leaf that the tree has not.</summary>
    PositionWrong,
    /// <summary>Two chunks are at one leaf.</summary>
    LeafShared,
    /// <summary>A leaf is not what follows from the wallet's key, its value and its place.</summary>
    LeafWrong,
    /// <summary>A leaf is nobody's chunk.</summary>
    LeafUnclaimed,
    /// <summary>A wallet is owed something and has no leaf.</summary>
    WalletLeftOut,
    /// <summary>A wallet has a leaf and is owed nothing.</summary>
    WalletNotOwed,
    /// <summary>A wallet is owed another amount than its leaves are worth.</summary>
    BalanceWrong,
}

/// <summary>The first thing that is wrong, and where.</summary>
public sealed record LiabilityFinding(LiabilityFault Fault, string Text);
