using System.Text.Unicode;

namespace Bitcache.Core;

/// <summary>Another process settles from now on. Commands of the settlement are sent under a term (<see cref="Command.IsUnderTerm"/>),
/// and only those of the newest are taken: two processes that both believe to settle cannot both be right, and the one that
/// is not learns it with its next command. It stands in every partition, since each decides for itself.</summary>
/// <param name="Term">Above every one before it. Ledgers begin with term 0, which nobody has to begin.</param>
/// <param name="Silo">Who has it, in UTF-8; not shown in the log.</param>
public sealed record BeginTerm(long Term, ByteString Silo) : Command
{
    public ByteString Silo { get; } = AtMost(Limits.SiloNameBytesMax, Silo);

    public override void WriteBody(ref ByteWriter writer) => writer.I64(Term);

    public override void WritePrivate(ref ByteWriter writer) => writer.Short(Silo.Span);

    /// <param name="leafOnly">Whether only the statement is there, which does not tell who.</param>
    internal static BeginTerm Read(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        var term = body.I64();
        var silo = leafOnly ? ByteString.Empty : rest.Short(Limits.SiloNameBytesMax);
        if (!Utf8.IsValid(silo.Span)) throw new FormatException("a silo's name that is not UTF-8");
        return new BeginTerm(term, silo);
    }

    /// <summary>Both parts, as a state holds them.</summary>
    internal void WriteWhole(ref ByteWriter writer)
    {
        WriteBody(ref writer);
        WritePrivate(ref writer);
    }

    internal static BeginTerm ReadWhole(ref ByteReader reader) => new(reader.I64(), reader.Short(Limits.SiloNameBytesMax));
}
