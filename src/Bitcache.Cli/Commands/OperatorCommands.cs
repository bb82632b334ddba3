using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class OperatorCommands
{
    public static Command Create() => new("operator", "The operator's own affairs.") { CreateTopUpAddress(), CreateShow(), CreateConfirmClock() };

    private static Command CreateTopUpAddress()
    {
        var id = Inputs.Id();
        return ClientCommand.Create(
            "topup-address", "Get an address that fills the operator's wallet, which pays for mining.", [id], async session =>
                session.Show(
                    await session.Client.AssignTopUpAddressAsync(session.ChooseId(id), session.Cancel),
                    (assigned, output) => output.WriteLine(assigned.Address)));
    }

    private static Command CreateShow() => ClientCommand.Create("show", "The operator's wallet and the sums of all wallets.", [], async session =>
        session.Show(await session.Client.GetOperatorAsync(session.Cancel), Write));

    private static Command CreateConfirmClock() => ClientCommand.Create(
        "confirm-clock", "Say that the server's clock is right, after it jumped: look at the clock first.", [], async session =>
            session.Show(
                await session.Client.ConfirmClockAsync(session.Cancel),
                (clock, output) => output.WriteLine($"the ledger's time goes on from {clock.Time}")));

    private static void Write(OperatorReply reply, TextWriter output)
    {
        var totals = reply.Totals;
        output.WriteLine($"the operator's wallet, {reply.Wallet.Wallet}:");
        WalletCommands.Write(reply.Wallet, output);
        output.WriteLine();
        output.WriteLine($"all {reply.Wallets} wallets:");
        Columns.Write(output, ["inside", "", "from Bitcoin", ""],
        [
            ["available", Session.Bits(totals.AvailableMsat), "deposited", Session.Bits(totals.DepositedMsat)],
            ["held", Session.Bits(totals.HeldMsat), "topped up", Session.Bits(totals.ToppedUpMsat)],
            ["frozen", Session.Bits(totals.FrozenMsat), "reversed", Minus(totals.ReversedMsat)],
            ["suspense", Session.Bits(totals.SuspenseMsat), "withdrawn", Minus(totals.WithdrawnMsat)],
            ["owed", Minus(totals.OwedMsat), "mining fees", Minus(totals.MiningFeesMsat)],
            ["sum", Session.Bits(totals.InsideMsat), "sum", Session.Bits(totals.FromBitcoinMsat)],
        ]);
        output.WriteLine(totals.Conserved ? "the sums are equal, as they must be" : "THE SUMS DIFFER: stop the server and keep the data folder");
    }

    private static string Minus(long msat) => (msat == 0 ? "" : "-") + Session.Bits(msat);
}
