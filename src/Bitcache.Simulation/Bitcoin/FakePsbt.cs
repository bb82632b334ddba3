using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>A PSBT (BIP-174) of the bare transaction; what signers add to it is not simulated but for whether all of them have.</summary>
internal static class FakePsbt
{
    public static string Write(BitcoinTransaction transaction, bool isSigned = false)
    {
        var writer = new BitcoinWriter().Raw(Psbt.Magic).Bytes([Psbt.UnsignedTransaction]).Bytes(transaction.Stripped).Raw([0]);
        foreach (var _ in transaction.Inputs) writer.Raw(isSigned ? [1, PsbtFile.FinalWitness, 1, 0, 0] : [0]);
        return Convert.ToBase64String(writer.Raw(new byte[transaction.Outputs.Count]).Written);
    }

    /// <exception cref="CallFailedException">-22, as the node says it.</exception>
    public static BitcoinTransaction Read(string text) =>
        TryDecode(text, out var bytes) && Psbt.TryReadTransaction(bytes, out var transaction)
            ? transaction : throw new CallFailedException((RpcError)(-22), "TX decode failed invalid base64");

    public static bool IsSigned(string text) => text == Write(Read(text), isSigned: true);

    private static bool TryDecode(string text, out ReadOnlySpan<byte> bytes)
    {
        var room = new byte[text.Length];
        var good = Convert.TryFromBase64String(text, room, out var length);
        bytes = room.AsSpan(0, length);
        return good;
    }
}
