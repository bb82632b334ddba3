using System.Text.Json;

namespace Bitcache.Core.Audit;

/// <summary>What an audit can find. In words that stay as they are (<see cref="AuditFinding.Code"/>): scripts look for them.</summary>
public enum AuditFault
{
    /// <summary>A file that the audit needs is not there.</summary>
    FileMissing,
    /// <summary>A file is not written as its format says.</summary>
    FileMalformed,

    /// <summary>Other pins are shown than were written down.</summary>
    PinsChanged,
    /// <summary>A key that took the place of another was not named by it.</summary>
    KeyRotationFalse,
    /// <summary>Other keys followed the pinned one than at the last audit, or than the entries say.</summary>
    KeysChanged,
    /// <summary>The checkpoint is not signed by the log's key.</summary>
    CheckpointUnsigned,
    /// <summary>Two roots are signed for one size.</summary>
    TwoCheckpoints,
    /// <summary>The log is smaller than it was.</summary>
    LogShrunk,
    /// <summary>The log had another root when it was as large as it was before.</summary>
    LogRewritten,
    /// <summary>A tile does not lead to the signed root.</summary>
    TileWrong,

    /// <summary>What was stated about an epoch is not in the log.</summary>
    CloseNotInLog,
    /// <summary>What was stated about an epoch contradicts what was stated before, or its own place.</summary>
    CloseOutOfOrder,
    /// <summary>Another statement about an epoch is shown than at the last audit.</summary>
    EpochRewritten,
    /// <summary>The log has a statement about an epoch that is not published.</summary>
    EpochWithheld,
    /// <summary>The tree of liabilities has another root, total or height than was stated.</summary>
    LiabilitiesNotStated,
    /// <summary>The list of withdrawals is not the one that was stated.</summary>
    WithdrawalsNotStated,
    /// <summary>The list of reserves is not the one that was stated.</summary>
    ReservesNotStated,
    /// <summary>A coin was not made as it is listed.</summary>
    ReserveFalse,
    /// <summary>A coin is younger than the block by which the epoch was closed.</summary>
    ReserveTooYoung,
    /// <summary>The coins are worth less than is owed.</summary>
    ReservesShort,
    /// <summary>A coin was spent by the block of the epoch.</summary>
    ReserveSpent,
    /// <summary>A withdrawal is left out of what is owed as if a block had paid it, and none had.</summary>
    WithdrawalUnpaid,
    /// <summary>An epoch was closed by a block that was not the newest any more.</summary>
    BlockStale,
    /// <summary>The proof of reserves commits to something else than this epoch of this log.</summary>
    ReservesMessageFalse,
    /// <summary>The proof of reserves is not the transaction of the coins that are listed.</summary>
    ReservesProofFalse,
    /// <summary>The proof of reserves has no signature for a coin.</summary>
    ReserveUnsigned,
    /// <summary>A signature in the proof of reserves is not one of the coin's key over the whole of it.</summary>
    ReserveSignatureFalse,

    /// <summary>An anchor is not a transaction of this log: its record, its commitment or its outputs.</summary>
    AnchorFalse,
    /// <summary>The root that was anchored is not the log's.</summary>
    AnchorOfAnotherLog,
    /// <summary>The first anchor is not the pinned one.</summary>
    SecondFirstAnchor,
    /// <summary>Two different records were anchored for one epoch.</summary>
    SecondAnchor,
    /// <summary>An anchor does not spend the output of the one before it.</summary>
    AnchorChainBroken,
    /// <summary>An anchor's block shows no work, or does not hold it.</summary>
    AnchorNotInBlock,
    /// <summary>A timestamp does not lead from what was stated to an anchor of the chain.</summary>
    TimestampFalse,
    /// <summary>The output of an anchor was spent by something else than the next anchor.</summary>
    AnchorOutputSpent,
    /// <summary>An anchor that is in the chain, or pinned, is not shown.</summary>
    AnchorWithheld,
    /// <summary>A block is not in the best chain.</summary>
    BlockNotInChain,

    /// <summary>An entry is not what its leaf is the hash of.</summary>
    EntryAltered,
    /// <summary>An entry cannot be read.</summary>
    EntryMalformed,
    /// <summary>A partition's entries do not follow one another.</summary>
    EntryMissing,
    /// <summary>An entry moves what is not there, or ends what was not begun.</summary>
    EntryImpossible,
    /// <summary>What is inside is not what came from Bitcoin.</summary>
    NotConserved,
    /// <summary>The operator's own balance in the tree is not what follows from the entries and the fees of mining.</summary>
    OperatorBalanceWrong,
    /// <summary>A withdrawal is listed that the entries do not know.</summary>
    WithdrawalUnknown,
    /// <summary>A deposit is not in its block.</summary>
    DepositFalse,
    /// <summary>A transaction that is booked as final is not in its block.</summary>
    WithdrawalFalse,

    /// <summary>A receipt that is held is not of this log.</summary>
    ReceiptContradicts,
    /// <summary>A receipt that is held does not hold in itself.</summary>
    ReceiptFalse,
}

/// <summary>The first thing that does not hold, and what shows it.</summary>
/// <param name="Code">Stable: an <see cref="AuditFault"/> in kebab case or, of a tree of liabilities, <c>liabilities-</c> and a
/// <see cref="LiabilityFault"/>.</param>
/// <param name="Evidence">Files to keep, or bytes that were published.</param>
public sealed record AuditFinding(string Code, string Text, IReadOnlyList<string> Evidence)
{
    /// <summary>What files that do not belong together look like, of which some were read before an anchor was mined, a key was
    /// rotated or a block was replaced, and some after it. None of them is shown by anybody's signature: what is, no second look
    /// takes back.</summary>
    private static readonly HashSet<string> Passing =
    [
        .. new[]
        {
            AuditFault.FileMissing, AuditFault.FileMalformed, AuditFault.TimestampFalse, AuditFault.AnchorNotInBlock, AuditFault.AnchorOfAnotherLog,
            AuditFault.AnchorChainBroken, AuditFault.AnchorWithheld, AuditFault.CheckpointUnsigned, AuditFault.EpochWithheld,
        }.Select(CodeOf),
    ];

    /// <summary>Whether it may come from what changed while it was read.</summary>
    public bool MayPass => Passing.Contains(Code);

    public static string CodeOf(AuditFault fault) => JsonNamingPolicy.KebabCaseLower.ConvertName(fault.ToString());
    public static string CodeOf(LiabilityFault fault) => "liabilities-" + JsonNamingPolicy.KebabCaseLower.ConvertName(fault.ToString());
}
