using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Bitcache.Core.Audit;

namespace Bitcache.Core.Bitcoin;

public sealed record TransactionInput(OutPoint Spent, byte[] ScriptSig, uint Sequence);

public sealed record TransactionOutput(Sats Value, byte[] Script);

/// <summary>A transaction as it travels, read strictly: trailing bytes, lengths that are not in their shortest form,
/// amounts above the supply, no inputs or no outputs, and a witness form without a witness are refused. Scripts and
/// signatures are not judged.</summary>
public sealed class BitcoinTransaction
{
    private const int InputBytesMin = 32 + 4 + 1 + 4;
    private const int OutputBytesMin = 8 + 1;

    private BitcoinTransaction(byte[] stripped, int bytes, List<TransactionInput> inputs, List<TransactionOutput> outputs)
    {
        Stripped = stripped;
        VirtualBytes = ((3 * stripped.Length) + bytes + 3) / 4;
        Inputs = inputs;
        Outputs = outputs;
        Txid = new Txid(Sha256.Twice(stripped));
    }

    /// <summary>SHA-256 twice over the stripped bytes.</summary>
    public Txid Txid { get; }
    public IReadOnlyList<TransactionInput> Inputs { get; }
    public IReadOnlyList<TransactionOutput> Outputs { get; }

    /// <summary>The transaction without marker, flag and witness.</summary>
    public byte[] Stripped { get; }

    /// <summary>What fee rates count (BIP-141): a quarter, rounded up, of three times the stripped size and the whole one.</summary>
    public int VirtualBytes { get; }

    public static bool TryParse(ReadOnlySpan<char> hex, [NotNullWhen(true)] out BitcoinTransaction? transaction)
    {
        transaction = null;
        if (hex.Length > 2 * Limits.RawTransactionBytesMax || hex.Length % 2 != 0) return false;
        var raw = new byte[hex.Length / 2];
        return Convert.FromHexString(hex, raw, out _, out _) == OperationStatus.Done && TryParse(raw, out transaction);
    }

    /// <summary>Reads a transaction with its witness (BIP-144) or without.</summary>
    public static bool TryParse(ReadOnlySpan<byte> raw, [NotNullWhen(true)] out BitcoinTransaction? transaction)
    {
        transaction = null;
        var reader = new BitcoinReader(raw);
        if (raw.Length > Limits.RawTransactionBytesMax || !TryRead(ref reader, out var read) || reader.Left != 0) return false;
        transaction = read;
        return true;
    }

    /// <summary>The next transaction of a block.</summary>
    internal static bool TryRead(ref BitcoinReader reader, [NotNullWhen(true)] out BitcoinTransaction? transaction)
    {
        transaction = null;
        var start = reader.Position;
        if (!reader.TryRead(4, out var version)) return false;
        // Marker and flag stand where a count of inputs would: a transaction without inputs is never valid.
        var hasWitness = reader.Rest.StartsWith((ReadOnlySpan<byte>)[0, 1]);
        if (hasWitness) reader.TryRead(2, out _);
        var bodyStart = reader.Position;
        if (!TryReadInputs(ref reader, out var inputs) || !TryReadOutputs(ref reader, out var outputs)) return false;
        var body = reader.Since(bodyStart);
        if (hasWitness && !TryReadWitness(ref reader, inputs.Count)) return false;
        if (!reader.TryRead(4, out var lockTime)) return false;
        transaction = new BitcoinTransaction([.. version, .. body, .. lockTime], reader.Position - start, inputs, outputs);
        return true;
    }

    private static bool TryReadInputs(ref BitcoinReader reader, out List<TransactionInput> inputs)
    {
        inputs = [];
        if (!reader.TryReadCount(InputBytesMin, out var count)) return false;
        for (var i = 0; i < count; i++)
        {
            if (!reader.TryRead(Hash256.Bytes, out var txid) || !reader.TryReadUInt32(out var index)
                || !reader.TryReadBytes(out var script) || !reader.TryReadUInt32(out var sequence)) return false;
            inputs.Add(new TransactionInput(new OutPoint(new Txid(Hash256.Read(txid)), index), script.ToArray(), sequence));
        }
        return count > 0;
    }

    private static bool TryReadOutputs(ref BitcoinReader reader, out List<TransactionOutput> outputs)
    {
        outputs = [];
        if (!reader.TryReadCount(OutputBytesMin, out var count)) return false;
        for (var i = 0; i < count; i++)
        {
            if (!reader.TryReadInt64(out var value) || value is < 0 or > Limits.SupplySatMax
                || !reader.TryReadBytes(out var script)) return false;
            outputs.Add(new TransactionOutput(new Sats(value), script.ToArray()));
        }
        return count > 0;
    }

    private static bool TryReadWitness(ref BitcoinReader reader, int inputs)
    {
        var items = 0;
        for (var i = 0; i < inputs; i++)
        {
            if (!reader.TryReadCount(1, out var stack)) return false;
            items += stack;
            for (var j = 0; j < stack; j++)
            {
                if (!reader.TryReadBytes(out _)) return false;
            }
        }
        return items > 0;
    }
}
