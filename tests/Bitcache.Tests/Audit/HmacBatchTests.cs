using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

/// <summary>Beside the system's library. On a processor without wide vectors both are the library.</summary>
[Trait("suite", "core")]
public sealed class HmacBatchTests
{
    private const int Seed = 7;

    [Fact]
    public void Messages_of_all_lengths_under_many_keys_get_the_codes_that_they_get_one_by_one()
    {
        var random = new Random(Seed);
        var batch = new HmacBatch();
        // A message stands behind a block, and both are padded together.
        for (var length = 0; length < Sha256Lanes.MessageBytesMax - Hmac256.BlockBytes; length++)
        {
            var count = 1 + (length % HmacBatch.Count);
            var (keys, messages, ready) = (new Hash256[count], new byte[count][], new HmacKey[count]);
            for (var i = 0; i < count; i++)
            {
                var key = new byte[Hash256.Bytes];
                random.NextBytes(key);
                (keys[i], messages[i]) = (Hash256.Read(key), new byte[length]);
                random.NextBytes(messages[i]);
            }
            batch.Prepare(keys, ready);
            for (var i = 0; i < count; i++)
            {
                Assert.False(batch.IsFull);
                batch.Add(ready[i], messages[i]);
            }
            Assert.Equal(count == HmacBatch.Count, batch.IsFull);
            var expected = keys.Zip(messages).Select(pair => Hash256.Read(HMACSHA256.HashData(pair.First.ToArray(), pair.Second))).ToArray();
            Assert.Equal(expected, batch.Finish().ToArray());
            Assert.Equal(expected, keys.Zip(messages).Select(pair => Hmac256.Of(pair.First, pair.Second)));
        }
        Assert.Equal(0, batch.Finish().Length);
    }

    [Fact]
    public void What_is_hashed_last_shows_the_key_and_nothing_else_does()
    {
        var key = Hash256.Read(SHA256.HashData("key"u8));
        var bytes = new byte[Hmac256.OuterBytes];
        Hmac256.WriteOuter(key, Rfc6962.EmptyRoot, bytes);
        Assert.True(Hmac256.TryReadOuter(bytes, out var read, out var inner));
        Assert.Equal((key, Rfc6962.EmptyRoot), (read, inner));
        Assert.False(Hmac256.TryReadOuter(bytes.AsSpan(1), out _, out _));
        for (var i = Hash256.Bytes; i < Hmac256.BlockBytes; i++)
        {
            bytes[i] ^= 1;
            Assert.False(Hmac256.TryReadOuter(bytes, out _, out _));
            bytes[i] ^= 1;
        }
    }
}
