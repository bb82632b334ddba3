using System.Globalization;
using Bitcache.Cli.Client;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class HealthCommand
{
    public static Command Create() => ClientCommand.Create(
        "health", "How the server is; in full with a key of scope admin or audit. Exit code 1 if something does not work.", [], RunAsync);

    private static async Task<int> RunAsync(Session session)
    {
        if (session.HasKey)
        {
            try
            {
                var details = await session.Client.GetHealthDetailsAsync(session.Cancel);
                session.Show(details, Write);
                return Code(details.Value.Reasons);
            }
            catch (ApiProblemException e) when (e.Problem.Code == ProblemType.ScopeMissing.Code)
            {
                // A key for other things: the short answer is for anybody.
            }
        }
        var health = await session.Client.GetHealthAsync(session.Cancel);
        session.Show(health, (h, output) => WriteStatus(h.Status, h.Reasons, output));
        return Code(health.Value.Reasons);
    }

    private static int Code(IReadOnlyList<string> reasons) => reasons.Count == 0 ? ExitCode.Done : ExitCode.Failed;

    private static void WriteStatus(string status, IReadOnlyList<string> reasons, TextWriter output) =>
        output.WriteLine(reasons.Count == 0 ? status : $"{status}: {string.Join(", ", reasons)}");

    private static string Describe(NodeReply node)
    {
        var words = node.Used ? node.Why : node.Trouble;
        return $"{(node.Used ? "in use" : "standby")}: {node.Node}{(words is null ? "" : $" ({words})")}";
    }

    private static void Write(HealthDetailsReply health, TextWriter output)
    {
        WriteStatus(health.Status, health.Reasons, output);
        foreach (var warning in health.Warnings) output.WriteLine($"warning: {warning}");
        if (health.NodeTrouble is not null) output.WriteLine($"the node: {health.NodeTrouble}");
        foreach (var node in health.Nodes ?? [])
            output.WriteLine(Describe(node));
        Columns.Write(output, ["what", "now"],
        [
            ["node at block", Text(health.NodeHeight)],
            ["deposits looked at up to block", Text(health.CursorHeight)],
            ["looked at", health.LookedAt ?? "never"],
            ["entries", Text(health.Entries)],
            ["covered by a signed checkpoint", Text(health.CheckpointSize)],
            ["wallets", Text(health.Wallets)],
            ["withdrawals queued", Text(health.QueuedWithdrawals)],
            ["withdrawals awaiting approval", Text(health.WithdrawalsAwaitingApproval)],
            .. health.WithdrawalsWithheld > 0 ? [["withdrawals held back by limits", $"{Text(health.WithdrawalsWithheld)}, of which {Text(health.WithdrawalsTooLarge)} are too large for them"]] : (string[][])[],
            .. health.WithdrawalsToOurselves > 0 ? [["withdrawals to our own change, which do not leave", Text(health.WithdrawalsToOurselves)]] : (string[][])[],
            ["last epoch", Text(health.LastEpoch)],
            ["epochs not anchored", Text(health.EpochsUnanchored)],
            ["reserves", health.ReservesMsat is { } reserves ? Session.Bits(reserves) : "not known yet"],
            ["of these in the node's wallet", health.HotSat is { } hot ? Session.Sat(hot) : "not known yet"],
            .. health.ColdSat is { } cold ? [["and kept elsewhere", health.ColdTrouble is null ? Session.Sat(cold) : $"not counted: {health.ColdTrouble}"]] : (string[][])[],
            .. health.MoveToColdSat is { } above ? [["move to cold", Session.Sat(above)]] : (string[][])[],
            ["liabilities", Session.Bits(health.LiabilitiesMsat)],
            ["the operator's wallet", Session.Bits(health.OperatorAvailableMsat)],
            .. health.LegsInFlight is { } legs ? [["credits between partitions", Text(legs)]] : (string[][])[],
            ["sums equal", health.Conserved ? "yes" : "NO: stop the server and keep the data folder"],
        ]);
        if (health.SettlementStopped is { } stop) output.WriteLine($"SETTLEMENT IS STOPPED: {stop.Spender} in block {stop.Height} has spent the anchor's output {stop.Spent}. See the runbook");
        if (health.AnchorAlarm is not null) output.WriteLine($"ALARM: {health.AnchorAlarm}");
        foreach (var dead in health.DeadFamilies)
        {
            var partition = health.LegsInFlight is null ? "" : $" of partition {dead.Partition}";
            output.WriteLine($"transaction family {dead.Family}{partition}: dead, {dead.Cause.Spender} in block {dead.Cause.Height} has spent {dead.Cause.Spent}");
        }
        foreach (var family in health.Families)
        {
            // Each partition numbers its own.
            var partition = health.LegsInFlight is null ? "" : $" of partition {family.Partition}";
            output.WriteLine($"transaction family {family.Family}{partition}: {family.State}, {(family.Consolidation == true ? "makes one coin of many, " : "")}{family.Txid ?? "not built"}{(family.Waiting is null ? "" : ", " + family.Waiting)}");
        }
    }

    private static string Text(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "none";
}
