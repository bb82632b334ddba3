using System.Globalization;
using Bitcache.Core;

namespace Bitcache.Cli.Commands;

/// <summary>Deposits that left the chain: of those that the node forgot the operator says what became of them.</summary>
internal static class FrozenCommands
{
    public static Command CreateList()
    {
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create(
            "frozen", "Deposits that left the chain and are frozen, newest first.", [limit, before], async session => session.Show(
                await session.Client.GetFrozenAsync(session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(output, ["output", "amount", "set aside", "spent", "last block", "wallet"], page.Items.Select(f => (string[])
                    [
                        f.Output, Session.Sat(f.AmountSat) + (f.Credited ? "" : ", never credited") + (f.Suspense ? ", kept apart" : ""),
                        Msats(f.FrozenMsat), Msats(f.OwedMsat), f.Height?.ToString(CultureInfo.InvariantCulture) ?? "", f.Wallet,
                    ]));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    public static Command CreateRelease() => CreateSettle(
        "frozen-release", "Say that a frozen deposit is there for good: what was set aside goes back to its wallet.", released: true);

    public static Command CreateReverse() => CreateSettle(
        "frozen-reverse", "Say that a frozen deposit is gone for good: what was spent of it is owed.", released: false);

    private static Command CreateSettle(string name, string description, bool released)
    {
        var (outPoint, reason, id) = (Inputs.OutPoint("The output, as txid:index."), Inputs.Reason(), Inputs.Id());
        return ClientCommand.Create(name, description, [outPoint, reason, id], async session => session.Show(
            await session.Client.SettleDepositAsync(session.Get(outPoint), released, session.Get(reason)!, session.ChooseId(id), session.Cancel),
            (settled, output) =>
            {
                output.WriteLine($"{settled.Output} is {settled.State}, {Msats(settled.AmountMsat)} of a wallet's: {settled.Reason}");
                output.WriteLine($"id {settled.Id}, entry {settled.Sequence}, {settled.Time}");
            }));
    }

    private static string Msats(long msat) => Amounts.Format(new Msat(msat), MoneyUnit.Sat);
}
