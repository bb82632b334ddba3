using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class EpochStatementTests
{
    /// <summary>Written by hand, field after field.</summary>
    private const string Golden =
        "42454331" // "BEC1"
        + "0000000000000007" // epoch
        + "00000000000f4245" // cut size
        + "00000000000cd140" // height
        + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" // block hash
        + "1111111111111111111111111111111111111111111111111111111111111111" // liabilities root
        + "001d24673429e208" // total, in msat
        + "2222222222222222222222222222222222222222222222222222222222222222" // withdrawals hash
        + "3333333333333333333333333333333333333333333333333333333333333333"; // reserves hash

    private static readonly EpochStatement Statement = new(
        7, 1_000_005, 840_000, new BlockHash(Hash256.Read(Convert.FromHexString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))),
        Repeated(0x11), new Msat(8_202_800_000_000_520), Repeated(0x22), Repeated(0x33));

    [Fact]
    public void Its_bytes_are_those_of_the_format()
    {
        Assert.Equal(164, EpochStatement.Bytes);
        Assert.Equal(Golden, Convert.ToHexStringLower(Statement.ToArray()));
        Assert.True(EpochStatement.TryRead(Convert.FromHexString(Golden), out var read));
        Assert.Equal(Statement, read);
        // In a header a block's hash stands as it was hashed, in words backwards.
        Assert.Equal("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", read.Block.ToString());
    }

    [Fact]
    public void What_no_close_says_is_refused()
    {
        Refused(bytes => bytes[..^1]);
        Refused(bytes => [.. bytes, 0]);
        Refused(bytes => [(byte)'X', .. bytes.AsSpan(1)]);
        Refused(bytes => Filled(bytes, 4, 0), "epoch 0");
        Refused(bytes => Filled(bytes, 4, 0x80), "a negative epoch");
        Refused(bytes => Filled(bytes, 12, 0), "a log without leaves");
        Refused(bytes => Filled(bytes, 12, 0xff), "a negative size");
        Refused(bytes => Filled(bytes, 20, 0x01), "a height that no chain has");
        Refused(bytes => Filled(bytes, 20, 0xff), "a negative height");
        Refused(bytes => Filled(bytes, 92, 0x7f), "more than there is money");
        Refused(bytes => Filled(bytes, 92, 0xff), "a negative total");

        static void Refused(Func<byte[], byte[]> change, string what = "") =>
            Assert.False(EpochStatement.TryRead(change(Convert.FromHexString(Golden)), out _), what);

        static byte[] Filled(byte[] bytes, int start, byte with)
        {
            bytes.AsSpan(start, sizeof(long)).Fill(with);
            return bytes;
        }
    }

    [Fact]
    public void Every_byte_means_something()
    {
        var whole = SHA256.HashData(Statement.ToArray());
        for (var i = 0; i < EpochStatement.Bytes; i++)
        {
            var bytes = Statement.ToArray();
            bytes[i] ^= 1;
            if (EpochStatement.TryRead(bytes, out var read)) Assert.Equal(bytes, read.ToArray());
            Assert.NotEqual(Statement, read);
        }
        Assert.Equal(whole, SHA256.HashData(Statement.ToArray()));
    }

    private static Hash256 Repeated(byte value) => Hash256.Read([.. Enumerable.Repeat(value, Hash256.Bytes)]);
}
