// How an applied command becomes the bytes of its record (layout: Entry.cs).

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Writes the record of a command up to its links, taking the next sequence.</summary>
    private EntryWriter Write(
        EntryType type, Command command, in ApplyContext context, Span<byte> record,
        Outcome refusal = Outcome.None, WalletId payee = default)
    {
        var entry = Begin(type, context, record);
        command.WriteBody(ref entry.Body);
        entry.End(context, refusal, payee);
        command.WritePrivate(ref entry.Body);
        return entry;
    }

    /// <summary>Starts a record, taking the next sequence. The body comes next, and then <see cref="EntryWriter.End"/>.</summary>
    private EntryWriter Begin(EntryType type, in ApplyContext context, Span<byte> record)
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
        return new EntryWriter(record, writer, sequence);
    }

    /// <summary>A record that is being written: the statement's body, its end, private bytes, links.</summary>
    private ref struct EntryWriter(Span<byte> record, ByteWriter writer, long sequence)
    {
        private readonly Span<byte> _record = record;
        private Outcome _outcome = Outcome.Accepted;
        public ByteWriter Body = writer;

        public void Transfer(in Payment payment)
        {
            Body.Id(payment.Id);
            Body.Wallet(payment.Payer);
            Body.Wallet(payment.Payee);
            Body.Amount(payment.Amount);
            Body.U32(payment.Code);
            Body.Short(payment.Reference);
        }

        /// <summary>Ends the statement: behind the body what the decision adds to it, and the salt.</summary>
        public EntryWriter End(in ApplyContext context, Outcome refusal = Outcome.None, WalletId payee = default)
        {
            if (refusal != Outcome.None) Body.U16((ushort)(_outcome = refusal));
            if (!payee.IsNone) Body.Wallet(payee);
            Body.U128(context.Salt);
            var statement = Body.Position - Entry.RecordHeaderBytes;
            Assert(statement <= Limits.StatementBytesMax, "a statement fits the log's tiles");
            new ByteWriter(_record[12..]).U16(statement);
            return this;
        }

        /// <summary>Puts the entry at the head of a wallet's history. Balances have been changed before.</summary>
        public void Link(ref Wallet wallet)
        {
            Body.I64(wallet.LastSequence);
            Body.Amount(wallet.Available);
            wallet.LastSequence = sequence;
        }

        public readonly ApplyResult Finish()
        {
            new ByteWriter(_record).U32((uint)Body.Position);
            return new ApplyResult(_outcome, sequence, Body.Position);
        }
    }
}
