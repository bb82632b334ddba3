using System.Buffers;
using System.Globalization;

namespace Bitcache.Core.Audit;

/// <summary>Reads a text of lines with fields as its bytes arrive, in pieces of any length, however long a line is.</summary>
public abstract class FieldReader
{
    /// <summary>No field of these files is longer.</summary>
    private const int FieldBytesMax = 128;
    private const byte LineEnd = (byte)'\n';

    private static readonly SearchValues<byte> Separators = SearchValues.Create(",:;\n"u8);

    private readonly byte[] _begun = new byte[FieldBytesMax];
    private int _begunBytes;

    /// <summary>The first thing that is wrong; null as long as there is none.</summary>
    public LiabilityFinding? Finding { get; private set; }

    /// <summary>The line that is being read, the first one 1.</summary>
    protected long Line { get; private set; } = 1;

    /// <summary>Reads what follows.</summary>
    /// <returns>False once something is wrong.</returns>
    public bool Add(ReadOnlySpan<byte> bytes)
    {
        while (Finding is null && !bytes.IsEmpty)
        {
            var length = bytes.IndexOfAny(Separators);
            if (length > FieldBytesMax - _begunBytes || (length < 0 && bytes.Length > FieldBytesMax - _begunBytes)) return Refuse(LiabilityFault.Malformed, "a field is too long");
            var part = length < 0 ? bytes : bytes[..length];
            if (length < 0 || _begunBytes > 0)
            {
                part.CopyTo(_begun.AsSpan(_begunBytes));
                _begunBytes += part.Length;
                if (length < 0) return true;
                part = _begun.AsSpan(0, _begunBytes);
                _begunBytes = 0;
            }
            if (!Take(part, (char)bytes[length])) return false;
            if (bytes[length] == LineEnd) Line++;
            bytes = bytes[(length + 1)..];
        }
        return Finding is null;
    }

    /// <summary>Takes a field and the character behind it. False if that is refused.</summary>
    protected abstract bool Take(ReadOnlySpan<byte> field, char separator);

    /// <summary>Whether the text ended with a line.</summary>
    protected bool HasEnded(bool betweenLines) =>
        Finding is null && ((betweenLines && _begunBytes == 0) || Refuse(LiabilityFault.Malformed, "the file ends in the middle of a line"));

    protected bool Refuse(LiabilityFault fault, string text) => RefuseFile(fault, string.Create(CultureInfo.InvariantCulture, $"line {Line}: {text}"));

    protected bool RefuseFile(LiabilityFault fault, string text)
    {
        Finding ??= new LiabilityFinding(fault, text);
        return false;
    }

    /// <summary>Reads 64 characters of lower-case hex.</summary>
    protected bool TakeHash(ReadOnlySpan<byte> field, out Hash256 hash)
    {
        Span<byte> bytes = stackalloc byte[Hash256.Bytes];
        var good = field.Length == 2 * Hash256.Bytes && !field.ContainsAnyInRange((byte)'A', (byte)'F')
            && Convert.FromHexString(field, bytes, out _, out _) == OperationStatus.Done;
        hash = good ? Hash256.Read(bytes) : default;
        return good || Refuse(LiabilityFault.Malformed, "a hash is not 64 characters of lower-case hex");
    }

    /// <summary>Reads an amount in msat, in its only form.</summary>
    protected bool TakeAmount(ReadOnlySpan<byte> field, out long msat)
    {
        msat = 0;
        if (field.Length > 1 && field[0] == (byte)'-' && TryReadNumber(field[1..], out _)) return Refuse(LiabilityFault.Negative, "an amount is negative");
        if (!TryReadNumber(field, out var number)) return Refuse(LiabilityFault.Malformed, "an amount is not a decimal number without leading zeros");
        if (number > Limits.SupplyMsatMax) return Refuse(LiabilityFault.Overflow, "an amount is more than there is money");
        msat = (long)number;
        return true;
    }

    /// <summary>Reads a decimal number without sign and leading zeros; one of too many digits as the largest.</summary>
    protected static bool TryReadNumber(ReadOnlySpan<byte> field, out UInt128 number)
    {
        number = 0;
        if (field.IsEmpty || (field.Length > 1 && field[0] == (byte)'0') || field.ContainsAnyExceptInRange((byte)'0', (byte)'9')) return false;
        const int DigitsMax = 20;
        if (field.Length > DigitsMax)
        {
            number = UInt128.MaxValue;
            return true;
        }
        ulong low = 0;
        foreach (var digit in field[..Math.Min(field.Length, DigitsMax - 1)]) low = (low * 10) + (digit - (ulong)'0');
        number = field.Length < DigitsMax ? low : ((UInt128)low * 10) + (field[^1] - (uint)'0');
        return true;
    }
}
