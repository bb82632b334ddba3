// Proofs of reserves, made when the operator says so: what the node's wallet can sign it signs, the rest is handed out and taken
// back. A proof is published once every coin is signed and every signature was found good, by us and by the node; until then what
// is signed of it lies beside it. All of it is derived: an epoch's coins do not change, and whoever has the keys can sign again.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>How far the proof of an epoch's reserves is, or why it did not get further.</summary>
public enum ProvingOutcome
{
    None,
    /// <summary>Every coin is signed; it is published.</summary>
    Proven,
    /// <summary>Signatures are missing.</summary>
    Unsigned,
    /// <summary>Nothing is stated about the epoch.</summary>
    NotStated,
    /// <summary>More coins than one transaction can spend.</summary>
    TooManyCoins,
    /// <summary>What was handed back is no PSBT. Nothing was taken.</summary>
    Malformed,
    /// <summary>What was handed back is another transaction. Nothing was taken.</summary>
    Other,
    /// <summary>A signature is not good. Nothing was taken.</summary>
    SignatureFalse,
}

/// <param name="Proof">As far as it is signed; null where there is none.</param>
/// <param name="Psbt">What is to be signed, in base64; null where that was not asked for, or is nothing.</param>
/// <param name="Detail">Why something was refused; empty otherwise.</param>
public sealed record Proving(ProvingOutcome Outcome, ReservesProof? Proof, string? Psbt = null, string Detail = "");

/// <summary>Asked from anywhere; one after the other.</summary>
public sealed class ReservesProver : IDisposable
{
    private readonly PartitionSet _partitions;
    private readonly IBitcoinNode _node;
    private readonly ColdWallet _cold;
    private readonly EpochFolder _folder;
    private readonly string _origin;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _turn = new(1);
    // Within a turn: the proof that was seen to be whole last. Its file does not change, and to check thousands of signatures takes
    // seconds.
    private ReservesProof? _proven;

    internal ReservesProver(PartitionSet partitions, IBitcoinNode node, ColdWallet cold, EpochFolder folder, string origin, ILogger log) =>
        (_partitions, _node, _cold, _folder, _origin, _log) = (partitions, node, cold, folder, origin, log);

    /// <summary>How far it is. No node is asked.</summary>
    public Task<Proving> FindAsync(long epoch, CancellationToken cancel) => InTurnAsync(epoch, proof => Task.FromResult(ToProving(proof)), cancel);

    /// <summary>Has the node's wallet sign what it can. What is missing then is to be signed elsewhere.</summary>
    /// <exception cref="NodeException">The node's. Nothing was changed.</exception>
    public Task<Proving> SignAsync(long epoch, CancellationToken cancel) => InTurnAsync(epoch, async proof =>
    {
        if (!proof.Missing.Any()) return ToProving(proof);
        // What is signed would be a payment otherwise. No hash comes out so; whoever signs away all coins looks all the same.
        if (await _node.FindChainCoinAsync(ReservesProof.CommitmentTo(proof.Reserves.Message), cancel) is not null)
            throw new LedgerInvariantException($"the output that the proof of epoch {epoch} commits by is in the chain");
        // The keys of coins that are spent by now sign as well: the wallet has not forgotten what it had.
        var psbt = (await _node.WalletProcessPsbtAsync(Convert.ToBase64String(proof.WriteForSigner()), cancel)).Psbt;
        var proving = await TakeAsync(proof, [psbt], cancel);
        return proving.Outcome == ProvingOutcome.Unsigned ? proving with { Psbt = await _cold.DescribeAsync(psbt, cancel) } : proving;
    }, cancel);

    /// <summary>Takes back what others signed. Cosigners of one coin hand theirs in together, or combine them before.</summary>
    /// <param name="epoch">Whose coins they are.</param>
    /// <param name="psbts">In base64.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="NodeException">The node's. Nothing was changed.</exception>
    public Task<Proving> TakeAsync(long epoch, IReadOnlyList<string> psbts, CancellationToken cancel) => InTurnAsync(
        epoch, async proof => proof.Missing.Any() ? await TakeAsync(proof, psbts, cancel) : ToProving(proof), cancel);

    public void Dispose() => _turn.Dispose();

    private async Task<Proving> InTurnAsync(long epoch, Func<ReservesProof, Task<Proving>> work, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            if (await _partitions.First.QueryAsync(ledger => ledger.FindEpoch(epoch)) is not { Statement: { } statement }) return new Proving(ProvingOutcome.NotStated, null);
            if (_proven?.Reserves.Epoch == epoch) return await work(_proven);
            var reserves = Read(statement);
            return reserves.Coins.Count > Limits.ReservesProofCoinsMax ? new Proving(ProvingOutcome.TooManyCoins, null) : await work(Read(reserves));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The coins as they were stated.</summary>
    private ReservesFile Read(EpochStatement statement)
    {
        var path = _folder.PathOf(statement.Epoch, ReservesFile.Name);
        var file = _folder.Read(statement.Epoch, ReservesFile.Name) ?? throw new IOException($"{path} is missing: restore it from its backup");
        if (Hash256.Read(System.Security.Cryptography.SHA256.HashData(file)) != statement.ReservesHash) throw new IOException($"{path} is not what was stated: restore it from its backup");
        return ReservesFile.TryParse(file, _origin, out var reserves, out var refusal) ? reserves : throw new IOException($"{path}: {refusal}");
    }

    /// <summary>The proof as far as it is signed. What is not one is passed over: it is made again.</summary>
    private ReservesProof Read(ReservesFile reserves)
    {
        foreach (var name in (string[])[EpochFolder.ReservesProofName, EpochFolder.UnfinishedProofName])
        {
            if (_folder.Read(reserves.Epoch, name) is not { } file) continue;
            if (ReservesProof.TryRead(file, reserves, mustBeWhole: name == EpochFolder.ReservesProofName, out var proof, out var refusal) == ReservesProofFault.None)
            {
                if (name == EpochFolder.ReservesProofName) _proven = proof;
                return proof!;
            }
            _log.ReservesProofDamaged(_folder.PathOf(reserves.Epoch, name), refusal);
        }
        return new ReservesProof(reserves);
    }

    private async Task<Proving> TakeAsync(ReservesProof proof, IReadOnlyList<string> psbts, CancellationToken cancel)
    {
        var before = proof.Missing.Count();
        foreach (var psbt in psbts)
        {
            if (Take(proof, psbt) is { } refused) return refused;
        }
        if (proof.Missing.Any())
        {
            // Signatures that nobody has put into their scripts yet: the node does.
            var combined = await _node.CombinePsbtAsync([Convert.ToBase64String(proof.WriteForSigner()), .. psbts], cancel);
            if (Take(proof, await _node.CompletePsbtAsync(combined, cancel)) is { } refused) return refused;
        }
        var missing = proof.Missing.Count();
        if (missing == before) return ToProving(proof);
        if (missing > 0)
        {
            _folder.Write(proof.Reserves.Epoch, EpochFolder.UnfinishedProofName, proof.Write());
            return ToProving(proof);
        }
        return await FinishAsync(proof, cancel);
    }

    /// <summary>Publishes a proof that is signed as a whole. The node has the last word, on the scripts that it alone executes as well.</summary>
    private async Task<Proving> FinishAsync(ReservesProof proof, CancellationToken cancel)
    {
        var epoch = proof.Reserves.Epoch;
        if (!await _node.IsSignedAsync(proof.ToTransaction(), proof.Spent, cancel))
        {
            // It may be one that was taken before, and was not looked into then.
            _folder.Delete(epoch, EpochFolder.UnfinishedProofName);
            return new Proving(ProvingOutcome.SignatureFalse, proof, Detail: "the node does not find every signature good; none of them is kept");
        }
        _folder.Write(epoch, EpochFolder.ReservesProofName, proof.Write());
        _folder.Delete(epoch, EpochFolder.UnfinishedProofName);
        _proven = proof;
        _log.ReservesProven(epoch, proof.Reserves.Coins.Count, proof.Reserves.Total);
        return ToProving(proof);
    }

    /// <summary>Null if what is signed in it was taken.</summary>
    private static Proving? Take(ReservesProof proof, string psbt)
    {
        var room = new byte[psbt.Length];
        var refusal = "it is not written in base64";
        var fault = Convert.TryFromBase64String(psbt, room, out var length) ? proof.Take(room.AsSpan(0, length), out refusal) : ReservesProofFault.Malformed;
        return fault switch
        {
            ReservesProofFault.None => null,
            ReservesProofFault.Malformed or ReservesProofFault.Unsigned => new Proving(ProvingOutcome.Malformed, proof, Detail: refusal),
            ReservesProofFault.OtherMessage or ReservesProofFault.OtherCoins => new Proving(ProvingOutcome.Other, proof, Detail: refusal),
            ReservesProofFault.SignatureFalse => new Proving(ProvingOutcome.SignatureFalse, proof, Detail: refusal),
        };
    }

    private static Proving ToProving(ReservesProof proof) => new(proof.Missing.Any() ? ProvingOutcome.Unsigned : ProvingOutcome.Proven, proof);
}
