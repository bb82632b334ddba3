// The proof that somebody had the keys of an epoch's coins: a transaction (BIP-127) that spends all of them together with an
// output that does not exist, whose id is the hash of what is proven. It can never be in a block, and its signatures are good
// for nothing else. As `reserves.psbt` it holds what it spends, so that the signatures can be checked for ever.

using System.Text;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>What is wrong with a proof of reserves.</summary>
public enum ReservesProofFault
{
    None,
    /// <summary>It is no PSBT, or written otherwise than <see cref="ReservesProof.Write"/> writes.</summary>
    Malformed,
    /// <summary>Its first input commits to another message.</summary>
    OtherMessage,
    /// <summary>It is not the transaction of these coins: one is left out or added, or its output is another.</summary>
    OtherCoins,
    /// <summary>A coin's signature is missing.</summary>
    Unsigned,
    /// <summary>A signature is not of the coin's key over this transaction, or is over less than the whole of it.</summary>
    SignatureFalse,
}

/// <summary>The proof of an epoch's reserves, as far as it is signed.</summary>
public sealed class ReservesProof
{
    public const string FileName = "reserves.psbt";

    private const string Prefix = "Proof-of-Reserves: ";
    private const uint Version = 2;
    private const uint FinalSequence = 0xffff_ffff;

    private readonly BitcoinTransaction _transaction;
    private readonly SignatureHash _hashes;
    // By coin; null while it is not signed.
    private readonly Spend?[] _spends;

    private sealed record Spend(ByteString ScriptSig, ByteString Witness, bool IsChecked);

    /// <summary>One that is not signed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="Limits.ReservesProofCoinsMax"/> coins.</exception>
    public ReservesProof(ReservesFile reserves)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(reserves.Coins.Count, Limits.ReservesProofCoinsMax);
        Reserves = reserves;
        var unsigned = new BitcoinWriter().UInt32(Version).Count(reserves.Coins.Count + 1);
        foreach (var output in reserves.Coins.Select(coin => coin.Output).Prepend(CommitmentTo(reserves.Message))) unsigned.OutPoint(output).Count(0).UInt32(FinalSequence);
        unsigned.Count(1).Output(new TransactionOutput(reserves.Total, UnspendableScript)).UInt32(0);
        _transaction = BitcoinTransaction.TryParse(unsigned.Written, out var transaction) ? transaction : throw new InvalidOperationException("a proof of reserves that is no transaction");
        _hashes = new SignatureHash(_transaction, [Nothing, .. reserves.Coins.Select(SpentBy)]);
        _spends = new Spend?[reserves.Coins.Count];
    }

    public ReservesFile Reserves { get; }

    /// <summary>Coins whose signatures are missing, in the order of the list.</summary>
    public IEnumerable<ReserveCoin> Missing => Reserves.Coins.Where((_, i) => _spends[i] is null);

    /// <summary>Coins whose scripts are of a kind that only a node can check: their signatures are there, and not looked into.</summary>
    public IEnumerable<ReserveCoin> LeftToNode => Reserves.Coins.Where((_, i) => _spends[i] is { IsChecked: false });

    /// <summary>What each input spends, as a node is told of it that does not know these coins any more.</summary>
    public IReadOnlyList<SpentCoin> Spent =>
    [
        new SpentCoin(CommitmentTo(Reserves.Message), Nothing),
        .. Reserves.Coins.Select((coin, i) => SpentCoin.Of(coin.Output, SpentBy(coin), _spends[i]?.ScriptSig ?? ByteString.Empty, ReadStack(_spends[i]))),
    ];

    /// <summary>What the commitment input says it spends (BIP-127): nothing, by a script that needs no signature.</summary>
    public static TransactionOutput Nothing { get; } = new(Sats.Zero, [0x51]);

    /// <summary>Where the coins would go: to a key whose hash is that of one zero byte, which nobody has a key for. The reference
    /// implementations take the same script, and expect it.</summary>
    private static byte[] UnspendableScript { get; } = [0x76, 0xa9, Ripemd160.Bytes, .. Ripemd160.OfKey([0]), 0x88, 0xac];

    /// <summary>The output that the first input names. Its id has the hash's bytes as they are, which Bitcoin shows backwards.</summary>
    public static OutPoint CommitmentTo(string message) => new(new Txid(Sha256.Of(Encoding.UTF8.GetBytes(Prefix + message))), 0);

    /// <summary>Reads what <see cref="Write"/> wrote. Any other spelling of the same is refused, so that no byte of it can be
    /// changed without notice.</summary>
    /// <param name="file">As it was published, or kept.</param>
    /// <param name="reserves">The coins that it must be about.</param>
    /// <param name="mustBeWhole">Whether a coin without a signature is a fault.</param>
    /// <param name="proof">Null where there is a fault.</param>
    /// <param name="refusal">The fault in words; empty where there is none.</param>
    public static ReservesProofFault TryRead(ReadOnlySpan<byte> file, ReservesFile reserves, bool mustBeWhole, out ReservesProof? proof, out string refusal)
    {
        var candidate = new ReservesProof(reserves);
        proof = null;
        if (candidate.Take(file, out refusal) is var fault and not ReservesProofFault.None) return fault;
        if (mustBeWhole && candidate.Missing.FirstOrDefault() is { } missing)
        {
            refusal = $"coin {missing.Output} is not signed";
            return ReservesProofFault.Unsigned;
        }
        if (!file.SequenceEqual(candidate.Write()))
        {
            refusal = $"{FileName} is not written as its format says";
            return ReservesProofFault.Malformed;
        }
        proof = candidate;
        return ReservesProofFault.None;
    }

    /// <summary>Takes the signatures of those inputs that somebody has made whole; the others may come later. After a fault nothing
    /// is taken.</summary>
    /// <param name="psbt">Whatever signers write beside what is taken is passed over.</param>
    /// <param name="refusal">The fault in words; empty where there is none.</param>
    public ReservesProofFault Take(ReadOnlySpan<byte> psbt, out string refusal)
    {
        refusal = "it is no PSBT (BIP-174)";
        if (!PsbtFile.TryRead(psbt, out var file)) return ReservesProofFault.Malformed;
        refusal = $"its first input spends {file.Transaction.Inputs[0].Spent}; '{Reserves.Message}' would be {_transaction.Inputs[0].Spent}";
        if (file.Transaction.Inputs[0].Spent != _transaction.Inputs[0].Spent) return ReservesProofFault.OtherMessage;
        refusal = $"its transaction is {file.Transaction.Txid}; that of the {Reserves.Coins.Count} coins that are listed is {_transaction.Txid}";
        if (file.Transaction.Txid != _transaction.Txid) return ReservesProofFault.OtherCoins;
        var taken = new Spend?[_spends.Length];
        for (var i = 0; i < taken.Length; i++)
        {
            if (TryReadSpend(file.Inputs[i + 1], i, out taken[i])) continue;
            refusal = $"the signature over coin {Reserves.Coins[i].Output} is not one of its key over this transaction as a whole";
            return ReservesProofFault.SignatureFalse;
        }
        for (var i = 0; i < taken.Length; i++) _spends[i] ??= taken[i];
        refusal = "";
        return ReservesProofFault.None;
    }

    /// <summary>The file: for each coin what it is, and its signature as far as it is there.</summary>
    public byte[] Write() => WriteAll(isForSigner: false);

    /// <summary>The same with what signers want to know of coins whose signatures are missing.</summary>
    public byte[] WriteForSigner() => WriteAll(isForSigner: true);

    /// <summary>The transaction as nodes read it, with its signatures: for <c>signrawtransactionwithkey</c> without keys, which
    /// checks them.</summary>
    public byte[] ToTransaction()
    {
        var writer = new BitcoinWriter().UInt32(Version).Raw([0, 1]).Count(_transaction.Inputs.Count);
        for (var i = 0; i < _transaction.Inputs.Count; i++)
            writer.OutPoint(_transaction.Inputs[i].Spent).Bytes(i == 0 ? [] : (_spends[i - 1]?.ScriptSig ?? ByteString.Empty).Span).UInt32(FinalSequence);
        writer.Count(1).Output(_transaction.Outputs[0]).Count(0);
        foreach (var spend in _spends) writer.Raw(spend is { Witness.Length: > 0 } ? spend.Witness.Span : [0]);
        return writer.UInt32(0).ToArray();
    }

    private byte[] WriteAll(bool isForSigner)
    {
        var writer = new BitcoinWriter().Raw(Psbt.Magic);
        Entry(writer, Psbt.UnsignedTransaction, _transaction.Stripped).Count(0);
        Entry(writer, PsbtFile.SpentOutput, Serialize(Nothing));
        // That it is signed already, and how: with nothing.
        Entry(writer, PsbtFile.FinalScriptSig, []);
        Entry(writer, PsbtFile.ReservesCommitment, Encoding.UTF8.GetBytes(Reserves.Message)).Count(0);
        for (var i = 0; i < _spends.Length; i++)
        {
            var (coin, spend) = (Reserves.Coins[i], _spends[i]);
            // A signature of taproot is over all amounts; other signers want to see that they are not told of less.
            if (isForSigner && spend is null && !WitnessCheck.IsTaproot(coin.Script.Span)) Entry(writer, PsbtFile.SpentTransaction, coin.Transaction.Span);
            Entry(writer, PsbtFile.SpentOutput, Serialize(SpentBy(coin)));
            if (spend is { ScriptSig.Length: > 0 }) Entry(writer, PsbtFile.FinalScriptSig, spend.ScriptSig.Span);
            if (spend is { Witness.Length: > 0 }) Entry(writer, PsbtFile.FinalWitness, spend.Witness.Span);
            writer.Count(0);
        }
        // Of the one output nothing is said.
        return writer.Count(0).ToArray();
    }

    /// <summary>Null where the input is not final; false where its signature is bad.</summary>
    private bool TryReadSpend(PsbtMap input, int coin, out Spend? spend)
    {
        var (scriptSig, witness) = (input.Find(PsbtFile.FinalScriptSig) ?? ByteString.Empty, input.Find(PsbtFile.FinalWitness) ?? ByteString.Empty);
        spend = null;
        if (scriptSig.Length == 0 && witness.Length == 0) return true;
        var items = new List<byte[]>();
        if (witness.Length > 0 && !TryReadStack(witness.Span, items)) return false;
        var verdict = WitnessCheck.Check(_hashes, coin + 1, Reserves.Coins[coin].Script.Span, items);
        // A segwit coin has its signature in the witness and nowhere else.
        if (verdict == WitnessVerdict.Bad || (verdict == WitnessVerdict.Good && scriptSig.Length > 0)) return false;
        spend = new Spend(scriptSig, witness, verdict == WitnessVerdict.Good);
        return true;
    }

    private static List<byte[]> ReadStack(Spend? spend)
    {
        var items = new List<byte[]>();
        if (spend is { Witness.Length: > 0 }) TryReadStack(spend.Witness.Span, items);
        return items;
    }

    private static bool TryReadStack(ReadOnlySpan<byte> witness, List<byte[]> items)
    {
        var reader = new BitcoinReader(witness);
        if (!reader.TryReadCount(1, out var count)) return false;
        for (var i = 0; i < count; i++)
        {
            if (!reader.TryReadBytes(out var item)) return false;
            items.Add(item.ToArray());
        }
        return reader.Left == 0;
    }

    private static BitcoinWriter Entry(BitcoinWriter writer, byte type, ReadOnlySpan<byte> value) => writer.Bytes([type]).Bytes(value);

    private static ReadOnlySpan<byte> Serialize(TransactionOutput output) => new BitcoinWriter().Output(output).Written;

    private static TransactionOutput SpentBy(ReserveCoin coin) => new(coin.Amount, coin.Script.Span.ToArray());
}
