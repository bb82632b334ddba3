// What an audit is given. The core reads no files and asks no node: whoever runs it brings both along.

using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>Takes the next bytes of a file. False if nothing more is wanted of it.</summary>
public delegate bool PieceTaker(ReadOnlySpan<byte> piece);

/// <summary>A folder as it was published, on a disk or behind a web server. Paths have '/' between their parts. What is longer than
/// it may be is not read to its end: that ends the audit. Two threads may read at once.</summary>
public interface IAuditFolder
{
    /// <summary>A file of at most so many bytes; null if it is not there.</summary>
    byte[]? Read(string path, int bytesMax);

    /// <summary>Hands on a file of at most so many bytes, piece by piece, until nothing more is wanted; false if it is not there.</summary>
    bool Read(string path, long bytesMax, PieceTaker pieces);
}

/// <summary>The best chain as a node that the auditor trusts knows it. Of one moment: whoever implements it asks about one tip.</summary>
public interface IChainView
{
    uint TipHeight { get; }

    /// <summary>The block at a height of the best chain; null above its tip.</summary>
    BlockHash? BlockAt(uint height);

    /// <summary>The block itself.</summary>
    BitcoinBlock ReadBlock(BlockHash block);

    /// <summary>An output that is unspent at the tip, whatever waits in the mempool; null if there is none.</summary>
    TransactionOutput? FindUnspent(OutPoint output);

    /// <summary>Whether every signature of a transaction is good for what it spends. It need not be one that can be sent, nor what
    /// it spends be there still.</summary>
    bool IsSigned(byte[] transaction, IReadOnlyList<SpentCoin> spent);
}

/// <summary>A receipt that somebody holds.</summary>
/// <param name="Name">Of its leaf, for people.</param>
public sealed record HeldReceipt(string Name, ReceiptFiles Files);

/// <summary>Tells how far an audit is.</summary>
/// <param name="what">What is being looked at.</param>
/// <param name="done">How much of it.</param>
/// <param name="all">How much there is.</param>
public delegate void AuditProgress(string what, long done, long all);

/// <summary>Everything that an audit may be given.</summary>
/// <param name="Published">What everybody gets.</param>
public sealed record AuditInputs(IAuditFolder Published)
{
    /// <summary>The pins that the auditor wrote down; null to take those that are published.</summary>
    public Pins? Pins { get; init; }

    /// <summary>What the last audit kept; null at the first.</summary>
    public AuditState? State { get; init; }

    /// <summary>Reads the file that the last audit kept of its replay (<see cref="KeptReplay"/>); null if there is none. Asked
    /// once a look.</summary>
    public Func<ReadOnlyMemory<byte>?> Replay { get; init; } = static () => null;

    /// <summary>The auditors' folder, with the entries.</summary>
    public IAuditFolder? Entries { get; init; }

    public IChainView? Chain { get; init; }
    public IEnumerable<HeldReceipt> Receipts { get; init; } = [];
    public AuditProgress Progress { get; init; } = static (_, _, _) => { };

    /// <summary>Given where what is published may change while it is read, because a server publishes it: waits until the server's
    /// answers are newer than all that was read. What may come from such a change is looked at again then.</summary>
    public Action? Settle { get; init; }

    /// <summary>Runs work beside the audit, and gives what waits for its end; what the work throws comes out there. The core starts
    /// no threads: where nobody lends it one, the work is done when it is waited for.</summary>
    public Func<Action, Action> Beside { get; init; } = static work => work;
}
