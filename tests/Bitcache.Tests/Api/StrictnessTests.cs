// Every request type, member by member: what is missing, twice, unknown or of another type is refused with a code
// that says so, and leaves no trace. The types come from the server's own table.

using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class StrictnessTests(ApiFixture api)
{
    private static readonly Dictionary<Type, Func<JsonObject>> Samples = new()
    {
        [typeof(IdRequest)] = () => Sample(),
        [typeof(TransferRequest)] = () => Sample(("payer", "bcw1"), ("payee", "bcw1"), ("amountMsat", 1), ("code", 1), ("reference", "r"), ("upTo", true)),
        [typeof(RefundRequest)] = () => Sample(("payer", "bcw1"), ("payee", "bcw1"), ("original", "x"), ("amountMsat", 1), ("code", 1), ("reference", "r")),
        [typeof(HoldRequest)] = () => Sample(("payer", "bcw1"), ("payee", "bcw1"), ("amountMsat", 1), ("expires", "t"), ("code", 1), ("reference", "r")),
        [typeof(CaptureRequest)] = () => Sample(
            ("payer", "bcw1"), ("payee", "bcw1"), ("hold", "x"), ("amountMsat", 1), ("close", true), ("code", 1), ("reference", "r")),
        [typeof(ReleaseRequest)] = () => Sample(("payer", "bcw1"), ("payee", "bcw1"), ("hold", "x"), ("code", 1), ("reference", "r")),
        [typeof(SplitRequest)] = () => Sample(("payer", "bcw1"), ("parts", new JsonArray(SamplePart()))),
        [typeof(LimitsRequest)] = () => Sample(("perPaymentMsat", 1), ("perHourMsat", 1), ("perDayMsat", 1)),
        [typeof(AddressesRequest)] = () => Sample(("count", 1)),
        [typeof(RescanRequest)] = () => new JsonObject { ["fromHeight"] = 1 },
        [typeof(FeesRequest)] = () => Sample(("tenant", "x"), ("flatMsat", 1), ("partsPerMillion", 1), ("minimumMsat", 1)),
        [typeof(AssignmentRequest)] = () => Sample(("wallet", "bcw1")),
        [typeof(SettlementRequest)] = () => Sample(("reason", "a")),
        [typeof(WithdrawalRequest)] = () => Sample(("address", "a"), ("amountSat", 1), ("max", true), ("feeMaxSat", 1), ("deadline", "a")),
        [typeof(SignedRequest)] = () => new JsonObject { ["psbt"] = "p" },
        [typeof(ReservesSignedRequest)] = () => new JsonObject { ["psbts"] = new JsonArray("p") },
    };

    private static JsonObject Sample(params (string Name, JsonNode Value)[] members)
    {
        var sample = new JsonObject { ["id"] = ApiFixture.NewId() };
        foreach (var (name, value) in members) sample[name] = value;
        return sample;
    }

    private static JsonObject SamplePart() => new() { ["payee"] = "bcw1", ["amountMsat"] = 1, ["code"] = 1, ["reference"] = "r" };

    public static TheoryData<Type> Requests => [.. Route.All.Select(r => r.Request?.Type).OfType<Type>().Distinct()];

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_body_must_be_exactly_what_it_should_be(Type request)
    {
        var route = Route.All.First(r => r.Request?.Type == request);
        var entries = await api.EntriesAsync();
        foreach (var (body, code, member) in Mutations(route.Request!, Samples[request]()))
        {
            var answer = await SendAsync(route, Encoding.UTF8.GetBytes(body));
            Assert.True((answer.Status, answer.Code) == (400, code), $"{body}: wanted {code}, got {answer.Text}");
            if (member is not null) Assert.Equal(member, answer.String("member"));
        }
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Fact]
    public async Task What_stands_in_a_list_must_be_exactly_what_it_should_be_too()
    {
        var route = Route.All.Single(r => r.Request == ApiJson.Default.SplitRequest);
        var entries = await api.EntriesAsync();
        var good = SamplePart().ToJsonString();
        string Body(string second) => $$"""{"id":"{{ApiFixture.NewId()}}","payer":"bcw1","parts":[{{good}},{{second}}]}""";
        foreach (var (body, code, member) in Mutations(ApiJson.Default.SplitPartRequest, SamplePart()))
        {
            if (code == "malformed_json") continue;
            var answer = await SendAsync(route, Encoding.UTF8.GetBytes(Body(body)));
            Assert.True((answer.Status, answer.Code) == (400, code), $"{body}: wanted {code}, got {answer.Text}");
            Assert.Equal("parts[1]." + member, answer.String("member"));
        }
        foreach (var item in new[] { "null", "1", "\"x\"", "[]" })
        {
            // A null is seen only when the rest was read, and then the wallet before it is refused.
            var answer = await SendAsync(route, Encoding.UTF8.GetBytes(item == "null" ? $$"""{"id":"{{ApiFixture.NewId()}}","payer":"{{Engine.Partitions.ClientIds.NextWallet()}}","parts":[null]}""" : Body(item)));
            Assert.Equal((400, "wrong_type", item == "null" ? "parts[0]" : "parts[1]"), (answer.Status, answer.Code, answer.String("member")));
        }
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_body_that_is_no_JSON_object_is_refused(Type request)
    {
        var route = Route.All.First(r => r.Request?.Type == request);
        var sample = Samples[request]();
        var (good, first) = (sample.ToJsonString(), sample.First().Key);
        byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
        foreach (var (body, code) in new (byte[], string)[]
        {
            ([], "malformed_json"), (Utf8("{"), "malformed_json"), (Utf8(good[..^1]), "malformed_json"), (Utf8(good + good), "malformed_json"),
            (Utf8(good + "x"), "malformed_json"), (Utf8("// hello\n" + good), "malformed_json"), (Utf8(good[..^1] + ",}"), "malformed_json"),
            ([0xef, 0xbb, 0xbf, .. Utf8(good)], "malformed_json"), (Utf8($"{{\"{first}\":\"").Concat<byte>([0xff, 0xfe]).Concat(Utf8("\"}")).ToArray(), "malformed_json"),
            (Utf8($"{{\"{first}\":\"\\ud800\"}}"), "malformed_json"), (Utf8("""{"\ud800":1}"""), "malformed_json"), (Encoding.Unicode.GetBytes(good), "malformed_json"),
            (Utf8($"{{\"{first}\":" + new string('[', 16) + new string(']', 16) + "}"), "malformed_json"), (Utf8(new string('[', 60_000)), "malformed_json"),
            (Utf8("null"), "wrong_type"), (Utf8("[]"), "wrong_type"), (Utf8($"[{good}]"), "wrong_type"), (Utf8("\"id\""), "wrong_type"), (Utf8("1"), "wrong_type"),
        })
        {
            var answer = await SendAsync(route, body);
            Assert.True((answer.Status, answer.Code) == (400, code), $"{Encoding.UTF8.GetString(body[..Math.Min(body.Length, 80)])}: wanted {code}, got {answer.Text}");
        }
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task Only_plain_JSON_in_UTF_8_is_read(Type request)
    {
        var route = Route.All.First(r => r.Request?.Type == request);
        foreach (var type in new[] { null, "text/plain", "application/jsonx", "application/problem+json", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/json; v=1" })
        {
            var answer = await SendAsync(route, "{}"u8.ToArray(), type);
            Assert.Equal((415, "unsupported_content_type"), (answer.Status, answer.Code));
        }
        Assert.Equal(415, (await SendAsync(route, "{}"u8.ToArray(), encoding: "gzip")).Status);
        foreach (var type in new[] { "application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=\"UTF-8\"" })
            Assert.Equal("missing_member", (await SendAsync(route, "{}"u8.ToArray(), type)).Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_above_64_KiB_is_refused(bool isChunked)
    {
        var route = Route.All.First(r => r.Request == ApiJson.Default.TransferRequest);
        // Sent in chunks, the lengths between them count, too.
        var length = isChunked ? 60_000 : 64 << 10;
        var fits = Encoding.UTF8.GetBytes("{\"id\":\"" + new string('x', length - 9) + "\"}");
        Assert.Equal(length, fits.Length);
        Assert.Equal("missing_member", (await SendAsync(route, fits, isChunked: isChunked)).Code);
        var answer = await SendAsync(route, [.. fits, .. new byte[(64 << 10) + 1 - length]], isChunked: isChunked);
        Assert.Equal((413, "body_too_large"), (answer.Status, answer.Code));
    }

    private static IEnumerable<(string Body, string Code, string? Member)> Mutations(JsonTypeInfo type, JsonObject sample)
    {
        string With(string name, JsonNode? value)
        {
            var changed = sample.DeepClone().AsObject();
            changed[name] = value;
            return changed.ToJsonString();
        }
        var text = sample.ToJsonString();
        Assert.Equal(type.Properties.Select(p => p.Name).Order(), sample.Select(p => p.Key).Order());
        yield return (With("extra", 1), "unknown_member", "extra");
        yield return ("{}", "missing_member", sample.First().Key);
        foreach (var (name, value) in sample)
        {
            var member = type.Properties.Single(p => p.Name == name);
            yield return (With(char.ToUpperInvariant(name[0]) + name[1..], value!.DeepClone()), "unknown_member", char.ToUpperInvariant(name[0]) + name[1..]);
            yield return (text[..^1] + $",\"{name}\":{value.ToJsonString()}}}", "duplicate_member", name);
            yield return (text[..^1] + $",\"\\u{(int)name[0]:x4}{name[1..]}\":{value.ToJsonString()}}}", "duplicate_member", name);
            if (value.GetValueKind() is not System.Text.Json.JsonValueKind.Array) yield return (With(name, new JsonArray()), "wrong_type", name);
            yield return (With(name, new JsonObject()), "wrong_type", name);
            if (member.IsRequired)
            {
                var without = sample.DeepClone().AsObject();
                without.Remove(name);
                yield return (without.ToJsonString(), "missing_member", name);
                yield return (With(name, null), "wrong_type", name);
            }
            if (value.GetValueKind() is System.Text.Json.JsonValueKind.Number)
            {
                yield return (With(name, "1"), "wrong_type", name);
                yield return (With(name, true), "wrong_type", name);
                foreach (var number in new[] { "1.0", "1.5", "1e3", "1E0", "0.1" })
                    yield return (With(name, JsonNode.Parse(number)), "not_an_integer", name);
                var outside = name.StartsWith("amount", StringComparison.Ordinal) ? "amount_out_of_range" : "number_out_of_range";
                yield return (With(name, JsonNode.Parse("9223372036854775808")), outside, name);
                yield return (With(name, JsonNode.Parse("-9223372036854775809")), outside, name);
                yield return (text.Replace($"\"{name}\":1", $"\"{name}\":01", StringComparison.Ordinal), "malformed_json", null);
                yield return (text.Replace($"\"{name}\":1", $"\"{name}\":+1", StringComparison.Ordinal), "malformed_json", null);
                yield return (text.Replace($"\"{name}\":1", $"\"{name}\":NaN", StringComparison.Ordinal), "malformed_json", null);
            }
            else
            {
                yield return (With(name, 1), "wrong_type", name);
            }
        }
    }

    private Task<ApiAnswer> SendAsync(Route route, byte[] body, string? contentType = "application/json", string? encoding = null, bool isChunked = false)
    {
        HttpContent content = isChunked ? new StreamContent(new Unseekable(body)) : new ByteArrayContent(body);
        if (contentType is not null) Assert.True(content.Headers.TryAddWithoutValidation("Content-Type", contentType));
        if (encoding is not null) content.Headers.ContentEncoding.Add(encoding);
        var key = (route.Scopes & Server.Keys.ScopeNames.OperatorOnly) == 0 ? api.Shop : api.Admin;
        // The body is read before what the path names is looked for.
        return api.SendAsync(HttpMethod.Post, route.Path.Replace("{wallet}", "bcw1", StringComparison.Ordinal), key, content);
    }

    /// <summary>A stream of unknown length is sent in chunks.</summary>
    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
