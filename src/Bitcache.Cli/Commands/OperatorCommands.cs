using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class OperatorCommands
{
    public static Command Create()
    {
        var command = new Command("operator", "The operator's own affairs.") { CreateTopUpAddress(), CreateShow(), CreateConfirmClock(), CreateRotateKey(), SigningCommands.CreateList(), SigningCommands.CreateHandBack(), ReservesCommands.CreateProve() };
        foreach (var brake in BrakeCommands.All()) command.Add(brake);
        return command;
    }

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

    private static Command CreateRotateKey()
    {
        var id = Inputs.Id();
        return ClientCommand.Create(
            "rotate-checkpoint-key", "Have another key sign the log's checkpoints from now on: back it up at once, the one before is gone.", [id], async session =>
                session.Show(
                    await session.Client.RotateCheckpointKeyAsync(session.ChooseId(id), session.Cancel),
                    (rotated, output) => output.WriteLine($"checkpoints are signed with {rotated.Vkey} from entry {rotated.Sequence} on; {rotated.OldVkey} signed that")));
    }

    internal static void Write(OperatorReply reply, TextWriter output)
    {
        var totals = reply.Totals;
        output.WriteLine($"the operator's wallet, {reply.Wallet.Wallet}:");
        WalletCommands.Write(reply.Wallet, output);
        if (totals.InFlightMsat is not null) output.WriteLine($"in all     {Session.Bits(reply.AvailableMsat)}, with its accounts in the other partitions");
        output.WriteLine();
        output.WriteLine($"all {reply.Wallets} wallets:");
        Columns.Write(output, ["inside", "", "from Bitcoin", ""],
        [
            ["available", Signed(totals.AvailableMsat), "deposited", Signed(totals.DepositedMsat)],
            ["held", Signed(totals.HeldMsat), "topped up", Signed(totals.ToppedUpMsat)],
            ["frozen", Signed(totals.FrozenMsat), "reversed", Signed(-totals.ReversedMsat)],
            ["suspense", Signed(totals.SuspenseMsat), "withdrawn", Signed(-totals.WithdrawnMsat)],
            ["owed", Signed(-totals.OwedMsat), "mining fees", Signed(-totals.MiningFeesMsat)],
            .. totals.InFlightMsat is { } inFlight ? [["on its way", Signed(inFlight), "", ""]] : (string[][])[],
            ["sum", Signed(totals.InsideMsat + (totals.InFlightMsat ?? 0)), "sum", Signed(totals.FromBitcoinMsat)],
        ]);
        output.WriteLine(totals.Conserved ? "the sums are equal, as they must be" : "THE SUMS DIFFER: stop the server and keep the data folder");
    }

    private static string Signed(long msat) => (msat < 0 ? "-" : "") + Session.Bits(Math.Abs(msat));
}
