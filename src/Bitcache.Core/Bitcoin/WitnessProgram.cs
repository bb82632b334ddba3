namespace Bitcache.Core.Bitcoin;

/// <summary>Segwit output scripts (BIP-141): a version and a push of 2 to 40 bytes.</summary>
public static class WitnessProgram
{
    private const byte Version0 = 0x00;
    private const byte Version1 = 0x51;
    private const byte Version16 = 0x60;

    public static bool IsScript(ReadOnlySpan<byte> script) =>
        script.Length is >= 4 and <= Limits.ScriptBytesMax
        && script[0] is (Version0 or (>= Version1 and <= Version16))
        && script[1] == script.Length - 2;
}
