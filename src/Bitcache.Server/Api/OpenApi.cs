// The published description of the API (OpenAPI 3.1), made from the table of routes and the types that they read and
// write, so that it cannot say anything else than what runs.

using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

internal static partial class OpenApi
{
    public const string Path = "/openapi/v1.json";
    private const string Json = "application/json";
    private const string ProblemJson = "application/problem+json";

    private static readonly Lazy<byte[]> Document = new(() => Encoding.UTF8.GetBytes(Describe().ToJsonString()));

    public static Task<IResult> GetAsync(Call call) => Task.FromResult<IResult>(TypedResults.Bytes(Document.Value, Json));

    private static JsonObject Describe()
    {
        var schemas = new JsonObject();
        var paths = new JsonObject();
        foreach (var byPath in Route.All.GroupBy(r => r.Path))
            paths[PathOf(byPath.First())] = new JsonObject(byPath.Select(r => KeyValuePair.Create(LowerCase(r.Method), (JsonNode?)Operation(r, schemas))));
        AddSchema(schemas, ApiJson.Default.ProblemBody, isRequest: false);
        schemas[nameof(ProblemBody)]!["properties"]!["code"] = new JsonObject
        {
            ["type"] = "string",
            ["enum"] = new JsonArray([.. ProblemType.All.Select(p => JsonValue.Create(p.Code))]),
        };
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "Bitcache",
                ["version"] = typeof(OpenApi).Assembly.GetName().Version!.ToString(3),
                ["description"] = "An off-chain ledger for Bitcoin micropayments. Amounts are integers of millisatoshi (…Msat) or satoshi (…Sat).",
            },
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = schemas,
                ["securitySchemes"] = new JsonObject { ["key"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } },
            },
        };
    }

    /// <summary>OpenAPI has no way to say that a parameter takes in slashes: the summary does.</summary>
    public static string PathOf(Route route) => route.Path.Replace("**", "", StringComparison.Ordinal);

    private static JsonObject Operation(Route route, JsonObject schemas)
    {
        var operation = new JsonObject { ["operationId"] = OperationName(route), ["summary"] = route.Summary };
        if (!route.IsPublic)
        {
            operation["description"] = "Needs a key with one of the scopes: " + string.Join(", ", route.Scopes.ToNames()) + ".";
            operation["security"] = new JsonArray(new JsonObject { ["key"] = new JsonArray() });
        }
        var parameters = new JsonArray(
        [
            .. InPath().Matches(PathOf(route)).Select(m => Parameter(m.Groups[1].Value, "path", m.Groups[1].Value is "epoch" or "level" ? "integer" : "string")),
            .. route.TextQuery.Select(name => Parameter(name, "query", "string", isRequired: true)),
            .. route.Query.Select(name => Parameter(name, "query", "integer")),
        ]);
        if (parameters.Count > 0) operation["parameters"] = parameters;
        if (route.Request is { } request)
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Content(Json, AddSchema(schemas, request, isRequest: true)) };
        if (route.BatchTypes.Count > 0)
        {
            operation["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject(route.BatchTypes.Select(type => KeyValuePair.Create(type, (JsonNode?)new JsonObject()))),
            };
        }
        var good = route.Response is { } response ? Content(Json, AddSchema(schemas, response, isRequest: false)) : null;
        var responses = new JsonObject();
        if (route.TakesId) responses["201"] = Response("Done.", good?.DeepClone());
        responses["200"] = Response(route.TakesId ? "Done before under this id: the first answer again." : "The answer.", good);
        responses["default"] = Response("A refusal; docs/errors.md explains each code.", Content(ProblemJson, Reference(nameof(ProblemBody))));
        operation["responses"] = responses;
        return operation;
    }

    private static JsonObject Parameter(string name, string place, string type, bool isRequired = false) => new()
    {
        ["name"] = name,
        ["in"] = place,
        ["required"] = isRequired || place == "path",
        ["schema"] = new JsonObject { ["type"] = type },
    };

    private static JsonObject Response(string description, JsonNode? content)
    {
        var response = new JsonObject { ["description"] = description };
        if (content is not null) response["content"] = content;
        return response;
    }

    private static JsonObject Content(string type, JsonNode schema) => new() { [type] = new JsonObject { ["schema"] = schema } };

    private static JsonObject Reference(string schema) => new() { ["$ref"] = "#/components/schemas/" + schema };

    /// <summary>Puts a type among the schemas, with the types inside it, and refers to it.</summary>
    private static JsonObject AddSchema(JsonObject schemas, JsonTypeInfo type, bool isRequest)
    {
        var name = SchemaName(type.Type);
        if (schemas.ContainsKey(name)) return Reference(name);
        var inner = new List<JsonTypeInfo>();
        schemas[name] = type.Options.GetJsonSchemaAsNode(type.Type, new JsonSchemaExporterOptions
        {
            TreatNullObliviousAsNonNullable = true,
            TransformSchemaNode = (context, schema) =>
            {
                if (context.Path.Length > 0 && context.TypeInfo.Kind == JsonTypeInfoKind.Object)
                {
                    inner.Add(context.TypeInfo);
                    return Reference(SchemaName(context.TypeInfo.Type));
                }
                // Answers may get new members; requests may not.
                if (!isRequest && schema is JsonObject answer) answer.Remove("additionalProperties");
                if (isRequest && context.PropertyInfo?.Name.StartsWith("amount", StringComparison.Ordinal) == true)
                {
                    schema["minimum"] = 1;
                    schema["maximum"] = context.PropertyInfo.Name.EndsWith("Msat", StringComparison.Ordinal) ? Limits.SupplyMsatMax : Limits.SupplySatMax;
                }
                return schema;
            },
        });
        foreach (var used in inner) AddSchema(schemas, used, isRequest);
        return Reference(name);
    }

    private static string SchemaName(Type type) => type.IsGenericType
        ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)] + "Of" + type.GenericTypeArguments[0].Name
        : type.Name;

    /// <summary>POST /v1/wallets/{wallet}/addresses is postWalletsWalletAddresses; GET /checkpoint is getLogCheckpoint.</summary>
    private static string OperationName(Route route) =>
        LowerCase(route.Method) + (route.Path.StartsWith("/v1/", StringComparison.Ordinal) || route.Path == Path ? "" : "Log") + string.Concat(
            InWords().Matches(route.Path).Select(m => m.Value).Where(w => w is not ("v1" or "openapi" or "json")).Select(w => char.ToUpperInvariant(w[0]) + w[1..]));

#pragma warning disable CA1308 // OpenAPI writes methods in lower case.
    private static string LowerCase(string method) => method.ToLowerInvariant();
#pragma warning restore CA1308

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex InPath();

    [GeneratedRegex(@"\w+")]
    private static partial Regex InWords();
}
