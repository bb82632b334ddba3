// How the server is: a short answer for anybody and for load balancers, the whole picture for the operator.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Status">ok or degraded. A server of which nothing works answers 503 with a problem.</param>
/// <param name="Reasons">What does not work, of: busy, keys_unavailable, storage_full, clock_unconfirmed, node_unavailable,
/// standby_unavailable, log_behind, reserves_short, operator_funds_low, withdrawals_stopped, anchor_output_taken,
/// settlement_stopped, settlement_barred.</param>
public sealed record HealthReply(string Status, IReadOnlyList<string> Reasons);

/// <param name="NodeTrouble">Why deposits and withdrawals wait, in a sentence; absent when they do not.</param>
/// <param name="NodeHeight">The node's newest block, as last seen.</param>
/// <param name="LookedAt">When deposits were last looked for.</param>
/// <param name="CursorHeight">The block up to which all deposits were looked at.</param>
/// <param name="CheckpointSize">Entries that the newest signed checkpoint covers.</param>
/// <param name="Families">Transactions under way.</param>
/// <param name="LegsInFlight">Credits on their way from one partition to another; absent where there is one.</param>
/// <param name="EpochsUnanchored">Closed epochs that no transaction in a block covers yet.</param>
public sealed record HealthDetailsReply(
    string Status, IReadOnlyList<string> Reasons, string? NodeTrouble, int? NodeHeight, string? LookedAt, long? CursorHeight,
    long Entries, int Wallets, long CheckpointSize, int QueuedWithdrawals, IReadOnlyList<FamilyReply> Families, long? LastEpoch,
    long EpochsUnanchored, long OperatorAvailableMsat, long? ReservesMsat, long LiabilitiesMsat, bool Conserved, long? LegsInFlight)
{
    /// <summary>What still works and asks for the operator, of: operator_funds_falling, cold_coins_unknown,
    /// hot_wallet_too_low, hot_wallet_above_ceiling, withdrawals_awaiting_approval, withdrawals_withheld, withdrawals_to_ourselves.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Of the reserves: coins of the node's wallet; absent before they were looked at.</summary>
    public long? HotSat { get; init; }

    /// <summary>Coins that are kept elsewhere, 0 while they cannot be counted; absent where none are declared.</summary>
    public long? ColdSat { get; init; }

    /// <summary>Why they cannot be counted, in a sentence.</summary>
    public string? ColdTrouble { get; init; }

    /// <summary>How much to move to cold; absent while the node's wallet is below its ceiling.</summary>
    public long? MoveToColdSat { get; init; }

    /// <summary>Withdrawals that the limits on what leaves hold back, and how many of them are too large to leave ever.</summary>
    public int WithdrawalsWithheld { get; init; }
    public int WithdrawalsTooLarge { get; init; }

    /// <summary>Withdrawals to addresses of the hot wallet itself, which do not leave.</summary>
    public int WithdrawalsToOurselves { get; init; }

    /// <summary>Withdrawals that wait for a second person's approval.</summary>
    public int WithdrawalsAwaitingApproval { get; init; }

    /// <summary>Every node, the one in use first; absent where there is but one.</summary>
    public IReadOnlyList<NodeReply>? Nodes { get; init; }

    /// <summary>What ended settlement for good; absent while nothing has.</summary>
    public FinalSpendReply? SettlementStopped { get; init; }

    /// <summary>Who is about to take the anchor's output, in a sentence; absent while nobody is.</summary>
    public string? AnchorAlarm { get; init; }

    /// <summary>The newest epoch about which it is stated what is owed and what there is; absent before the first.</summary>
    public long? LastStatedEpoch { get; init; }

    /// <summary>Why the books of an epoch cannot be closed now, in a sentence; absent when they can.</summary>
    public string? BooksTrouble { get; init; }

    /// <summary>Families of which no transaction can confirm any more, the newest last.</summary>
    public IReadOnlyList<DeadFamilyReply> DeadFamilies { get; init; } = [];
}

/// <param name="Node">Its RPC address.</param>
/// <param name="Used">Whether it is the one in use; the others are standbys.</param>
/// <param name="Why">Why it is in use though it is not the first of the settings; absent otherwise.</param>
/// <param name="Trouble">Why the one in use does not serve, or why a standby could not take over now; absent when it does, or could.</param>
public sealed record NodeReply(string Node, bool Used, string? Why, string? Trouble);

/// <param name="Spent">The output (txid:index) that was needed.</param>
/// <param name="Spender">The transaction that has it for good.</param>
/// <param name="Height">Of the block that holds the spender.</param>
public sealed record FinalSpendReply(string Spent, string Spender, string Block, long Height);

/// <param name="Partition">The partition whose withdrawals it was to pay; they are paid by another family.</param>
public sealed record DeadFamilyReply(int Partition, long Family, FinalSpendReply Cause);

/// <param name="Partition">The partition whose withdrawals it pays; families are numbered there.</param>
/// <param name="State">opened, signed or confirmed.</param>
/// <param name="Waiting">Why it is not built or sent, if so.</param>
public sealed record FamilyReply(int Partition, long Family, string State, int Withdrawals, long? Epoch, int Attempts, string? Txid, string? Waiting)
{
    /// <summary>The transaction that pays for it because it cannot be replaced; absent while there is none.</summary>
    public string? Child { get; init; }

    /// <summary>Whether it pays nobody and anchors nothing: it makes one coin of many.</summary>
    public bool? Consolidation { get; init; }
}

internal static class HealthRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/health", Scopes.None, "Whether the server works", GetAsync) with { Response = ApiJson.Default.HealthReply },
        Route.Get("/v1/operator/health", Scopes.Admin | Scopes.Audit, "How the server is, in full", GetDetailsAsync) with
        {
            Response = ApiJson.Default.HealthDetailsReply,
            AsksSettlement = true,
        },
    ];

    private static async Task<IResult> GetAsync(Call call)
    {
        IReadOnlyList<string> reasons;
        try
        {
            reasons = call.Engine.Settles ? Reasons(await call.Engine.RecentHealthAsync(), call.Keys) : ReasonsHere(call);
        }
        catch (PartitionUnavailableException e) when (e.Reason == Unavailable.Busy)
        {
            // Others are being answered.
            reasons = ["busy"];
        }
        return Replies.Json(new HealthReply(Status(reasons), reasons), ApiJson.Default.HealthReply);
    }

    private static async Task<IResult> GetDetailsAsync(Call call)
    {
        var health = await call.Engine.HealthAsync();
        var reasons = Reasons(health, call.Keys);
        return Replies.Json(
            new HealthDetailsReply(
                Status(reasons), reasons, health.Chain.Trouble, health.Chain.Height, health.Chain.LookedAt?.ToString(), health.Cursor?.Height,
                health.Entries, health.Wallets, health.CheckpointSize, health.QueuedWithdrawals,
                [.. health.LiveFamilies.Select(live => ToReply(live.Partition, live.Family, live.Waiting))],
                health.LastEpoch?.Number, health.EpochsUnanchored, health.OperatorAvailable.Value,
                health.Chain.Reserves?.Value, health.Totals.Liabilities - health.Totals.FromPartitions, health.Totals.IsConserved,
                call.Partitions.Count > 1 ? health.LegsInFlight : null)
            {
                Nodes = health.Nodes is { } nodes ? ToReply(nodes, health.Chain.Trouble) : null,
                Warnings = Warnings(health),
                HotSat = health.WalletsHealth.Hot?.Value,
                ColdSat = health.WalletsHealth.Cold?.Coins.Value,
                ColdTrouble = health.WalletsHealth.Cold?.Trouble,
                MoveToColdSat = health.WalletsHealth.MoveToCold.Value is > 0 and var sat ? sat : null,
                WithdrawalsWithheld = health.WalletsHealth.Withheld.Count,
                WithdrawalsTooLarge = health.WalletsHealth.Withheld.TooLarge,
                WithdrawalsToOurselves = health.WalletsHealth.ToOurselves,
                WithdrawalsAwaitingApproval = health.AwaitingWithdrawals,
                SettlementStopped = health.SettlementStop is { } stop ? ToReply(stop) : null,
                AnchorAlarm = health.AnchorAlarm,
                LastStatedEpoch = health.Books.Stated is > 0 and var stated ? stated : null,
                BooksTrouble = health.Books.Trouble,
                DeadFamilies = [.. health.DeadFamilies.Select(d => new DeadFamilyReply(d.Partition, d.Family, ToReply(d.Cause)))],
            },
            ApiJson.Default.HealthDetailsReply);
    }

    /// <summary>Of a silo that does not settle: what it can tell by itself.</summary>
    private static List<string> ReasonsHere(Call call)
    {
        var reasons = new List<string>();
        if (!call.Keys.IsUsable) reasons.Add("keys_unavailable");
        if (call.Partitions.IsStorageFull) reasons.Add("storage_full");
        if (!call.Partitions.IsClockTrusted) reasons.Add("clock_unconfirmed");
        if (call.Engine.SettlementBar is not null) reasons.Add("settlement_barred");
        return reasons;
    }

    private static string Status(IReadOnlyList<string> reasons) => reasons.Count == 0 ? "ok" : "degraded";

    private static List<string> Reasons(EngineHealth health, Keyring keys)
    {
        var reasons = new List<string>();
        if (!keys.IsUsable) reasons.Add("keys_unavailable");
        if (health.StorageFull) reasons.Add("storage_full");
        if (!health.ClockTrusted) reasons.Add("clock_unconfirmed");
        if (health.Chain.Trouble is not null) reasons.Add("node_unavailable");
        if (health.Nodes?.Standbys.Any(s => s.Trouble is not null) == true) reasons.Add("standby_unavailable");
        if (health.Chain.LogTrouble is not null && !health.StorageFull) reasons.Add("log_behind");
        if (health.Chain.ReservesShort) reasons.Add("reserves_short");
        if (health.OperatorFundsLow) reasons.Add("operator_funds_low");
        if (health.WithdrawalsStopped) reasons.Add("withdrawals_stopped");
        if (health.AnchorAlarm is not null) reasons.Add("anchor_output_taken");
        if (health.SettlementStop is not null) reasons.Add("settlement_stopped");
        return reasons;
    }

    private static NodeReply[] ToReply(NodesHealth nodes, string? trouble) =>
        [new(nodes.Used, true, nodes.Why, trouble), .. nodes.Standbys.Select(s => new NodeReply(s.Name, false, null, s.Trouble))];

    private static FinalSpendReply ToReply(FinalSpend spend) => new(spend.Output.ToString(), spend.Spender.ToString(), spend.Block.ToString(), spend.Height);

    private static List<string> Warnings(EngineHealth health)
    {
        var warnings = new List<string>();
        var wallets = health.WalletsHealth;
        if (wallets.OperatorFundsFalling && !health.OperatorFundsLow) warnings.Add("operator_funds_falling");
        if (wallets.Cold?.Trouble is not null) warnings.Add("cold_coins_unknown");
        if (wallets.HotTooLow) warnings.Add("hot_wallet_too_low");
        if (wallets.MoveToCold > Sats.Zero) warnings.Add("hot_wallet_above_ceiling");
        if (health.AwaitingWithdrawals > 0) warnings.Add("withdrawals_awaiting_approval");
        if (wallets.Withheld.Count > 0) warnings.Add("withdrawals_withheld");
        if (wallets.ToOurselves > 0) warnings.Add("withdrawals_to_ourselves");
        return warnings;
    }

    private static FamilyReply ToReply(int partition, Family family, string? waiting) => new(
        partition, family.Number,
        family.State switch
        {
            FamilyState.Opened => "opened",
            FamilyState.Signed => "signed",
            FamilyState.Confirmed => "confirmed",
            FamilyState.None or FamilyState.Final or FamilyState.Abandoned or FamilyState.Dead => throw new InvalidOperationException($"a live family that is {family.State}"),
        },
        family.Withdrawals.Count, family.Anchor?.Epoch, family.Attempts.Count,
        family.Attempts.Count == 0 ? null : family.Attempts[^1].Txid.ToString(), waiting)
    {
        Child = family.Children.Count == 0 ? null : family.Children[^1].Txid.ToString(),
        Consolidation = family.IsConsolidation ? true : null,
    };
}
