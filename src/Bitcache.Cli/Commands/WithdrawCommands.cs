using System.CommandLine;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class WithdrawCommands
{
    public static Command CreateWithdraw()
    {
        var wallet = Inputs.Wallet();
        var address = new Argument<string>("address") { Description = "The Bitcoin address." };
        var amount = Inputs.SatsOrMax();
        var feeMax = Inputs.AmountOption("--fee-max", "Refuse rather than have more than this held for mining.");
        var deadline = new Option<string>("--deadline")
        {
            Description = "The money goes back if no transaction that pays it was signed, or handed to its signer, by then: 2026-11-21T08:00:00Z.",
            HelpName = "time",
        };
        var id = Inputs.Id();
        return ClientCommand.Create(
            "withdraw", "Send money to a Bitcoin address. It leaves when the epoch closes.", [wallet, address, amount, feeMax, deadline, id], async session =>
            {
                var sats = session.Get(amount)!.Amount;
                var request = new WithdrawalRequest(
                    session.ChooseId(id).ToString(), session.Get(address)!, sats?.Value, sats is null ? true : null,
                    session.Get(feeMax)?.RoundDownToSats().Value, session.Get(deadline));
                session.Show(await session.Client.WithdrawAsync(session.Get(wallet), request, session.Cancel), Write);
            });
    }

    public static Command CreateQuote()
    {
        var wallet = Inputs.Wallet();
        var address = new Argument<string>("address") { Description = "The Bitcoin address." };
        var amount = Inputs.SatsOrMax();
        return ClientCommand.Create(
            "quote-withdrawal", "What a withdrawal would cost now.", [wallet, address, amount], async session =>
                session.Show(
                    await session.Client.QuoteWithdrawalAsync(session.Get(wallet), session.Get(address)!, session.Get(amount)!.Amount, session.Cancel),
                    (quote, output) =>
                    {
                        output.WriteLine($"{Session.Sat(quote.AmountSat)} to {quote.Address}: at most {Session.Sat(quote.FeeSat)} for mining");
                        output.WriteLine($"until {quote.ValidUntil}; ask with --fee-max {quote.FeeSat}sat to be sure");
                    }));
    }

    public static Command CreateCancel()
    {
        var (wallet, withdrawal) = (Inputs.Wallet(), Inputs.IdArgument("The withdrawal's id.", "withdrawal"));
        return ClientCommand.Create(
            "cancel-withdrawal", "Take back a withdrawal that is still queued, or waits for approval.", [wallet, withdrawal], async session =>
                session.Show(await session.Client.CancelWithdrawalAsync(session.Get(wallet), session.Get(withdrawal), session.Cancel), Write));
    }

    public static Command CreateWithdrawals()
    {
        var wallet = Inputs.Wallet();
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("withdrawals", "A wallet's withdrawals, newest first.", [wallet, limit, before], async session =>
            session.Show(
                await session.Client.GetWithdrawalsAsync(session.Get(wallet), session.Paging(before, limit), session.Cancel),
                (page, output) =>
                {
                    Columns.Write(
                        output, ["id", "time", "amount", "fee", "state", "address", "transaction"],
                        page.Items.Select(w => (string[])[w.Id, w.Time, Session.Sat(w.AmountSat), FeeOf(w), w.State, w.Address, w.Txid ?? ""]));
                    Columns.WriteNext(output, page.Next);
                }));
    }

    internal static void Write(WithdrawalReply withdrawal, TextWriter output)
    {
        output.WriteLine($"{Session.Sat(withdrawal.AmountSat)} to {withdrawal.Address}: {withdrawal.State}");
        if (withdrawal.FeeQuotedSat is not null) output.WriteLine($"for mining {FeeOf(withdrawal)}");
        if (withdrawal.Deadline is { } deadline) output.WriteLine($"goes back if it is not on its way by {deadline}");
        output.WriteLine($"id {withdrawal.Id}, entry {withdrawal.Sequence}, {withdrawal.Time}");
    }

    private static string FeeOf(WithdrawalReply withdrawal) => (withdrawal.FeeQuotedSat, withdrawal.FeeChargedSat) switch
    {
        (null, _) => "",
        ({ } quoted, null) => $"at most {Session.Sat(quoted)}",
        ({ } quoted, { } charged) => $"{Session.Sat(charged)} of {Session.Sat(quoted)}",
    };
}
