using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

/// <summary>Proofs from files, beside those of the tree that wrote them.</summary>
[Trait("suite", "core")]
public sealed class LiabilityFilesReadTests
{
    [Fact]
    public void A_wallet_s_proofs_are_those_of_the_tree()
    {
        foreach (var balances in new[] { SampleBalances.Few, SampleBalances.Many, SampleBalances.Tiny, SampleBalances.Whale, [] })
        {
            var tree = SampleBalances.Tree(balances);
            var files = Files(tree, out _);
            foreach (var wallet in balances.Keys.Take(60).Concat(balances.Keys.TakeLast(10)).Append(WalletId.Suspense))
            {
                var expected = tree.ProofsOf(wallet);
                var chunks = files.ChunksOf(wallet);
                Assert.Equal(expected.Select(p => new BalanceChunk(p.Position, p.Value)), chunks);
                foreach (var (proof, chunk) in expected.Zip(chunks).Take(4))
                {
                    var read = files.Prove(chunk, proof.Nonce);
                    Assert.Equal((proof.Nonce, proof.Value, proof.Position), (read.Nonce, read.Value, read.Position));
                    Assert.Equal(proof.Siblings, read.Siblings);
                }
            }
            for (var i = 0; i < 20; i++) Assert.Empty(files.ChunksOf(SampleBalances.Wallet(1_000_000 + i)));
            Assert.Empty(files.ChunksOf(new WalletId(UInt128.One << 33)));
        }
    }

    [Fact]
    public void Few_bytes_are_read()
    {
        var files = Files(SampleBalances.Tree(SampleBalances.Many), out var read);
        files.ChunksOf(SampleBalances.Wallet(77));
        Assert.InRange(read(), 1, 200_000);
    }

    [Fact]
    public void A_long_row_in_the_middle_does_not_slow_the_search_down()
    {
        // One balance of 2,000 chunks in the middle of 2,000 of 1 msat, which have one each.
        var balances = SampleBalances.Numbered(2_000, _ => 1);
        balances[new WalletId(UInt128.One << 127)] = 1_000_000_000;
        var files = Files(SampleBalances.Tree(balances), out var read);
        foreach (var wallet in balances.Keys.Take(50))
        {
            var before = read();
            Assert.Single(files.ChunksOf(wallet));
            Assert.InRange(read() - before, 1, 500_000);
        }
    }

    [Fact]
    public void Lines_are_found_however_the_bytes_came()
    {
        var csv = SampleBalances.Bytes(SampleBalances.Tree(SampleBalances.Many).WriteCsv);
        foreach (var length in new[] { 1, 7, 1_000, csv.Length })
        {
            var index = new LineIndex();
            foreach (var piece in csv.Chunk(length)) index.Add(piece);
            Assert.Equal(16_384, index.Lines);
            var (offset, before) = index.Find(5_000);
            var lines = csv.AsSpan(0, (int)offset).Count((byte)'\n') + before;
            Assert.Equal(5_000, lines);
        }
    }

    [Fact]
    public void Files_that_do_not_fit_are_refused()
    {
        var (tree, other) = (SampleBalances.Tree(SampleBalances.Few), SampleBalances.Tree(SampleBalances.Few, epoch: 4));
        var wallet = SampleBalances.Few.Keys.ElementAt(1);
        var chunk = Files(other, out _).ChunksOf(wallet)[0];
        var proof = tree.ProofsOf(wallet)[0];
        Assert.Throws<FormatException>(() => Files(tree, out _).Prove(chunk, proof.Nonce));
        Assert.Throws<FormatException>(() => Files(tree, out _).Prove(new BalanceChunk(proof.Position, proof.Value), default));
        ByteSource nothing = (_, _) => 0;
        Assert.Throws<FormatException>(() => new LiabilityFiles(nothing, new LineIndex(), nothing, 0).Prove(chunk, default));
    }

    private static LiabilityFiles Files(LiabilityTree tree, out Func<long> read)
    {
        var (csv, allocation) = (SampleBalances.Bytes(tree.WriteCsv), SampleBalances.Bytes(tree.WriteAllocation));
        long bytesRead = 0;
        read = () => bytesRead;
        var index = new LineIndex();
        index.Add(csv);
        return new LiabilityFiles(Source(csv), index, Source(allocation), allocation.Length);

        ByteSource Source(byte[] file) => (offset, bytes) =>
        {
            var count = (int)Math.Min(bytes.Length, file.Length - offset);
            file.AsSpan((int)offset, count).CopyTo(bytes);
            bytesRead += count;
            return count;
        };
    }
}
