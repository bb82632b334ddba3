using System.CommandLine;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class HoldCommands
{
    public static Command Create() => new("hold", "Money set aside for a payee, until it is captured, released or expires.")
    {
        CreatePlace(), CreateCapture(), CreateRelease(), CreateShow(), CreateList(),
    };

    private static Argument<WalletId> Payer() => Inputs.Wallet("payer", "The wallet that pays.");

    private static Argument<WalletId> Payee() => Inputs.Wallet("payee", "The wallet that is paid.");

    private static Argument<OperationId> Hold() => Inputs.IdArgument("The hold's id.", "hold");

    private static Command CreatePlace()
    {
        var (payer, payee, amount, forTime) = (Payer(), Payee(), Inputs.Amount(), Inputs.HoldTime());
        var (code, reference, id) = (Inputs.Code(), Inputs.Reference(), Inputs.Id());
        return ClientCommand.Create("place", "Set money aside for a payee.", [payer, payee, amount, forTime, code, reference, id], async session =>
        {
            // Counted from the id's own time, so that the same command with the same id asks for the same.
            var chosen = session.ChooseId(id);
            var hold = new PlaceHold(
                chosen, session.Get(payer), session.Get(payee), session.Get(amount), session.Get(code), ByteString.FromUtf8(session.Get(reference)!),
                new UnixTime(chosen.Time.Milliseconds + (long)session.Get(forTime).TotalMilliseconds));
            session.Show(await session.Client.PlaceHoldAsync(hold, session.Cancel), (placed, output) =>
                PayCommand.Write(placed, $"held {Session.Bits(placed.AmountMsat)} for {placed.Payee} until {placed.Expires}", output));
        });
    }

    private static Command CreateCapture()
    {
        var (payer, payee, hold, amount) = (Payer(), Payee(), Hold(), Inputs.Amount());
        var close = new Option<bool>("--close") { Description = "This is the last capture: what it leaves goes back to the payer." };
        var (code, reference, id) = (Inputs.Code(), Inputs.Reference(), Inputs.Id());
        return ClientCommand.Create(
            "capture", "Pay the payee out of a hold; with a key of either side.", [payer, payee, hold, amount, close, code, reference, id], async session =>
            {
                var capture = new CaptureHold(
                    session.ChooseId(id), session.Get(payer), session.Get(payee), session.Get(amount), session.Get(code),
                    ByteString.FromUtf8(session.Get(reference)!), session.Get(hold), session.Get(close));
                session.Show(await session.Client.CaptureHoldAsync(capture, session.Cancel), (captured, output) =>
                    PayCommand.Write(captured, $"paid {Session.Bits(captured.AmountMsat)} to {captured.Payee}", output));
            });
    }

    private static Command CreateRelease()
    {
        var (payer, payee, hold) = (Payer(), Payee(), Hold());
        var (code, reference, id) = (Inputs.Code(), Inputs.Reference(), Inputs.Id());
        return ClientCommand.Create(
            "release", "Give what is left of a hold back to the payer; with a key of the payee's side.", [payer, payee, hold, code, reference, id], async session =>
            {
                var release = new ReleaseHold(
                    session.ChooseId(id), session.Get(payer), session.Get(payee), Msat.Zero, session.Get(code),
                    ByteString.FromUtf8(session.Get(reference)!), session.Get(hold));
                session.Show(await session.Client.ReleaseHoldAsync(release, session.Cancel), (released, output) =>
                    PayCommand.Write(released, $"gave {Session.Bits(released.AmountMsat)} back to {released.Payer}", output));
            });
    }

    private static Command CreateShow()
    {
        var (payer, hold) = (Payer(), Hold());
        return ClientCommand.Create("show", "A hold as it is now.", [payer, hold], async session =>
            session.Show(await session.Client.GetHoldAsync(session.Get(payer), session.Get(hold), session.Cancel), Write));
    }

    private static Command CreateList()
    {
        var wallet = Inputs.Wallet();
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("list", "The open holds of a wallet, as payer or payee, newest first.", [wallet, limit, before], async session =>
            session.Show(
                await session.Client.GetHoldsAsync(session.Get(wallet), session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(
                        output, ["hold", "expires", "left", "payer", "payee"],
                        page.Items.Select(h => (string[])[h.Id, h.Expires, Session.Bits(h.LeftMsat ?? 0), h.Payer, h.Payee]));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    private static void Write(HoldReply hold, TextWriter output)
    {
        output.WriteLine($"{hold.State}: {Session.Bits(hold.AmountMsat ?? 0)} from {hold.Payer} for {hold.Payee}");
        if (hold.LeftMsat is { } left) output.WriteLine($"left       {Session.Bits(left)}");
        if (hold.FeeLeftMsat is { } fee) output.WriteLine($"for fees   {Session.Bits(fee)}");
        output.WriteLine($"expires    {hold.Expires}");
        output.WriteLine($"id {hold.Id}, entry {hold.Sequence}, {hold.Time}");
        if (!string.IsNullOrEmpty(hold.Reference)) output.WriteLine($"reference '{PlainText.Of(hold.Reference)}'");
        if (hold.State == "refused") output.WriteLine($"refused: {hold.Outcome}");
    }
}
