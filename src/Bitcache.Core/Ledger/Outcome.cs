namespace Bitcache.Core;

/// <summary>How the ledger answered a command. Refusals that depend on the ledger's state are journaled with
/// this number and remembered: a number is never used again for another meaning.</summary>
public enum Outcome : ushort
{
    None = 0,
    /// <summary>Applied, journaled, and final once durable.</summary>
    Accepted = 1,
    /// <summary>The id was used before: the entry at the result's sequence holds the first answer.</summary>
    Known = 2,
    /// <summary>There was nothing to change: this was already so.</summary>
    Unchanged = 3,

    // The id. Not journaled.
    IdReused = 10,
    IdInFlight = 11,
    IdBelowFloor = 12,
    IdAhead = 13,

    // The shape of the command. Not journaled.
    AmountZero = 20,
    SelfTransfer = 21,
    BelowDust = 22,
    /// <summary>Nothing but anchors may pay the anchor script.</summary>
    AnchorAddress = 23,

    /// <summary>Not a payment at all.</summary>
    Malformed = 29,

    // Things named that are not there, or not the caller's. Not journaled.
    WalletNotFound = 30,
    PayeeNotFound = 31,

    // The state of the ledger. Journaled and remembered for transfers and withdrawals.
    InsufficientFunds = 40,
    /// <summary>A deposit of this wallet was taken back after it was spent; nothing leaves until that is settled.
    /// Not journaled for a family of transactions, which is then built without this wallet's withdrawals.</summary>
    WalletOwes = 41,

    // The operator's side: nothing was changed, and the caller acts on it.
    OperatorFundsLow = 50,
    /// <summary>The script belongs to a wallet already, or is the one that the operator's anchors pay.</summary>
    AddressTaken = 51,
    AnchorPending = 52,
}

public readonly record struct ApplyResult(Outcome Outcome, long Sequence, int BytesWritten)
{
    /// <summary>Whether an entry was written: the command took effect, or its refusal is remembered.</summary>
    public bool IsJournaled => BytesWritten > 0;
}
