namespace Bitcache.Core;

/// <summary>Gives the next piece of a stream of state, valid until the next call; an empty one at its end.</summary>
public delegate ReadOnlyMemory<byte> StatePieceReader();

/// <summary>Reads what <see cref="StateWriter"/> wrote; throws <see cref="FormatException"/> where it is something else.</summary>
internal sealed class StateReader(StatePieceReader next)
{
    private ReadOnlyMemory<byte> _piece;

    /// <summary>Begins a part of the state; returns how many rows it has.</summary>
    public long Section(StateSection section)
    {
        var head = Begin();
        var (number, rows) = (head.U16(), head.I64());
        End(head);
        if (number != (int)section) throw new FormatException($"part {number} of the state where {section} belongs");
        return rows >= 0 ? rows : throw new FormatException($"{rows} rows in {section}");
    }

    /// <summary>The same for a table whose rows are counted in 32 bits.</summary>
    public int Rows(StateSection section)
    {
        var rows = Section(section);
        return rows <= Array.MaxLength ? (int)rows : throw new FormatException($"{rows} rows in {section}");
    }

    /// <summary>The rest of a piece, with a whole row at its beginning; <see cref="End"/> passes over what was read of it.</summary>
    public ByteReader Begin()
    {
        if (_piece.IsEmpty) _piece = next();
        return new ByteReader(_piece.Span);
    }

    public void End(in ByteReader rest) => _piece = _piece[^rest.Left..];

    /// <summary>Nothing may be left.</summary>
    public void Finish()
    {
        if (!_piece.IsEmpty || !next().IsEmpty) throw new FormatException("bytes behind the last part of the state");
    }
}
