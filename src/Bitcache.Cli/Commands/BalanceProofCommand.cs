using System.CommandLine;
using Bitcache.Cli.Verify;

namespace Bitcache.Cli.Commands;

internal static class BalanceProofCommand
{
    public static Command Create()
    {
        var wallet = Inputs.Wallet();
        var epoch = new Option<long>("--epoch") { Description = "The epoch whose statement counts.", Required = true };
        var folder = new Option<DirectoryInfo>("--out") { Description = "The folder for the files of the proof.", HelpName = "folder", Required = true };
        return ClientCommand.Create(
            "balance-proof", "Fetch what an epoch's statement owes a wallet: files that prove it without the server. 'bitcache verify' checks them, with the key that is shown.",
            [wallet, epoch, folder],
            async session =>
            {
                var balance = await session.Client.GetBalanceProofAsync(session.Get(wallet), session.Get(epoch), session.Cancel);
                var key = (await session.Client.GetLiabilityKeyAsync(session.Get(wallet), session.Cancel)).Value;
                var pins = await session.Client.GetPinsAsync(session.Cancel);
                var leaves = ReceiptFolder.Write(session.Get(folder)!.FullName, session.Get(wallet), balance.Value, pins, await session.Client.GetRotationsAsync(session.Cancel));
                session.Show(balance, (b, output) =>
                {
                    output.WriteLine($"epoch {b.Epoch} owes {Session.Bits(b.ValueMsat)} at block {b.Height}; the wallet's key is {key.Key}");
                    foreach (var leaf in leaves) output.WriteLine(leaf);
                    if (b.Chunks.Any(c => c.OpenTimestamps is null)) output.WriteLine("no anchor covers it yet: fetch it again once the epoch's anchor is in a block");
                });
            });
    }
}
