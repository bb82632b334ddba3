using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

[Trait("suite", "core")]
public sealed class LiabilityAccountsTests
{
    [Fact]
    public void Balances_are_written_and_read_and_nothing_else_is()
    {
        var accounts = new LiabilityAccounts();
        for (var i = 10; i > 0; i--) accounts.Add(new WalletId(((UInt128)i << 64) + 1), new Msat(i));
        var bytes = new List<byte>();
        accounts.Write(piece => bytes.AddRange(piece));
        Assert.Equal(240, bytes.Count);
        Assert.True(LiabilityAccounts.TryRead([.. bytes], out var read));
        var again = new List<byte>();
        read.Write(piece => again.AddRange(piece));
        Assert.Equal(bytes, again);
        Assert.False(LiabilityAccounts.TryRead(bytes.Take(239).ToArray(), out _));
        Assert.False(LiabilityAccounts.TryRead([.. bytes[24..48], .. bytes[..24]], out _));
        Assert.False(LiabilityAccounts.TryRead([.. bytes[..24], .. bytes[..24]], out _));
        Assert.False(LiabilityAccounts.TryRead(new byte[24], out _));
    }
}
