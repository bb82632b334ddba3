using System.Globalization;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class DepositCommands
{
    public static Command CreateAddress()
    {
        var wallet = Inputs.Wallet();
        var id = Inputs.Id();
        return ClientCommand.Create("address", "Get a Bitcoin address that belongs to a wallet for ever.", [wallet, id], async session =>
            session.Show(
                await session.Client.AssignAddressAsync(session.Get(wallet), session.ChooseId(id), session.Cancel),
                (assigned, output) => output.WriteLine(assigned.Address)));
    }

    public static Command CreateDeposits()
    {
        var wallet = Inputs.Wallet();
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("deposits", "What was paid to a wallet's addresses, newest first.", [wallet, limit, before], async session =>
            session.Show(
                await session.Client.GetDepositsAsync(session.Get(wallet), session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(output, ["output", "amount", "state", "block", "address"], page.Items.Select(d => (string[])
                    [
                        d.Output, Session.Sat(d.AmountSat), Describe(d),
                        d.Height?.ToString(CultureInfo.InvariantCulture) ?? "", d.Address,
                    ]));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    private static string Describe(DepositReply deposit) => deposit switch
    {
        { ConfirmationsNeeded: { } needed, Confirmations: { } has } =>
            string.Create(CultureInfo.InvariantCulture, $"{deposit.State}, {has} of {needed} confirmations"),
        { Suspense: true } => deposit.State + ", kept apart",
        _ => deposit.State,
    };
}
