using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Tests.Audit.Auditor;
using Bitcache.Tests.Bitcoin;

namespace Bitcache.Tests.Audit;

/// <summary>The proof of reserves as a file: what it is, how it is put together, and everything that is refused of it.</summary>
[Trait("suite", "core")]
public sealed class ReservesProofTests
{
    private static readonly SampleKey Hot = new("hot");
    private static readonly SampleKey Cold = new("cold");
    private static readonly SampleKey[] Board = [new("first of the board"), new("second"), new("third")];
    private static readonly byte[] BoardScript = SampleKey.Multisig(2, Board);
    // Kinds that only a node checks: P2PKH, and a script of a single key.
    private static readonly byte[] SingleScript = [33, .. Cold.Compressed, 0xac];
    private static readonly ByteString Legacy = new([0x76, 0xa9, 20, .. Ripemd160.OfKey(Cold.Compressed), 0x88, 0xac]);

    private static readonly ReservesFile Reserves = SampleProof.Reserves("ledger.example/log", Hot.TaprootScript, Cold.KeyHashScript, SampleKey.ScriptHash(BoardScript));

    [Fact]
    public void It_is_the_transaction_of_bip_127()
    {
        var proof = new ReservesProof(Reserves);
        Assert.True(PsbtFile.TryRead(proof.Write(), out var file));
        var transaction = file.Transaction;
        Assert.Equal(Sha256.Of(Encoding.UTF8.GetBytes("Proof-of-Reserves: " + Reserves.Message)), transaction.Inputs[0].Spent.Txid.Hash);
        Assert.Equal(0u, transaction.Inputs[0].Spent.Index);
        Assert.Equal(Reserves.Coins.Select(c => c.Output), transaction.Inputs.Skip(1).Select(i => i.Spent));
        var output = Assert.Single(transaction.Outputs);
        Assert.Equal(Reserves.Total, output.Value);
        // The output of the reference implementations: the key hash of one zero byte.
        Assert.Equal("76a9149f7fd096d37ed2c0e3f7f0cfc924beef4ffceb6888ac", Convert.ToHexStringLower(output.Script));
        Assert.Equal(Reserves.Message, file.Inputs[0].Find(PsbtFile.ReservesCommitment)?.ToUtf8());
        Assert.Equal("000000000000000001" + "51", file.Inputs[0].Find(PsbtFile.SpentOutput)?.ToString());
        Assert.Equal(3, proof.Missing.Count());
    }

    [Fact]
    public void Signed_in_parts_it_holds_and_is_read_again()
    {
        var proof = new ReservesProof(Reserves);
        Assert.Equal(ReservesProofFault.None, proof.Take(SampleProof.Part(proof, (hashes, input, coin) => coin == Reserves.Coins[1] ? Sign(hashes, input, coin) : null), out _));
        Assert.Equal(2, proof.Missing.Count());
        Assert.Equal(ReservesProofFault.Unsigned, ReservesProof.TryRead(proof.Write(), Reserves, mustBeWhole: true, out _, out var refusal));
        Assert.Contains(proof.Missing.First().Output.ToString(), refusal, StringComparison.Ordinal);
        Assert.Equal(ReservesProofFault.None, ReservesProof.TryRead(proof.Write(), Reserves, mustBeWhole: false, out var resumed, out _));
        Assert.Equal(ReservesProofFault.None, resumed!.Take(SampleProof.Part(resumed, Sign), out _));
        Assert.Equal((0, 0), (resumed.Missing.Count(), resumed.LeftToNode.Count()));
        Assert.Equal(ReservesProofFault.None, ReservesProof.TryRead(resumed.Write(), Reserves, mustBeWhole: true, out var whole, out _));
        Assert.Equal(resumed.Write(), whole!.Write());

        // As nodes read it: the same transaction, with a witness for each coin and none for what commits.
        Assert.True(BitcoinTransaction.TryParse(whole.ToTransaction(), out var transaction));
        Assert.True(PsbtFile.TryRead(whole.Write(), out var file));
        Assert.Equal(file.Transaction.Txid, transaction.Txid);
        Assert.Equal([0, 0, 0, BoardScript.Length], whole.Spent.Select(s => s.Output == OutputOf(SampleKey.ScriptHash(BoardScript)) ? s.WitnessScript.Length : 0).Order());
    }

    [Fact]
    public void No_byte_of_it_can_be_changed_and_nothing_cut_off()
    {
        // A coin of each version.
        var reserves = SampleProof.Reserves("ledger.example/log", Hot.TaprootScript, Cold.KeyHashScript);
        var file = SampleProof.Make(reserves, Sign);
        for (var at = 0; at < file.Length; at++)
        {
            byte[] changed = [.. file];
            changed[at] ^= 1;
            Assert.True(ReservesProof.TryRead(changed, reserves, mustBeWhole: true, out _, out var refusal) != ReservesProofFault.None, $"byte {at}");
            Assert.NotEmpty(refusal);
            Assert.NotEqual(ReservesProofFault.None, ReservesProof.TryRead(file.AsSpan(0, at), reserves, mustBeWhole: true, out _, out _));
        }
        Assert.Equal(ReservesProofFault.Malformed, ReservesProof.TryRead([.. file, 0], reserves, mustBeWhole: true, out _, out _));
    }

    [Fact]
    public void A_proof_of_other_coins_another_epoch_or_another_log_is_named()
    {
        void Expect(ReservesProofFault fault, ReservesFile other) =>
            Assert.Equal(fault, ReservesProof.TryRead(SampleProof.Make(other, Sign), Reserves, mustBeWhole: true, out _, out _));
        Expect(ReservesProofFault.OtherMessage, Reserves with { Epoch = 8 });
        Expect(ReservesProofFault.OtherMessage, Reserves with { Origin = "another.example/log" });
        Expect(ReservesProofFault.OtherMessage, Reserves with { Block = new BlockHash(new Hash256(3, 4)) });
        Expect(ReservesProofFault.OtherCoins, Reserves with { Coins = [.. Reserves.Coins.Skip(1)] });
        Expect(ReservesProofFault.OtherCoins, Reserves with { Coins = [.. Reserves.Coins, .. SampleProof.Reserves("ledger.example/log", Hot.KeyHashScript).Coins] });
        // More is shown for a coin than it is worth: the output tells.
        Expect(ReservesProofFault.OtherCoins, Reserves with { Coins = [Reserves.Coins[0] with { Amount = new Sats(1) }, .. Reserves.Coins.Skip(1)] });
    }

    [Fact]
    public void Signatures_that_are_not_of_the_coins_keys_over_all_of_it_are_refused()
    {
        var proof = new ReservesProof(Reserves);
        ReservesProofFault Take(Func<SignatureHash, int, ReserveCoin, IReadOnlyList<byte[]>?> sign) => proof.Take(SampleProof.Part(proof, sign), out _);
        Assert.Equal(ReservesProofFault.SignatureFalse, Take((hashes, input, coin) => WitnessCheck.IsTaproot(coin.Script.Span) ? [Cold.SignSchnorr(hashes.OfTaproot(input, 0))] : null));
        Assert.Equal(ReservesProofFault.SignatureFalse, Take((hashes, input, coin) => coin.Script == Cold.KeyHashScript ? SampleProof.SignBy(Hot, hashes, input, coin) : null));
        // Of another input of the same transaction.
        Assert.Equal(ReservesProofFault.SignatureFalse, Take((hashes, input, coin) => WitnessCheck.IsTaproot(coin.Script.Span) ? [Hot.SignSchnorr(hashes.OfTaproot((input % 3) + 1, 0))] : null));
        // Of the same coins for another message: it must not be good for this one.
        var other = new ReservesProof(Reserves with { Epoch = 8 });
        Assert.True(PsbtFile.TryRead(other.Write(), out var foreign));
        Assert.True(PsbtFile.TryRead(SampleProof.Part(other, Sign), out var signed));
        Assert.True(PsbtFile.TryRead(proof.Write(), out var mine));
        var copied = new BitcoinWriter().Raw(Psbt.Magic).Bytes([Psbt.UnsignedTransaction]).Bytes(mine.Transaction.Stripped).Count(0).Count(0);
        foreach (var input in signed.Inputs.Skip(1)) copied.Bytes([PsbtFile.FinalWitness]).Bytes(input.Find(PsbtFile.FinalWitness)!.Value.Span).Count(0);
        Assert.NotEqual(foreign.Transaction.Txid, mine.Transaction.Txid);
        Assert.Equal(ReservesProofFault.SignatureFalse, proof.Take(copied.Count(0).Written, out var refusal));
        Assert.Contains(Reserves.Coins[0].Output.ToString(), refusal, StringComparison.Ordinal);
        // Nothing of all this was taken.
        Assert.Equal(3, proof.Missing.Count());
    }

    [Theory]
    [InlineData("")]
    [InlineData("70736274ff")]
    [InlineData("70736274ff00")]
    [InlineData("00")]
    public void What_is_no_psbt_is_refused(string hex) =>
        Assert.Equal(ReservesProofFault.Malformed, new ReservesProof(Reserves).Take(Convert.FromHexString(hex), out _));

    [Fact]
    public void What_only_a_node_checks_is_taken_and_said_with_the_scripts_that_a_node_must_be_told()
    {
        var reserves = SampleProof.Reserves("ledger.example/log", Hot.TaprootScript, SampleKey.ScriptHash(SingleScript), Legacy);
        var proof = new ReservesProof(reserves);
        var part = SampleProof.Part(proof, (hashes, input, coin) => coin.Script == Legacy ? null : coin.Script == Hot.TaprootScript ? Sign(hashes, input, coin) : [[1, 2, 3], SingleScript]);
        Assert.Equal(ReservesProofFault.None, proof.Take(part, out _));
        Assert.Equal([Legacy], proof.Missing.Select(c => c.Script));
        Assert.Equal([SampleKey.ScriptHash(SingleScript)], proof.LeftToNode.Select(c => c.Script));
        Assert.Equal(new ByteString(SingleScript), proof.Spent.Single(s => s.Output == proof.LeftToNode.Single().Output).WitnessScript);
        Assert.Equal((ReservesProof.CommitmentTo(reserves.Message), Sats.Zero), (proof.Spent[0].Output, proof.Spent[0].Coin.Value));
    }

    /// <summary>A signer of version 0, and of before, is shown the transaction; one of taproot needs none.</summary>
    [Fact]
    public void Signers_see_the_transactions_that_made_the_coins()
    {
        Assert.True(PsbtFile.TryRead(new ReservesProof(Reserves).WriteForSigner(), out var file));
        foreach (var (coin, input) in Reserves.Coins.Zip(file.Inputs.Skip(1)))
            Assert.Equal(coin.Script == Hot.TaprootScript ? null : coin.Transaction, input.Find(PsbtFile.SpentTransaction));
    }

    [Fact]
    public void Scripts_behind_hashes_are_found_where_spenders_show_them()
    {
        var output = new OutPoint(new Txid(new Hash256(1, 2)), 0);
        ByteString redeem = SampleKey.ScriptHash(BoardScript), nested = new([0xa9, 20, .. Ripemd160.OfKey(redeem.Span), 0x87]);
        SpentCoin Spend(ByteString script, byte[] scriptSig, params byte[][] witness) =>
            SpentCoin.Of(output, new TransactionOutput(Sats.Zero, script.Span.ToArray()), new ByteString(scriptSig), witness);
        Assert.Equal((redeem, new ByteString(BoardScript)), Scripts(Spend(nested, [(byte)redeem.Length, .. redeem.Span], [], [1], BoardScript)));
        Assert.Equal((new ByteString(BoardScript), ByteString.Empty), Scripts(Spend(nested, [0, 1, 7, 0x4c, (byte)BoardScript.Length, .. BoardScript])));
        Assert.Equal((new ByteString(BoardScript), ByteString.Empty), Scripts(Spend(nested, [0x4d, (byte)BoardScript.Length, 0, .. BoardScript])));
        // What is cut off or does more than push shows nothing.
        Assert.Equal((ByteString.Empty, ByteString.Empty), Scripts(Spend(nested, [5, 1])));
        Assert.Equal((ByteString.Empty, ByteString.Empty), Scripts(Spend(nested, [0x76])));
        Assert.Equal((ByteString.Empty, ByteString.Empty), Scripts(Spend(Legacy, [2, 1, 2], [1])));

        static (ByteString, ByteString) Scripts(SpentCoin coin) => (coin.RedeemScript, coin.WitnessScript);
    }

    [Fact]
    public void The_most_coins_fit_into_a_transaction()
    {
        var coin = Reserves.Coins[0];
        var most = Reserves with { Coins = [.. Enumerable.Range(0, Limits.ReservesProofCoinsMax).Select(i => coin with { Output = coin.Output with { Index = (uint)i } })] };
        Assert.Equal(Limits.ReservesProofCoinsMax, new ReservesProof(most).Missing.Count());
        Assert.Throws<ArgumentOutOfRangeException>(() => new ReservesProof(most with { Coins = [.. most.Coins, coin] }));
        // With nothing to show, too, there is something to say.
        Assert.Equal(ReservesProofFault.None, ReservesProof.TryRead(new ReservesProof(Reserves with { Coins = [] }).Write(), Reserves with { Coins = [] }, mustBeWhole: true, out _, out _));
    }

    private static OutPoint OutputOf(ByteString script) => Reserves.Coins.Single(c => c.Script == script).Output;

    private static IReadOnlyList<byte[]> Sign(SignatureHash hashes, int input, ReserveCoin coin)
    {
        if (coin.Script != SampleKey.ScriptHash(BoardScript)) return SampleProof.SignBy(coin.Script == Hot.TaprootScript || coin.Script == Hot.KeyHashScript ? Hot : Cold, hashes, input, coin);
        var hash = hashes.OfVersion0(input, BoardScript);
        return [[], [.. Board[0].SignEcdsa(hash), 1], [.. Board[2].SignEcdsa(hash), 1], BoardScript];
    }
}
