using Bitcache.Core;

namespace Bitcache.Cli.Commands;

internal static class SplitCommand
{
    public static Command Create()
    {
        var payer = Inputs.Wallet("payer", "The wallet that pays.");
        var parts = Inputs.Parts();
        var (code, reference, id) = (Inputs.Code(), Inputs.Reference(), Inputs.Id());
        return ClientCommand.Create("split", "Pay several wallets at once, or none.", [payer, parts, code, reference, id], async session =>
        {
            var text = ByteString.FromUtf8(session.Get(reference)!);
            var split = new Split(
                session.ChooseId(id), session.Get(payer),
                [.. session.Get(parts)!.Select(part => new SplitPart(part.Payee, part.Amount, session.Get(code), text, Salt: 0))]);
            session.Show(await session.Client.SplitAsync(split, session.Cancel), (paid, output) =>
            {
                foreach (var part in paid.Parts) output.WriteLine($"paid {Session.Bits(part.AmountMsat)} to {part.Payee}, entry {part.Sequence}");
                output.WriteLine($"id {paid.Id}, {paid.Time}");
                if (paid.FeeMsat is { } fee) output.WriteLine($"fee {Session.Bits(fee)}");
                if (paid.PayerWallet is { } wallet) output.WriteLine($"{Session.Bits(wallet.AvailableMsat)} are left");
            });
        });
    }
}
