// What the signatures of a transaction are over: all of it, and what it spends. Signatures over less (SIGHASH_NONE, SINGLE,
// ANYONECANPAY) are not computed here, for nothing that is checked here may have them.

using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Bitcache.Core.Bitcoin;

/// <summary>The hashes that an input's signature must be good for. What all inputs have in common is hashed once.</summary>
internal sealed class SignatureHash
{
    /// <summary>SIGHASH_DEFAULT: taproot's way to say SIGHASH_ALL without a byte.</summary>
    public const byte Default = 0x00;
    public const byte All = 0x01;

    private readonly BitcoinTransaction _transaction;
    private readonly IReadOnlyList<TransactionOutput> _spent;
    private readonly byte[] _prevouts;
    private readonly byte[] _sequences;
    private readonly byte[] _outputs;
    private readonly byte[] _amounts;
    private readonly byte[] _scripts;

    /// <param name="transaction">To be signed.</param>
    /// <param name="spent">What each input spends.</param>
    public SignatureHash(BitcoinTransaction transaction, IReadOnlyList<TransactionOutput> spent)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(spent.Count, transaction.Inputs.Count);
        (_transaction, _spent) = (transaction, spent);
        var (prevouts, sequences, outputs, amounts, scripts) = (new BitcoinWriter(), new BitcoinWriter(), new BitcoinWriter(), new BitcoinWriter(), new BitcoinWriter());
        foreach (var input in transaction.Inputs)
        {
            prevouts.OutPoint(input.Spent);
            sequences.UInt32(input.Sequence);
        }
        foreach (var output in transaction.Outputs) outputs.Output(output);
        foreach (var coin in spent)
        {
            amounts.Int64(coin.Value.Value);
            scripts.Bytes(coin.Script);
        }
        (_prevouts, _sequences, _outputs) = (SHA256.HashData(prevouts.Written), SHA256.HashData(sequences.Written), SHA256.HashData(outputs.Written));
        (_amounts, _scripts) = (SHA256.HashData(amounts.Written), SHA256.HashData(scripts.Written));
    }

    /// <summary>Of segwit version 0 (BIP-143), for SIGHASH_ALL.</summary>
    /// <param name="input">Which input it is.</param>
    /// <param name="scriptCode">What is executed.</param>
    public Hash256 OfVersion0(int input, ReadOnlySpan<byte> scriptCode)
    {
        var signed = new BitcoinWriter().Raw(_transaction.Stripped.AsSpan(0, 4)).Raw(SHA256.HashData(_prevouts)).Raw(SHA256.HashData(_sequences))
            .OutPoint(_transaction.Inputs[input].Spent).Bytes(scriptCode).Int64(_spent[input].Value.Value).UInt32(_transaction.Inputs[input].Sequence)
            .Raw(SHA256.HashData(_outputs)).Raw(_transaction.Stripped.AsSpan(^4..)).UInt32(All);
        return Hash256.Read(SHA256.HashData(SHA256.HashData(signed.Written)));
    }

    /// <summary>Of taproot's key path (BIP-341), without an annex.</summary>
    /// <param name="input">Which input it is.</param>
    /// <param name="type"><see cref="Default"/> or <see cref="All"/>.</param>
    public Hash256 OfTaproot(int input, byte type)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(type, All);
        Span<byte> index = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(index, input);
        // The first byte is the epoch of the format; the one before the index says key path and no annex.
        return BitcoinSignature.Tagged("TapSighash",
        [
            0, type, .. _transaction.Stripped.AsSpan(0, 4), .. _transaction.Stripped.AsSpan(^4..), .. _prevouts, .. _amounts, .. _scripts, .. _sequences, .. _outputs, 0, .. index,
        ]);
    }
}
