using System.CommandLine;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class WalletCommands
{
    public static Command Create()
    {
        var id = Inputs.Id();
        return new Command("wallet", "Wallets.")
        {
            ClientCommand.Create("create", "Make a wallet; its name is printed.", [id], async session =>
                session.Show(
                    await session.Client.CreateWalletAsync(session.ChooseId(id), session.Cancel),
                    (wallet, output) => output.WriteLine(wallet.Wallet))),
            CreateFreeze("freeze", "Stop everything that leaves a wallet.", frozen: true),
            CreateFreeze("unfreeze", "Lift your own freeze of a wallet.", frozen: false),
            CreateLimits(),
        };
    }

    private static Command CreateFreeze(string name, string description, bool frozen)
    {
        var (wallet, id) = (Inputs.Wallet(), Inputs.Id());
        return ClientCommand.Create(name, description, [wallet, id], async session =>
            session.Show(
                await session.Client.FreezeAsync(new SetFrozen(session.ChooseId(id), session.Get(wallet), frozen), session.Cancel),
                (set, output) => output.WriteLine(set.FrozenBy.Count == 0 ? "not frozen" : FrozenBy(set.FrozenBy))));
    }

    private static Command CreateLimits()
    {
        var wallet = Inputs.Wallet();
        var perPayment = Inputs.AmountOption("--per-payment", "The most that one payment may be.");
        var perHour = Inputs.AmountOption("--per-hour", "The most that may be paid in one clock hour (UTC).");
        var perDay = Inputs.AmountOption("--per-day", "The most that may be paid on one day (UTC).");
        var none = new Option<bool>("--none") { Description = "Take all limits away." };
        var id = Inputs.Id();
        return ClientCommand.Create(
            "limits", "Show a wallet's spending limits or, with one of the options, set them all: what is not given is no limit.",
            [wallet, perPayment, perHour, perDay, none, id], async session =>
            {
                var limits = new LimitsRequest("", session.Get(perPayment)?.Value, session.Get(perHour)?.Value, session.Get(perDay)?.Value);
                var isSet = limits != new LimitsRequest("");
                if (isSet && session.Get(none)) throw new CommandFailedException("give limits or --none, not both", ExitCode.Usage);
                var reply = isSet || session.Get(none)
                    ? await session.Client.SetLimitsAsync(session.Get(wallet), limits with { Id = session.ChooseId(id).ToString() }, session.Cancel)
                    : await session.Client.GetLimitsAsync(session.Get(wallet), session.Cancel);
                session.Show(reply, Write);
            });
    }

    private static void Write(LimitsReply limits, TextWriter output)
    {
        foreach (var (name, limit) in new[] { ("per payment", limits.PerPaymentMsat), ("per hour", limits.PerHourMsat), ("per day", limits.PerDayMsat) })
            output.WriteLine($"{name,-12}{(limit is { } msat ? Session.Bits(msat) : "no limit")}");
    }

    private static string FrozenBy(IReadOnlyList<string> who) => $"frozen by the {string.Join(" and the ", who)}: nothing leaves the wallet";

    public static Command CreateBalance()
    {
        var wallet = Inputs.Wallet();
        return ClientCommand.Create("balance", "What is in a wallet.", [wallet], async session =>
            session.Show(await session.Client.GetWalletAsync(session.Get(wallet), session.Cancel), Write));
    }

    public static void Write(WalletReply wallet, TextWriter output)
    {
        output.WriteLine($"available  {Session.Bits(wallet.AvailableMsat)}");
        if (wallet.HeldMsat > 0) output.WriteLine($"held       {Session.Bits(wallet.HeldMsat)}, for withdrawals and holds");
        if (wallet.FrozenBy is { } who) output.WriteLine(FrozenBy(who));
        if (wallet.FrozenMsat > 0) output.WriteLine($"frozen     {Session.Bits(wallet.FrozenMsat)}, of deposits that left the chain and may come back");
        if (wallet.OwedPendingMsat > 0) output.WriteLine($"owed       {Session.Bits(wallet.OwedPendingMsat)}, unless the deposits come back");
        if (wallet.OwedMsat > 0) output.WriteLine($"owed       {Session.Bits(wallet.OwedMsat)}, of deposits that are gone: nothing leaves until it is repaid");
    }
}
