// The bytes of what the ledger knows of the chain, as part of the state.

namespace Bitcache.Core;

internal static class ChainRows
{
    private const int RowBytesMax = 512;
    /// <summary>Beside a withdrawal's state, which is small: fee, charge and deadline follow at the end.</summary>
    private const byte HasTerms = 0x80;
    // Of a deposit in its byte for suspense, where a wallet got it since: the wallet and the sequence follow at the end.
    private const byte IsAssigned = 2;
    /// <summary>Beside an address's purpose: where it comes from follows at the end.</summary>
    private const byte HasOrigin = 1 << 7;

    /// <summary>Beside an epoch's number, which is small: its statement and where that stands follow at the end.</summary>
    private const long HasStatement = 1L << 62;

    public static RowFormat<DepositAddress> Addresses { get; } = new(StateSection.Addresses, WriteAddress, ReadAddress);
    public static RowFormat<Deposit> Deposits { get; } = new(StateSection.Deposits, WriteDeposit, ReadDeposit);
    public static RowFormat<Withdrawal> Withdrawals { get; } = new(StateSection.Withdrawals, WriteWithdrawal, ReadWithdrawal);
    public static RowFormat<Family> Families { get; } = new(StateSection.Families, FamilyRows.Write, FamilyRows.Read);
    public static RowFormat<Epoch> Epochs { get; } = new(StateSection.Epochs, WriteEpoch, ReadEpoch);

    private static void WriteAddress(StateWriter writer, DepositAddress address)
    {
        var row = writer.Begin(RowBytesMax);
        row.Wallet(address.Wallet);
        row.U8((byte)((byte)address.Purpose | (address.Origin is null ? 0 : HasOrigin)));
        row.Short(address.Script.Span);
        row.I64(address.Sequence);
        if (address.Origin is { } origin)
        {
            row.U32(origin.Index);
            row.U32(origin.Height);
        }
        writer.End(row);
    }

    private static DepositAddress ReadAddress(StateReader reader)
    {
        var row = reader.Begin();
        var (wallet, marks) = (row.Wallet(), row.U8());
        var purpose = (AddressPurpose)(marks & ~HasOrigin);
        if (!Enum.IsDefined(purpose)) throw new FormatException($"{marks} is no purpose of an address");
        var (script, sequence) = (row.Short(Limits.ScriptBytesMax), row.I64());
        var address = new DepositAddress(wallet, purpose, script, sequence, (marks & HasOrigin) != 0 ? new AddressOrigin(row.U32(), row.U32()) : null);
        reader.End(row);
        return address;
    }

    private static void WriteDeposit(StateWriter writer, Deposit deposit)
    {
        var row = writer.Begin(RowBytesMax);
        row.Hash(deposit.OutPoint.Txid.Hash);
        row.U32(deposit.OutPoint.Index);
        row.Short(deposit.Script.Span);
        row.Wallet(deposit.Wallet);
        row.U8((byte)deposit.Purpose);
        row.Amount(deposit.Amount);
        row.U8((byte)deposit.State);
        if (deposit.Assigned is null) row.Flag(deposit.Suspense);
        else row.U8(IsAssigned);
        row.Flag(deposit.Booked);
        row.Hash(deposit.Block.Hash);
        row.U32(deposit.Height);
        row.Amount(deposit.FrozenPart);
        row.Amount(deposit.OwedPart);
        if (deposit.Assigned is { } assigned)
        {
            row.Wallet(assigned.Wallet);
            row.I64(assigned.Sequence);
        }
        writer.End(row);
    }

    private static Deposit ReadDeposit(StateReader reader)
    {
        var row = reader.Begin();
        var (output, script, wallet, purpose, amount, state) = (
            new OutPoint(new Txid(row.Hash()), row.U32()), row.Short(Limits.ScriptBytesMax), row.Wallet(), row.U8<AddressPurpose>(), row.Sats(),
            row.U8<DepositState>());
        var suspense = row.U8();
        if (suspense > IsAssigned) throw new FormatException($"{suspense} where suspense is told");
        var deposit = new Deposit(
            output, script, wallet, purpose, amount, state, suspense > 0, row.Flag(), new BlockHash(row.Hash()), row.U32(), row.Msat(), row.Msat(),
            suspense == IsAssigned ? new Assignment(row.Wallet(), row.I64()) : null);
        reader.End(row);
        return deposit;
    }

    private static void WriteWithdrawal(StateWriter writer, Withdrawal withdrawal)
    {
        var row = writer.Begin(RowBytesMax);
        row.Wallet(withdrawal.Key.Wallet);
        row.Id(withdrawal.Key.Id);
        row.Short(withdrawal.Script.Span);
        row.Amount(withdrawal.Amount);
        row.Time(withdrawal.Requested);
        row.I64(withdrawal.Sequence);
        var hasTerms = withdrawal.Fee > Sats.Zero || withdrawal.Deadline is not null;
        row.U8((byte)((byte)withdrawal.State | (hasTerms ? HasTerms : 0)));
        row.I64(withdrawal.Family);
        row.Wallet(withdrawal.Payee);
        if (hasTerms)
        {
            row.Amount(withdrawal.Fee);
            row.Amount(withdrawal.Charge);
            row.Flag(withdrawal.Deadline is not null);
            if (withdrawal.Deadline is { } deadline) row.Time(deadline);
        }
        if (withdrawal.State == WithdrawalState.AwaitingApproval) row.Short(withdrawal.AskedBy.Span);
        writer.End(row);
    }

    private static Withdrawal ReadWithdrawal(StateReader reader)
    {
        var row = reader.Begin();
        var (key, script, amount) = (new WithdrawalKey(row.Wallet(), row.Id()), row.Short(Limits.ScriptBytesMax), row.Sats());
        var (requested, sequence, marked) = (row.Time(), row.I64(), row.U8());
        var state = (WithdrawalState)(marked & ~HasTerms);
        if (!Enum.IsDefined(state)) throw new FormatException($"{state} is no state of a withdrawal");
        var withdrawal = new Withdrawal(key, script, amount, requested, sequence, state, row.I64(), row.Wallet());
        if ((marked & HasTerms) != 0) withdrawal = withdrawal with { Fee = row.Sats(), Charge = row.Sats(), Deadline = row.Flag() ? row.Time() : null };
        if (state == WithdrawalState.AwaitingApproval) withdrawal = withdrawal with { AskedBy = row.Short(Limits.KeyIdBytesMax) };
        reader.End(row);
        return withdrawal;
    }

    private static void WriteEpoch(StateWriter writer, Epoch epoch)
    {
        var row = writer.Begin(RowBytesMax);
        row.I64(epoch.Number | (epoch.Statement is null ? 0 : HasStatement));
        row.Time(epoch.Closed);
        row.I64(epoch.Entries);
        if (epoch.Statement is { } statement)
        {
            row.Raw(statement.ToArray());
            row.I64(epoch.Stated);
        }
        writer.End(row);
    }

    private static Epoch ReadEpoch(StateReader reader)
    {
        var row = reader.Begin();
        var number = row.I64();
        var epoch = new Epoch(number & ~HasStatement, row.Time(), row.I64());
        if ((number & HasStatement) != 0) epoch = epoch with { Statement = StateEpoch.Read(ref row).Statement, Stated = row.I64() };
        reader.End(row);
        return epoch;
    }
}
