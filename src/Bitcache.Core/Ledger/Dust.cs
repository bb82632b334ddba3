using Bitcache.Core.Bitcoin;

namespace Bitcache.Core;

/// <summary>The smallest output that nodes relay (Bitcoin Core, GetDustThreshold at its default of 3 sat/vB).</summary>
public static class Dust
{
    private const int SatPerByte = 3;
    private const int SpendBytes = 148;
    private const int WitnessSpendBytes = 67;
    private const int OutputOverheadBytes = 9;

    public static Sats Threshold(ByteString script)
    {
        var spend = WitnessProgram.IsScript(script.Span) ? WitnessSpendBytes : SpendBytes;
        return new Sats(SatPerByte * (OutputOverheadBytes + script.Length + spend));
    }
}
