// When a family cannot confirm any more, and what an ambiguous answer to a broadcast means. Nothing is concluded from what
// the node does not know, nor from its mempool: a family is dead only by a transaction in the chain, as deep as final.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

public sealed partial class Payouts
{
    /// <summary>How the death of a family is found out. Tests plant a mistake here.</summary>
    internal Func<Family, CancellationToken, Task<FinalSpend?>>? FindDeath { get; init; }

    // At which height families of which nothing but an unsigned transaction is out were last asked about, by their numbers.
    private readonly Dictionary<long, int> _unsignedAt = [];

    /// <summary>Of what is with its signer, and was never sent from here, no broadcast tells that its coins are gone: they are
    /// looked at once a block.</summary>
    private async Task<string> AwaitSignerAsync(Family family, int height, CancellationToken cancel)
    {
        if (!_unsignedAt.TryGetValue(family.Number, out var asked) || asked != height)
        {
            if (await BuryAsync(family, cancel)) return "dead";
            _unsignedAt[family.Number] = height;
        }
        return Unsigned(family.Prepared!);
    }

    /// <summary>Journals that a family is dead, if it is: its withdrawals are free for one new family.</summary>
    private async Task<bool> BuryAsync(Family family, CancellationToken cancel)
    {
        var find = FindDeath ?? _spends.FindDeathAsync;
        if (await find(family, cancel) is not { } cause) return false;
        var answer = await term.SubmitAsync(partition, new DeclareFamilyDead(family.Number, cause));
        if (answer.Outcome == Outcome.Accepted) log.FamilyDied(family.Number, family.Withdrawals.Count, cause.Output, cause.Spender, cause.Height);
        return answer.Outcome == Outcome.Accepted;
    }

    /// <summary>What is behind a broadcast that was answered with missing or spent inputs: itself, perhaps. Asks what the wallet
    /// knows of the attempts and who spends their inputs; says it, and does nothing but confirm or bury.</summary>
    private async Task<string> ExplainAsync(Family family, Attempt sent, BroadcastResult result, string words, CancellationToken cancel)
    {
        if (result.Outcome != BroadcastOutcome.Ambiguous) return words;
        // A block may have come since they were asked for.
        foreach (var attempt in family.Attempts)
        {
            if (await ConfirmAsync(family, attempt, await node.GetTransactionAsync(attempt.Txid, cancel), cancel)) return "in a block";
        }
        if (await BuryAsync(family, cancel)) return "dead";
        var inputs = AnchorChain.Parse(sent).Inputs.Select(i => i.Spent).ToArray();
        var own = family.Txids.ToHashSet();
        foreach (var (output, spender) in await node.GetTxSpendingPrevoutAsync(inputs, cancel))
        {
            if (spender is not { } by) continue;
            if (own.Contains(by)) return $"{words}; {by} of the same family waits";
            log.InputTaken(family.Number, output, by);
            return $"{words}; {by}, which is not ours, waits and spends {output}. The family is dead once that is {settings.FinalityDepth} blocks deep";
        }
        foreach (var input in inputs)
        {
            var maker = await node.GetTransactionAsync(input.Txid, cancel);
            if (maker is not { Confirmations: >= 1 }) return $"{words}; its input {input} is of a transaction that is in no block";
            if (!await node.IsUnspentAsync(input, cancel)) return $"{words}; its input {input} is spent in the chain. The family is dead once that is {settings.FinalityDepth} blocks deep";
        }
        return words;
    }
}
