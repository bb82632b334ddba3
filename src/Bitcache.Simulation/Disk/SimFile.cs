namespace Bitcache.Simulation;

/// <summary>One file of a <see cref="SimDisk"/>: the bytes that the process sees, those on the disk, and which sectors
/// differ in a way that the kernel knows of.</summary>
internal sealed class SimFile(byte[] bytes)
{
    private const int SectorBytes = 512;

    private byte[] _durable = (byte[])bytes.Clone();
    private int _durableLength = bytes.Length;
    private bool[] _dirty = new bool[Sectors(bytes.Length)];

    /// <summary>Whether sectors may have been written since the last sync.</summary>
    public bool IsDirty { get; private set; }
    public byte[] Seen { get; private set; } = (byte[])bytes.Clone();
    public int SeenLength { get; private set; } = bytes.Length;

    private static int Sectors(int length) => (length + SectorBytes - 1) / SectorBytes;

    public int Read(int offset, Span<byte> target)
    {
        var count = Math.Clamp(SeenLength - offset, 0, target.Length);
        // Behind the end there is nothing to read, however far behind.
        if (count > 0) Seen.AsSpan(offset, count).CopyTo(target);
        return count;
    }

    public void Write(int offset, ReadOnlySpan<byte> source)
    {
        if (source.Length == 0) return;
        if (offset + source.Length > SeenLength) Resize(offset + source.Length);
        source.CopyTo(Seen.AsSpan(offset));
        IsDirty = true;
        for (var sector = offset / SectorBytes; sector <= (offset + source.Length - 1) / SectorBytes; sector++) _dirty[sector] = true;
    }

    public void Resize(int length)
    {
        if (length > Seen.Length)
        {
            (Seen, _durable, _dirty) = (Grown(Seen, length), Grown(_durable, length), Grown(_dirty, Sectors(length)));
        }
        if (length < SeenLength) Write(length, new byte[SeenLength - length]);
        SeenLength = length;
    }

    private static T[] Grown<T>(T[] array, int length)
    {
        var grown = new T[length];
        array.CopyTo(grown, 0);
        return grown;
    }

    public void Sync()
    {
        for (var sector = 0; sector < _dirty.Length; sector++)
        {
            if (_dirty[sector]) Settle(sector);
        }
        _durableLength = SeenLength;
        MarkClean();
    }

    private void MarkClean()
    {
        Array.Clear(_dirty);
        IsDirty = false;
    }

    /// <summary>Some sectors arrived, some did not; none is tried again.</summary>
    public void FailSync(Random random)
    {
        Scatter(random);
        MarkClean();
    }

    public void WriteBackUnasked(Random random)
    {
        for (var sector = 0; sector < _dirty.Length; sector++)
        {
            if (_dirty[sector] && random.Next(3) == 0) Settle(sector);
        }
    }

    public void LosePower(Random random)
    {
        Scatter(random);
        if (random.Next(2) == 0) _durableLength = SeenLength;
        Seen = (byte[])_durable.Clone();
        // Beyond its end a file holds nothing, whatever was there before.
        Seen.AsSpan(_durableLength).Clear();
        _durable.AsSpan(_durableLength).Clear();
        SeenLength = _durableLength;
        MarkClean();
    }

    public void DropCleanPages(Random random)
    {
        for (var sector = 0; sector < _dirty.Length; sector++)
        {
            if (!_dirty[sector] && random.Next(2) == 0) Sector(_durable, sector).CopyTo(Sector(Seen, sector));
        }
    }

    private void Scatter(Random random)
    {
        for (var sector = 0; sector < _dirty.Length; sector++)
        {
            if (!_dirty[sector]) continue;
            var fate = random.Next(3);
            if (fate == 0) Settle(sector);
            if (fate == 1) Tear(sector, random);
        }
    }

    private void Settle(int sector) => Sector(Seen, sector).CopyTo(Sector(_durable, sector));

    /// <summary>The new bytes from a random place on, or up to it.</summary>
    private void Tear(int sector, Random random)
    {
        var from = Sector(Seen, sector);
        var to = Sector(_durable, sector);
        var cut = random.Next(from.Length);
        if (random.Next(2) == 0) from[..cut].CopyTo(to);
        else from[cut..].CopyTo(to[cut..]);
    }

    private static Span<byte> Sector(byte[] array, int sector)
    {
        var start = sector * SectorBytes;
        return array.AsSpan(start, Math.Min(SectorBytes, array.Length - start));
    }
}
