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

    /// <summary>Starts a record, taking the next sequence. The body comes next, and then <see cref="EntryWriter.End(in ApplyContext, Outcome, WalletId)"/>.</summary>
    private EntryWriter Begin(EntryType type, in ApplyContext context, Span<byte> record)
    {
        var writer = new ByteWriter(record);
        writer.U32(0);
        writer.U16(0);
        writer.U8(Entry.RecordVersion);
        writer.U8(0);
        writer.U32(context.Tenant);
        var entry = new EntryWriter(record, writer, NextSequence);
        BeginStatement(ref entry, type, context);
        return entry;
    }

    /// <summary>Starts a statement, taking the next sequence: the record's first, or one more of a split.</summary>
    private void BeginStatement(ref EntryWriter entry, EntryType type, in ApplyContext context)
    {
        var sequence = TakeSequence(type, context.Time);
        entry.Begin();
        entry.Body.U8(Entry.StatementVersion);
        entry.Body.U8((byte)type);
        entry.Body.U16(partition);
        entry.Body.I64(sequence);
        entry.Body.Time(context.Time);
    }

    private long TakeSequence(EntryType type, UnixTime time)
    {
        var sequence = NextSequence++;
        Time = time;
        if (type != EntryType.LogCut) LastContentSequence = sequence;
        return sequence;
    }

    /// <summary>A record that is being written: the statement's body, its end, private bytes, links.</summary>
    private ref struct EntryWriter(Span<byte> record, ByteWriter writer, long sequence)
    {
        private readonly Span<byte> _record = record;
        private Outcome _outcome = Outcome.Accepted;
        private int _statements;
        private byte _marks;
        private int _lengthAt;
        public ByteWriter Body = writer;

        public void Begin()
        {
            _statements++;
            _lengthAt = Body.Position;
            Body.U16(0);
        }

        /// <summary>Ends the statement: behind the body what the decision adds to it, and the salt.</summary>
        public EntryWriter End(in ApplyContext context, Outcome refusal = Outcome.None, WalletId payee = default)
        {
            if (refusal != Outcome.None) Body.U16((ushort)(_outcome = refusal));
            if (!payee.IsNone) Body.Wallet(payee);
            return End(context.Salt);
        }

        public EntryWriter End(UInt128 salt)
        {
            Body.U128(salt);
            var statement = Body.Position - _lengthAt - sizeof(ushort);
            Assert(statement <= Limits.StatementBytesMax, "a statement fits the log's tiles");
            new ByteWriter(_record[_lengthAt..]).U16(statement);
            return this;
        }

        /// <summary>Puts the entry at the head of a wallet's history. Balances have been changed before.</summary>
        /// <param name="part">Of a split: which of its sequences is the wallet's.</param>
        public void Link(ref WalletRow wallet, int part = 0)
        {
            Body.I64(wallet.LastSequence);
            Body.Amount(wallet.Available);
            wallet.LastSequence = sequence + part;
        }

        /// <summary>Says in place of a link where a credit went.</summary>
        public void Leg(LegName leg)
        {
            _marks = Entry.Departs;
            Body.U16(leg.Destination);
            Body.I64(leg.Number);
        }

        /// <summary>Says that the withdrawal waits for a second person.</summary>
        public void Await() => _marks = Entry.Awaits;

        /// <summary>Says that a refused withdrawal's id is remembered in the window alone.</summary>
        public void Forget() => _marks = Entry.Forgets;

        public readonly ApplyResult Finish()
        {
            var header = new ByteWriter(_record);
            header.U32((uint)Body.Position);
            header.U16(_statements);
            if (_marks != 0) _record[Entry.MarksOffset] = _marks;
            return new ApplyResult(_outcome, sequence, Body.Position, _statements);
        }
    }
}
