// A command on its way to the process that decides it. Its bytes are those of the entry that it leaves, and behind them what
// whoever queued it had found out and no entry holds:
//
//      0  u8   type of the entry that it leaves if it is accepted (of a split 33: the whole in one)
//      1  u32  bytes of the statement's body, b
//      5  u32  private bytes, p
//      9  b    body
//     ..  p    private bytes; of a withdrawal none
//     ..       of a new wallet u32 tenant; of a split u8 whether the payees elsewhere exist, 16 salt of each part; of what is
//              assigned out of suspense u8 whether its wallet exists elsewhere; of a withdrawal 16 its owner elsewhere, u8 whether
//              there is an amount from which it needs approval, and u64 that amount, u8 length and name of the key that asks,
//              u8 whether it is of the time before withdrawals were counted; of a leg u16 its destination, u64 its epoch

using System.Buffers;

namespace Bitcache.Core;

/// <summary>The bytes of one command, for another process of the same ledger; never kept.</summary>
public static class SentCommand
{
    private const int HeaderBytes = 9;

    /// <summary>Writes one.</summary>
    public static byte[] ToArray(Command command)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Limits.SentCommandBytesMax);
        var bytes = buffer[..Write(buffer, command)];
        ArrayPool<byte>.Shared.Return(buffer);
        return bytes;
    }

    /// <summary>Reads what <see cref="ToArray"/> wrote.</summary>
    /// <exception cref="FormatException">It is no command that this version knows.</exception>
    public static Command Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        var (type, bodyBytes, restBytes) = (reader.U8<EntryType>(), reader.U32(), reader.U32());
        if (bodyBytes > reader.Left || restBytes > reader.Left) throw new FormatException("a command that is longer than its bytes");
        var body = new ByteReader(reader.Take((int)bodyBytes));
        var rest = new ByteReader(reader.Take((int)restBytes));
        // It is journaled nowhere: tenant, partition and salt are told below, where there are any.
        var command = Entry.ReadCommand(type, 0, 0, 0, ref body, ref rest, leafOnly: false);
        body.End();
        rest.End();
        command = ReadFacts(command, ref reader);
        reader.End();
        return command;
    }

    private static int Write(Span<byte> bytes, Command command)
    {
        var body = new ByteWriter(bytes[HeaderBytes..]);
        command.WriteBody(ref body);
        var rest = new ByteWriter(bytes[(HeaderBytes + body.Position)..]);
        // What a withdrawal keeps private depends on what became of it.
        if (command is not RequestWithdrawal) command.WritePrivate(ref rest);
        var facts = new ByteWriter(bytes[(HeaderBytes + body.Position + rest.Position)..]);
        WriteFacts(command, ref facts);
        var header = new ByteWriter(bytes);
        header.U8((byte)TypeOf(command));
        header.U32((uint)body.Position);
        header.U32((uint)rest.Position);
        return HeaderBytes + body.Position + rest.Position + facts.Position;
    }

    private static void WriteFacts(Command command, ref ByteWriter writer)
    {
        switch (command)
        {
            case CreateWallet wallet:
                writer.U32(wallet.Tenant);
                break;
            case Split split:
                writer.Flag(split.PayeesElsewhereExist);
                foreach (var part in split.Parts) writer.U128(part.Salt);
                break;
            case AssignSuspense assigned:
                writer.Flag(assigned.ExistsElsewhere);
                break;
            case RequestWithdrawal withdrawal:
                writer.Wallet(withdrawal.OwnerElsewhere);
                writer.Flag(withdrawal.ApprovalFrom is not null);
                if (withdrawal.ApprovalFrom is { } from) writer.Amount(from);
                writer.Short(withdrawal.AskedBy.Span);
                writer.Flag(withdrawal.IsUncounted);
                break;
            case ReceiveLeg received:
                writer.U16(received.Leg.Destination);
                writer.I64(received.Leg.Epoch);
                break;
        }
    }

    private static Command ReadFacts(Command command, ref ByteReader reader)
    {
        switch (command)
        {
            case CreateWallet wallet:
                return wallet with { Tenant = reader.U32() };
            case Split split:
                var exist = reader.Flag();
                var parts = split.Parts.ToArray();
                for (var i = 0; i < parts.Length; i++) parts[i] = parts[i] with { Salt = reader.U128() };
                return new Split(split.Id, split.Payer, parts) { PayeesElsewhereExist = exist };
            case AssignSuspense assigned:
                return assigned with { ExistsElsewhere = reader.Flag() };
            case RequestWithdrawal withdrawal:
                return withdrawal with
                {
                    OwnerElsewhere = reader.Wallet(),
                    ApprovalFrom = reader.Flag() ? reader.Sats() : null,
                    AskedBy = reader.Short(Limits.KeyIdBytesMax),
                    IsUncounted = reader.Flag(),
                };
            case ReceiveLeg received:
                return new ReceiveLeg(received.Leg with { Destination = reader.U16(), Epoch = reader.I64() });
            default:
                return command;
        }
    }

    private static EntryType TypeOf(Command command) => command switch
    {
        Genesis => EntryType.Genesis,
        CreateWallet => EntryType.WalletCreated,
        Transfer { UpTo: not null } => EntryType.TransferUpTo,
        Transfer => EntryType.Transfer,
        PlaceHold => EntryType.HoldPlaced,
        CaptureHold => EntryType.HoldCaptured,
        ReleaseHold => EntryType.HoldReleased,
        ExpireHold => EntryType.HoldExpired,
        RefundPayment => EntryType.PaymentRefunded,
        Split => EntryType.SplitRefused,
        AssignAddress => EntryType.AddressAssigned,
        AssignAddresses => EntryType.AddressesAssigned,
        ChangeDeposit => EntryType.DepositChanged,
        SettleDeposit => EntryType.DepositSettled,
        AssignSuspense => EntryType.SuspenseAssigned,
        MoveCursor => EntryType.CursorMoved,
        MarkRescan => EntryType.RescanMarked,
        RequestWithdrawal => EntryType.WithdrawalRequested,
        CancelWithdrawal => EntryType.WithdrawalCancelled,
        DecideWithdrawal => EntryType.WithdrawalDecided,
        ExpireWithdrawal => EntryType.WithdrawalExpired,
        ChargeWithdrawal => EntryType.WithdrawalCharged,
        StopWithdrawals => EntryType.WithdrawalsStopSet,
        OpenFamily => EntryType.FamilyOpened,
        PrepareAttempt => EntryType.AttemptPrepared,
        SignAttempt => EntryType.AttemptSigned,
        SignChild => EntryType.ChildSigned,
        ConfirmFamily => EntryType.FamilyConfirmed,
        UnconfirmFamily => EntryType.FamilyUnconfirmed,
        FinishFamily => EntryType.FamilyFinished,
        AbandonFamily => EntryType.FamilyAbandoned,
        ArchiveFamily => EntryType.FamilyArchived,
        DeclareFamilyDead => EntryType.FamilyDied,
        StopSettlement => EntryType.SettlementStopped,
        LogCut => EntryType.LogCut,
        EpochCut => EntryType.EpochCut,
        StateEpoch => EntryType.EpochStated,
        RaiseFloor => EntryType.FloorRaised,
        ConfirmClock => EntryType.ClockConfirmed,
        SetFrozen => EntryType.FreezeSet,
        SetLimits => EntryType.LimitsSet,
        SetFees => EntryType.FeesSet,
        ReceiveLeg => EntryType.LegReceived,
        AcknowledgeLegs => EntryType.LegsAcknowledged,
        MoveOperatorFunds => EntryType.OperatorFundsMoved,
        RotateKey => EntryType.KeyRotated,
        BeginTerm => EntryType.TermBegun,
        _ => throw new ArgumentOutOfRangeException(nameof(command), command.GetType().Name, "a command that cannot be sent"),
    };
}
