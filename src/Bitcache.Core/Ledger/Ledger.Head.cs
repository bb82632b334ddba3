// The part of the state that is not a table: a few numbers and records.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private sealed class HeadTable(Ledger ledger) : IStateTable
    {
        public IStateRows View(bool hold) => new HeadRow(
            ledger.Genesis, ledger.Begun, ledger.LastLogCut, ledger.NextSequence, ledger.Time, ledger.Floor, ledger.LastContentSequence,
            ledger.Totals, [.. ledger._cursors], ledger._cursor, ledger.Rescan, ledger.WithdrawalsStopped,
            [.. ledger._rotations], ledger.LastKeyRotation, ledger.LastTerm);

        public void Release()
        {
        }

        public void Read(StateReader reader)
        {
            if (reader.Section(StateSection.Head) != 1) throw new FormatException("a state has one head");
            var row = reader.Begin();
            ledger.Genesis = row.Flag() ? Genesis.Read(ref row) : null;
            ledger.Begun = row.Time();
            ledger.LastLogCut = row.Flag() ? LogCut.Read(ref row) : null;
            ledger.NextSequence = row.I64();
            ledger.Time = row.Time();
            ledger.Floor = row.Time();
            ledger.LastContentSequence = row.I64();
            ReadTotals(ref row);
            for (var left = row.Items(row.U16(), CursorBytes, Limits.CursorRingMax); left > 0; left--) ledger._cursors.Enqueue(ReadCursor(ref row));
            var marks = row.U8();
            if ((marks & ~(HasCursor | HasRescan | AreStopped | HasRotations | HasTerm)) != 0) throw new FormatException("a head with unknown marks");
            ledger._cursor = (marks & HasCursor) != 0 ? ReadCursor(ref row) : null;
            ledger.Rescan = (marks & HasRescan) != 0 ? row.U32() : null;
            ledger.WithdrawalsStopped = (marks & AreStopped) != 0;
            if ((marks & HasRotations) != 0) ReadRotations(ref row);
            ledger.LastTerm = (marks & HasTerm) != 0 ? BeginTerm.ReadWhole(ref row) : null;
            reader.End(row);
        }

        private void ReadTotals(ref ByteReader row)
        {
            var totals = ledger._totals;
            totals.Available = row.I64();
            totals.Held = row.I64();
            totals.Frozen = row.I64();
            totals.Suspense = row.I64();
            totals.Owed = row.I64();
            totals.Deposited = row.I64();
            totals.ToppedUp = row.I64();
            totals.Reversed = row.I64();
            totals.Withdrawn = row.I64();
            totals.MiningFees = row.I64();
            totals.FromPartitions = row.I64();
        }

        private void ReadRotations(ref ByteReader row)
        {
            ledger.LastKeyRotation = row.I64();
            for (var left = row.Items(row.U16(), RotateKey.BodyBytes, Limits.KeyRotationsMax); left > 0; left--) ledger._rotations.Add(RotateKey.Read(ref row));
        }

        private static ChainCursor ReadCursor(ref ByteReader row) => new(row.U32(), new BlockHash(row.Hash()));
    }

    // What is there behind the totals, and what needs no bytes of its own.
    private const byte HasCursor = 1;
    private const byte HasRescan = 2;
    private const byte AreStopped = 4;
    private const byte HasRotations = 8;
    private const byte HasTerm = 16;
    private const int CursorBytes = sizeof(uint) + Hash256.Bytes;

    private sealed record HeadRow(
        Genesis? Genesis, UnixTime Begun, LogCut? LastLogCut, long NextSequence, UnixTime Time, UnixTime Floor, long LastContentSequence,
        Totals Totals, ChainCursor[] Cursors, ChainCursor? Cursor, uint? Rescan, bool WithdrawalsStopped, RotateKey[] Rotations,
        long? LastKeyRotation, BeginTerm? LastTerm) : IStateRows
    {
        public void Write(StateWriter writer)
        {
            writer.Section(StateSection.Head, 1);
            var row = writer.Begin(Limits.StatePieceBytesMax / 2);
            row.Flag(Genesis is not null);
            Genesis?.WriteBody(ref row);
            row.Time(Begun);
            row.Flag(LastLogCut is not null);
            LastLogCut?.WriteBody(ref row);
            row.I64(NextSequence);
            row.Time(Time);
            row.Time(Floor);
            row.I64(LastContentSequence);
            foreach (var total in (ReadOnlySpan<long>)[
                Totals.Available, Totals.Held, Totals.Frozen, Totals.Suspense, Totals.Owed,
                Totals.Deposited, Totals.ToppedUp, Totals.Reversed, Totals.Withdrawn, Totals.MiningFees, Totals.FromPartitions]) row.I64(total);
            row.U16(Cursors.Length);
            foreach (var cursor in Cursors) WriteCursor(ref row, cursor);
            row.U8((byte)((Cursor is null ? 0 : HasCursor) | (Rescan is null ? 0 : HasRescan) | (WithdrawalsStopped ? AreStopped : 0)
                | (Rotations.Length == 0 ? 0 : HasRotations) | (LastTerm is null ? 0 : HasTerm)));
            if (Cursor is not null) WriteCursor(ref row, Cursor);
            if (Rescan is { } rescan) row.U32(rescan);
            if (LastKeyRotation is { } last)
            {
                row.I64(last);
                row.U16(Rotations.Length);
                foreach (var rotation in Rotations) rotation.WriteBody(ref row);
            }
            LastTerm?.WriteWhole(ref row);
            writer.End(row);
        }

        private static void WriteCursor(ref ByteWriter row, ChainCursor cursor)
        {
            row.U32(cursor.Height);
            row.Hash(cursor.Block.Hash);
        }
    }
}
