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
        };
    }

    public static Command CreateBalance()
    {
        var wallet = Inputs.Wallet();
        return ClientCommand.Create("balance", "What is in a wallet.", [wallet], async session =>
            session.Show(await session.Client.GetWalletAsync(session.Get(wallet), session.Cancel), Write));
    }

    public static void Write(WalletReply wallet, TextWriter output)
    {
        output.WriteLine($"available  {Session.Bits(wallet.AvailableMsat)}");
        if (wallet.HeldMsat > 0) output.WriteLine($"held       {Session.Bits(wallet.HeldMsat)}, for withdrawals on their way");
        if (wallet.FrozenMsat > 0) output.WriteLine($"frozen     {Session.Bits(wallet.FrozenMsat)}, of deposits that left the chain and may come back");
        if (wallet.OwedPendingMsat > 0) output.WriteLine($"owed       {Session.Bits(wallet.OwedPendingMsat)}, unless the deposits come back");
        if (wallet.OwedMsat > 0) output.WriteLine($"owed       {Session.Bits(wallet.OwedMsat)}, of deposits that are gone: nothing leaves until it is repaid");
    }
}
