namespace Bitcache.Core;

#pragma warning disable CA1027 // Kinds, never combined; the gaps between them are numbers that are not given out.
/// <summary>What an entry says happened. Written to disk and into the log: a number is never used again for another meaning.</summary>
public enum EntryType : byte
{
    None = 0,
    Genesis = 1,
    WalletCreated = 2,
    Transfer = 3,
    TransferRefused = 4,
    AddressAssigned = 5,
    DepositChanged = 6,
    CursorMoved = 7,
    WithdrawalRequested = 8,
    WithdrawalRefused = 9,
    WithdrawalSettledInside = 10,
    FamilyOpened = 11,
    AttemptSigned = 12,
    FamilyConfirmed = 13,
    FamilyUnconfirmed = 14,
    FamilyFinished = 15,
    FamilyAbandoned = 16,
    LogCut = 17,
    EpochCut = 18,
    FloorRaised = 19,
    ClockConfirmed = 20,
    FreezeSet = 21,
    /// <summary>A transfer of what was there, up to an amount.</summary>
    TransferUpTo = 22,
    /// <summary>Every refusal of a payment that is no plain transfer.</summary>
    PaymentRefused = 23,
    HoldPlaced = 24,
    HoldCaptured = 25,
    HoldReleased = 26,
    HoldExpired = 27,
    PaymentRefunded = 28,
    LimitsSet = 29,
    FeesSet = 30,
    /// <summary>A transfer for which the payer paid a fee.</summary>
    TransferCharged = 31,
    SplitPaid = 32,
    SplitRefused = 33,
    /// <summary>A credit that came from another partition.</summary>
    LegReceived = 34,
    /// <summary>Credits that were sent to another partition are durable there.</summary>
    LegsAcknowledged = 35,
    /// <summary>The operator's money went from its account in one partition to that in another.</summary>
    OperatorFundsMoved = 36,
    WithdrawalCancelled = 37,
    /// <summary>Many addresses at once, under one id.</summary>
    AddressesAssigned = 38,
    /// <summary>The node's wallet is to be rescanned, or has been.</summary>
    RescanMarked = 39,
    /// <summary>The operator gave a wallet what was in suspense.</summary>
    SuspenseAssigned = 40,
    /// <summary>No transaction of a family can ever confirm any more; its withdrawals wait for another one.</summary>
    FamilyDied = 41,
    /// <summary>A transaction that pays for the one whose change it spends.</summary>
    ChildSigned = 42,
    /// <summary>Somebody else has the anchor's output: nothing is anchored or withdrawn any more.</summary>
    SettlementStopped = 43,
    /// <summary>The deadline of a withdrawal was over before a transaction that pays it was signed.</summary>
    WithdrawalExpired = 44,
    /// <summary>A withdrawal's share of what mining cost, taken from what was held for it.</summary>
    WithdrawalCharged = 45,
    /// <summary>The operator stopped all withdrawals, or let them go on.</summary>
    WithdrawalsStopSet = 46,
    /// <summary>A withdrawal that waited for a second person's approval got it, or was declined.</summary>
    WithdrawalDecided = 47,
    /// <summary>A transaction was built and is signed by somebody else.</summary>
    AttemptPrepared = 51,
    /// <summary>The transactions of a family that ended are in the journal alone from here on.</summary>
    FamilyArchived = 54,
    /// <summary>The operator said what became of a deposit that was frozen.</summary>
    DepositSettled = 55,
    /// <summary>The books of an epoch were closed: what is owed and what there is, at a block.</summary>
    EpochStated = 56,
    /// <summary>Another key signs the log's checkpoints from here on.</summary>
    KeyRotated = 57,
    /// <summary>Another process settles from here on: deposits, withdrawals, cuts and epochs.</summary>
    TermBegun = 58,
}
#pragma warning restore CA1027
