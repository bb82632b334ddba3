// What was stated at the close of an epoch: that it is in the log, and that the files are those that it tells of.

using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>An epoch's statement, in the log.</summary>
/// <param name="Leaf">Its leaf hash.</param>
/// <param name="Index">Its place in the log.</param>
/// <param name="Stated">When that was.</param>
/// <param name="Reserves">Null where the files were looked at by an earlier audit.</param>
internal sealed record CheckedEpoch(
    EpochStatement Statement, Hash256 Leaf, long Index, UnixTime Stated, ReservesFile? Reserves, IReadOnlyList<PaidWithdrawal> Withdrawals)
{
    /// <summary>That its coins are the operator's; null if none is published, or an earlier audit looked at it.</summary>
    public ReservesProof? Proof { get; init; }

    /// <summary>Whether all of it was looked at, by this audit or by an earlier one.</summary>
    public bool IsProven { get; init; }
}

/// <param name="replayed">Entries that an earlier audit replayed, and held against the trees of the epochs that they state.</param>
internal sealed class EpochAudit(AuditInputs inputs, Pins pins, IReadOnlyList<VerifierKey> keys, MerkleLog log, long replayed, AuditSteps steps)
{
    private readonly LiabilityTrees _trees = new(inputs);
    private CheckedEpoch? _last;

    /// <summary>Checks one epoch; they come in the order of their numbers.</summary>
    /// <param name="known">What an earlier audit found; null to look at the files.</param>
    /// <param name="isNewest">Whether it is the last one.</param>
    public bool Check(long number, AuditedEpoch? known, bool isNewest, [NotNullWhen(true)] out CheckedEpoch? epoch)
    {
        epoch = null;
        if (!CheckClose(number, known, out var statement, out var leaf, out var index, out var stated)) return false;
        // With the entries those are looked at again whose balances were not held against them before.
        if (known is not null && (inputs.Entries is null || index < replayed))
        {
            // Whether its coins are there a node may not have been asked yet.
            (ReservesFile? coins, IReadOnlyList<PaidWithdrawal>? paid) = (null, []);
            if (isNewest && inputs.Chain is not null && !(CheckWithdrawals(statement, out paid) && CheckReserves(statement, out coins))) return false;
            if (!CheckLateProof(statement, known, coins, out var late)) return false;
            epoch = new CheckedEpoch(statement, leaf, index, stated, coins, paid) { Proof = late, IsProven = known.IsProven || IsWhole(late) };
        }
        else
        {
            // With the entries the tree is read when its balances are known, once.
            if (inputs.Entries is null && !CheckTree(statement)) return false;
            if (!CheckWithdrawals(statement, out var withdrawals) || !CheckReserves(statement, out var reserves)) return false;
            if (!CheckProof(reserves, out var proof)) return false;
            epoch = new CheckedEpoch(statement, leaf, index, stated, reserves, withdrawals) { Proof = proof, IsProven = IsWhole(proof) };
        }
        _last = epoch;
        return true;
    }

    /// <summary>Whether an epoch was stated behind this log: a server, and an export of one, lists epochs a moment before a checkpoint
    /// covers their statements. One whose anchor is said to be in a block was covered long ago, and its statement must be there.</summary>
    /// <param name="isAnchored">Whether an anchor of it is said to be in a block.</param>
    public bool IsBehindLog(long number, bool isAnchored)
    {
        if (inputs.Published.Read(AuditPaths.Of(number, AuditPaths.Close), Limits.ReceiptBytesMax) is null) return !isAnchored;
        return inputs.Published.Read(AuditPaths.Of(number, AuditPaths.Proof), Limits.LogProofBytesMax) is { } file
            && TlogProof.TryParse(Encoding.UTF8.GetString(file), out var proof) && proof.Index >= log.Size
            && Checkpoint.TryVerify(proof.Checkpoint, keys, out var later, out _) && later.Size > log.Size;
    }

    private bool CheckClose(long number, AuditedEpoch? known, [NotNullWhen(true)] out EpochStatement? statement, out Hash256 leaf, out long index, out UnixTime stated)
    {
        (statement, leaf, index, stated) = (null, default, 0, default);
        var path = AuditPaths.Of(number, AuditPaths.Close);
        if (!TryRead(path, Limits.ReceiptBytesMax, out var close)) return false;
        leaf = Sha256.Of(close);
        if (close.Length == 0 || close[0] != Rfc6962.LeafPrefix || !EpochStatement.TryReadEntry(close.AsSpan(1), out statement))
            return steps.Failed(AuditFault.FileMalformed, $"{path} is not a byte 00 and a statement about an epoch", path);
        stated = EpochStatement.TimeOf(close.AsSpan(1));
        if (known is not null && known.Leaf != leaf)
            return steps.Failed(AuditFault.EpochRewritten, $"{path} has the hash {leaf}, and had {known.Leaf} at the last audit: what was stated about epoch {number} was rewritten", path);
        if (!CheckProof(number, leaf, out index)) return false;
        if (statement.Epoch != number) return steps.Failed(AuditFault.CloseOutOfOrder, $"{path} is about epoch {statement.Epoch}", path);
        if (statement.CutSize > index) return steps.Failed(AuditFault.CloseOutOfOrder, $"epoch {number} was stated by entry {index}, but its cut is behind that, at {statement.CutSize} entries", path);
        if (_last is not { } last || (last.Index < index && last.Statement.CutSize < statement.CutSize && last.Statement.Epoch < number)) return true;
        return steps.Failed(AuditFault.CloseOutOfOrder, $"epoch {number} was cut at {statement.CutSize} entries and stated by entry {index}; epoch {last.Statement.Epoch} before it at {last.Statement.CutSize} and by {last.Index}", path);
    }

    private bool CheckTree(EpochStatement statement)
    {
        inputs.Progress("epoch", statement.Epoch, statement.Epoch);
        return _trees.TryRead(statement.Epoch, steps, out var tree) && LiabilityTrees.IsStated(tree, statement, steps);
    }

    /// <summary>The proof shows the place, and the tiles have the leaf there.</summary>
    private bool CheckProof(long number, Hash256 leaf, out long index)
    {
        index = 0;
        var path = AuditPaths.Of(number, AuditPaths.Proof);
        if (!TryRead(path, Limits.LogProofBytesMax, out var file)) return false;
        if (!TlogProof.TryParse(Encoding.UTF8.GetString(file), out var proof)) return steps.Failed(AuditFault.FileMalformed, $"{path} is not written as c2sp.org/tlog-proof@v1", path);
        index = proof.Index;
        if (!Checkpoint.TryVerify(proof.Checkpoint, keys, out var checkpoint, out var refusal)) return steps.Failed(AuditFault.CheckpointUnsigned, $"{path}: {refusal}", path);
        if (!MerkleProof.VerifyInclusion(index, checkpoint.Size, leaf, proof.Path, checkpoint.Root))
            return steps.Failed(AuditFault.CloseNotInLog, $"{path} does not show that epoch {number} was stated by entry {index}", path);
        if (checkpoint.Size <= log.Size && log.Root(checkpoint.Size) != checkpoint.Root)
            return steps.Failed(AuditFault.TwoCheckpoints, $"{path} has another signed root for {checkpoint.Size} entries than the log: a second history of the log", path, AuditPaths.Checkpoint);
        if (index < log.Size && log.Tile(TileOf(index))[(int)(index % LogTile.WidthMax)] == leaf) return true;
        return steps.Failed(AuditFault.CloseNotInLog, $"the log has another leaf at {index} than the statement about epoch {number}", path, AuditPaths.Close);
    }

    private LogTile TileOf(long index)
    {
        var number = index / LogTile.WidthMax;
        return new LogTile(0, number, (int)Math.Min(LogTile.WidthMax, log.Size - (number * LogTile.WidthMax)));
    }

    private bool CheckWithdrawals(EpochStatement statement, [NotNullWhen(true)] out IReadOnlyList<PaidWithdrawal>? withdrawals)
    {
        withdrawals = null;
        var path = AuditPaths.Of(statement.Epoch, WithdrawalsFile.Name);
        if (!TryRead(path, Limits.PublishedListBytesMax, out var file)) return false;
        if (Sha256.Of(file) != statement.WithdrawalsHash) return steps.Failed(AuditFault.WithdrawalsNotStated, $"{path} is not the file whose hash was stated, {statement.WithdrawalsHash}", path);
        if (!WithdrawalsFile.TryParse(file, out withdrawals, out var refusal)) return steps.Failed(AuditFault.FileMalformed, $"{path}: {refusal}", path);
        return steps.Passed($"epoch {statement.Epoch}: {withdrawals.Count} withdrawals that a block had paid are left out of that");
    }

    private bool CheckReserves(EpochStatement statement, [NotNullWhen(true)] out ReservesFile? reserves)
    {
        reserves = null;
        var path = AuditPaths.Of(statement.Epoch, ReservesFile.Name);
        if (!TryRead(path, Limits.PublishedListBytesMax, out var file)) return false;
        if (Sha256.Of(file) != statement.ReservesHash) return steps.Failed(AuditFault.ReservesNotStated, $"{path} is not the file whose hash was stated, {statement.ReservesHash}", path);
        if (!ReservesFile.TryParse(file, pins.Origin, out reserves, out var refusal)) return steps.Failed(AuditFault.FileMalformed, $"{path}: {refusal}", path);
        if (reserves.Epoch != statement.Epoch || reserves.Height != statement.Height || reserves.Block != statement.Block)
            return steps.Failed(AuditFault.ReservesNotStated, $"{path} is about epoch {reserves.Epoch} at block {reserves.Height} {reserves.Block}; stated was block {statement.Height} {statement.Block}", path);
        foreach (var coin in reserves.Coins)
        {
            if (coin.Check(pins.Network) is { Length: > 0 } wrong) return steps.Failed(AuditFault.ReserveFalse, $"epoch {statement.Epoch}: {wrong}", path);
            if (coin.Height > statement.Height) return steps.Failed(AuditFault.ReserveTooYoung, $"epoch {statement.Epoch}: coin {coin.Output} is of block {coin.Height}, and the epoch was closed by block {statement.Height}", path);
        }
        var sats = Amounts.Format(reserves.Total.ToMsat(), MoneyUnit.Sat);
        return reserves.Total.ToMsat() < statement.Total
            ? steps.Failed(AuditFault.ReservesShort, $"epoch {statement.Epoch}: the {reserves.Coins.Count} coins are worth {sats}, and {Amounts.Format(statement.Total, MoneyUnit.Sat)} are owed", path)
            : steps.Passed($"epoch {statement.Epoch}: {reserves.Coins.Count} coins of {sats} cover it; each was made in the block that is given");
    }

    /// <summary>A proof is made when the operator's signers are at hand, which may be long after the epoch was looked at.</summary>
    /// <param name="coins">Of the epoch, if they were looked at already.</param>
    private bool CheckLateProof(EpochStatement statement, AuditedEpoch known, ReservesFile? coins, out ReservesProof? proof)
    {
        proof = null;
        if (known.IsProven || inputs.Published.Read(AuditPaths.Of(statement.Epoch, ReservesProof.FileName), Limits.ReservesProofBytesMax) is null) return true;
        return (coins is not null || CheckReserves(statement, out coins)) && CheckProof(coins, out proof);
    }

    /// <summary>Whether nothing of a proof is left to look at: what only a node checks may wait for an audit that has one.</summary>
    private bool IsWhole(ReservesProof? proof) => proof is not null && (inputs.Chain is not null || !proof.LeftToNode.Any());

    /// <summary>The keys of the coins signed what the message says. An epoch without a proof is no fault of it.</summary>
    private bool CheckProof(ReservesFile reserves, out ReservesProof? proof)
    {
        proof = null;
        var path = AuditPaths.Of(reserves.Epoch, ReservesProof.FileName);
        if (inputs.Published.Read(path, Limits.ReservesProofBytesMax) is not { } file) return true;
        if (reserves.Coins.Count > Limits.ReservesProofCoinsMax) return steps.NotChecked($"epoch {reserves.Epoch}: {path}, for more coins than a transaction can spend");
        var fault = ReservesProof.TryRead(file, reserves, mustBeWhole: true, out proof, out var refusal);
        if (fault != ReservesProofFault.None) return steps.Failed(FaultOf(fault), $"{path}: {refusal}", path);
        var left = proof!.LeftToNode.Select(coin => coin.Output.ToString()).ToArray();
        steps.Passed($"epoch {reserves.Epoch}: the keys of {reserves.Coins.Count - left.Length} of {reserves.Coins.Count} coins signed '{reserves.Message}'");
        return left.Length == 0 || inputs.Chain is not null
            || steps.NotChecked($"epoch {reserves.Epoch}: signatures over {left.Length} coins, {left[0]} first, whose scripts only a node executes: give one (--node)");
    }

    private static AuditFault FaultOf(ReservesProofFault fault) => fault switch
    {
        ReservesProofFault.OtherMessage => AuditFault.ReservesMessageFalse,
        ReservesProofFault.OtherCoins => AuditFault.ReservesProofFalse,
        ReservesProofFault.Unsigned => AuditFault.ReserveUnsigned,
        ReservesProofFault.SignatureFalse => AuditFault.ReserveSignatureFalse,
        ReservesProofFault.Malformed or ReservesProofFault.None => AuditFault.FileMalformed,
    };

    private bool TryRead(string path, int bytesMax, [NotNullWhen(true)] out byte[]? file)
    {
        file = inputs.Published.Read(path, bytesMax);
        return file is not null || Missing(path);
    }

    private bool Missing(string path) => steps.Failed(AuditFault.FileMissing, $"{path} is not published", path);
}
