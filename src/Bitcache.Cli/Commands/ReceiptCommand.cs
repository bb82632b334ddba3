using System.CommandLine;
using Bitcache.Cli.Verify;
using Bitcache.Core;

namespace Bitcache.Cli.Commands;

internal static class ReceiptCommand
{
    public static Command Create()
    {
        var id = Inputs.IdArgument("The payment's id.");
        var wallet = Inputs.WalletOption("The wallet that paid.");
        var part = new Option<int?>("--part") { Description = "Of a split: the receipt of which part, the first being 0." };
        var folder = new Option<DirectoryInfo>("--out") { Description = "The folder for the receipt's files.", HelpName = "folder", Required = true };
        return ClientCommand.Create(
            "receipt", "Fetch the receipt of a payment: files that prove it without the server. 'bitcache verify' checks them.", [id, wallet, part, folder],
            async session =>
            {
                var receipt = session.Get(part) is { } number
                    ? await session.Client.GetReceiptAsync(session.Get(wallet), session.Get(id), number, session.Cancel)
                    : await session.Client.GetReceiptAsync(session.Get(wallet), session.Get(id), session.Cancel);
                var pins = await session.Client.GetPinsAsync(session.Cancel);
                var leaf = ReceiptFolder.Write(session.Get(folder)!.FullName, Name(session.Get(id), session.Get(part)), receipt.Value, pins, await session.Client.GetRotationsAsync(session.Cancel));
                session.Show(receipt, (r, output) =>
                {
                    output.WriteLine(leaf);
                    output.WriteLine(r.AnchorTxid is null
                        ? "no anchor covers it yet: fetch it again once the epoch's anchor is in a block"
                        : $"anchored by {r.AnchorTxid} in block {r.AnchorHeight}");
                });
            });
    }

    /// <summary>What the files are called: a split has as many receipts as parts.</summary>
    private static string Name(OperationId id, int? part) => part is null ? id.ToString() : $"{id}.{part}";
}
