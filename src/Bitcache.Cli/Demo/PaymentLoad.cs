// Many payments over HTTP, each a request of its own, on as many connections as asked for.

using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Bitcache.Cli.Client;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Demo;

internal sealed class PaymentLoad(Uri server, string key, int connections)
{
    /// <summary>Sends all; every one must be accepted, and for the first time.</summary>
    /// <exception cref="DemoFailedException">One was not.</exception>
    public async Task SendAsync(IReadOnlyList<Transfer> transfers, Action<int> progress, CancellationToken cancel)
    {
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = connections, UseCookies = false, UseProxy = false };
        using var http = new HttpClient(handler) { BaseAddress = server };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var (next, done) = (-1, 0);
        await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(WorkAsync, CancellationToken.None)));

        async Task WorkAsync()
        {
            try
            {
                for (var i = Interlocked.Increment(ref next); i < transfers.Count; i = Interlocked.Increment(ref next))
                {
                    await SendAsync(http, transfers[i], stop.Token);
                    progress(Interlocked.Increment(ref done));
                }
            }
            catch
            {
                // One failure ends the others.
                await stop.CancelAsync();
                throw;
            }
        }
    }

    private static async Task SendAsync(HttpClient http, Transfer transfer, CancellationToken cancel)
    {
        var body = new TransferRequest(transfer.Id.ToString(), transfer.Payer.ToString(), transfer.Payee.ToString(), transfer.Amount.Value);
        using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, ClientJson.Default.TransferRequest));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await http.PostAsync("/v1/transfers", content, cancel);
        if (response.StatusCode != HttpStatusCode.Created)
        {
            var text = await response.Content.ReadAsStringAsync(cancel);
            throw new DemoFailedException($"payment {transfer.Id} was answered with {(int)response.StatusCode}: {text}");
        }
    }
}
