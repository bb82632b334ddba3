// Proofs of reserves as an operator makes them, and as one does who would like to show more than there is.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Bitcoin;

namespace Bitcache.Tests.Audit.Auditor;

internal static class SampleProof
{
    /// <summary>The proof of these coins, each signed by what <paramref name="sign"/> gives for it.</summary>
    public static byte[] Make(ReservesFile reserves, Func<SignatureHash, int, ReserveCoin, IReadOnlyList<byte[]>?> sign)
    {
        var proof = new ReservesProof(reserves);
        Assert.Equal(ReservesProofFault.None, proof.Take(Part(proof, sign), out var refusal));
        Assert.Empty(refusal);
        return proof.Write();
    }

    /// <summary>An epoch's coins of these scripts, each of a transaction of its own.</summary>
    public static ReservesFile Reserves(string origin, params IReadOnlyList<ByteString> scripts)
    {
        var coins = scripts.Select((script, i) =>
        {
            var transaction = FakeTransactions.Create([new OutPoint(new Txid(new Hash256(7, (UInt128)i)), 1)], [new TransactionOutput(new Sats(10_000 + i), script.Span.ToArray())]);
            return new ReserveCoin(new OutPoint(transaction.Txid, 0), transaction.Outputs[0].Value, script, 100, new ByteString(transaction.Stripped), ByteString.Empty, 0, []);
        });
        return new ReservesFile(7, 100, new BlockHash(new Hash256(1, 2)), origin, [.. coins.Order(Comparer<ReserveCoin>.Create((a, b) => ReservesFile.Compare(a.Output, b.Output)))]);
    }

    /// <summary>What a signer hands back: nothing but the witnesses of the coins that it signed.</summary>
    /// <param name="sign">Gets what is signed, the number of the input and the coin; null for none.</param>
    public static byte[] Part(ReservesProof proof, Func<SignatureHash, int, ReserveCoin, IReadOnlyList<byte[]>?> sign)
    {
        Assert.True(PsbtFile.TryRead(proof.WriteForSigner(), out var file));
        return Part(file.Transaction, proof.Reserves.Coins, sign);
    }

    public static byte[] Part(BitcoinTransaction transaction, IReadOnlyList<ReserveCoin> coins, Func<SignatureHash, int, ReserveCoin, IReadOnlyList<byte[]>?> sign)
    {
        var hashes = new SignatureHash(transaction, [ReservesProof.Nothing, .. coins.Select(c => new TransactionOutput(c.Amount, c.Script.Span.ToArray()))]);
        var writer = new BitcoinWriter().Raw(Psbt.Magic).Bytes([Psbt.UnsignedTransaction]).Bytes(transaction.Stripped).Count(0).Count(0);
        for (var i = 0; i < coins.Count; i++)
        {
            if (sign(hashes, i + 1, coins[i]) is { } witness) writer.Bytes([PsbtFile.FinalWitness]).Bytes(Stack(witness));
            writer.Count(0);
        }
        return writer.Count(0).ToArray();
    }

    /// <summary>By a key of its own, or by whichever of the scripts' kinds it is.</summary>
    public static IReadOnlyList<byte[]> SignBy(SampleKey key, SignatureHash hashes, int input, ReserveCoin coin) => WitnessCheck.IsTaproot(coin.Script.Span)
        ? [key.SignSchnorr(hashes.OfTaproot(input, SignatureHash.Default))]
        : [[.. key.SignEcdsa(hashes.OfVersion0(input, [0x76, 0xa9, 20, .. Ripemd160.OfKey(key.Compressed), 0x88, 0xac])), SignatureHash.All], key.Compressed];

    private static byte[] Stack(IReadOnlyList<byte[]> items)
    {
        var writer = new BitcoinWriter().Count(items.Count);
        foreach (var item in items) writer.Bytes(item);
        return writer.ToArray();
    }
}
