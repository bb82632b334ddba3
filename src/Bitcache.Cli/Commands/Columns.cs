namespace Bitcache.Cli.Commands;

/// <summary>Lists as aligned columns that are never wrapped or cut, so that ids can be copied and lines be searched.</summary>
internal static class Columns
{
    public static void Write(TextWriter output, IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows)
    {
        List<IReadOnlyList<string>> lines = [heads, .. rows];
        var widths = heads.Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines) output.WriteLine(string.Join("  ", line.Select((text, column) => text.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>Tells how to go on where the list does.</summary>
    public static void WriteNext(TextWriter output, long? next)
    {
        if (next is { } place) output.WriteLine($"more with --before {place}");
    }
}
