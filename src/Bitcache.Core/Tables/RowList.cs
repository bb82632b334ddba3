using System.Collections;

namespace Bitcache.Core;

/// <summary>Writes one row of a table, and reads it back.</summary>
internal sealed record RowFormat<T>(StateSection Section, Action<StateWriter, T> Write, Func<StateReader, T> Read);

/// <summary>Immutable records in order: added at the end, replaced in place, never removed. Owned by one thread.</summary>
internal sealed class RowList<T>(RowFormat<T> format) : IStateTable, IReadOnlyList<T> where T : class
{
    private readonly PagedTable<T> _rows = new();

    public int Count => _rows.Count;

    public T this[int at]
    {
        get => _rows.Peek(at);
        set => _rows[at] = value;
    }

    public int Add(T row) => _rows.Add(row);

    public IEnumerator<T> GetEnumerator()
    {
        for (var at = 0; at < Count; at++) yield return this[at];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public IStateRows View(bool hold) => new Rows(hold ? _rows.Capture() : _rows.View(), format);

    public void Release() => _rows.Release();

    public void Read(StateReader reader)
    {
        for (var left = reader.Section(format.Section); left > 0; left--) Add(format.Read(reader));
    }

    private sealed class Rows(PagedRows<T> rows, RowFormat<T> format) : IStateRows
    {
        public void Write(StateWriter writer)
        {
            writer.Section(format.Section, rows.Count);
            for (var at = 0; at < rows.Count; at++) format.Write(writer, rows[at]);
        }
    }
}
