using System.Globalization;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class EpochCommands
{
    public static Command Create() => new("epoch", "Epochs: where the books are closed and fixed in Bitcoin.") { CreateClose(), CreateList() };

    private static Command CreateClose()
    {
        var id = Inputs.Id();
        return ClientCommand.Create("close", "Close the epoch now: what waits is withdrawn, and the log is anchored.", [id], async session =>
            session.Show(
                await session.Client.CloseEpochAsync(session.ChooseId(id), session.Cancel),
                (epoch, output) => output.WriteLine($"epoch {epoch.Epoch} closed at {epoch.TreeSize} entries, {epoch.Closed}")));
    }

    private static Command CreateList()
    {
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("list", "Closed epochs, newest first.", [limit, before], async session =>
            session.Show(
                await session.Client.GetEpochsAsync(session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(output, ["epoch", "closed", "entries", "anchor", "transaction", "block"], page.Items.Select(Row));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    private static string[] Row(EpochReply epoch) =>
    [
        Text(epoch.Epoch), epoch.Closed, epoch.TreeSize is { } size ? Text(size) : "", epoch.Anchor?.State ?? "waits", epoch.Anchor?.Txid ?? "",
        epoch.Anchor?.Height is { } height ? Text(height) : "",
    ];

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
