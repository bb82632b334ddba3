// The tree of liabilities as an operator makes it who takes no care that sums are amounts of money.

using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Auditor;

/// <summary>A chunk in the tree.</summary>
internal sealed record SampleChunk(WalletId Wallet, long Value, int Position);

/// <summary>The files of an epoch's tree, and what the operator states about it.</summary>
internal sealed record SampleTree(Hash256 Root, long Total, string Csv, string Allocation, string Keys)
{
    /// <summary>The tree that an honest operator publishes.</summary>
    public static SampleTree Honest(LiabilitySeed seed, long epoch, uint height, IEnumerable<KeyValuePair<WalletId, long>> balances)
    {
        var accounts = new LiabilityAccounts();
        foreach (var (wallet, value) in balances) accounts.Add(wallet, new Msat(value));
        var tree = LiabilityTree.Build(seed, epoch, height, accounts);
        return new SampleTree(tree.Root, tree.Total.Value, Text(tree.WriteCsv), Text(tree.WriteAllocation), Text(tree.WriteKeys));
    }

    /// <summary>A tree of any chunks, in their order; sums wrap. Two may be at one place: then the first is the leaf.</summary>
    /// <param name="balances">As the allocation shows them.</param>
    public static SampleTree Of(LiabilitySeed seed, uint height, IReadOnlyList<SampleChunk> chunks, IReadOnlyDictionary<WalletId, long> balances)
    {
        var leaves = new (Hash256 Hash, long Sum)[chunks.Max(c => c.Position) + 1];
        foreach (var chunk in chunks.Reverse()) leaves[chunk.Position] = (LeafOf(seed, height, chunk), chunk.Value);
        var rows = new List<(Hash256 Hash, long Sum)[]> { leaves };
        while (rows[^1].Length > 1) rows.Add([.. Enumerable.Range(0, rows[^1].Length / 2).Select(i => Over(rows[^1][2 * i], rows[^1][(2 * i) + 1]))]);
        rows.Reverse();
        var csv = new StringBuilder().Append(CultureInfo.InvariantCulture, $"block_height:{height}\n");
        foreach (var (hash, sum) in rows.SelectMany(row => row)) csv.Append(CultureInfo.InvariantCulture, $"{hash},{(sum < -1_000_000_000_000 ? unchecked((ulong)sum).ToString(CultureInfo.InvariantCulture) : sum.ToString(CultureInfo.InvariantCulture))}\n");
        var allocation = new StringBuilder("wallet,account_no,value,chunks\n");
        var keys = new StringBuilder("wallet,key\n");
        foreach (var wallet in balances.Keys.Order())
        {
            var parts = chunks.Where(c => c.Wallet == wallet).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Position}:{c.Value}"));
            allocation.Append(CultureInfo.InvariantCulture, $"{wallet},{LiabilitySeed.AccountNumber(wallet)},{balances[wallet]},{string.Join(';', parts)}\n");
            keys.Append(CultureInfo.InvariantCulture, $"{wallet},{seed.AccountKey(wallet)}\n");
        }
        return new SampleTree(rows[0][0].Hash, rows[0][0].Sum, csv.ToString(), allocation.ToString(), keys.ToString());
    }

    private static Hash256 LeafOf(LiabilitySeed seed, uint height, SampleChunk chunk)
    {
        var message = new byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(message, chunk.Value);
        BinaryPrimitives.WriteInt64LittleEndian(message.AsSpan(sizeof(long)), chunk.Position);
        var nonce = LiabilitySeed.Nonce(seed.AccountKey(chunk.Wallet), height, LiabilitySeed.AccountNumber(chunk.Wallet));
        return Hash256.Read(HMACSHA256.HashData(nonce.ToArray(), message));
    }

    private static (Hash256 Hash, long Sum) Over((Hash256 Hash, long Sum) left, (Hash256 Hash, long Sum) right)
    {
        var preimage = new byte[SumNode.PreimageBytes];
        SumNode.WritePreimage(left.Hash, left.Sum, right.Hash, right.Sum, preimage);
        return (Sha256.Of(preimage), unchecked(left.Sum + right.Sum));
    }

    private static string Text(Action<ByteSink> write)
    {
        var bytes = new List<byte>();
        write(part => bytes.AddRange(part));
        return Encoding.ASCII.GetString([.. bytes]);
    }
}
