// Reading the body of a request: strictly (System.Text.Json's Strict options on positional records), and where it is
// refused, saying exactly why. The second look that finds the reason is taken only at what the first refused.

using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Bitcache.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Bitcache.Server.Api;

internal static class JsonBody
{
    private static readonly JsonDocumentOptions Lenient = new() { MaxDepth = Limits.RequestJsonDepthMax, AllowDuplicateProperties = true };

    /// <exception cref="ProblemException">The body is not exactly what the type says.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, JsonTypeInfo<T> type) where T : class
    {
        if (!IsPlainJson(request)) throw new ProblemException(ProblemType.UnsupportedContentType);
        var reader = request.BodyReader;
        // Kestrel stops at RequestBodyBytesMax, whatever the headers promise.
        var body = await reader.ReadAtLeastAsync(Limits.RequestBodyBytesMax + 1, request.HttpContext.RequestAborted);
        try
        {
            return Parse(body.Buffer.IsSingleSegment ? body.Buffer.FirstSpan : body.Buffer.ToArray(), type);
        }
        finally
        {
            reader.AdvanceTo(body.Buffer.End);
        }
    }

    private static T Parse<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new ProblemException(ProblemType.WrongType);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is a string with half of a surrogate pair.
            throw new ProblemException(Explain(body, type, e as JsonException));
        }
    }

    /// <summary>Exactly application/json, in UTF-8, not compressed.</summary>
    private static bool IsPlainJson(HttpRequest request) =>
        request.Headers.ContentEncoding.Count == 0
        && MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && type.Parameters.All(p =>
            p.Name.Equals("charset", StringComparison.OrdinalIgnoreCase)
            && HeaderUtilities.RemoveQuotes(p.Value).Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private static Problem Explain(ReadOnlySpan<byte> body, JsonTypeInfo type, JsonException? refusal)
    {
        if (!Utf8.IsValid(body)) return new Problem(ProblemType.MalformedJson) { Detail = "The body is not UTF-8." };
        try
        {
            using var document = JsonDocument.Parse(body.ToArray(), Lenient);
            return Explain(document.RootElement, type, refusal);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new Problem(ProblemType.MalformedJson) { Detail = e.Message };
        }
    }

    private static Problem Explain(JsonElement body, JsonTypeInfo type, JsonException? refusal)
    {
        if (body.ValueKind != JsonValueKind.Object) return new Problem(ProblemType.WrongType) { Detail = "The body must be one JSON object." };
        var seen = new HashSet<string>();
        foreach (var member in body.EnumerateObject())
        {
            if (!seen.Add(member.Name)) return new Problem(ProblemType.DuplicateMember) { Member = member.Name };
            // Throws at half of a surrogate pair.
            if (member.Value.ValueKind == JsonValueKind.String) member.Value.GetString();
            if (type.Properties.All(p => p.Name != member.Name)) return new Problem(ProblemType.UnknownMember) { Member = member.Name };
        }
        foreach (var wanted in type.Properties)
        {
            if (wanted.IsRequired && !seen.Contains(wanted.Name)) return new Problem(ProblemType.MissingMember) { Member = wanted.Name };
        }
        // All members are known and there: one of them has a value that its type does not take.
        var name = refusal?.Path?.Split('.')[^1];
        if (name is null || !seen.Contains(name)) return new Problem(ProblemType.MalformedJson) { Detail = refusal?.Message };
        return new Problem(ExplainValue(body.GetProperty(name), type.Properties.First(p => p.Name == name))) { Member = name };
    }

    private static ProblemType ExplainValue(JsonElement value, JsonPropertyInfo member)
    {
        var wantsNumber = member.PropertyType == typeof(long) || member.PropertyType == typeof(long?) || member.PropertyType == typeof(uint?);
        if (value.ValueKind != JsonValueKind.Number || !wantsNumber) return ProblemType.WrongType;
        if (value.GetRawText().AsSpan().IndexOfAny(".eE") >= 0) return ProblemType.NotAnInteger;
        return member.Name.StartsWith("amount", StringComparison.Ordinal) ? ProblemType.AmountOutOfRange : ProblemType.NumberOutOfRange;
    }
}
