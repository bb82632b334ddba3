using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

/// <summary>Beside the system's library. On a processor without wide vectors both are the library.</summary>
[Trait("suite", "core")]
public sealed class Sha256LanesTests
{
    private const int Seed = 7;

    [Fact]
    public void Entries_of_all_lengths_and_any_number_get_the_leaf_hashes_that_they_get_one_by_one()
    {
        var random = new Random(Seed);
        for (var count = 0; count <= 2 * Sha256Lanes.Count + 1; count++)
        {
            var hasher = new LeafHasher(2 * Sha256Lanes.Count);
            var entries = new byte[count][];
            for (var i = 0; i < count; i++)
            {
                entries[i] = new byte[random.Next(Sha256Lanes.MessageBytesMax + 20)];
                random.NextBytes(entries[i]);
                hasher.Add(entries[i]);
                Assert.Equal(i + 1, hasher.Count);
            }
            Assert.Equal(entries.Select(entry => Hash256.Read(SHA256.HashData([0, .. entry]))), hasher.Finish().ToArray());
        }
    }

    [Fact]
    public void Each_length_that_fits_a_lane_is_padded_right()
    {
        for (var length = 0; length <= Sha256Lanes.MessageBytesMax; length++)
        {
            var hasher = new LeafHasher(Sha256Lanes.Count);
            var entry = Enumerable.Repeat((byte)0xa5, length).ToArray();
            hasher.Add(entry);
            Assert.Equal([Rfc6962.LeafHash(entry)], hasher.Finish().ToArray());
        }
    }

    [Fact]
    public void Entries_that_come_after_others_were_finished_get_their_own_hashes()
    {
        var hasher = new LeafHasher(Sha256Lanes.MessagesMin);
        for (var turn = 0; turn < 3; turn++)
        {
            // Long ones first, so that what they leave behind stands where short ones end.
            var entries = Enumerable.Range(0, 40).Select(i => Enumerable.Repeat((byte)(turn + i), Sha256Lanes.MessageBytesMax - (100 * turn) - i).ToArray()).ToArray();
            foreach (var entry in entries) hasher.Add(entry);
            Assert.Equal(entries.Select(entry => Rfc6962.LeafHash(entry)), hasher.Finish().ToArray());
            Assert.Equal(0, hasher.Count);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(16)]
    [InlineData(21)]
    [InlineData(128)]
    public void Nodes_over_pairs_are_those_that_are_made_one_by_one(int count)
    {
        var random = new Random(Seed);
        var bytes = new byte[2 * count * Hash256.Bytes];
        random.NextBytes(bytes);
        var children = Enumerable.Range(0, 2 * count).Select(i => Hash256.Read(bytes.AsSpan(i * Hash256.Bytes))).ToArray();
        var nodes = new Hash256[count];
        Rfc6962.NodeHashes(children, nodes, Sha256Lanes.For(count));
        Assert.Equal(Enumerable.Range(0, count).Select(i => Rfc6962.NodeHash(children[2 * i], children[(2 * i) + 1])), nodes);
    }
}
