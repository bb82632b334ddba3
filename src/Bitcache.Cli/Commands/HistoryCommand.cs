using System.Globalization;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class HistoryCommand
{
    public static Command Create()
    {
        var wallet = Inputs.Wallet();
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("history", "What happened to a wallet, newest first.", [wallet, limit, before], async session =>
            session.Show(
                await session.Client.GetHistoryAsync(session.Get(wallet), session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(
                        output, ["entry", "time", "kind", "amount", "available", "with", "id", "reference"],
                        page.Items.Select(Row));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    private static string[] Row(HistoryReply line) =>
    [
        line.Sequence.ToString(CultureInfo.InvariantCulture), line.Time, line.Kind,
        line.AmountMsat == 0 ? "" : (line.Direction == "in" ? "+" : "-") + Session.Bits(line.AmountMsat), Session.Bits(line.AvailableMsat),
        line.Other ?? line.Address ?? "", line.Id ?? line.Output ?? "", PlainText.Of(line.Reference ?? ""),
    ];
}
