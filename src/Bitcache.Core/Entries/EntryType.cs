namespace Bitcache.Core;

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
}
