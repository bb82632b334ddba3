using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>What a turn of settlement does with the node, out of the engine's own parts. All that a process knows is in the
/// ledger, so that each turn makes them anew. The log is left out: an anchor commits to a root that is made up.</summary>
internal sealed class PayoutTurn(PartitionSet set, IBitcoinNode seam, EngineSettings settings)
{
    public Func<Family, CancellationToken, Task<FinalSpend?>>? FindDeath { get; init; }

    /// <summary>Whether epochs are anchored.</summary>
    public bool Anchors { get; init; } = true;

    /// <summary>Whether reserves are compared with what is owed.</summary>
    public bool Reserves { get; init; }

    /// <summary>Whether they were found short in this turn.</summary>
    public bool AreReservesShort { get; private set; }

    /// <summary>Takes back what was signed elsewhere, once the turn has begun.</summary>
    public Signing Signing { get; private set; } = new(set, [], seam);

    /// <summary>What live families wait for.</summary>
    public IReadOnlyDictionary<long, string> Waiting { get; private set; } = new Dictionary<long, string>();

    /// <summary>What there is to say of the anchor's output.</summary>
    public string? AnchorAlarm { get; private set; }

    public async Task TakeAsync(int height)
    {
        await new DepositWatcher(new SettlementTerm(set), seam, settings, NullLogger.Instance).LookAsync(CancellationToken.None);
        var payouts = new Payouts(new SettlementTerm(set), set.First, seam, settings, NullLogger.Instance) { FindDeath = FindDeath };
        Signing = new Signing(set, [payouts], seam);
        await payouts.KeepBooksAsync();
        AreReservesShort = Reserves && await AreShortAsync();
        var watch = new AnchorWatch(new SettlementTerm(set), seam, settings.FinalityDepth, NullLogger.Instance);
        if (!await watch.LookAsync(CancellationToken.None))
        {
            await payouts.OpenAsync(Anchors ? await NextAnchorAsync() : null, AreReservesShort ? [] : await ChooseAsync(payouts));
            if (!AreReservesShort) await new Consolidation(new SettlementTerm(set), seam, settings, NullLogger.Instance).OpenAsync(height, CancellationToken.None);
        }
        AnchorAlarm = watch.Alarm;
        await payouts.DriveAsync(height, mayPay: !AreReservesShort, CancellationToken.None);
        Waiting = payouts.Waiting;
    }

    private async Task<bool> AreShortAsync()
    {
        var cold = await new ColdWallet(seam, settings).AskAsync(CancellationToken.None);
        return (await new Reserves(set, seam).FindAsync(cold.Coins, CancellationToken.None)).AreShort;
    }

    private async Task<IReadOnlyList<Withdrawal>> ChooseAsync(Payouts payouts) =>
        await new OutflowGate(set, settings.WithdrawalLimits).ChooseAsync(await payouts.FindDueAsync());

    /// <summary>The newest closed epoch is anchored, once no anchor is unconfirmed.</summary>
    private async Task<AnchorTerms?> NextAnchorAsync()
    {
        var (epoch, newest) = await set.First.QueryAsync(ledger => (ledger.LastEpoch, ledger.NewestAnchor));
        if (epoch is null) return null;
        if (newest is { State: FamilyState.Opened, Prepared: null } && newest.Anchor!.Epoch < epoch.Number)
        {
            await set.First.SubmitAsync(new AbandonFamily(newest.Number));
            newest = await set.First.QueryAsync(ledger => ledger.NewestAnchor);
        }
        var mayAnchor = newest is null or { State: FamilyState.Confirmed or FamilyState.Final };
        return mayAnchor && (newest?.Anchor!.Epoch ?? 0) < epoch.Number
            ? new AnchorTerms(epoch.Number, epoch.Entries, new Hash256(0, (UInt128)epoch.Number)) : null;
    }
}
