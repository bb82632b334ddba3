// Checks a balance offline, as its owner or a stranger would: that it is a part of the total which the operator stated at the close
// of an epoch, and that this is fixed in a Bitcoin block. The first check that fails ends it.

using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

/// <summary>Whose balance it is, and the key that the operator gave to the owner.</summary>
public sealed record BalanceOwner(WalletId Wallet, Hash256 AccountKey);

public static class BalanceVerifier
{
    /// <summary>Checks a balance against the log's pins: key, anchor script, network.</summary>
    /// <param name="files">The balance file as the leaf, its <c>.ots</c>, and the <c>.tlog-proof</c> of the entry that closed the
    /// epoch.</param>
    /// <param name="owner">Null to leave unchecked whose it is.</param>
    public static ReceiptReport Verify(ReceiptFiles files, Pins pins, BalanceOwner? owner) => Verify(files, new ProofCheck(pins.Key, pins), owner);

    /// <summary>Checks it with nothing but the log's key; that its anchor is one of the log's single history then stays
    /// unchecked.</summary>
    public static ReceiptReport Verify(ReceiptFiles files, VerifierKey key, BalanceOwner? owner) => Verify(files, new ProofCheck(key, null), owner);

    private static ReceiptReport Verify(ReceiptFiles files, ProofCheck check, BalanceOwner? owner)
    {
        var verdict = ReceiptVerdict.Invalid;
        if (TryReadPath(files, check, out var proof, out var path) && CheckOwner(check, path, owner)
            && check.CheckLog(Rfc6962.LeafHash(path.Entry), files) && CheckPlace(check, path.Statement))
            verdict = check.CheckTimestamp(proof, path.Steps, files.Block);
        return check.Report(verdict, path?.Entry ?? []) with { Balance = verdict == ReceiptVerdict.Invalid ? null : path?.Balance };
    }

    private static bool TryReadPath(
        ReceiptFiles files, ProofCheck check,
        [NotNullWhen(true)] out OpenTimestamps? proof,
        [NotNullWhen(true)] out BalancePath? path)
    {
        (proof, path) = (null, null);
        if (!BalanceProof.TryReadFile(files.Leaf.Span, out var nonce, out _)) return check.Failed("the file has not the form of a balance");
        if (files.Timestamp is not { } timestamp) return check.Failed("no timestamp (.ots) was given: the balance's way to the published total stands in it");
        if (!check.TryReadTimestamp(timestamp.Span, Sha256.Of(files.Leaf.Span), out proof)) return false;
        if (!BalancePath.TryRead(proof, nonce, out var found, out var refusal)) return check.Failed(refusal);
        var balance = found.Balance;
        if (balance.Value.IsZero) return check.Failed("the leaf is worth nothing: no balance has such a chunk");
        if (!files.Leaf.Span.SequenceEqual(balance.ToFile()))
            return check.Failed($"the file is not that of {Amount(balance.Value)} at leaf {balance.Position}");
        path = found;
        var statement = found.Statement;
        check.Passed($"the file is leaf {balance.Position} of {1 << balance.Siblings.Count} in a tree of liabilities, worth {Amount(balance.Value)}");
        check.Passed($"with the {balance.Siblings.Count} sums beside its way it comes to a total of {Amount(statement.Total)}, under the root {statement.LiabilitiesRoot}");
        return check.Passed($"the operator stated this root and this total at the close of epoch {statement.Epoch}, as of block {statement.Height}, {statement.Block}");
    }

    private static bool CheckOwner(ProofCheck check, BalancePath path, BalanceOwner? owner)
    {
        if (owner is null) return check.NotChecked("whose balance this is: give wallet and key to have the leaf computed from them");
        var expected = LiabilitySeed.Nonce(owner.AccountKey, path.Statement.Height, LiabilitySeed.AccountNumber(owner.Wallet));
        return path.Balance.Nonce == expected
            ? check.Passed($"the leaf is what follows from the key of {owner.Wallet}, block height {path.Statement.Height}, value and place")
            : check.Failed($"the leaf does not follow from the key of {owner.Wallet} at block height {path.Statement.Height}: it is another wallet's, or the key is another one");
    }

    /// <summary>The cut that a statement tells of is in the log before it.</summary>
    private static bool CheckPlace(ProofCheck check, EpochStatement statement) => check.Index >= statement.CutSize
        || check.Failed($"the statement is leaf {check.Index}, but the cut that it tells of is behind that, at {statement.CutSize} leaves");

    private static string Amount(Msat amount) => Amounts.Format(amount, MoneyUnit.Bits);
}
