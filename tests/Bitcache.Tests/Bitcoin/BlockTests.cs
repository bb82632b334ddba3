using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

/// <summary>Headers and block proofs, against blocks 0 and 100,000 of the main network.</summary>
[Trait("suite", "core")]
public sealed class BlockTests
{
    private const string Genesis =
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";
    private const string Block100000 =
        "0100000050120119172a610421a6c3011dd330d9df07b63616c2cc1f1cd00200000000006657a9252aacd5c0b2940996ecff952228c3067cc38d4885efb5a4ac4247e9f337221b4d4c86041b0f2b5710";
    private static readonly Txid[] Transactions100000 =
    [
        Id("8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87"),
        Id("fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4"),
        Id("6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4"),
        Id("e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d"),
    ];

    [Fact]
    public void A_header_is_read()
    {
        Assert.True(BlockHeader.TryParse(Block100000, out var header));
        Assert.Equal("000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506", header.Hash.ToString());
        Assert.Equal("000000000002d01c1fccc21636b607dfd930d31d01c3a62104612a1719011250", header.Previous.ToString());
        Assert.Equal("2010-12-29T11:57:43.000Z", header.Time.ToString());
        Assert.Equal(0x1b04864cu, header.Bits);
        Assert.False(BlockHeader.TryParse(Block100000.AsSpan(2), out _));
        Assert.False(BlockHeader.TryParse(new byte[81], out _));
    }

    [Theory]
    [InlineData(Genesis, BitcoinNetwork.Mainnet, true)]
    [InlineData(Genesis, BitcoinNetwork.Regtest, true)]
    [InlineData(Block100000, BitcoinNetwork.Testnet, true)]
    public void Work_is_judged_by_the_header_and_by_the_network(string hex, BitcoinNetwork network, bool good)
    {
        Assert.True(BlockHeader.TryParse(hex, out var header));
        Assert.True(header.MeetsOwnTarget());
        Assert.Equal(good, header.MeetsTarget(network));
    }

    /// <summary>The hash is 00000000 00…: each row sets nBits alone, so the stated target is what is judged.</summary>
    [Theory]
    [InlineData(0x1d00ffffu, true)]
    [InlineData(0x1c7fffffu, true)]
    [InlineData(0x1b04864cu, true)]
    [InlineData(0x1b03ba28u, true)]
    [InlineData(0x1b03ba27u, false)]
    [InlineData(0x1a7fffffu, false)]
    [InlineData(0x1d80ffffu, false)]
    [InlineData(0x1d000000u, false)]
    [InlineData(0x00000000u, false)]
    [InlineData(0x01003456u, false)]
    [InlineData(0x21010000u, false)]
    [InlineData(0x2100ffffu, true)]
    [InlineData(0xff7fffffu, false)]
    public void A_target_is_expanded_as_bitcoin_does(uint bits, bool good)
    {
        Assert.True(BlockHeader.TryParse(Block100000, out var header));
        Assert.Equal(good, (header with { Bits = bits }).MeetsOwnTarget());
    }

    [Fact]
    public void A_target_easier_than_the_network_allows_is_refused()
    {
        Assert.True(BlockHeader.TryParse(Block100000, out var header));
        var easy = header with { Bits = BitcoinNetwork.Regtest.ProofOfWorkLimit() };
        Assert.Equal([false, false, false, true], BitcoinNetworks.All.Select(easy.MeetsTarget));
        Assert.False((header with { Bits = 0x1d010000 }).MeetsTarget(BitcoinNetwork.Mainnet));
    }

    [Fact]
    public void Every_transaction_of_a_block_is_proven()
    {
        Assert.True(BlockHeader.TryParse(Block100000, out var header));
        Assert.Equal(header.MerkleRoot, BlockProof.MerkleRoot(Transactions100000));
        foreach (var txid in Transactions100000)
        {
            var proof = BlockProof.Build(Transactions100000, txid);
            Assert.True(proof.Verify(header.MerkleRoot));
            Assert.False((proof with { Txid = new Txid(header.MerkleRoot) }).Verify(header.MerkleRoot));
            Assert.False((proof with { Position = proof.Position ^ 1 }).Verify(header.MerkleRoot));
            Assert.False((proof with { Position = proof.Position + 4 }).Verify(header.MerkleRoot));
            Assert.False((proof with { Siblings = [.. proof.Siblings, default] }).Verify(header.MerkleRoot));
            Assert.False((proof with { Siblings = [.. proof.Siblings.Take(1)] }).Verify(header.MerkleRoot));
        }
        Assert.Throws<ArgumentException>(() => BlockProof.Build(Transactions100000, new Txid(header.MerkleRoot)));
    }

    [Fact]
    public void Blocks_of_every_size_pair_their_last_hash_with_itself()
    {
        for (var count = 1; count <= 40; count++)
        {
            var block = Enumerable.Range(0, count).Select(i => new Txid(Hash256.Read(SHA256.HashData([(byte)i])))).ToArray();
            var root = Reference([.. block.Select(t => t.Hash.ToArray())]);
            Assert.Equal(root, BlockProof.MerkleRoot(block).ToArray());
            foreach (var txid in block) Assert.Equal(root, BlockProof.Build(block, txid).MerkleRoot().ToArray());
        }

        static byte[] Reference(List<byte[]> row)
        {
            if (row.Count == 1) return row[0];
            if (row.Count % 2 == 1) row.Add(row[^1]);
            return Reference([.. row.Chunk(2).Select(pair => SHA256.HashData(SHA256.HashData([.. pair[0], .. pair[1]])))]);
        }
    }

    private static Txid Id(string hex) => Txid.TryParse(hex, out var txid) ? txid : throw new ArgumentException(hex);
}
