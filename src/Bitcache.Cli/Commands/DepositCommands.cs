using System.CommandLine;
using System.Globalization;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class DepositCommands
{
    public static Command CreateAddress()
    {
        var wallet = Inputs.Wallet();
        var (count, id) = (Inputs.Count(Limits.AddressesAtOnceMax, "How many addresses, all at once"), Inputs.Id());
        return ClientCommand.Create("address", "Get a Bitcoin address that belongs to a wallet for ever, or many.", [wallet, count, id], async session =>
        {
            if (session.Get(count) is { } many)
            {
                session.Show(
                    await session.Client.AssignAddressesAsync(session.Get(wallet), session.ChooseId(id), many, session.Cancel),
                    (assigned, output) => output.Write(string.Concat(assigned.Addresses.Select(address => address + output.NewLine))));
                return;
            }
            session.Show(
                await session.Client.AssignAddressAsync(session.Get(wallet), session.ChooseId(id), session.Cancel),
                (assigned, output) => output.WriteLine(assigned.Address));
        });
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

    public static Command CreateRescan()
    {
        var from = new Option<uint>("--from-height") { Description = "The first block that is looked at again.", HelpName = "height", Required = true };
        return ClientCommand.Create(
            "rescan", "Have the node's wallet rescanned, and look for deposits again; deposits and withdrawals wait meanwhile.", [from], async session =>
                session.Show(
                    await session.Client.RescanAsync(session.Get(from), session.Cancel),
                    (reply, output) => output.WriteLine($"the node's wallet is rescanned from block {reply.FromHeight}; the health says when it is done")));
    }

    private static string Describe(DepositReply deposit) => deposit switch
    {
        { ConfirmationsNeeded: { } needed, Confirmations: { } has } =>
            string.Create(CultureInfo.InvariantCulture, $"{deposit.State}, {has} of {needed} confirmations"),
        { Suspense: true } => deposit.State + ", kept apart",
        _ => deposit.State,
    };
}
