namespace Bitcache.Tests;

/// <summary>Damage to a record, of the kinds that parsers fall over: half of it with lengths that fit again.</summary>
internal static class Mutations
{
    private static readonly byte[] Edges = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

    public static byte[] Of(byte[] record, Random random)
    {
        var bytes = record.ToList();
        for (var left = random.Next(1, 4); left > 0; left--) Damage(bytes, random);
        if (random.Next(2) == 0) MendLengths(bytes, record, random);
        return [.. bytes];
    }

    private static void Damage(List<byte> bytes, Random random)
    {
        if (bytes.Count == 0) return;
        var at = random.Next(bytes.Count);
        switch (random.Next(7))
        {
            case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: bytes[at] = Edges[random.Next(Edges.Length)]; break;
            case 2: bytes[at] = (byte)random.Next(256); break;
            case 3: bytes.RemoveRange(at, random.Next(1, bytes.Count - at + 1)); break;
            case 4: bytes.InsertRange(at, Enumerable.Range(0, random.Next(1, 40)).Select(_ => (byte)random.Next(256))); break;
            // A whole integer at its edge.
            case 5: for (var i = at; i < Math.Min(at + 8, bytes.Count); i++) bytes[i] = i == at ? (byte)0x7f : (byte)0xff; break;
            default: bytes.InsertRange(at, bytes.GetRange(0, random.Next(1, Math.Min(64, bytes.Count) + 1))); break;
        }
    }

    /// <summary>Makes the record's length right, and grows or shrinks the statement by what was added or lost.</summary>
    private static void MendLengths(List<byte> bytes, byte[] record, Random random)
    {
        if (bytes.Count < 14) return;
        (bytes[0], bytes[1], bytes[2], bytes[3]) = (0, 0, (byte)(bytes.Count >> 8), (byte)(bytes.Count & 0xff));
        var statement = (record[12] << 8) + record[13] + (random.Next(2) == 0 ? bytes.Count - record.Length : 0);
        if (statement is >= 0 and <= ushort.MaxValue) (bytes[12], bytes[13]) = ((byte)(statement >> 8), (byte)(statement & 0xff));
    }
}
