namespace Bitcache.Core;

/// <summary>The identity that a client gave an entry: an id, and the wallet under which it is unique.</summary>
public readonly record struct EntryId(WalletId Owner, OperationId Id)
{
    // Where the statement's body begins in a record, and with it the id.
    private const int BodyOffset = Entry.RecordHeaderBytes + Entry.StatementHeaderBytes;
    private const int OwnerOffset = BodyOffset + OperationId.Bytes;
    private const int VersionOffset = 6;
    private const int TenantOffset = 8;
    private const int TypeOffset = Entry.RecordHeaderBytes + 1;

    /// <summary>Reads the identity from a journal record; false where no client named the entry. The common types are
    /// read in place, which allocates nothing; the record is taken to be one that was verified.</summary>
    /// <exception cref="FormatException">The bytes are not a record of a known version.</exception>
    public static bool TryRead(ReadOnlySpan<byte> record, out EntryId identity)
    {
        if (record.Length >= OwnerOffset + WalletId.Bytes && record[VersionOffset] == Entry.RecordVersion)
        {
            switch ((EntryType)record[TypeOffset])
            {
                case EntryType.Transfer or EntryType.TransferRefused or EntryType.TransferUpTo or EntryType.TransferCharged
                    or EntryType.HoldPlaced or EntryType.HoldCaptured or EntryType.HoldReleased or EntryType.PaymentRefunded
                    or EntryType.AddressAssigned or EntryType.AddressesAssigned
                    or EntryType.WithdrawalRequested or EntryType.WithdrawalRefused or EntryType.WithdrawalSettledInside:
                    identity = new EntryId(WalletId.Read(record[OwnerOffset..]), OperationId.Read(record[BodyOffset..]));
                    return true;
                case EntryType.WalletCreated:
                    identity = new EntryId(new WalletId(new ByteReader(record[TenantOffset..]).U32()), OperationId.Read(record[BodyOffset..]));
                    return true;
                // As many as there are payments, where there are several partitions.
                case EntryType.LegReceived or EntryType.LegsAcknowledged:
                    identity = default;
                    return false;
            }
        }
        var command = Entry.Read(record).Command;
        identity = command is ClientCommand { IsNamed: true } named ? new EntryId(named.Owner, named.Id) : default;
        return !identity.Id.IsNone;
    }
}
