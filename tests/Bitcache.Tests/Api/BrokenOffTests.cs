// Goal: clients that go in the middle of a body cost nothing and leave no trace in the log.
// Method: real connections, closed or reset at every stage, to a server of their own; what it logged is read after it has
// ended, when all of them are through.

using System.Net.Sockets;
using System.Text;
using Bitcache.Server.Api;
using Microsoft.Extensions.Logging;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class BrokenOffTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/transfers", "application/json")]
    [InlineData("/v1/transfers:batch", BinaryBatch.RequestType)]
    [InlineData("/v1/transfers:batch", JsonLines.Type)]
    public async Task A_client_that_goes_in_the_middle_of_a_body_is_nothing_to_log(string path, string type)
    {
        var api = new ApiFixture();
        await api.InitializeAsync();
        try
        {
            foreach (var reset in new[] { false, true })
            {
                foreach (var chunked in new[] { false, true })
                {
                    foreach (var sent in new[] { 0, 1, 200 }) await BreakOffAsync(api, path, type, chunked, sent, reset);
                }
            }
            var key = api.Key(ApiFixture.ShopTenant, Server.Keys.Scopes.Read);
            Assert.Equal(404, (await api.GetAsync(key, "/v1/wallets/" + Engine.Partitions.ClientIds.NextWallet())).Status);
        }
        finally
        {
            await api.DisposeAsync();
        }
        // That there is no key yet is one line of its own.
        var lines = new[] { LogLevel.Warning, LogLevel.Error, LogLevel.Critical }.SelectMany(api.Log.At)
            .Where(line => !line.Contains("keys.json", StringComparison.Ordinal)).ToList();
        Assert.True(lines.Count == 0, string.Join(Environment.NewLine, lines));
    }

    private static async Task BreakOffAsync(ApiFixture api, string path, string type, bool chunked, int sent, bool reset)
    {
        using var socket = await RawClient.BeginAsync(api, api.Shop, path, type, chunked ? null : 1_000);
        if (sent > 0) await socket.SendAsync(Encoding.ASCII.GetBytes(chunked ? $"{sent + 9:x}\r\n" : ""), Cancel);
        if (sent > 0) await socket.SendAsync(new byte[sent], Cancel);
        if (reset) socket.LingerState = new LingerOption(true, 0);
    }
}
