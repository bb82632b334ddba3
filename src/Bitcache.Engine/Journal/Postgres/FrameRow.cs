namespace Bitcache.Engine.Journal.Postgres;

/// <summary>A frame as it was read from its row: <see cref="FrameHeader"/>, payload and padding, as in a file.</summary>
/// <param name="bytes">Valid until the next row is read.</param>
internal readonly ref struct FrameRow(long firstSequence, int sequences, ReadOnlySpan<byte> bytes)
{
    public long FirstSequence { get; } = firstSequence;
    public int Sequences { get; } = sequences;
    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    /// <summary>Reads the frame that continues a journal here, and checks all of it but the chain.</summary>
    /// <param name="expected">The sequence that it must begin with.</param>
    /// <param name="epoch">The highest writer epoch so far.</param>
    /// <exception cref="JournalCorruptException">It is another, or damaged.</exception>
    public FrameHeader Verify(string journal, long expected, long epoch)
    {
        if (FirstSequence != expected) throw Damaged(journal, expected, $"a row of sequence {FirstSequence}");
        if (!FrameHeader.TryRead(Bytes, out var header)) throw Damaged(journal, expected, "no frame header with a right checksum");
        if (FrameHeader.Problem(Bytes, header, expected, epoch) is { } problem) throw Damaged(journal, expected, problem);
        if (header.IsSeal || header.Sequences != Sequences || Bytes.Length != FrameHeader.FrameBytes(header.PayloadBytes))
            throw Damaged(journal, expected, $"a frame of {header.Sequences} sequences in {Bytes.Length} bytes");
        if (Crc32C.Compute(Bytes.Slice(FrameHeader.Bytes, header.PayloadBytes)) != header.PayloadCrc || !JournalRecord.Tile(Payload(header), header.Sequences))
            throw Damaged(journal, expected, "a frame whose payload is not what was written");
        return header;
    }

    public ReadOnlySpan<byte> Payload(in FrameHeader header) => Bytes.Slice(FrameHeader.Bytes, header.PayloadBytes);

    internal static JournalCorruptException Damaged(string journal, long sequence, string found) =>
        new(journal, 0, $"the frame of sequence {sequence}", found);
}

/// <summary>Takes one frame; its bytes are valid only during the call.</summary>
internal delegate void FrameReader(FrameRow frame);
