// Which silo has which partition: a function of the silos alone, so that every silo comes to the same without asking. Each
// partition has an order of preference among the silos that no other silo's coming or going changes (rendezvous hashing),
// and goes to the first that still has room; so a change of silos moves few partitions, and no silo has more than its share.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Bitcache.Cluster.Placement;

internal static class PartitionPlan
{
    /// <param name="silos">What tells them apart, the same on every silo (<see cref="Identity"/>); in any order.</param>
    /// <returns>For each partition its silo, as a place in <paramref name="silos"/>.</returns>
    public static int[] Of(int partitions, IReadOnlyList<ulong> silos)
    {
        ArgumentOutOfRangeException.ThrowIfZero(silos.Count);
        var share = (partitions + silos.Count - 1) / silos.Count;
        var taken = new int[silos.Count];
        var plan = new int[partitions];
        for (var partition = 0; partition < partitions; partition++)
        {
            var best = -1;
            for (var silo = 0; silo < silos.Count; silo++)
            {
                if (taken[silo] < share && (best < 0 || IsPreferred(partition, silos[silo], silos[best]))) best = silo;
            }
            plan[partition] = best;
            taken[best]++;
        }
        return plan;
    }

    /// <summary>The first eight bytes of the SHA-256 of a silo's address.</summary>
    public static ulong Identity(string address) => BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(address)));

    private static bool IsPreferred(int partition, ulong silo, ulong to) => (Weight(partition, silo), silo).CompareTo((Weight(partition, to), to)) > 0;

    /// <summary>The mixer of SplitMix64 over both.</summary>
    private static ulong Weight(int partition, ulong silo)
    {
        unchecked
        {
            var x = silo + ((ulong)partition * 0x9E3779B97F4A7C15);
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
            return x ^ (x >> 31);
        }
    }
}
