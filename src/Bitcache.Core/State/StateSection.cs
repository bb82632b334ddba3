namespace Bitcache.Core;

/// <summary>The parts of a ledger's state, in the order in which they are hashed and kept. Written to disk: a number is
/// never used again for another meaning.</summary>
internal enum StateSection
{
    Head = 1,
    Wallets = 2,
    Ids = 3,
    IdsForEver = 4,
    Addresses = 5,
    Deposits = 6,
    Withdrawals = 7,
    Families = 8,
    Epochs = 9,
    Holds = 10,
    Refunds = 11,
    Spending = 12,
    Fees = 13,
    Strangers = 14,
    Legs = 15,

    // What an auditor keeps of a replay.
    ReplayHead = 64,
    ReplayAccounts = 65,
    ReplayHolds = 66,
    ReplayAddresses = 67,
    ReplayDeposits = 68,
    ReplayEnded = 69,
    ReplayWithdrawals = 70,
    ReplayFamilies = 71,
    ReplayAhead = 72,
    ReplayCuts = 73,
    ReplayCut = 74,
}
