using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>A PSBT (BIP-174) of the bare transaction; what signers add to it is not simulated but for whether all of them have.</summary>
internal static class FakePsbt
{
    private static readonly byte[] Mark = [.. "psbt"u8, 0xff];

    /// <summary>PSBT_IN_FINAL_SCRIPTWITNESS.</summary>
    private const byte FinalWitness = 0x08;

    public static string Write(BitcoinTransaction transaction, bool isSigned = false)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(Mark);
        // One key of one byte: PSBT_GLOBAL_UNSIGNED_TX.
        writer.Write((ReadOnlySpan<byte>)[1, 0]);
        FakeTransactions.WriteCount(writer, transaction.Stripped.Length);
        writer.Write(transaction.Stripped);
        writer.Write((byte)0);
        foreach (var _ in transaction.Inputs) writer.Write(isSigned ? [1, FinalWitness, 1, 0, 0] : (ReadOnlySpan<byte>)[0]);
        writer.Write(new byte[transaction.Outputs.Count]);
        return Convert.ToBase64String(stream.ToArray());
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
