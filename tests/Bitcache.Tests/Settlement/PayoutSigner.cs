using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>Whoever signs elsewhere. Keeps a copy of everything that it was ever given, and hands back what and when a seed says:
/// late, twice, what was replaced since, without signatures, or another transaction; or sends it by itself.</summary>
internal sealed class PayoutSigner(FakeNode node, Random random, Coverage met)
{
    // What a schedule may meet.
    public const string SentByItself = "signed elsewhere: sent by the signer";
    public const string HandedBackReplaced = "signed elsewhere: handed back when it was replaced";

    private const string NoPsbt = "cHNidP8=";

    private readonly List<BitcoinTransaction> _given = [];

    /// <summary>Gets what it does not have yet.</summary>
    public void Give(IEnumerable<Family> families)
    {
        foreach (var prepared in families.Select(f => f.Prepared).OfType<Preparation>())
        {
            if (_given.TrueForAll(t => t.Txid != prepared.Txid)) _given.Add(FakePsbt.Read(Convert.ToBase64String(prepared.Psbt.Span)));
        }
    }

    /// <summary>Hands back something of what it has, once or twice, in any state.</summary>
    public async Task HandBackAsync(Signing signing, PartitionSet set)
    {
        if (_given.Count == 0) return;
        var given = await FindReplacedAsync(set) is { } replaced && random.Next(2) == 0 ? replaced : _given[^(1 + random.Next(Math.Min(4, _given.Count)))];
        for (var times = 1 + random.Next(2); times > 0; times--)
        {
            var (psbt, ifWaiting) = random.Next(6) switch
            {
                0 => (FakePsbt.Write(given), SignedOutcome.NotSigned),
                1 => (FakePsbt.Write(Other(given), isSigned: true), SignedOutcome.Other),
                2 => (NoPsbt, SignedOutcome.Malformed),
                _ => (FakePsbt.Write(given, isSigned: true), SignedOutcome.Taken),
            };
            await HandBackAsync(signing, set, given.Txid, psbt, ifWaiting);
        }
    }

    /// <summary>Signs whatever waits for it.</summary>
    public async Task HandAllBackAsync(Signing signing, PartitionSet set)
    {
        foreach (var request in await signing.ListAsync())
        {
            var asked = FakePsbt.Read(Convert.ToBase64String(request.Prepared.Psbt.Span));
            await HandBackAsync(signing, set, asked.Txid, FakePsbt.Write(asked, isSigned: true), SignedOutcome.Taken);
        }
    }

    public void SendOne()
    {
        if (_given.Count == 0) return;
        if (node.Send(_given[^(1 + random.Next(Math.Min(3, _given.Count)))]) is null) met.Count(SentByItself);
    }

    public static string Said(SignedOutcome outcome) => $"signed elsewhere: answered {outcome}";

    private async Task HandBackAsync(Signing signing, PartitionSet set, Txid txid, string psbt, SignedOutcome ifWaiting)
    {
        var live = await set.First.QueryAsync(ledger => ledger.LiveFamilies());
        var waiting = live.FirstOrDefault(f => f is { State: FamilyState.Opened or FamilyState.Signed } && f.Prepared?.Txid == txid);
        var isStopped = waiting is not null && await set.First.QueryAsync(ledger => ledger.IsStopped(waiting));
        var family = live.FirstOrDefault(f => f.Attempts.Any(a => a.Txid == txid));
        var said = await signing.TakeAsync(txid, psbt, CancellationToken.None);
        var due = isStopped ? SignedOutcome.Stopped : waiting is not null ? ifWaiting : family is not null ? SignedOutcome.TakenBefore : SignedOutcome.NotFound;
        Must.Hold(said == due, $"What its signer handed back of {txid} is {said}, and should be {due}.");
        met.Count(Said(said));
        if (family is not null && IsReplaced(family, txid)) met.Count(HandedBackReplaced);
    }

    /// <summary>Something that another attempt is to replace, or has replaced.</summary>
    private async Task<BitcoinTransaction?> FindReplacedAsync(PartitionSet set)
    {
        var live = await set.First.QueryAsync(ledger => ledger.LiveFamilies());
        return _given.FindLast(t => live.Any(f => f.Attempts.Any(a => a.Txid == t.Txid) && IsReplaced(f, t.Txid)));
    }

    private static bool IsReplaced(Family family, Txid attempt) => family.Prepared is not null || family.Attempts[^1].Txid != attempt;

    /// <summary>The same for a satoshi more of fee: not what was handed out.</summary>
    private static BitcoinTransaction Other(BitcoinTransaction given)
    {
        var outputs = given.Outputs.ToArray();
        var paid = Array.FindIndex(outputs, o => o.Value > Sats.Zero);
        outputs[paid] = outputs[paid] with { Value = outputs[paid].Value - new Sats(1) };
        return FakeTransactions.Create(given.Inputs.Select(i => i.Spent), outputs);
    }
}
