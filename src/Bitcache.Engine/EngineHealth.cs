using Bitcache.Core;
using Bitcache.Engine.Settlement;

namespace Bitcache.Engine;

/// <summary>How the engine is, for the health page and for alarms: what each partition said of itself, at moments close to one
/// another, beside what was last seen of the chain.</summary>
/// <param name="Entries">Entries in the journal.</param>
/// <param name="CheckpointSize">Statements that the newest signed checkpoint covers.</param>
/// <param name="Totals">Of all partitions together.</param>
/// <param name="LegsInFlight">Credits that are on their way from one partition to another.</param>
/// <param name="EpochsUnanchored">Closed epochs that no anchor in a block covers yet.</param>
public sealed record EngineHealth(
    ChainHealth Chain, bool StorageFull, bool ClockTrusted, Totals Totals, long Entries, int Wallets, long CheckpointSize,
    ChainCursor? Cursor, int QueuedWithdrawals, IReadOnlyList<LiveFamily> LiveFamilies,
    bool OperatorFundsLow, Msat OperatorAvailable, Epoch? LastEpoch, long EpochsUnanchored, long LegsInFlight)
{
    /// <summary>Which node is in use, and how the others are; null where there is but one.</summary>
    public NodesHealth? Nodes { get; init; }

    /// <summary>Whether the operator has stopped withdrawals.</summary>
    public required bool WithdrawalsStopped { get; init; }

    /// <summary>Withdrawals that wait for a second person's approval.</summary>
    public required int AwaitingWithdrawals { get; init; }

    /// <summary>Families of which no transaction can confirm any more, the newest last.</summary>
    public IReadOnlyList<DeadFamily> DeadFamilies { get; init; } = [];

    /// <summary>Why nothing is anchored or withdrawn any more, if so.</summary>
    public FinalSpend? SettlementStop { get; init; }

    /// <summary>Who is about to take the anchor's output, in a sentence, if a stranger is.</summary>
    public string? AnchorAlarm { get; init; }

    public required WalletsHealth WalletsHealth { get; init; }

    /// <summary>How far the books of epochs are.</summary>
    public required BooksHealth Books { get; init; }
}

/// <param name="Partition">Families are numbered there.</param>
/// <param name="Cause">What it needed, and what has spent it for good.</param>
public sealed record DeadFamily(int Partition, long Family, FinalSpend Cause);

/// <param name="Partition">Whose withdrawals it pays; families are numbered there.</param>
/// <param name="Waiting">Why it is not built or sent, if so.</param>
public sealed record LiveFamily(int Partition, Family Family, string? Waiting);
