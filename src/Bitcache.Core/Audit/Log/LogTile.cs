// The names of what a tiled log publishes (C2SP tlog-tiles). A name has one spelling: whatever is not what ToString
// writes is refused, so that no two paths lead to one resource.

using System.Globalization;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>A resource of a tiled log: up to 256 hashes of one level, or the bundle of the entries under a tile of level 0.</summary>
/// <param name="Level">Levels above the leaf hashes; <see cref="BundleLevel"/> for a bundle of entries.</param>
/// <param name="Number">Its place among those of its level, from 0.</param>
/// <param name="Width">How many hashes or entries it holds: 1 to 256; fewer than 256 at the right edge of a tree only.</param>
public readonly record struct LogTile(int Level, long Number, int Width)
{
    public const int WidthMax = MerkleTile.Width;
    /// <summary>Paths have levels up to this. No log is so large that it has a tile of a level above 7.</summary>
    public const int LevelMax = 63;
    /// <summary>What <see cref="Level"/> is of a bundle of entries.</summary>
    public const int BundleLevel = -1;

    private const int LevelBits = 8;
    // Of a size of 63 bits only 8 levels have anything in them.
    private const int LevelsUsed = 8;
    private const int GroupMax = 1_000;
    private const string Prefix = "tile/";
    private const string EntriesName = "entries";
    private const string PartialMark = ".p/";

    public bool IsBundle => Level == BundleLevel;
    public bool IsPartial => Width < WidthMax;

    /// <summary>The place of its first hash in its level, or of its first entry in the log.</summary>
    public long First => Number * WidthMax;

    /// <summary>The bundle of the entries under a tile of level 0.</summary>
    public LogTile Bundle => new(BundleLevel, Number, Width);

    /// <summary>Whether a log of so many entries has it, in whole: a full tile has those of all smaller widths, too.</summary>
    public bool IsIn(long size) => Level < LevelsUsed && EntriesAt(Level, size) - First >= Width;

    /// <summary>The tiles of hashes that a log has at a size, and did not have at an earlier one: those that became full, and
    /// the unfinished one of each level. Bottom level first, from left to right.</summary>
    public static IEnumerable<LogTile> Between(long before, long size)
    {
        for (var level = 0; level < LevelsUsed; level++)
        {
            var (old, now) = (EntriesAt(level, before), EntriesAt(level, size));
            if (now == old) continue;
            for (var number = old / WidthMax; number <= (now - 1) / WidthMax; number++)
                yield return new LogTile(level, number, (int)Math.Min(WidthMax, now - (number * WidthMax)));
        }
    }

    /// <summary>Reads a path such as <c>tile/0/x001/x234/067</c>, <c>tile/1/000.p/17</c> or <c>tile/entries/x001/000</c>.</summary>
    public static bool TryParse(string path, out LogTile tile)
    {
        tile = default;
        if (path.Length > Limits.TilePathCharactersMax || !path.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var rest = path.AsSpan(Prefix.Length);
        var slash = rest.IndexOf('/');
        if (slash < 0) return false;
        var width = WidthMax;
        var number = rest[(slash + 1)..];
        if (number.IndexOf(PartialMark, StringComparison.Ordinal) is >= 0 and var mark)
        {
            if (!TryParseDecimal(number[(mark + PartialMark.Length)..], WidthMax - 1, out width) || width == 0) return false;
            number = number[..mark];
        }
        var level = BundleLevel;
        if (!rest[..slash].SequenceEqual(EntriesName) && !TryParseDecimal(rest[..slash], LevelMax, out level)) return false;
        if (!TryParseGroups(number, out var index)) return false;
        tile = new LogTile(level, index, width);
        return tile.ToString() == path;
    }

    /// <summary>The path under the log's prefix.</summary>
    public override string ToString()
    {
        var path = new StringBuilder(Prefix);
        if (IsBundle) path.Append(EntriesName);
        else path.Append(CultureInfo.InvariantCulture, $"{Level}");
        path.Append('/');
        AppendGroups(path, Number / GroupMax);
        path.Append(CultureInfo.InvariantCulture, $"{Number % GroupMax:000}");
        if (IsPartial) path.Append(PartialMark).Append(CultureInfo.InvariantCulture, $"{Width}");
        return path.ToString();
    }

    /// <summary>Hashes that a level has, or entries that the log has.</summary>
    private static long EntriesAt(int level, long size) => size >> (LevelBits * Math.Max(level, 0));

    private static void AppendGroups(StringBuilder path, long number)
    {
        if (number == 0) return;
        AppendGroups(path, number / GroupMax);
        path.Append(CultureInfo.InvariantCulture, $"x{number % GroupMax:000}/");
    }

    /// <summary>What three digits a group make; the marks between them are for the comparison with what is written.</summary>
    private static bool TryParseGroups(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        foreach (var c in text)
        {
            if (c is 'x' or '/') continue;
            // Nothing behind the entries that a number can count.
            if (!char.IsAsciiDigit(c) || number > ((long.MaxValue / WidthMax) - 9) / 10) return false;
            number = (10 * number) + (c - '0');
        }
        return true;
    }

    private static bool TryParseDecimal(ReadOnlySpan<char> text, int most, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= most;
}
