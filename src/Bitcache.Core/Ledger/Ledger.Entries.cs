// How an applied command becomes the bytes of its record (layout: Entry.cs).

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Starts the record of a command, taking the next sequence.</summary>
    private EntryWriter Write(
        EntryType type, Command command, in ApplyContext context, Span<byte> record,
        Outcome refusal = Outcome.None, WalletId payee = default)
    {
        var sequence = NextSequence++;
        Time = context.Time;
        if (type != EntryType.LogCut) LastContentSequence = sequence;
        var writer = new ByteWriter(record);
        writer.U32(0);
        writer.U16(1);
        writer.U8(Entry.RecordVersion);
        writer.U8(0);
        writer.U32(context.Tenant);
        writer.U16(0);
        writer.U8(Entry.StatementVersion);
        writer.U8((byte)type);
        writer.U16(partition);
        writer.I64(sequence);
        writer.Time(context.Time);
        command.WriteBody(ref writer);
        if (refusal != Outcome.None) writer.U16((ushort)refusal);
        if (!payee.IsNone) writer.Wallet(payee);
        writer.U128(context.Salt);
        var statement = writer.Position - Entry.RecordHeaderBytes;
        Assert(statement <= Limits.StatementBytesMax, "a statement fits the log's tiles");
        new ByteWriter(record[12..]).U16(statement);
        command.WritePrivate(ref writer);
        return new EntryWriter(record, writer, sequence, refusal == Outcome.None ? Outcome.Accepted : refusal);
    }

    /// <summary>The tail of a record: the links of the wallets whose history the entry is part of.</summary>
    private ref struct EntryWriter(Span<byte> record, ByteWriter writer, long sequence, Outcome outcome)
    {
        private readonly Span<byte> _record = record;
        private ByteWriter _writer = writer;

        /// <summary>Puts the entry at the head of a wallet's history. Balances have been changed before.</summary>
        public void Link(ref Wallet wallet)
        {
            _writer.I64(wallet.LastSequence);
            _writer.Amount(wallet.Available);
            wallet.LastSequence = sequence;
        }

        public readonly ApplyResult Finish()
        {
            new ByteWriter(_record).U32((uint)_writer.Position);
            return new ApplyResult(outcome, sequence, _writer.Position);
        }
    }
}
