using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class RefundCommand
{
    public static Command Create()
    {
        var payer = Inputs.Wallet("payer", "The wallet that was paid, and pays back.");
        var payee = Inputs.Wallet("payee", "The wallet that had paid.");
        var original = Inputs.IdArgument("The id of the payment that is refunded.", "original");
        var amount = Inputs.Amount();
        var (code, reference, id) = (Inputs.Code(), Inputs.Reference(), Inputs.Id());
        return ClientCommand.Create(
            "refund", "Pay a payment back, wholly or in part.", [payer, payee, original, amount, code, reference, id], async session =>
            {
                var refund = new RefundRequest(
                    session.ChooseId(id).ToString(), session.Get(payer).ToString(), session.Get(payee).ToString(), session.Get(original).ToString(),
                    session.Get(amount).Value, session.Get(code), session.Get(reference));
                session.Show(await session.Client.RefundAsync(refund, session.Cancel), (paid, output) =>
                    PayCommand.Write(paid, $"paid {Session.Bits(paid.AmountMsat)} back to {paid.Payee}", output));
            });
    }
}
