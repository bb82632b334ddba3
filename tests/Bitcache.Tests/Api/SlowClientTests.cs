// Goal: clients who send slowly or do not read their answers hold up nobody but themselves.
// Method: real connections that stop where the server can only wait, each held there until the server has got that far.

using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class SlowClientTests
{
    private const string Path = "/v1/transfers:batch";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_tenant_whose_clients_do_not_send_on_leaves_room_for_others_and_gets_his_share_back()
    {
        var api = new ApiFixture();
        await api.InitializeAsync();
        var stalled = new List<Socket>();
        try
        {
            for (var i = 0; i < Limits.BatchRequestsOfTenantMax; i++)
                stalled.Add(await RawClient.BeginAsync(api, api.Shop, Path, BinaryBatch.RequestType, PaymentRecord.Bytes));
            Assert.Equal(Limits.BatchRequestsOfTenantMax, api.Server.BlocksOut);
            var refused = await PostAsync(api, api.Shop);
            Assert.Equal((503, "busy"), (refused.Status, refused.Code));
            Assert.Equal(200, (await PostAsync(api, api.Other)).Status);

            stalled.ForEach(socket => socket.Dispose());
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            patience.CancelAfter(Patience);
            while ((await PostAsync(api, api.Shop)).Status != 200) patience.Token.ThrowIfCancellationRequested();
        }
        finally
        {
            stalled.ForEach(socket => socket.Dispose());
            await api.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_client_who_does_not_read_holds_no_block()
    {
        var api = new ApiFixture();
        await api.InitializeAsync();
        try
        {
            // Answers that are too long for the buffers in between: names of 64 characters that JSON writes as six each.
            var line = Encoding.UTF8.GetBytes($$"""{"{{new string('\u00e9', Limits.MemberNameCharactersMax)}}":1}""" + "\n");
            var body = Enumerable.Repeat(line, Limits.BlockPaymentsMax).SelectMany(bytes => bytes).ToArray();
            using var socket = await RawClient.BeginAsync(api, api.Shop, Path, JsonLines.Type, body.Length);
            Assert.Equal(1, api.Server.BlocksOut);
            await socket.SendAsync(body, Cancel);
            Assert.StartsWith("HTTP/1.1 200", await RawClient.ReadHeadAsync(socket), StringComparison.Ordinal);
            Assert.Equal(0, api.Server.BlocksOut);
        }
        finally
        {
            await api.DisposeAsync();
        }
    }

    private static Task<ApiAnswer> PostAsync(ApiFixture api, string key) => api.SendAsync(
        HttpMethod.Post, Path, key, new ByteArrayContent(new byte[PaymentRecord.Bytes]) { Headers = { ContentType = MediaTypeHeaderValue.Parse(BinaryBatch.RequestType) } });
}
