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
}
