using System.CommandLine;
using Bitcache.Cli.Verify;

namespace Bitcache.Cli.Commands;

internal static class ReceiptCommand
{
    public static Command Create()
    {
        var id = Inputs.IdArgument("The payment's id.");
        var wallet = Inputs.WalletOption("The wallet that paid.");
        var folder = new Option<DirectoryInfo>("--out") { Description = "The folder for the receipt's files.", HelpName = "folder", Required = true };
        return ClientCommand.Create(
            "receipt", "Fetch the receipt of a payment: files that prove it without the server. 'bitcache verify' checks them.", [id, wallet, folder],
            async session =>
            {
                var receipt = await session.Client.GetReceiptAsync(session.Get(wallet), session.Get(id), session.Cancel);
                var pins = await session.Client.GetPinsAsync(session.Cancel);
                var leaf = ReceiptFolder.Write(session.Get(folder)!.FullName, session.Get(id), receipt.Value, pins);
                session.Show(receipt, (r, output) =>
                {
                    output.WriteLine(leaf);
                    output.WriteLine(r.AnchorTxid is null
                        ? "no anchor covers it yet: fetch it again once the epoch's anchor is in a block"
                        : $"anchored by {r.AnchorTxid} in block {r.AnchorHeight}");
                });
            });
    }
}
