using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Bitcache.Simulation;

internal static class Must
{
    /// <exception cref="SimulationFailedException">It does not hold.</exception>
    public static void Hold([DoesNotReturnIf(false)] bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref Broken promise)
    {
        if (!holds) throw new SimulationFailedException(promise.ToStringAndClear());
    }

    public static void Hold([DoesNotReturnIf(false)] bool holds, string promise)
    {
        if (!holds) throw new SimulationFailedException(promise);
    }

    /// <summary>A message that is only put together if it is needed: every step has its checks.</summary>
    [InterpolatedStringHandler]
    public ref struct Broken
    {
        private DefaultInterpolatedStringHandler _text;

        public Broken(int literalLength, int formattedCount, bool holds, out bool isNeeded)
        {
            isNeeded = !holds;
            _text = isNeeded
                ? new DefaultInterpolatedStringHandler(literalLength, formattedCount, System.Globalization.CultureInfo.InvariantCulture)
                : default;
        }

        public void AppendLiteral(string value) => _text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

        public string ToStringAndClear() => _text.ToStringAndClear();
    }
}
