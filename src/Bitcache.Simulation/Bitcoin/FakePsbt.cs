using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>A PSBT as far as callers look into it, which is not at all: the mark of BIP-174 and the bare transaction.</summary>
internal static class FakePsbt
{
    private static readonly byte[] Mark = [.. "psbt"u8, 0xff];

    public static string Write(BitcoinTransaction transaction) => Convert.ToBase64String([.. Mark, .. transaction.Stripped]);

    /// <exception cref="CallFailedException">-22, as the node says it.</exception>
    public static BitcoinTransaction Read(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length) && bytes.AsSpan().StartsWith(Mark)
            && BitcoinTransaction.TryParse(bytes.AsSpan(Mark.Length, length - Mark.Length), out var transaction)
            ? transaction : throw new CallFailedException((RpcError)(-22), "TX decode failed invalid base64");
    }
}
