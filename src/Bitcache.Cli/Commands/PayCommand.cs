using System.CommandLine;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class PayCommand
{
    public static Command Create()
    {
        var payer = Inputs.Wallet("payer", "The wallet that pays.");
        var payee = Inputs.Wallet("payee", "The wallet that is paid.");
        var amount = Inputs.Amount();
        var upTo = new Option<bool>("--up-to") { Description = "Pay less if that is all that funds and limits allow." };
        var (code, reference, id) = (Inputs.Code(), Inputs.Reference(), Inputs.Id());
        return ClientCommand.Create("pay", "Pay from one wallet to another.", [payer, payee, amount, upTo, code, reference, id], async session =>
        {
            var transfer = new Transfer(
                session.ChooseId(id), session.Get(payer), session.Get(payee), session.Get(amount), session.Get(code),
                ByteString.FromUtf8(session.Get(reference)!))
            {
                UpTo = session.Get(upTo) ? session.Get(amount) : null,
            };
            session.Show(await session.Client.PayAsync(transfer, session.Cancel), (paid, output) =>
                Write(paid, $"paid {Session.Bits(paid.AmountMsat)} to {paid.Payee}", output));
        });
    }

    /// <summary>What was done, under which id, what it cost, and what the wallets that the caller may see have left.</summary>
    public static void Write(PaymentReply payment, string done, TextWriter output)
    {
        output.WriteLine(done);
        output.WriteLine($"id {payment.Id}, entry {payment.Sequence}, {payment.Time}");
        if (payment.FeeMsat is { } fee) output.WriteLine($"{(payment.Kind == "hold" ? "held for the fee" : "fee")} {Session.Bits(fee)}");
        if (payment.ReleasedMsat is { } released) output.WriteLine($"{Session.Bits(released)} went back to the payer");
        if (payment.PayerWallet is { } payer) output.WriteLine($"{Session.Bits(payer.AvailableMsat)} are left");
        else if (payment.PayeeWallet is { } payee) output.WriteLine($"the payee has {Session.Bits(payee.AvailableMsat)}");
    }
}
