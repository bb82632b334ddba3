// What becomes of a family beside confirming: a child that pays for it, its death, and the end of all settlement.

namespace Bitcache.Core;

/// <summary>An output, and the transaction that spent it so deep in the chain that nobody else ever will.</summary>
/// <param name="Height">Of the block that holds the spender.</param>
public sealed record FinalSpend(OutPoint Output, Txid Spender, uint Height, BlockHash Block)
{
    internal void Write(ref ByteWriter writer)
    {
        writer.Hash(Output.Txid.Hash);
        writer.U32(Output.Index);
        writer.Hash(Spender.Hash);
        writer.U32(Height);
        writer.Hash(Block.Hash);
    }

    internal static FinalSpend Read(ref ByteReader reader) => new(
        new OutPoint(new Txid(reader.Hash()), reader.U32()), new Txid(reader.Hash()), reader.U32(), new BlockHash(reader.Hash()));
}

/// <summary>No attempt of a family can confirm any more, because all of them need what another transaction has spent for good:
/// an input that they share, or an input of the transaction that would have made it. Its withdrawals wait for a new family.</summary>
public sealed record DeclareFamilyDead(long Family, FinalSpend Cause) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.I64(Family);
        Cause.Write(ref writer);
    }

    public static DeclareFamilyDead Read(ref ByteReader body) => new(body.I64(), FinalSpend.Read(ref body));
}

/// <summary>A signed transaction that spends the change of an attempt and pays for both, because the attempt itself cannot be
/// replaced any more. It is durable before it leaves this process.</summary>
/// <param name="Attempt">Whose change it spends: the same for all children of a family.</param>
/// <param name="Fee">Its own, beside that of the attempt.</param>
/// <param name="Transaction">The whole transaction with its witness, as it is sent.</param>
/// <param name="Height">Of the newest block when it was signed.</param>
public sealed record SignChild(long Family, int Attempt, int Child, Txid Txid, Sats Fee, ByteString Transaction, uint Height) : Command
{
    public override bool IsUnderTerm => true;

    public int Attempt { get; } = AttemptHead.Numbered(Attempt, nameof(Attempt));
    public int Child { get; } = AttemptHead.Numbered(Child, nameof(Child));
    public ByteString Transaction { get; } = AtMost(Limits.SignedTransactionBytesMax, Transaction);

    public override void WriteBody(ref ByteWriter writer) => new AttemptHead(Family, Attempt, Child, Txid, Fee).Write(ref writer);

    public override void WritePrivate(ref ByteWriter writer)
    {
        writer.Long(Transaction.Span);
        writer.U32(Height);
    }

    public static SignChild Read(ref ByteReader body, ref ByteReader rest)
    {
        var head = AttemptHead.Read(ref body, isChild: true);
        return new SignChild(head.Family, head.Attempt, head.Child!.Value, head.Txid, head.Fee, rest.Long(Limits.SignedTransactionBytesMax), rest.U32());
    }
}

/// <summary>What a family signed is in the journal alone from here on: it ended, and nothing of it is sent or compared any more.
/// What receipts need for ever, the transaction of an anchor that is final, stands in this entry, where it is found again.</summary>
/// <param name="Transaction">Of an anchor that is final the attempt that confirmed, whole; of any other family nothing.</param>
public sealed record ArchiveFamily(long Family, ByteString Transaction) : Command
{
    public override bool IsUnderTerm => true;

    public ByteString Transaction { get; } = AtMost(Limits.SignedTransactionBytesMax, Transaction);

    public override void WriteBody(ref ByteWriter writer) => writer.I64(Family);

    public override void WritePrivate(ref ByteWriter writer) => writer.Long(Transaction.Span);

    public static ArchiveFamily Read(ref ByteReader body, ref ByteReader rest) => new(body.I64(), rest.Long(Limits.SignedTransactionBytesMax));
}

/// <summary>A stranger has spent the output that only the next anchor may spend: a second history of the log has begun, or
/// somebody else has the wallet's keys. From now on nothing is anchored or withdrawn.</summary>
/// <param name="Family">The anchor's, whose output it was.</param>
public sealed record StopSettlement(long Family, FinalSpend Cause) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.I64(Family);
        Cause.Write(ref writer);
    }

    public static StopSettlement Read(ref ByteReader body) => new(body.I64(), FinalSpend.Read(ref body));
}
