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
    /// <summary>A hold's expiry lies behind, or more than <see cref="Limits.HoldMillisecondsMax"/> ahead.</summary>
    ExpiryOutOfRange = 24,
    /// <summary>A split names a payee twice.</summary>
    PayeeTwice = 25,

    /// <summary>Not a payment at all.</summary>
    Malformed = 29,

    // Things named that are not there, or not the caller's. Not journaled.
    WalletNotFound = 30,
    PayeeNotFound = 31,
    /// <summary>There is no such hold between these wallets any more, or there never was.</summary>
    HoldNotFound = 32,
    /// <summary>The payer cannot take a hold back: before it expires, only the payee's owner may release it.</summary>
    PayeeOnly = 33,
    /// <summary>What a refund names is no payment that its payer received from its payee. Found before the ledger is asked.</summary>
    OriginalNotFound = 34,
    /// <summary>The request names more originals that are old than are searched for at once. Found before the ledger is asked.</summary>
    LookUpsExceeded = 35,
    /// <summary>The wallet asked for no withdrawal under this id, or it was refused.</summary>
    WithdrawalNotFound = 36,
    /// <summary>No such output is in suspense: there is none, it was credited, reversed, or assigned before.</summary>
    SuspenseNotFound = 37,

    // The state of the ledger. Journaled and remembered for payments and withdrawals.
    InsufficientFunds = 40,
    /// <summary>A deposit of this wallet was taken back after it was spent; nothing leaves until that is settled.
    /// Not journaled for a family of transactions, which is then built without this wallet's withdrawals.</summary>
    WalletOwes = 41,
    /// <summary>The wallet's owner or the operator stopped its outflow; money still arrives. Not journaled for a
    /// family of transactions, as above.</summary>
    WalletFrozen = 42,
    /// <summary>More than one of the wallet's spending limits leaves.</summary>
    LimitExceeded = 43,
    /// <summary>A capture of more than is left of the hold.</summary>
    HoldExceeded = 44,
    /// <summary>With what was refunded before, more than the original payment moved.</summary>
    RefundExceeds = 45,
    /// <summary>The payer has as many open holds as a wallet may have.</summary>
    TooManyHolds = 46,
    /// <summary>The withdrawal does not wait any more: a family of transactions holds it, it left, or it was cancelled before
    /// a family could. Not journaled.</summary>
    WithdrawalNotQueued = 47,
    /// <summary>The wallet has as many withdrawals under way as a wallet may have.</summary>
    TooManyWithdrawals = 64,
    /// <summary>Mining costs more now than the client accepts for the withdrawal. Not journaled: it may cost less later.</summary>
    FeeAboveMax = 48,

    // The operator's brakes. Not journaled.
    /// <summary>The operator stopped all withdrawals: nothing is signed but anchors.</summary>
    WithdrawalsStopped = 59,
    /// <summary>Whoever asked for a withdrawal cannot be the one who approves it.</summary>
    SecondPersonNeeded = 60,
    /// <summary>The withdrawal does not wait for approval: it was declined or cancelled, or never did.</summary>
    WithdrawalNotAwaiting = 61,

    // The operator's side: nothing was changed, and the caller acts on it.
    OperatorFundsLow = 50,
    /// <summary>The script belongs to a wallet already, or is the one that the operator's anchors pay.</summary>
    AddressTaken = 51,
    AnchorPending = 52,
    /// <summary>The wallet has as many addresses as one may have.</summary>
    TooManyAddresses = 53,
    /// <summary>A stranger has the anchor's output: nothing is anchored or withdrawn any more.</summary>
    SettlementStopped = 56,
    /// <summary>The deadline of a withdrawal lies behind, or more than <see cref="Limits.WithdrawalDeadlineMillisecondsMax"/> ahead.
    /// Not journaled; also why a family of transactions is not opened or signed.</summary>
    DeadlineOutOfRange = 58,
    /// <summary>An output in suspense that a reorganisation can still take back.</summary>
    SuspenseNotFinal = 55,
    /// <summary>No such deposit is frozen: the chain decided, or the operator did, or there is none.</summary>
    FrozenNotFound = 62,
    /// <summary>A deposit that was never credited cannot be released.</summary>
    DepositNotCredited = 63,
    /// <summary>The log had as many checkpoint keys as one may have.</summary>
    TooManyKeys = 65,
    /// <summary>Another process settles now. Whoever is told so changes nothing any more.</summary>
    TermOver = 66,
}

/// <param name="Sequence">Of the entry, or the first that it covers.</param>
/// <param name="Sequences">How many an entry that was written covers: one, or one for each payee of a split.</param>
public readonly record struct ApplyResult(Outcome Outcome, long Sequence, int BytesWritten, int Sequences = 1)
{
    /// <summary>Whether an entry was written: the command took effect, or its refusal is remembered.</summary>
    public bool IsJournaled => BytesWritten > 0;
}
