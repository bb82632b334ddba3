// The bytes of what the ledger knows of the chain, as part of the state.

namespace Bitcache.Core;

internal static class ChainRows
{
    private const int RowBytesMax = 512;

    public static RowFormat<DepositAddress> Addresses { get; } = new(StateSection.Addresses, WriteAddress, ReadAddress);
    public static RowFormat<Deposit> Deposits { get; } = new(StateSection.Deposits, WriteDeposit, ReadDeposit);
    public static RowFormat<Withdrawal> Withdrawals { get; } = new(StateSection.Withdrawals, WriteWithdrawal, ReadWithdrawal);
    public static RowFormat<Family> Families { get; } = new(StateSection.Families, FamilyRows.Write, FamilyRows.Read);
    public static RowFormat<Epoch> Epochs { get; } = new(StateSection.Epochs, WriteEpoch, ReadEpoch);

    private static void WriteAddress(StateWriter writer, DepositAddress address)
    {
        var row = writer.Begin(RowBytesMax);
        row.Wallet(address.Wallet);
        row.U8((byte)address.Purpose);
        row.Short(address.Script.Span);
        row.I64(address.Sequence);
        writer.End(row);
    }

    private static DepositAddress ReadAddress(StateReader reader)
    {
        var row = reader.Begin();
        var address = new DepositAddress(row.Wallet(), row.U8<AddressPurpose>(), row.Short(Limits.ScriptBytesMax), row.I64());
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
        row.Flag(deposit.Suspense);
        row.Flag(deposit.Booked);
        row.Hash(deposit.Block.Hash);
        row.U32(deposit.Height);
        row.Amount(deposit.FrozenPart);
        row.Amount(deposit.OwedPart);
        writer.End(row);
    }

    private static Deposit ReadDeposit(StateReader reader)
    {
        var row = reader.Begin();
        var deposit = new Deposit(
            new OutPoint(new Txid(row.Hash()), row.U32()), row.Short(Limits.ScriptBytesMax), row.Wallet(), row.U8<AddressPurpose>(), row.Sats(),
            row.U8<DepositState>(), row.Flag(), row.Flag(), new BlockHash(row.Hash()), row.U32(), row.Msat(), row.Msat());
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
        row.U8((byte)withdrawal.State);
        row.I64(withdrawal.Family);
        row.Wallet(withdrawal.Payee);
        writer.End(row);
    }

    private static Withdrawal ReadWithdrawal(StateReader reader)
    {
        var row = reader.Begin();
        var withdrawal = new Withdrawal(
            new WithdrawalKey(row.Wallet(), row.Id()), row.Short(Limits.ScriptBytesMax), row.Sats(), row.Time(), row.I64(),
            row.U8<WithdrawalState>(), row.I64(), row.Wallet());
        reader.End(row);
        return withdrawal;
    }

    private static void WriteEpoch(StateWriter writer, Epoch epoch)
    {
        var row = writer.Begin(RowBytesMax);
        row.I64(epoch.Number);
        row.Time(epoch.Closed);
        row.I64(epoch.Entries);
        writer.End(row);
    }

    private static Epoch ReadEpoch(StateReader reader)
    {
        var row = reader.Begin();
        var epoch = new Epoch(row.I64(), row.Time(), row.I64());
        reader.End(row);
        return epoch;
    }
}
