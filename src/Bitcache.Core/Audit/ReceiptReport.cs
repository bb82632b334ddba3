namespace Bitcache.Core.Audit;

/// <summary>What a receipt proves, all in all.</summary>
public enum ReceiptVerdict
{
    /// <summary>Something that was given does not hold: trust nothing of it.</summary>
    Invalid,
    /// <summary>The operator signed a log that holds the statement; no block was shown to fix it.</summary>
    LoggedOnly,
    /// <summary>The statement is fixed in the block whose header was given.</summary>
    AnchoredInBlock,
}

public enum StepOutcome
{
    Passed,
    Failed,
    /// <summary>Not decided by what was given; the text says what would decide it.</summary>
    NotChecked,
}

/// <summary>One check, in one line for people.</summary>
public sealed record ReceiptStep(StepOutcome Outcome, string Text);

/// <summary>A block header of 80 bytes and its height, as a node that the auditor trusts gave them.</summary>
public sealed record HeaderAtHeight(ReadOnlyMemory<byte> Header, int Height);

/// <summary>The files of one receipt: <c>x.leaf</c> (00 || entry), <c>x.leaf.tlog-proof</c>, and, once anchored,
/// <c>x.leaf.ots</c> with the header of the block that it names.</summary>
public sealed record ReceiptFiles(ReadOnlyMemory<byte> Leaf, ReadOnlyMemory<byte> Proof)
{
    public ReadOnlyMemory<byte>? Timestamp { get; init; }
    public HeaderAtHeight? Block { get; init; }

    /// <summary>The notes in which each of the log's keys named the next (<see cref="KeyRotation"/>); empty if there are none.</summary>
    public string Rotations { get; init; } = "";
}

/// <summary>The verdict and the steps that led to it, in order; the last one failed if the verdict is Invalid.
/// An invalid receipt shows neither entry nor checkpoint nor anchor, lest somebody use them.</summary>
public sealed record ReceiptReport(ReceiptVerdict Verdict, IReadOnlyList<ReceiptStep> Steps)
{
    /// <summary>The signed state of the log that holds the leaf.</summary>
    public Checkpoint? Checkpoint { get; init; }
    /// <summary>The leaf's way into a block; proven only if the verdict is AnchoredInBlock.</summary>
    public AnchorPath? Anchor { get; init; }
    /// <summary>The entry: the receipt file without its first byte; of a balance the one that closed its epoch.</summary>
    public ReadOnlyMemory<byte> Entry { get; init; }
    /// <summary>The balance whose files these are; null for a receipt's.</summary>
    public BalanceProof? Balance { get; init; }
}
