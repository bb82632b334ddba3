using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>The files of an epoch give the same proofs as its tree.</summary>
[Trait("suite", "core")]
public sealed class BalanceFinderTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 17)]
    [InlineData(4, 700)]
    [InlineData(5, 3_000)]
    public void Every_wallet_is_found_with_the_proofs_of_the_tree_and_no_other_is(int seed, int wallets)
    {
        var random = new Random(seed);
        WalletId NewId() => new(new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64()));
        var (key, accounts, ids) = (new LiabilitySeed(new byte[LiabilitySeed.Bytes]), new LiabilityAccounts(), new List<WalletId>());
        for (var i = 0; i < wallets; i++)
        {
            ids.Add(NewId());
            // Mostly amounts of few digits, so that lines differ in length.
            accounts.Add(ids[^1], new Msat(1 + random.NextInt64(1L << random.Next(1, 40))));
        }
        accounts.Add(WalletId.Suspense, new Msat(1_000_000));
        var tree = LiabilityTree.Build(key, 7, 100, accounts);
        var folder = new EpochFolder(LogBook.NewDisk(), "/data/epochs");
        folder.WriteLargeFiles(7, tree);
        using var finder = new BalanceFinder(folder, 7);
        foreach (var id in wallets > 1_000 ? ids.Where(_ => random.Next(20) == 0) : ids)
        {
            var nonce = LiabilitySeed.Nonce(key.AccountKey(id), 100, LiabilitySeed.AccountNumber(id));
            var (expected, found) = (tree.ProofsOf(id), finder.Find(id, nonce));
            Assert.Equal(expected.Select(p => (p.Nonce, p.Value, p.Position)), found.Select(p => (p.Nonce, p.Value, p.Position)));
            Assert.Equal(expected.Select(p => p.Siblings), found.Select(p => p.Siblings));
            Assert.All(found, p => Assert.Equal(new SumNode(tree.Root, tree.Total), p.Root()));
        }
        for (var i = 0; i < 20; i++) Assert.Empty(finder.Find(NewId(), default));
    }

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
