// Transactions of the simulated network in their real form, so that the engine reads them with its own reader and ids
// are made as everywhere. A signature is a hash of what it signs: forgery is not what is simulated.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal static class FakeTransactions
{
    /// <summary>The sequence by which an input says that its transaction may be replaced (BIP-125).</summary>
    public const uint ReplaceableSequence = 0xffff_fffd;

    private const uint FinalSequence = 0xffff_ffff;
    private const int SignatureBytes = 64;

    public static BitcoinTransaction Create(IEnumerable<OutPoint> inputs, IReadOnlyList<TransactionOutput> outputs) =>
        Create([.. inputs.Select(i => new TransactionInput(i, [], ReplaceableSequence))], outputs);

    /// <summary>A block's first transaction. Its script holds the height (BIP-34) and a number that no other block has.</summary>
    public static BitcoinTransaction Coinbase(int height, int number, ByteString script, Sats value) => Create(
        [new TransactionInput(new OutPoint(default, uint.MaxValue), [4, .. BitConverter.GetBytes(height), 4, .. BitConverter.GetBytes(number)], FinalSequence)],
        [new TransactionOutput(value, script.Span.ToArray())]);

    /// <summary>The transaction as it travels, with a signature for each input.</summary>
    public static byte[] Sign(BitcoinTransaction transaction)
    {
        var half = Sha256.Of(transaction.Stripped).ToArray();
        byte[] witness = [1, SignatureBytes, .. half, .. half];
        return
        [
            .. transaction.Stripped[..4], 0, 1, .. transaction.Stripped[4..^4],
            .. Enumerable.Repeat(witness, transaction.Inputs.Count).SelectMany(w => w), .. transaction.Stripped[^4..],
        ];
    }

    /// <summary>The signed transaction's size for which fees are paid: what is not witness counts four times (BIP-141).</summary>
    public static int VirtualBytes(BitcoinTransaction transaction) =>
        ((3 * transaction.Stripped.Length) + Sign(transaction).Length + 3) / 4;

    private static BitcoinTransaction Create(IReadOnlyList<TransactionInput> inputs, IReadOnlyList<TransactionOutput> outputs)
    {
        var writer = new BitcoinWriter().UInt32(2).Count(inputs.Count);
        foreach (var input in inputs) writer.OutPoint(input.Spent).Bytes(input.ScriptSig).UInt32(input.Sequence);
        writer.Count(outputs.Count);
        foreach (var output in outputs) writer.Output(output);
        return BitcoinTransaction.TryParse(writer.UInt32(0).Written, out var transaction)
            ? transaction : throw new ArgumentException("no transaction has these inputs and outputs", nameof(outputs));
    }
}
