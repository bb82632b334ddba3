namespace Bitcache.Engine.Journal;

/// <summary>Where one partition's entries become durable.</summary>
public interface IJournal : IDisposable
{
    long DurableSequence { get; }
    bool TryReserve(int payloadBytes);
    void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences);
    void Seal();
    bool TryReadRecord(long sequence, out byte[] record);
}
