using System.Buffers.Binary;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class BatchApiTests(ApiFixture api)
{
    private const string Path = "/v1/transfers:batch";

    /// <summary>One answer, whichever form it came in.</summary>
    internal sealed record Line(string Outcome, long? Sequence, long? Payer, long? Payee, string? Member = null);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_payment_is_answered_for_itself_in_order(bool binary)
    {
        var (rich, poor, theirs) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop), await WalletAsync(api.Other));
        var nobody = ClientIds.NextWallet();
        var lines = await SendAsync(binary, [
            Pay(rich, poor, 4_000), Pay(poor, rich, 4_001), Pay(rich, theirs, 1_000), Pay(rich, nobody, 1), Pay(theirs, rich, 1),
            Pay(rich, rich, 1), Pay(rich, poor, 5_000)]);
        Assert.Equal(
            ["accepted", "insufficient_funds", "accepted", "payee_not_found", "wallet_not_found", "self_transfer", "accepted"],
            lines.Select(l => l.Outcome));
        Assert.Equal([6_000, 4_000, 5_000, null, null, null, 0], lines.Select(l => l.Payer));
        Assert.Equal([4_000, 6_000, null, null, null, null, 9_000], lines.Select(l => l.Payee));
        Assert.Equal([true, true, true, false, false, false, true], lines.Select(l => l.Sequence > 0));
        Assert.Equal(9_000, await api.AvailableAsync(api.Shop, poor.ToString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_batch_sent_again_is_answered_record_by_record(bool binary)
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        Payment[] batch = [.. Enumerable.Range(0, 300).Select(i => Pay(payer, payee, 1 + (i * 7 % 90)))];
        var first = await SendAsync(binary, batch);
        Assert.Contains(first, l => l.Outcome == "insufficient_funds");
        var entries = await api.EntriesAsync();
        // One of them asks for something else now, and one is new.
        var changed = batch.ToArray();
        changed[17] = Changed(batch[17], batch[17].Amount.Value + 1);
        var again = await SendAsync(binary, [.. changed, Pay(payer, payee, 1_000_000)]);
        Assert.Equal(first.Select((l, i) => i == 17 ? ("id_reused", null) : (l.Outcome, l.Sequence)), again.SkipLast(1).Select(l => (l.Outcome, l.Sequence)));
        Assert.Equal("insufficient_funds", again[^1].Outcome);
        Assert.Equal(entries + 1, await api.EntriesAsync());
        // Either form and the single request know the ids of one another.
        Assert.Equal(first.Select(l => l.Sequence), (await SendAsync(!binary, batch)).Select(l => l.Sequence));
        var single = await api.TransferAsync(api.Shop, batch[0].Id.ToString(), payer.ToString(), payee.ToString(), batch[0].Amount.Value);
        Assert.Equal((200, first[0].Sequence), (single.Status, single.Long("sequence")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_id_twice_in_one_batch_is_paid_once(bool binary)
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        var payment = Pay(payer, payee, 100);
        var lines = await SendAsync(binary, [payment, payment]);
        Assert.Equal(["accepted", "id_in_flight"], lines.Select(l => l.Outcome));
        Assert.Equal(100, await api.AvailableAsync(api.Shop, payee.ToString()));
    }

    [Fact]
    public async Task A_line_that_cannot_be_read_spoils_nothing_but_itself_and_says_why()
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        string Json(string amount, string more = "") =>
            $$"""{"id":"{{ApiFixture.NewId()}}","payer":"{{payer}}","payee":"{{payee}}","amountMsat":{{amount}}{{more}}}""";
        var answer = await PostAsync(JsonLines.Type, Encoding.UTF8.GetBytes(string.Join('\n',
            Json("1"), Json("\"1\""), Json("0"), "{", Json("1", ",\"tip\":1"), "", Json("2"))));
        var lines = Lines(answer);
        Assert.Equal(
            ["accepted", "wrong_type", "amount_out_of_range", "malformed_json", "unknown_member", "malformed_json", "accepted"],
            lines.Select(l => l.Outcome));
        Assert.Equal([null, "amountMsat", "amountMsat", null, "tip", null, null], lines.Select(l => l.Member));
        Assert.Equal(3, await api.AvailableAsync(api.Shop, payee.ToString()));
    }

    [Fact]
    public async Task A_name_that_the_client_made_up_is_told_back_in_part()
    {
        var name = new string('\u00e9', Limits.MemberNameCharactersMax - 1) + "\U0001F600" + new string('x', 1_000);
        var lines = Lines(await PostAsync(JsonLines.Type, Encoding.UTF8.GetBytes($$"""{"{{name}}":1}""" + "\n" + $$"""{"{{name}}":1,"{{name}}":1}""")));
        Assert.Equal(["unknown_member", "unknown_member"], lines.Select(l => l.Outcome));
        Assert.All(lines, l => Assert.Equal(new string('\u00e9', Limits.MemberNameCharactersMax - 1), l.Member));
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_spoils_nothing_but_itself()
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        var offsets = new[] { 0, 1, 2, 3, 14, 63, 64, 80, 87, 100, 159 };
        var body = Records([.. Enumerable.Repeat(0, offsets.Length + 1).Select(_ => Pay(payer, payee, 1))]);
        for (var i = 0; i < offsets.Length; i++) body[(i * PaymentRecord.Bytes) + offsets[i]] ^= 0xF0;
        var lines = Lines(await PostAsync(BinaryBatch.RequestType, body));
        Assert.Equal([.. Enumerable.Repeat("malformed_payment", offsets.Length), "accepted"], lines.Select(l => l.Outcome));
        Assert.Equal(1, await api.AvailableAsync(api.Shop, payee.ToString()));
    }

    [Fact]
    public async Task A_record_with_a_reference_that_must_not_be_shown_spoils_nothing_but_itself()
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        byte[][] shown = [[], "song 7"u8.ToArray(), Encoding.UTF8.GetBytes("שלום 🎵")];
        byte[][] hidden =
        [
            [0], "a\u001b[2Jb"u8.ToArray(), "a\u202eb"u8.ToArray(), "a\u2028b"u8.ToArray(), "a\u0085b"u8.ToArray(),
            [0xFF], [.. "a"u8, 0xE2, 0x82], [0xED, 0xA0, 0x80],
        ];
        var payments = hidden.Concat(shown).Select(reference =>
        {
            var payment = Pay(payer, payee, 1);
            payment.SetReference(reference);
            return payment;
        });
        var lines = Lines(await PostAsync(BinaryBatch.RequestType, Records([.. payments])));
        Assert.Equal([.. Enumerable.Repeat("malformed_payment", hidden.Length), .. Enumerable.Repeat("accepted", shown.Length)], lines.Select(l => l.Outcome));
        Assert.Equal(shown.Length, await api.AvailableAsync(api.Shop, payee.ToString()));
    }

    [Fact]
    public async Task A_full_batch_is_taken_and_one_more_payment_is_too_many()
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 100), await WalletAsync(api.Shop));
        var batch = Enumerable.Range(0, Limits.BlockPaymentsMax + 1).Select(_ => Pay(payer, payee, 1)).ToArray();
        var entries = await api.EntriesAsync();
        var refused = await PostAsync(BinaryBatch.RequestType, Records(batch));
        Assert.Equal((413, "batch_too_large"), (refused.Status, refused.Code));
        Assert.Equal(entries, await api.EntriesAsync());
        Assert.All(await SendAsync(binary: true, batch[1..]), l => Assert.Equal("accepted", l.Outcome));
        Assert.Equal(Limits.BlockPaymentsMax, await api.AvailableAsync(api.Shop, payee.ToString()));
    }

    [Fact]
    public async Task A_body_that_ends_inside_a_record_or_is_of_another_type_pays_nothing()
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        var body = Records([Pay(payer, payee, 1), Pay(payer, payee, 1)]);
        var entries = await api.EntriesAsync();
        Assert.Equal((400, "malformed_batch"), CodeOf(await PostAsync(BinaryBatch.RequestType, body[..^1])));
        Assert.Equal((415, "unsupported_content_type"), CodeOf(await PostAsync("application/json", body)));
        Assert.Equal((415, "unsupported_content_type"), CodeOf(await PostAsync("application/vnd.bitcache.payments.v2", body)));
        Assert.Equal((413, "body_too_large"), CodeOf(await PostAsync(JsonLines.Type, new byte[Limits.BatchBodyBytesMax + 1])));
        Assert.Equal((200, ""), ((await PostAsync(BinaryBatch.RequestType, [])).Status, (await PostAsync(JsonLines.Type, [])).Text));
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Fact]
    public async Task With_the_queue_full_nothing_is_taken_up_and_the_client_is_told_at_once()
    {
        var (payer, payee) = (await WalletAsync(api.Shop, 10), await WalletAsync(api.Shop));
        var partition = api.Engine.Partitions.First;
        using var begun = new ManualResetEventSlim();
        using var gate = new ManualResetEventSlim();
        var asked = partition.QueryAsync(_ =>
        {
            begun.Set();
            return gate.Wait(TimeSpan.FromSeconds(30));
        });
        // Until the owner has taken it, the question itself stands in the queue.
        Assert.True(begun.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        // Payments of no kind wait like any others, and come to nothing.
        var waiting = Enumerable.Range(0, Limits.QueueItemsMax / Limits.BlockPaymentsMax)
            .Select(_ => partition.SubmitAsync(new PaymentBlock { Count = Limits.BlockPaymentsMax }).AsTask()).ToArray();
        Assert.True(partition.IsBusy);
        var id = ApiFixture.NewId();
        foreach (var refused in new[]
        {
            await api.TransferAsync(api.Shop, id, payer.ToString(), payee.ToString(), 1), await PostAsync(BinaryBatch.RequestType, Records([Pay(payer, payee, 1)])),
        })
        {
            Assert.Equal((503, "busy"), (refused.Status, refused.Code));
            Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
        }
        gate.Set();
        Assert.True(await asked);
        await Task.WhenAll(waiting);
        Assert.Equal(201, (await api.TransferAsync(api.Shop, id, payer.ToString(), payee.ToString(), 1)).Status);
        Assert.Equal(1, await api.AvailableAsync(api.Shop, payee.ToString()));
    }

    [Fact]
    public void What_is_written_as_a_record_is_read_the_same()
    {
        var payment = Pay(new WalletId(UInt128.One << 64), new WalletId(UInt128.MaxValue - 1), Limits.SupplyMsatMax);
        payment.SetReference(Enumerable.Repeat((byte)7, Limits.ReferenceBytesMax).ToArray());
        var record = Records([payment]);
        Assert.True(PaymentRecord.TryRead(record, out var read));
        Assert.True(PaymentCommand.From(read).HasSameTerms(PaymentCommand.From(payment)));
        Assert.Equal(payment.Id.ToString(), new Guid(record.AsSpan(8, 16), bigEndian: true).ToString());
    }

    private static (int, string?) CodeOf(ApiAnswer answer) => (answer.Status, answer.Code);

    private static Payment Pay(WalletId payer, WalletId payee, long msat) => new()
    {
        Kind = PaymentKind.Transfer,
        Id = ClientIds.Next(TimeProvider.System),
        Payer = payer,
        Payee = payee,
        Amount = new Msat(msat),
    };

    private static Payment Changed(Payment payment, long msat) => payment with { Amount = new Msat(msat) };

    private async Task<WalletId> WalletAsync(string key, long sat = 0) =>
        WalletId.TryParse(await api.NewWalletAsync(key, sat), out var id) ? id : throw new FormatException();

    internal static byte[] Records(Payment[] payments)
    {
        var body = new byte[payments.Length * PaymentRecord.Bytes];
        for (var i = 0; i < payments.Length; i++) PaymentRecord.Write(body.AsSpan(i * PaymentRecord.Bytes), payments[i]);
        return body;
    }

    private async Task<List<Line>> SendAsync(bool binary, Payment[] payments)
    {
        var answer = binary
            ? await PostAsync(BinaryBatch.RequestType, Records(payments))
            : await PostAsync(JsonLines.Type, Encoding.UTF8.GetBytes(string.Concat(payments.Select(p =>
                $$"""{"id":"{{p.Id}}","payer":"{{p.Payer}}","payee":"{{p.Payee}}","amountMsat":{{p.Amount.Value}}}""" + "\n"))));
        var lines = Lines(answer);
        Assert.Equal((200, payments.Length), (answer.Status, lines.Count));
        return lines;
    }

    private Task<ApiAnswer> PostAsync(string type, byte[] body) => api.SendAsync(
        HttpMethod.Post, Path, api.Shop, new ByteArrayContent(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } });

    internal static List<Line> Lines(ApiAnswer answer) => answer.ContentType == BinaryBatch.ResponseType
        ? [.. answer.Bytes.Chunk(BinaryBatch.AnswerBytes).Select(FromBytes)]
        : [.. answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(FromJson)];

    private static Line FromBytes(byte[] bytes)
    {
        long? Told(int offset) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(offset)) is var value and >= 0 ? value : null;
        var outcome = (Outcome)BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        Assert.False(bytes.AsSpan(2, 6).ContainsAnyExcept((byte)0));
        var sequence = Told(8);
        Assert.True(outcome == Outcome.Accepted ? Told(32) > 0 : Told(32) == 0);
        return new Line(ProblemType.Of(outcome)?.Code ?? "accepted", sequence == 0 ? null : sequence, Told(16), Told(24));
    }

    private static Line FromJson(string text)
    {
        var line = JsonElement.Parse(text);
        long? Long(string member) => line.TryGetProperty(member, out var value) ? value.GetInt64() : null;
        return new Line(
            line.GetProperty("outcome").GetString()!, Long("sequence"), Long("payerAvailableMsat"), Long("payeeAvailableMsat"),
            line.TryGetProperty("member", out var member) ? member.GetString() : null);
    }
}
