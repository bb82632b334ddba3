// Batches with every kind of payment in them, in both forms.

using System.Buffers.Binary;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class BatchKindsTests(ApiFixture api)
{
    private static readonly UnixTime Expires = new(TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds());

    /// <summary>One answer, whichever form it came in.</summary>
    private sealed record Line(string Outcome, long Sequence, long Amount, long Fee);

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private async Task<WalletId> WalletAsync(string key, long sat = 0) =>
        WalletId.TryParse(await api.NewWalletAsync(key, sat), out var id) ? id : throw new FormatException();

    private static Payment Of(PaymentKind kind, WalletId payer, WalletId payee, long msat, OperationId target = default, PaymentFlags flags = PaymentFlags.None) => new()
    {
        Kind = kind,
        Flags = flags,
        Id = NewId(),
        Payer = payer,
        Payee = payee,
        Target = target,
        Amount = new Msat(msat),
        Expires = kind == PaymentKind.Hold ? Expires : default,
    };

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Every_kind_is_taken_and_sent_again_told_what_came_of_it(bool binary, bool binaryAgain)
    {
        var (a, b) = (await WalletAsync(api.Shop, 1), await WalletAsync(api.Shop));
        var original = Of(PaymentKind.Transfer, a, b, 50);
        Assert.Equal("accepted", (await SendAsync(binary, [original]))[0].Outcome);
        var (hold, other) = (Of(PaymentKind.Hold, a, b, 100), Of(PaymentKind.Hold, a, b, 30));
        Payment[] batch =
        [
            hold, other, Of(PaymentKind.Capture, a, b, 40, hold.Id), Of(PaymentKind.Capture, a, b, 10, hold.Id, PaymentFlags.Close),
            Of(PaymentKind.Capture, a, b, 1, hold.Id), Of(PaymentKind.Capture, a, b, 31, other.Id), Of(PaymentKind.Release, a, b, 0, other.Id),
            Of(PaymentKind.Refund, b, a, 20, original.Id), Of(PaymentKind.Refund, b, a, 31, original.Id), Of(PaymentKind.Refund, b, a, 1, NewId()),
            Of(PaymentKind.Refund, a, a, 1, original.Id), Of(PaymentKind.Transfer, a, b, 5_000, flags: PaymentFlags.UpTo),
            Of(PaymentKind.Transfer, a, b, 1), Of(PaymentKind.Hold, a, b, 1) with { Expires = new UnixTime(1) },
        ];
        var first = await SendAsync(binary, batch);
        Assert.Equal(
            [
                ("accepted", 100), ("accepted", 30), ("accepted", 40), ("accepted", 10), ("hold_not_found", 0), ("hold_exceeded", 0), ("accepted", 30),
                ("accepted", 20), ("refund_exceeds", 0), ("original_not_found", 0), ("self_transfer", 0), ("accepted", 920), ("insufficient_funds", 0),
                ("expiry_out_of_range", 0),
            ],
            first.Select(l => (l.Outcome, l.Amount)));
        Assert.Equal(1_000, await api.AvailableAsync(api.Shop, b.ToString()));

        var entries = await api.EntriesAsync();
        Assert.Equal(first, await SendAsync(binaryAgain, batch));
        // Each with another term than the first time.
        Payment[] changed =
        [
            hold with { Expires = new UnixTime(Expires.Milliseconds + 1) }, other with { Amount = new Msat(31) }, batch[2] with { Target = other.Id },
            batch[3] with { Flags = PaymentFlags.None }, batch[6] with { Code = 1 }, batch[7] with { Target = NewId() }, batch[7] with { Amount = new Msat(19) },
            batch[11] with { Amount = new Msat(5_001) }, batch[11] with { Flags = PaymentFlags.None },
        ];
        Assert.All(await SendAsync(binaryAgain, changed), line => Assert.Equal(new Line("id_reused", 0, 0, 0), line));
        Assert.Equal(entries, await api.EntriesAsync());
        // A single request, too, knows them.
        var single = await api.RefundAsync(api.Shop, b.ToString(), a.ToString(), original.Id.ToString(), 20, batch[7].Id.ToString());
        Assert.Equal((200, first[7].Sequence), (single.Status, single.Long("sequence")));
    }

    [Fact]
    public async Task A_line_is_held_to_the_members_of_its_kind()
    {
        var (a, b) = (await WalletAsync(api.Shop, 1), await WalletAsync(api.Shop));
        string Json(string more) => $$"""{"id":"{{NewId()}}","payer":"{{a}}","payee":"{{b}}"{{more}}}""";
        var good = $",\"expires\":\"{RouteTarget.InAnHour()}\"";
        (string Text, string Outcome, string? Member)[] cases =
        [
            (Json(",\"kind\":\"split\",\"amountMsat\":1"), "unknown_kind", "kind"),
            (Json(",\"kind\":\"Hold\",\"amountMsat\":1"), "unknown_kind", "kind"),
            (Json(",\"kind\":1,\"amountMsat\":1"), "wrong_type", "kind"),
            (Json(",\"amountMsat\":1" + good), "unknown_member", "expires"),
            (Json(",\"kind\":\"hold\",\"amountMsat\":1"), "missing_member", "expires"),
            (Json(",\"kind\":\"hold\"" + good), "missing_member", "amountMsat"),
            (Json(",\"kind\":\"hold\",\"amountMsat\":1,\"upTo\":true" + good), "unknown_member", "upTo"),
            (Json(",\"kind\":\"hold\",\"amountMsat\":1,\"expires\":\"soon\""), "malformed_time", "expires"),
            (Json(",\"kind\":\"capture\",\"amountMsat\":1"), "missing_member", "hold"),
            (Json(",\"kind\":\"capture\",\"amountMsat\":1,\"hold\":\"x\""), "malformed_id", "hold"),
            (Json($",\"kind\":\"release\",\"amountMsat\":1,\"hold\":\"{NewId()}\""), "unknown_member", "amountMsat"),
            (Json($",\"kind\":\"release\",\"close\":true,\"hold\":\"{NewId()}\""), "unknown_member", "close"),
            (Json($",\"kind\":\"refund\",\"amountMsat\":1,\"hold\":\"{NewId()}\""), "unknown_member", "hold"),
            (Json(",\"kind\":\"refund\",\"amountMsat\":1"), "missing_member", "original"),
            (Json(",\"kind\":\"refund\",\"amountMsat\":1,\"original\":\"x\""), "malformed_id", "original"),
            (Json($",\"kind\":\"transfer\",\"amountMsat\":1,\"original\":\"{NewId()}\""), "unknown_member", "original"),
            (Json(",\"kind\":\"transfer\",\"amountMsat\":1,\"upTo\":false"), "accepted", null),
            (Json(",\"kind\":\"hold\",\"amountMsat\":1" + good), "accepted", null),
        ];
        var answer = await PostAsync(JsonLines.Type, Encoding.UTF8.GetBytes(string.Join('\n', cases.Select(c => c.Text))));
        var lines = answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(text => JsonElement.Parse(text)).ToArray();
        Assert.Equal(
            cases.Select(c => (c.Outcome, c.Member)),
            lines.Select(l => (l.GetProperty("outcome").GetString()!, l.TryGetProperty("member", out var member) ? member.GetString() : null)));
    }

    [Fact]
    public async Task Fees_and_the_payees_side_are_told_to_whom_they_concern()
    {
        const string Tenant = "batches";
        var key = api.Key(Tenant, Server.Keys.Scopes.Pay | Server.Keys.Scopes.Read);
        var (payer, payee) = (await WalletAsync(key, 1), await WalletAsync(api.Shop));
        Assert.Equal(201, (await api.PostAsync(api.Admin, "/v1/operator/fees", $$"""{"id":"{{NewId()}}","tenant":"{{Tenant}}","flatMsat":3}""")).Status);
        var hold = Of(PaymentKind.Hold, payer, payee, 100);
        foreach (var binary in new[] { true, false })
        {
            Assert.Equal((100, 3), (await SendAsync(binary, [hold], key))[0] is var placed ? (placed.Amount, placed.Fee) : default);
            // The shop is the payee: it captures, and the fee is no affair of its.
            Assert.Equal((10, 0), (await SendAsync(binary, [Of(PaymentKind.Capture, payer, payee, 10, hold.Id)]))[0] is var capture ? (capture.Amount, capture.Fee) : default);
        }
    }

    [Theory]
    [InlineData(PaymentKind.Transfer, 1, 2)]
    [InlineData(PaymentKind.Transfer, 1, 3)]
    [InlineData(PaymentKind.Transfer, 64, 1)]
    [InlineData(PaymentKind.Transfer, 80, 1)]
    [InlineData(PaymentKind.Hold, 1, 1)]
    [InlineData(PaymentKind.Hold, 79, 1)]
    [InlineData(PaymentKind.Hold, 87, 0x80)]
    [InlineData(PaymentKind.Capture, 1, 1)]
    [InlineData(PaymentKind.Capture, 80, 1)]
    [InlineData(PaymentKind.Capture, 70, 0x10)]
    [InlineData(PaymentKind.Release, 1, 2)]
    [InlineData(PaymentKind.Release, 56, 1)]
    [InlineData(PaymentKind.Release, 72, 0x40)]
    [InlineData(PaymentKind.Refund, 1, 1)]
    [InlineData(PaymentKind.Refund, 80, 1)]
    [InlineData(PaymentKind.Refund, 70, 0x10)]
    [InlineData(PaymentKind.Refund, 0, 3)]
    public void A_byte_that_cannot_be_makes_a_record_unreadable(PaymentKind kind, int offset, int change)
    {
        var target = kind is PaymentKind.Transfer or PaymentKind.Hold ? default : NewId();
        var payment = Of(kind, new WalletId(UInt128.One << 64), new WalletId(UInt128.MaxValue - 1), kind == PaymentKind.Release ? 0 : 5, target);
        var record = new byte[PaymentRecord.Bytes];
        PaymentRecord.Write(record, payment);
        Assert.True(PaymentRecord.TryRead(record, out var read));
        Assert.True(PaymentCommand.From(read).HasSameTerms(PaymentCommand.From(payment)));
        record[offset] ^= (byte)change;
        Assert.False(PaymentRecord.TryRead(record, out _));
    }

    private static byte[] Records(Payment[] payments)
    {
        var body = new byte[payments.Length * PaymentRecord.Bytes];
        for (var i = 0; i < payments.Length; i++) PaymentRecord.Write(body.AsSpan(i * PaymentRecord.Bytes), payments[i]);
        return body;
    }

    private static string ToJson(Payment p)
    {
        var line = new JsonObject { ["id"] = p.Id.ToString(), ["payer"] = p.Payer.ToString(), ["payee"] = p.Payee.ToString(), ["code"] = p.Code };
        if (p.Kind != PaymentKind.Release) line["amountMsat"] = p.Amount.Value;
        if (p.Kind != PaymentKind.Transfer) line["kind"] = p.Kind switch { PaymentKind.Hold => "hold", PaymentKind.Capture => "capture", PaymentKind.Release => "release", _ => "refund" };
        if (p.IsUpTo) line["upTo"] = true;
        if (p.IsClosing) line["close"] = true;
        if (p.Kind == PaymentKind.Hold) line["expires"] = p.Expires.ToString();
        if (p.IsOnHold) line["hold"] = p.Target.ToString();
        if (p.Kind == PaymentKind.Refund) line["original"] = p.Target.ToString();
        return line.ToJsonString();
    }

    private async Task<List<Line>> SendAsync(bool binary, Payment[] payments, string? key = null)
    {
        var answer = binary
            ? await PostAsync(BinaryBatch.RequestType, Records(payments), key)
            : await PostAsync(JsonLines.Type, Encoding.UTF8.GetBytes(string.Join('\n', payments.Select(ToJson))), key);
        Assert.Equal(200, answer.Status);
        List<Line> lines = binary
            ? [.. answer.Bytes.Chunk(BinaryBatch.AnswerBytes).Select(FromBytes)]
            : [.. answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(FromJson)];
        Assert.Equal(payments.Length, lines.Count);
        return lines;
    }

    private Task<ApiAnswer> PostAsync(string type, byte[] body, string? key = null) => api.SendAsync(
        HttpMethod.Post, "/v1/transfers:batch", key ?? api.Shop, new ByteArrayContent(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } });

    private static Line FromBytes(byte[] bytes)
    {
        long At(int offset) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(offset));
        return new Line(ProblemType.Of((Outcome)BinaryPrimitives.ReadUInt16LittleEndian(bytes))?.Code ?? "accepted", At(8), At(32), At(40));
    }

    private static Line FromJson(string text)
    {
        var line = JsonElement.Parse(text);
        long Long(string member) => line.TryGetProperty(member, out var value) ? value.GetInt64() : 0;
        return new Line(line.GetProperty("outcome").GetString()!, Long("sequence"), Long("amountMsat"), Long("feeMsat"));
    }
}
