// Reading the body of a request: strictly (System.Text.Json's Strict options on positional records), and where it is
// refused, saying exactly why. The second look that finds the reason is taken only at what the first refused.

using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Mime;
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

    /// <summary>Deep enough for any body, so that what is nested too deep is told apart from what is no JSON.</summary>
    private static readonly JsonReaderOptions Bottomless = new() { MaxDepth = Limits.RequestBodyBytesMax };

    /// <exception cref="ProblemException">The body is not exactly what the type says, or does not come as HTTP wants it.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, JsonTypeInfo<T> type, int bytesMax) where T : class
    {
        if (!IsPlainJson(request)) throw new ProblemException(ProblemType.UnsupportedContentType);
        var reader = request.BodyReader;
        // Kestrel stops there, whatever the headers promise.
        var body = await RequestBody.TakeAsync(reader.ReadAtLeastAsync(bytesMax + 1));
        try
        {
            return Parse(body.Buffer.IsSingleSegment ? body.Buffer.FirstSpan : body.Buffer.ToArray(), type);
        }
        finally
        {
            reader.AdvanceTo(body.Buffer.End);
        }
    }

    /// <exception cref="ProblemException">The text is not exactly what the type says.</exception>
    public static T Parse<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type) where T : class =>
        TryParse(body, type, out var value, out var problem) ? value : throw new ProblemException(problem);

    /// <summary>Reads exactly what the type says; where it is something else, says what.</summary>
    public static bool TryParse<T>(
        ReadOnlySpan<byte> body, JsonTypeInfo<T> type, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out Problem? problem) where T : class
    {
        (value, problem) = (null, null);
        if (body.IsEmpty)
        {
            problem = new Problem(ProblemType.MalformedJson) { Detail = "The body is empty." };
            return false;
        }
        try
        {
            value = JsonSerializer.Deserialize(body, type);
            if (value is null) problem = new Problem(ProblemType.WrongType);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is a string with half of a surrogate pair.
            problem = Explain(body, type, e as JsonException);
        }
        return problem is null;
    }

    /// <summary>Exactly application/json, in UTF-8, not compressed.</summary>
    private static bool IsPlainJson(HttpRequest request) =>
        request.Headers.ContentEncoding.Count == 0 && (request.ContentType is MediaTypeNames.Application.Json || IsPlainJson(request.ContentType));

    private static bool IsPlainJson(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && type.Parameters.All(p =>
            p.Name.Equals("charset", StringComparison.OrdinalIgnoreCase)
            && HeaderUtilities.RemoveQuotes(p.Value).Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private static Problem Explain(ReadOnlySpan<byte> body, JsonTypeInfo type, JsonException? refusal)
    {
        if (!Utf8.IsValid(body)) return new Problem(ProblemType.MalformedJson) { Detail = "The body is not UTF-8." };
        if (ExplainSyntax(body) is { } detail) return new Problem(ProblemType.MalformedJson) { Detail = detail };
        try
        {
            using var document = JsonDocument.Parse(body.ToArray(), Lenient);
            return Explain(document.RootElement, type, refusal?.Path, at: "");
        }
        catch (InvalidOperationException)
        {
            return new Problem(ProblemType.MalformedJson) { Detail = "A string holds half of a surrogate pair." };
        }
    }

    /// <summary>What is wrong with the text as JSON, or null.</summary>
    private static string? ExplainSyntax(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, Bottomless);
        try
        {
            while (reader.Read())
            {
                // The token that opens a level still counts as outside of it.
                if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray && reader.CurrentDepth >= Limits.RequestJsonDepthMax)
                    return $"Nested more than {Limits.RequestJsonDepthMax} deep.";
            }
            return null;
        }
        catch (JsonException e)
        {
            return $"Byte {Offset(body, e.LineNumber ?? 0) + (e.BytePositionInLine ?? 0)}: not JSON.";
        }
    }

    /// <summary>Where a line begins, lines and bytes counted from 0.</summary>
    private static long Offset(ReadOnlySpan<byte> body, long line)
    {
        var offset = 0;
        for (; line > 0; line--) offset += body[offset..].IndexOf((byte)'\n') + 1;
        return offset;
    }

    /// <param name="path">What the refusal was about, as System.Text.Json tells it: <c>$.parts[1].payee</c>.</param>
    /// <param name="at">Where in the body the object stands: nothing, or <c>parts[1].</c>.</param>
    private static Problem Explain(JsonElement body, JsonTypeInfo type, string? path, string at)
    {
        if (body.ValueKind != JsonValueKind.Object)
            return new Problem(ProblemType.WrongType) { Detail = at.Length == 0 ? "The body must be one JSON object." : null, Member = NameOf(at) };
        var seen = new HashSet<string>();
        foreach (var member in body.EnumerateObject())
        {
            if (!seen.Add(member.Name)) return new Problem(ProblemType.DuplicateMember) { Member = at + Shortened(member.Name) };
            // Throws at half of a surrogate pair.
            if (member.Value.ValueKind == JsonValueKind.String) member.Value.GetString();
            if (type.Properties.All(p => p.Name != member.Name)) return new Problem(ProblemType.UnknownMember) { Member = at + Shortened(member.Name) };
        }
        foreach (var wanted in type.Properties)
        {
            if (wanted.IsRequired && !seen.Contains(wanted.Name)) return new Problem(ProblemType.MissingMember) { Member = at + wanted.Name };
        }
        // All members are known and there: one of them has a value that its type does not take.
        foreach (var member in type.Properties)
        {
            var pathOf = "$." + at + member.Name;
            if (path == pathOf) return new Problem(ExplainValue(body.GetProperty(member.Name), member)) { Member = at + member.Name };
            if (path?.StartsWith(pathOf + "[", StringComparison.Ordinal) == true && ElementOf(member) is { } element)
                return ExplainItem(body.GetProperty(member.Name), element, path, at + member.Name);
        }
        return new Problem(ProblemType.MalformedJson);
    }

    /// <summary>Which item of a list the refusal was about, and why.</summary>
    private static Problem ExplainItem(JsonElement list, JsonTypeInfo type, string path, string at)
    {
        var index = 0;
        foreach (var item in list.EnumerateArray())
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{at}[{index++}]");
            if (path.StartsWith("$." + name, StringComparison.Ordinal)) return Explain(item, type, path, name + ".");
        }
        return new Problem(ProblemType.WrongType) { Member = at };
    }

    /// <summary>The type of the objects in a list; null where a member is none.</summary>
    private static JsonTypeInfo? ElementOf(JsonPropertyInfo member) =>
        member.Options.GetTypeInfo(member.PropertyType) is { Kind: JsonTypeInfoKind.Enumerable, ElementType: { } element }
            ? member.Options.GetTypeInfo(element)
            : null;

    /// <summary>A name that the client made, as far as it is told back: an answer must not grow by what a request makes up.</summary>
    private static string Shortened(string name) =>
        name.Length <= Limits.MemberNameCharactersMax ? name
        : char.IsHighSurrogate(name[Limits.MemberNameCharactersMax - 1]) ? name[..(Limits.MemberNameCharactersMax - 1)]
        : name[..Limits.MemberNameCharactersMax];

    private static string? NameOf(string at) => at.Length == 0 ? null : at[..^1];

    private static ProblemType ExplainValue(JsonElement value, JsonPropertyInfo member)
    {
        var wantsNumber = member.PropertyType == typeof(long) || member.PropertyType == typeof(long?)
            || member.PropertyType == typeof(uint) || member.PropertyType == typeof(uint?);
        if (value.ValueKind != JsonValueKind.Number || !wantsNumber) return ProblemType.WrongType;
        if (value.GetRawText().AsSpan().IndexOfAny(".eE") >= 0) return ProblemType.NotAnInteger;
        return member.Name.StartsWith("amount", StringComparison.Ordinal) ? ProblemType.AmountOutOfRange : ProblemType.NumberOutOfRange;
    }
}
