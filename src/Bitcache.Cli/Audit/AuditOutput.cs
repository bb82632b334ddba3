// What an audit tells: to people line by line, to programs as one object, and on the way how far it is.

using System.Globalization;
using System.Text;
using System.Text.Json;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Audit;

internal static class AuditOutput
{
    public static void Write(AuditReport report, TextWriter output)
    {
        foreach (var step in report.Steps) output.WriteLine($"{Mark(step.Outcome),-13}{step.Text}");
        var open = report.Steps.Count(step => step.Outcome == StepOutcome.NotChecked);
        if (report.Finding is { } finding)
        {
            output.WriteLine($"DOES NOT HOLD [{finding.Code}]");
            foreach (var evidence in finding.Evidence) output.WriteLine($"evidence: {evidence.TrimEnd('\n').Replace("\n", "\n          ", StringComparison.Ordinal)}");
        }
        else
        {
            output.WriteLine(open == 0 ? "all of it holds" : string.Create(CultureInfo.InvariantCulture, $"all that was given holds; {open} things were not checked"));
        }
    }

    public static string ToJson(AuditReport report)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteBoolean("holds", report.Holds);
            if (report.Finding is { } finding)
            {
                json.WriteStartObject("finding");
                json.WriteString("code", finding.Code);
                json.WriteString("text", finding.Text);
                json.WriteStartArray("evidence");
                foreach (var evidence in finding.Evidence) json.WriteStringValue(evidence);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            else
            {
                json.WriteNull("finding");
            }
            json.WriteStartArray("steps");
            foreach (var step in report.Steps)
            {
                json.WriteStartObject();
                json.WriteString("outcome", Mark(step.Outcome));
                json.WriteString("text", step.Text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    public static CommandFailedException TooLong(string file, long bytesMax) => new($"{file} has more than {bytesMax} bytes: it is no part of an export");

    private static string Mark(StepOutcome outcome) => outcome switch
    {
        StepOutcome.Passed => "ok",
        StepOutcome.Failed => "FAILED",
        StepOutcome.NotChecked => "not checked",
    };
}
