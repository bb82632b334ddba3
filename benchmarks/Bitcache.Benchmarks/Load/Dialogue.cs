namespace Bitcache.Benchmarks.Load;

/// <summary>What is said to a server and heard from it: requests made by hand, answers read as little as it takes to
/// know that they are whole and good. Belongs to one generator.</summary>
internal abstract class Dialogue
{
    /// <summary>Payments that one request asks for.</summary>
    public abstract int PaymentsPerRequest { get; }

    public abstract int RequestBytesMax { get; }
    public abstract int AnswerBytesMax { get; }

    /// <summary>Writes a request for payments that nobody asked for before; returns its length.</summary>
    public abstract int WriteRequest(Span<byte> request);

    /// <summary>Whether what has come so far is a whole answer to one request.</summary>
    /// <exception cref="BenchFailedException">It says that a payment was not made.</exception>
    public abstract bool IsWholeAnswer(ReadOnlySpan<byte> answer);
}
