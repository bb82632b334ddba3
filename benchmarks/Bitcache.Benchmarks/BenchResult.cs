using System.Globalization;
using System.Text.Json;

namespace Bitcache.Benchmarks;

/// <summary>What a benchmark came to. The value is the median of the runs; ratios are to what was measured in the
/// same run on the same machine.</summary>
internal sealed record BenchResult(
    string Bench, string Unit, IReadOnlyList<double> Runs, IReadOnlyDictionary<string, double> Ratios, IReadOnlyDictionary<string, object> Details)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public double Value => Median(Runs);

    public static double Median(IReadOnlyList<double> values)
    {
        var ordered = values.Order().ToArray();
        var middle = ordered.Length / 2;
        return ordered.Length % 2 == 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
    }

    /// <summary>One line for people and, when wanted, one line holding one JSON object.</summary>
    public void Print(bool json)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Bench}: {(Value < 100 ? Value.ToString("0.00", CultureInfo.InvariantCulture) : Value.ToString("N0", CultureInfo.InvariantCulture))} {Unit} (median of {Runs.Count})"));
        foreach (var (name, ratio) in Ratios) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {ratio:0.00} of {name}"));
        foreach (var (name, detail) in Details) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name}: {(detail is IEnumerable<double> each ? string.Join(", ", each) : detail)}"));
        if (json) Console.WriteLine(JsonSerializer.Serialize(new { Bench, Value, Unit, Runs, Ratios, Details }, Json));
    }
}
