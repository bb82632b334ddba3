// A family as part of the state: what opened it, where it stands, the proof of its confirmation, what spent for good what
// it needed, and each signed transaction, which may be large, in a row of its own: the attempts, then the children. Of one that
// is archived these rows have no bytes, and the scripts of its change follow.

namespace Bitcache.Core;

internal static class FamilyRows
{
    /// <summary>Beside an attempt's number, which is small: the height at which it was signed follows at the end.</summary>
    private const uint HasHeight = 1u << 31;

    /// <summary>Beside the number of attempts: behind them stands one that is with its signer.</summary>
    private const uint IsPrepared = 1u << 31;

    // What follows in a row. Once there was a flag, which said whether there is a confirmation.
    private const byte HasConfirmation = 1;
    private const byte HasSpend = 2;
    private const byte HasChildren = 4;
    private const byte IsArchived = 8;
    private const byte AllMarks = HasConfirmation | HasSpend | HasChildren | IsArchived;

    private const int AttemptHeadBytes = Hash256.Bytes + sizeof(long) + (3 * sizeof(uint));

    public static void Write(StateWriter writer, Family family)
    {
        var row = writer.Begin(Limits.StatementBytesMax);
        new OpenFamily(family.Number, family.FeeCap, family.Anchor, family.Withdrawals).WriteBody(ref row);
        row.Time(family.Opened);
        row.U8((byte)family.State);
        row.U8((byte)(
            (family.Confirmation is null ? 0 : HasConfirmation) | (family.Spend is null ? 0 : HasSpend)
            | (family.Children.Count == 0 ? 0 : HasChildren) | (family.Archived == 0 ? 0 : IsArchived)));
        if (family.Confirmation is { } c)
        {
            row.U16(c.Attempt);
            row.U32(c.Height);
            row.Hash(c.Block.Hash);
            row.Short(c.Header.Span);
            row.U32(c.Position);
            row.U8((byte)c.Siblings.Count);
            foreach (var sibling in c.Siblings) row.Hash(sibling);
        }
        family.Spend?.Write(ref row);
        row.U32((uint)family.Attempts.Count | (family.Prepared is null ? 0 : IsPrepared));
        if (family.Children.Count > 0)
        {
            row.U16(family.ParentAttempt);
            row.U16(family.FinalChild);
            row.U32((uint)family.Children.Count);
        }
        if (family.Archived > 0)
        {
            row.I64(family.Archived);
            row.U32((uint)family.Change.Count);
        }
        writer.End(row);
        foreach (var attempt in family.Attempts) Write(writer, attempt);
        if (family.Prepared is { } prepared) Write(writer, prepared);
        foreach (var child in family.Children) Write(writer, new Attempt(child.Number, child.Txid, child.Fee, child.Transaction, child.Height));
        foreach (var script in family.Change)
        {
            var change = writer.Begin(1 + Limits.ScriptBytesMax);
            change.Short(script.Span);
            writer.End(change);
        }
    }

    private static void Write(StateWriter writer, Preparation prepared)
    {
        var row = writer.Begin(AttemptHeadBytes + prepared.Psbt.Length);
        row.U32((uint)prepared.Number);
        row.Hash(prepared.Txid.Hash);
        row.Amount(prepared.Fee);
        row.Long(prepared.Psbt.Span);
        writer.End(row);
    }

    private static void Write(StateWriter writer, Attempt attempt)
    {
        var row = writer.Begin(AttemptHeadBytes + attempt.Transaction.Length);
        row.U32((uint)attempt.Number | (attempt.Height > 0 ? HasHeight : 0));
        row.Hash(attempt.Txid.Hash);
        row.Amount(attempt.Fee);
        row.Long(attempt.Transaction.Span);
        if (attempt.Height > 0) row.U32(attempt.Height);
        writer.End(row);
    }

    public static Family Read(StateReader reader)
    {
        var row = reader.Begin();
        var open = OpenFamily.Read(ref row);
        var (opened, state, marks) = (row.Time(), row.U8<FamilyState>(), row.U8());
        if ((marks & ~AllMarks) != 0) throw new FormatException($"a family with the marks {marks}");
        var confirmation = (marks & HasConfirmation) != 0 ? ReadConfirmation(ref row) : null;
        var spend = (marks & HasSpend) != 0 ? FinalSpend.Read(ref row) : null;
        var count = row.U32();
        var (parent, final, children) = (marks & HasChildren) != 0 ? (row.U16(), row.U16(), row.U32()) : (0, 0, 0u);
        var (archived, scripts) = (marks & IsArchived) != 0 ? (row.I64(), row.U32()) : (0L, 0u);
        if ((marks & IsArchived) != 0 && archived <= 0) throw new FormatException("a family that is archived by no entry");
        reader.End(row);
        var attempts = ReadAttempts(reader, count & ~IsPrepared);
        var prepared = (count & IsPrepared) != 0 ? ReadPrepared(reader) : null;
        return new Family(open.Family, opened, open.FeeCap, open.Anchor, open.Withdrawals, state, attempts, confirmation, prepared)
        {
            Spend = spend,
            ParentAttempt = parent,
            FinalChild = final,
            Children = [.. ReadAttempts(reader, children).Select(a => new Child(a.Number, a.Txid, a.Fee, a.Transaction, a.Height))],
            Archived = archived,
            Change = ReadChange(reader, scripts),
        };
    }

    private static ByteString[] ReadChange(StateReader reader, uint count)
    {
        if (count > Limits.StatementBytesMax) throw new FormatException($"{count} scripts of change");
        var scripts = new ByteString[count];
        for (var i = 0; i < scripts.Length; i++)
        {
            var row = reader.Begin();
            scripts[i] = row.Short(Limits.ScriptBytesMax);
            reader.End(row);
        }
        return scripts;
    }

    private static Preparation ReadPrepared(StateReader reader)
    {
        var row = reader.Begin();
        var prepared = new Preparation((int)row.U32(), new Txid(row.Hash()), row.Sats(), row.Long(Limits.PsbtBytesMax));
        reader.End(row);
        return prepared;
    }

    private static Attempt[] ReadAttempts(StateReader reader, uint count)
    {
        if (count > ushort.MaxValue) throw new FormatException($"{count} attempts");
        var attempts = new Attempt[count];
        for (var i = 0; i < attempts.Length; i++) attempts[i] = ReadAttempt(reader);
        return attempts;
    }

    private static Confirmation ReadConfirmation(ref ByteReader row)
    {
        var (attempt, height, block) = (row.U16(), row.U32(), new BlockHash(row.Hash()));
        var (header, position) = (row.Short(Limits.BlockHeaderBytes), row.U32());
        var siblings = new Hash256[row.Items(row.U8(), Hash256.Bytes, Limits.MerkleSiblingsMax)];
        for (var i = 0; i < siblings.Length; i++) siblings[i] = row.Hash();
        return new Confirmation(attempt, height, block, header, position, siblings);
    }

    private static Attempt ReadAttempt(StateReader reader)
    {
        var row = reader.Begin();
        var number = row.U32();
        var attempt = new Attempt(
            (int)(number & ~HasHeight), new Txid(row.Hash()), row.Sats(), row.Long(Limits.SignedTransactionBytesMax),
            (number & HasHeight) != 0 ? row.U32() : 0);
        reader.End(row);
        return attempt;
    }
}
