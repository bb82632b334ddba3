using System.Security.Cryptography;
using Bitcache.Core;

namespace Bitcache.Tests.Audit;

/// <summary>RFC 6962, section 2.1, word for word and without any cleverness but a memory of subtrees.</summary>
internal sealed class ReferenceTree(IReadOnlyList<Hash256> leaves)
{
    private readonly Dictionary<(int, int), byte[]> _known = [];

    /// <summary>Leaf hashes that are all different.</summary>
    public static Hash256[] Leaves(int count) =>
        [.. Enumerable.Range(0, count).Select(i => Hash256.Read(SHA256.HashData(BitConverter.GetBytes(i))))];

    public Hash256 Root(int start, int end) => Hash256.Read(Mth(start, end));

    public IEnumerable<Hash256> Path(int m, int start, int end)
    {
        if (end - start == 1) return [];
        var k = Split(end - start);
        return m < k
            ? Path(m, start, start + k).Append(Root(start + k, end))
            : Path(m - k, start + k, end).Append(Root(start, start + k));
    }

    public IEnumerable<Hash256> Proof(int m, int n) => SubProof(m, 0, n, true);

    private IEnumerable<Hash256> SubProof(int m, int start, int end, bool whole)
    {
        if (m == end - start) return whole ? [] : [Root(start, end)];
        var k = Split(end - start);
        return m <= k
            ? SubProof(m, start, start + k, whole).Append(Root(start + k, end))
            : SubProof(m - k, start + k, end, false).Append(Root(start, start + k));
    }

    private byte[] Mth(int start, int end)
    {
        if (end - start == 1) return leaves[start].ToArray();
        if (_known.TryGetValue((start, end), out var known)) return known;
        var k = Split(end - start);
        return _known[(start, end)] = SHA256.HashData([1, .. Mth(start, start + k), .. Mth(start + k, end)]);
    }

    private static int Split(int n)
    {
        var k = 1;
        while (2 * k < n) k *= 2;
        return k;
    }
}
