using System.CommandLine;
using Bitcache.Core;

namespace Bitcache.Cli.Commands;

internal static class PayCommand
{
    public static Command Create()
    {
        var payer = Inputs.Wallet("payer", "The wallet that pays.");
        var payee = Inputs.Wallet("payee", "The wallet that is paid.");
        var amount = Inputs.Amount();
        var code = new Option<uint>("--code") { Description = "A number of your choice, kept with the payment." };
        var reference = new Option<string>("--reference")
        {
            Description = $"A text of your choice, kept with the payment: at most {Limits.ReferenceBytesMax} bytes.",
            DefaultValueFactory = _ => "",
        };
        var id = Inputs.Id();
        return ClientCommand.Create("pay", "Pay from one wallet to another.", [payer, payee, amount, code, reference, id], async session =>
        {
            var transfer = new Transfer(
                session.ChooseId(id), session.Get(payer), session.Get(payee), session.Get(amount), session.Get(code),
                ByteString.FromUtf8(session.Get(reference)!));
            session.Show(await session.Client.PayAsync(transfer, session.Cancel), (paid, output) =>
            {
                output.WriteLine($"paid {Session.Bits(paid.AmountMsat)} to {paid.Payee}");
                output.WriteLine($"id {paid.Id}, entry {paid.Sequence}, {paid.Time}");
                if (paid.PayerWallet is { } wallet) output.WriteLine($"{Session.Bits(wallet.AvailableMsat)} are left");
            });
        });
    }
}
