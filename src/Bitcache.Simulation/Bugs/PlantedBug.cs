namespace Bitcache.Simulation;

/// <summary>Mistakes of the plausible kind, each a line that somebody could have written. A simulation that does not find
/// one of them proves nothing about it.</summary>
internal enum PlantedBug
{
    None,

    // In front of the disk.

    /// <summary>The answer leaves before the sync: the sync does nothing.</summary>
    NoDataSync,
    NoFolderSync,
    /// <summary>A failed sync is tried again, and the second one believed.</summary>
    RetriedSync,
    /// <summary>Recovery trusts a frame that it can read, without writing it again.</summary>
    NoRewrite,
    /// <summary>Cut bytes stay on disk under the next frames.</summary>
    NoZeroing,
    /// <summary>A frame calls its own sequences durable.</summary>
    DurableTooHigh,

    // In front of the journal.

    /// <summary>The last batch is not proven to be whole when the journal is idle.</summary>
    NoSeal,
    /// <summary>A failed append is reported as one that had no room.</summary>
    FailureSwallowed,

    // In the replay.

    /// <summary>Salts are drawn where they must be given.</summary>
    SaltsDrawnInReplay,
    /// <summary>What was refused before a crash is decided anew after it.</summary>
    RefusalForgotten,

    // In front of the partition.

    /// <summary>A retry is told what is not durable yet, instead of that it is in flight.</summary>
    InFlightAsKnown,
    /// <summary>A block goes on in the next batch, and what came of that is not written down.</summary>
    BlockHalfLost,
    /// <summary>The floor rises, and the ids below it are still known.</summary>
    FloorWithoutForgetting,
    /// <summary>Ids are forgotten, and those below the floor are taken for new.</summary>
    ForgettingWithoutFloor,
    /// <summary>Holds expire although the clock is not to be trusted.</summary>
    ExpiredWithoutTrust,
    /// <summary>A retry gets the balances of the first time.</summary>
    OldBalances,
    /// <summary>A question does not wait for the batch.</summary>
    DirtyRead,
    /// <summary>What the queue has no room for is dropped without a word.</summary>
    QueueDrops,
    /// <summary>What may have happened is called not done.</summary>
    UnknownCalledBusy,

    // In front of the ledger.

    /// <summary>A retry is paid again.</summary>
    RetryPaysAgain,
    /// <summary>Whose wallet it is nobody asks.</summary>
    StrangersPay,
    /// <summary>A payment brings a msat too much.</summary>
    OneMsatMore,
}
