using System.Globalization;

namespace Bitcache.Cli.Commands;

/// <summary>What came in and is nobody's yet: the operator finds out whose it is.</summary>
internal static class SuspenseCommands
{
    public static Command CreateList()
    {
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create(
            "suspense", "What came in and is nobody's yet, newest first: too small, or a coinbase.", [limit, before], async session => session.Show(
                await session.Client.GetSuspenseAsync(session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(output, ["output", "amount", "state", "block", "address", "of wallet"], page.Items.Select(s => (string[])
                    [
                        s.Output, Session.Sat(s.AmountSat), s.State, s.Height.ToString(CultureInfo.InvariantCulture), s.Address, s.Wallet,
                    ]));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    public static Command CreateAssign()
    {
        var (outPoint, wallet, id) = (Inputs.OutPoint("The output, as txid:index."), Inputs.Wallet(description: "Who is to have it (bcw1…)."), Inputs.Id());
        return ClientCommand.Create(
            "suspense-assign", "Give an output that is in suspense, and final, to a wallet.", [outPoint, wallet, id], async session => session.Show(
                await session.Client.AssignSuspenseAsync(session.Get(outPoint), session.Get(wallet), session.ChooseId(id), session.Cancel),
                (assigned, output) =>
                {
                    output.WriteLine($"{Session.Sat(assigned.AmountSat)} of {assigned.Output} to {assigned.Wallet}");
                    output.WriteLine($"id {assigned.Id}, entry {assigned.Sequence}, {assigned.Time}");
                }));
    }
}
