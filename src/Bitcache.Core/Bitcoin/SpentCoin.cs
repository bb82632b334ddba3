namespace Bitcache.Core.Bitcoin;

/// <summary>What an input spends, as a node wants to be told of it to check signatures (<c>signrawtransactionwithkey</c>): the output,
/// and the scripts behind it where it only has their hash.</summary>
/// <param name="Output">Which one it is.</param>
/// <param name="Coin">Its amount and script.</param>
public sealed record SpentCoin(OutPoint Output, TransactionOutput Coin)
{
    private const byte PushesMax = 75;
    private const byte OpPushData1 = 0x4c;
    private const byte OpPushData2 = 0x4d;

    /// <summary>Of a P2SH output; empty where there is none.</summary>
    public ByteString RedeemScript { get; private init; }

    /// <summary>Of a P2WSH output, bare or within P2SH; empty where there is none.</summary>
    public ByteString WitnessScript { get; private init; }

    /// <summary>With the scripts that its spender shows.</summary>
    /// <param name="output">Which one it is.</param>
    /// <param name="coin">Its amount and script.</param>
    /// <param name="scriptSig">Of the input.</param>
    /// <param name="witness">The items of its stack.</param>
    public static SpentCoin Of(OutPoint output, TransactionOutput coin, ByteString scriptSig, IReadOnlyList<byte[]> witness)
    {
        var redeem = IsScriptHash(coin.Script) ? LastPush(scriptSig.Span) : ByteString.Empty;
        var isWitnessScriptHash = IsWitnessScriptHash(coin.Script) || IsWitnessScriptHash(redeem.Span);
        return new SpentCoin(output, coin) { RedeemScript = redeem, WitnessScript = isWitnessScriptHash && witness.Count > 0 ? new ByteString(witness[^1]) : ByteString.Empty };
    }

    private static bool IsScriptHash(ReadOnlySpan<byte> script) => script is [0xa9, 20, .., 0x87] && script.Length == 23;

    private static bool IsWitnessScriptHash(ReadOnlySpan<byte> script) => script is [0x00, 32, ..] && script.Length == 34;

    /// <summary>What a script of pushes pushes last; empty if it does anything else.</summary>
    private static ByteString LastPush(ReadOnlySpan<byte> script)
    {
        var last = ByteString.Empty;
        while (!script.IsEmpty)
        {
            var (header, length) = script switch
            {
                [<= PushesMax and var few, ..] => (1, (int)few),
                [OpPushData1, var some, ..] => (2, some),
                [OpPushData2, var low, var high, ..] => (3, low | (high << 8)),
                _ => (0, 0),
            };
            if (header == 0 || script.Length < header + length) return ByteString.Empty;
            last = new ByteString(script.Slice(header, length));
            script = script[(header + length)..];
        }
        return last;
    }
}
