// Commands that come from watching and using the Bitcoin chain, and the cuts that make the log and the epochs.

using Bitcache.Core.Audit;

namespace Bitcache.Core;

/// <summary>Where a deposit stands. Written to disk: never renumber.</summary>
public enum DepositState : byte
{
    None = 0,
    /// <summary>In a block, with too few confirmations to count.</summary>
    Seen = 1,
    /// <summary>Booked to its wallet, or to suspense when it cannot be attributed.</summary>
    Credited = 2,
    /// <summary>It was credited and left the chain: what is still there is set aside.</summary>
    Frozen = 3,
    /// <summary>It left the chain for good.</summary>
    Reversed = 4,
    /// <summary>Too deep to be taken back.</summary>
    Final = 5,
}

/// <summary>Takes one output (txid:vout) to another state; the ledger knows which steps there are and what each books.</summary>
/// <param name="Block">That holds it, or held it last; none while it was never credited and is in no block any more.</param>
/// <param name="Height">Of the block; 0 for none.</param>
/// <param name="Suspense">Only with <see cref="DepositState.Credited"/>: book it to suspense (too small, or a coinbase).</param>
public sealed record ChangeDeposit(
    OutPoint OutPoint, DepositState To, bool Suspense, ByteString Script, Sats Amount, BlockHash Block, uint Height) : Command
{
    public override bool IsUnderTerm => true;

    public ByteString Script { get; } = AtMost(Limits.ScriptBytesMax, Script);

    /// <summary>Whether the step concerns a wallet's balance; being seen and becoming final move nothing.</summary>
    public bool IsInHistory => !Suspense && To is (DepositState.Credited or DepositState.Frozen or DepositState.Reversed);

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Hash(OutPoint.Txid.Hash);
        writer.U32(OutPoint.Index);
        writer.U8((byte)To);
        writer.Flag(Suspense);
        writer.Short(Script.Span);
        writer.Amount(Amount);
        writer.Hash(Block.Hash);
        writer.U32(Height);
    }

    public static ChangeDeposit Read(ref ByteReader body) =>
        new(new OutPoint(new Txid(body.Hash()), body.U32()), body.U8<DepositState>(), body.Flag(),
            body.Short(Limits.ScriptBytesMax), body.Sats(), new BlockHash(body.Hash()), body.U32());
}

/// <summary>All deposits up to this block were looked at; the next look starts here.</summary>
public sealed record MoveCursor(uint Height, BlockHash Block) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.U32(Height);
        writer.Hash(Block.Hash);
    }

    public static MoveCursor Read(ref ByteReader body) => new(body.U32(), new BlockHash(body.Hash()));
}

/// <summary>The node's wallet must be rescanned, or has been, and what it found is booked. Durable, so that a restart in the
/// middle of it cannot leave deposits unseen.</summary>
/// <param name="FromHeight">The first block of it.</param>
/// <param name="Done">Whether the one from that height is over.</param>
public sealed record MarkRescan(uint FromHeight, bool Done) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.U32(FromHeight);
        writer.Flag(Done);
    }

    public static MarkRescan Read(ref ByteReader body) => new(body.U32(), body.Flag());
}

/// <summary>The names under which a withdrawal is found: its wallet and its id.</summary>
public readonly record struct WithdrawalKey(WalletId Wallet, OperationId Id);

/// <summary>What an anchor commits to: the log's root at a size, and the newest epoch closed within it.</summary>
public sealed record AnchorTerms(long Epoch, long TreeSize, Hash256 Root);

/// <summary>Binds withdrawals, and perhaps an anchor, to a new family of transactions, and holds the most that
/// mining may cost in the operator's wallet.</summary>
public sealed record OpenFamily(long Family, Sats FeeCap, AnchorTerms? Anchor, IReadOnlyList<WithdrawalKey> Withdrawals) : Command
{
    public override bool IsUnderTerm => true;

    public IReadOnlyList<WithdrawalKey> Withdrawals { get; } = AtMost(Limits.FamilyWithdrawalsMax, Withdrawals);

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.I64(Family);
        writer.Amount(FeeCap);
        writer.Flag(Anchor is not null);
        if (Anchor is not null)
        {
            writer.I64(Anchor.Epoch);
            writer.I64(Anchor.TreeSize);
            writer.Hash(Anchor.Root);
        }
        writer.U16(Withdrawals.Count);
        foreach (var key in Withdrawals)
        {
            writer.Wallet(key.Wallet);
            writer.Id(key.Id);
        }
    }

    public static OpenFamily Read(ref ByteReader body)
    {
        var family = body.I64();
        var cap = body.Sats();
        var anchor = body.Flag() ? new AnchorTerms(body.I64(), body.I64(), body.Hash()) : null;
        var withdrawals = new WithdrawalKey[body.Items(body.U16(), WalletId.Bytes + OperationId.Bytes, Limits.FamilyWithdrawalsMax)];
        for (var i = 0; i < withdrawals.Length; i++) withdrawals[i] = new WithdrawalKey(body.Wallet(), body.Id());
        return new OpenFamily(family, cap, anchor, withdrawals);
    }
}

/// <summary>A transaction of a family that somebody else signs. It is durable before it leaves this process; whether or not it
/// comes back, it may be signed and sent from then on.</summary>
/// <param name="Psbt">What the signer is given (BIP-174), as bytes.</param>
public sealed record PrepareAttempt(long Family, int Attempt, Txid Txid, Sats Fee, ByteString Psbt) : Command
{
    public override bool IsUnderTerm => true;

    public int Attempt { get; } = AttemptHead.Numbered(Attempt, nameof(Attempt));
    public ByteString Psbt { get; } = AtMost(Limits.PsbtBytesMax, Psbt);

    public override void WriteBody(ref ByteWriter writer) => new AttemptHead(Family, Attempt, null, Txid, Fee).Write(ref writer);

    public override void WritePrivate(ref ByteWriter writer) => writer.Long(Psbt.Span);

    public static PrepareAttempt Read(ref ByteReader body, ref ByteReader rest)
    {
        var head = AttemptHead.Read(ref body, isChild: false);
        return new PrepareAttempt(head.Family, head.Attempt, head.Txid, head.Fee, rest.Long(Limits.PsbtBytesMax));
    }
}

/// <summary>A signed transaction of a family. It is durable before it leaves this process.</summary>
/// <param name="Transaction">The whole transaction with its witness, as it is sent.</param>
/// <param name="Height">Of the newest block when it was signed; 0 in entries from before this was kept.</param>
public sealed record SignAttempt(long Family, int Attempt, Txid Txid, Sats Fee, ByteString Transaction, uint Height = 0) : Command
{
    public override bool IsUnderTerm => true;

    public int Attempt { get; } = AttemptHead.Numbered(Attempt, nameof(Attempt));
    public ByteString Transaction { get; } = AtMost(Limits.SignedTransactionBytesMax, Transaction);

    public override void WriteBody(ref ByteWriter writer) => new AttemptHead(Family, Attempt, null, Txid, Fee).Write(ref writer);

    public override void WritePrivate(ref ByteWriter writer)
    {
        writer.Long(Transaction.Span);
        // Behind everything else: what was written without a height keeps its bytes.
        if (Height > 0) writer.U32(Height);
    }

    public static SignAttempt Read(ref ByteReader body, ref ByteReader rest)
    {
        var head = AttemptHead.Read(ref body, isChild: false);
        return new SignAttempt(head.Family, head.Attempt, head.Txid, head.Fee, rest.Long(Limits.SignedTransactionBytesMax), ReadHeight(ref rest));
    }

    private static uint ReadHeight(ref ByteReader rest)
    {
        if (rest.Left == 0) return 0;
        return rest.U32() is > 0 and var height ? height : throw new FormatException("a height that is written and not known");
    }
}

/// <summary>One attempt of a family is in a block of the best chain.</summary>
/// <param name="Header">The block's 80 bytes.</param>
/// <param name="Position">The transaction's place in the block.</param>
/// <param name="Siblings">The Merkle path from the transaction to the header, lowest first.</param>
public sealed record ConfirmFamily(
    long Family, int Attempt, uint Height, BlockHash Block, ByteString Header, uint Position, IReadOnlyList<Hash256> Siblings) : Command
{
    public override bool IsUnderTerm => true;

    public ByteString Header { get; } = AtMost(Limits.BlockHeaderBytes, Header);
    public IReadOnlyList<Hash256> Siblings { get; } = AtMost(Limits.MerkleSiblingsMax, Siblings);

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.I64(Family);
        writer.U16(Attempt);
        writer.U32(Height);
        writer.Hash(Block.Hash);
    }

    public override void WritePrivate(ref ByteWriter writer)
    {
        writer.Short(Header.Span);
        writer.U32(Position);
        writer.U8((byte)Siblings.Count);
        foreach (var sibling in Siblings) writer.Hash(sibling);
    }

    public static ConfirmFamily Read(ref ByteReader body, ref ByteReader rest)
    {
        var (family, attempt, height, block) = (body.I64(), body.U16(), body.U32(), new BlockHash(body.Hash()));
        var (header, position) = (rest.Short(Limits.BlockHeaderBytes), rest.U32());
        var siblings = new Hash256[rest.Items(rest.U8(), Hash256.Bytes, Limits.MerkleSiblingsMax)];
        for (var i = 0; i < siblings.Length; i++) siblings[i] = rest.Hash();
        return new ConfirmFamily(family, attempt, height, block, header, position, siblings);
    }
}

/// <summary>The family's transaction left the best chain: it is sent again until it confirms.</summary>
public sealed record UnconfirmFamily(long Family) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer) => writer.I64(Family);

    public static UnconfirmFamily Read(ref ByteReader body) => new(body.I64());
}

/// <summary>The confirmed attempt is too deep to be taken back: holds are settled, the real mining fee is booked.</summary>
/// <param name="Shared">The part of that fee which falls to withdrawals that pay a share of it; zero where none does.</param>
/// <param name="Child">The child that is as deep, by its number, if the attempt had children; 0 if none will confirm.</param>
public sealed record FinishFamily(long Family, Sats Shared = default, int Child = 0) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.I64(Family);
        // Behind everything else, and only where there is some: other families have the bytes that they always had.
        if (Shared > Sats.Zero) writer.Amount(Shared);
        if (Child > 0) writer.U16(Child);
    }

    public static FinishFamily Read(ref ByteReader body)
    {
        var family = body.I64();
        // A share has eight bytes, a child two.
        Sats? shared = body.Left >= sizeof(long) ? body.Sats() : null;
        int? child = body.Left > 0 ? body.U16() : null;
        if (shared == Sats.Zero) throw new FormatException("a share of nothing that is written");
        if (child == 0) throw new FormatException("a child that is written and none");
        return new FinishFamily(family, shared ?? Sats.Zero, child ?? 0);
    }
}

/// <summary>A family of which nothing was ever signed ends; its withdrawals wait for the next one.</summary>
public sealed record AbandonFamily(long Family) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer) => writer.I64(Family);

    public static AbandonFamily Read(ref ByteReader body) => new(body.I64());
}

/// <summary>Fixes the order of the log: it holds each partition's statements up to these sequences, and no others.</summary>
/// <param name="Through">The last sequence of each partition that this cut covers.</param>
public sealed record LogCut(long Round, IReadOnlyList<long> Through) : Command
{
    public override bool IsUnderTerm => true;

    public IReadOnlyList<long> Through { get; } = AtMost(Limits.PartitionsMax, Through);

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.I64(Round);
        writer.U16(Through.Count);
        foreach (var sequence in Through) writer.I64(sequence);
    }

    public static LogCut Read(ref ByteReader body)
    {
        var round = body.I64();
        var through = new long[body.Items(body.U16(), sizeof(long), Limits.PartitionsMax)];
        for (var i = 0; i < through.Length; i++) through[i] = body.I64();
        return new LogCut(round, through);
    }
}

/// <summary>The end of an epoch in this partition: balances right here are the epoch's balances.</summary>
/// <param name="Id">None where the partition follows another one, in which somebody closed the epoch.</param>
public sealed record EpochCut(OperationId Id, long Epoch) : ClientCommand(Id)
{
    public override bool IsUnderTerm => true;

    public override bool IsNamed => !Id.IsNone;

    /// <summary>Epochs belong to the operator, whose ids are unique under its tenant.</summary>
    public override WalletId Owner => new(Ledger.OperatorTenant);

    public override bool HasSameTerms(ClientCommand other) => other is EpochCut;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.I64(Epoch);
    }

    public static EpochCut Read(ref ByteReader body) => new(body.Id(), body.I64());
}

/// <summary>Closes the books of an epoch: what is owed, what there is, and at which block. In the first partition, behind the
/// cuts of all.</summary>
public sealed record StateEpoch(EpochStatement Statement) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer) => writer.Raw(Statement.ToArray());

    public static StateEpoch Read(ref ByteReader body) => EpochStatement.TryRead(body.Take(EpochStatement.Bytes), out var statement)
        ? new StateEpoch(statement)
        : throw new FormatException("an epoch's statement that is none");
}
