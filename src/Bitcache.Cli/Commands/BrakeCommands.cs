// The operator's brakes on what leaves.

using System.Globalization;

namespace Bitcache.Cli.Commands;

internal static class BrakeCommands
{
    /// <summary>For the operator's own commands.</summary>
    public static IEnumerable<Command> All() =>
    [
        CreateStop("stop-withdrawals", "Stop all withdrawals: nothing that pays one is signed until you let them go on.", stopped: true),
        CreateStop("resume-withdrawals", "Let withdrawals go on.", stopped: false),
        CreateApprovals(),
        CreateDecide("approve", "Approve a withdrawal that somebody else asked for.", approved: true),
        CreateDecide("decline", "Decline a withdrawal that waits for approval: its money goes back.", approved: false),
    ];

    private static Command CreateStop(string name, string description, bool stopped)
    {
        var id = Inputs.Id();
        return ClientCommand.Create(name, description, [id], async session => session.Show(
            await session.Client.StopWithdrawalsAsync(session.ChooseId(id), stopped, session.Cancel),
            (reply, output) => output.WriteLine(
                $"withdrawals {(reply.Stopped ? "are stopped; what is signed may be on its way already" : "go on")}: entry {reply.Sequence}, {reply.Time}")));
    }

    private static Command CreateApprovals() => ClientCommand.Create(
        "approvals", "Withdrawals that wait for a second person's approval, oldest first.", [], async session => session.Show(
            await session.Client.GetApprovalsAsync(session.Cancel),
            (reply, output) =>
            {
                Columns.Write(
                    output, ["wallet", "id", "time", "amount", "address"],
                    reply.Items.Select(w => (string[])[w.Wallet, w.Id, w.Time, Session.Sat(w.AmountSat), w.Address]));
                if (reply.Waiting > reply.Items.Count) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{reply.Waiting} wait in all"));
            }));

    private static Command CreateDecide(string name, string description, bool approved)
    {
        var (wallet, withdrawal) = (Inputs.Wallet(), Inputs.IdArgument("The withdrawal's id.", "withdrawal"));
        return ClientCommand.Create(name, description, [wallet, withdrawal], async session => session.Show(
            await session.Client.DecideWithdrawalAsync(session.Get(wallet), session.Get(withdrawal), approved, session.Cancel), WithdrawCommands.Write));
    }
}
