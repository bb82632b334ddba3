using System.CommandLine;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class WithdrawCommands
{
    public static Command CreateWithdraw()
    {
        var wallet = Inputs.Wallet();
        var address = new Argument<string>("address") { Description = "The Bitcoin address." };
        var amount = Inputs.SatsOrMax();
        var id = Inputs.Id();
        return ClientCommand.Create(
            "withdraw", "Send money to a Bitcoin address. It leaves when the epoch closes.", [wallet, address, amount, id], async session =>
                session.Show(
                    await session.Client.WithdrawAsync(
                        session.Get(wallet), session.ChooseId(id), session.Get(address)!, session.Get(amount)!.Amount, session.Cancel),
                    Write));
    }

    public static Command CreateCancel()
    {
        var (wallet, withdrawal) = (Inputs.Wallet(), Inputs.IdArgument("The withdrawal's id.", "withdrawal"));
        return ClientCommand.Create(
            "cancel-withdrawal", "Take back a withdrawal that is still queued.", [wallet, withdrawal], async session =>
                session.Show(await session.Client.CancelWithdrawalAsync(session.Get(wallet), session.Get(withdrawal), session.Cancel), Write));
    }

    public static Command CreateWithdrawals()
    {
        var wallet = Inputs.Wallet();
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("withdrawals", "A wallet's withdrawals, newest first.", [wallet, limit, before], async session =>
            session.Show(
                await session.Client.GetWithdrawalsAsync(session.Get(wallet), session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(
                        output, ["id", "time", "amount", "state", "address", "transaction"],
                        page.Items.Select(w => (string[])[w.Id, w.Time, Session.Sat(w.AmountSat), w.State, w.Address, w.Txid ?? ""]));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    private static void Write(WithdrawalReply withdrawal, TextWriter output)
    {
        output.WriteLine($"{Session.Sat(withdrawal.AmountSat)} to {withdrawal.Address}: {withdrawal.State}");
        output.WriteLine($"id {withdrawal.Id}, entry {withdrawal.Sequence}, {withdrawal.Time}");
    }
}
