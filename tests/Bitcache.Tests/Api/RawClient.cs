using System.Net.Sockets;
using System.Text;

namespace Bitcache.Tests.Api;

/// <summary>A client that does what no library does.</summary>
internal static class RawClient
{
    /// <summary>Sends the head of a request, and returns when the server has begun to read the body.</summary>
    /// <param name="length">Of the body that is promised; null to send it in chunks.</param>
    public static async Task<Socket> BeginAsync(ApiFixture api, string key, string path, string type, int? length)
    {
        var cancel = TestContext.Current.CancellationToken;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(api.Address.Host, api.Address.Port, cancel);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes(
                $"POST {path} HTTP/1.1\r\nHost: {api.Address.Authority}\r\nAuthorization: Bearer {key}\r\nContent-Type: {type}\r\nExpect: 100-continue\r\n"
                + (length is { } bytes ? $"Content-Length: {bytes}\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n")),
            cancel);
        Assert.StartsWith("HTTP/1.1 100", await ReadHeadAsync(socket), StringComparison.Ordinal);
        return socket;
    }

    /// <summary>Reads a status line and what follows it up to the first empty line.</summary>
    public static async Task<string> ReadHeadAsync(Socket socket)
    {
        var text = new StringBuilder();
        var one = new byte[1];
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await socket.ReceiveAsync(one, TestContext.Current.CancellationToken) == 0) break;
            text.Append((char)one[0]);
        }
        return text.ToString();
    }
}
