// A node as the engine reaches it: JSON-RPC by HTTP, with the bytes of requests and answers, and without a socket. What
// stands above it is what stands above a real node: BitcoinRpc with all that it makes of failures, and the readers.

using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>Answers at once, on the caller's thread: nothing in it waits or takes time, and a timeout is thrown, not waited for.</summary>
internal sealed class FakeBitcoind : HttpMessageHandler
{
    private readonly Lock _answering = new();
    private readonly NodeFaults _faults;
    private readonly FakeCalls _calls;
    private readonly List<(int After, Request Request)> _late = [];
    private readonly List<(string Method, NodeFault Fault)> _failed = [];

    public FakeBitcoind(FakeNode node, NodeFaults? faults = null) => (_faults, _calls) = (faults ?? new NodeFaults(0, 0), new FakeCalls(node));

    /// <summary>A call as it came: its id, and what is asked of whom.</summary>
    private sealed record Request(long Id, string? Wallet, string Method, JsonElement Parameters);

    public int Calls { get; private set; }

    /// <summary>The calls that failed, in their order.</summary>
    public IReadOnlyList<(string Method, NodeFault Fault)> Failed => _failed;

    /// <summary>What happens in the world before each call.</summary>
    public Action Meanwhile { get; set; } = static () => { };

    /// <summary>Not running: nothing can be reached.</summary>
    public bool IsDown { get; set; }
    public bool IsWarmingUp { get; set; }
    /// <summary>Every call is answered with 503.</summary>
    public bool IsBusy { get; set; }

    /// <summary>A connection to it, which is the caller's.</summary>
    public BitcoinRpc Connect() => new(new BitcoinRpcOptions(new Uri("http://node.invalid/"), RpcCredentials.None, TimeSpan.FromMinutes(1)), this);

    /// <summary>Executes what callers have given up and the node has not.</summary>
    public void ExecuteLate() => ExecuteLate(int.MaxValue);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            // One call at a time, as with the node's own lock; tests may call from many threads.
            lock (_answering) return Task.FromResult(Answer(Read(request)));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return Task.FromException<HttpResponseMessage>(e);
        }
    }

    private HttpResponseMessage Answer(Request request)
    {
        Calls++;
        Meanwhile();
        ExecuteLate(Calls);
        var fault = IsDown ? NodeFault.Unreachable : IsBusy ? NodeFault.Busy : IsWarmingUp ? NodeFault.WarmingUp : _faults.Next();
        if (fault != NodeFault.None) _failed.Add((request.Method, fault));
        switch (fault)
        {
            case NodeFault.Unreachable:
                throw new HttpRequestException(HttpRequestError.ConnectionError, "no connection");
            case NodeFault.Busy:
                return new HttpResponseMessage(HttpStatusCode.ServiceUnavailable) { Content = new StringContent("Work queue depth exceeded") };
            case NodeFault.WarmingUp:
                return Respond(Envelope(request, "null", Error(RpcError.InWarmup, "Loading block index…")));
            case NodeFault.CutBefore:
                throw new HttpRequestException(HttpRequestError.ResponseEnded, "the connection broke");
            case NodeFault.CutAfter:
                Execute(request);
                throw new HttpRequestException(HttpRequestError.ResponseEnded, "the connection broke");
            case NodeFault.Late:
                _late.Add((Calls + _faults.NextDelay(), request));
                throw new OperationCanceledException("the caller has given up");
            case NodeFault.Malformed:
                return Respond(_faults.Damage(Execute(request)));
            case NodeFault.OutOfRange:
                return Respond(Execute(request, _faults.Exaggerate));
            case NodeFault.None:
                return Respond(Execute(request));
            default:
                throw new InvalidOperationException($"nothing is known of {fault}");
        }
    }

    private void ExecuteLate(int call)
    {
        var due = _late.Where(l => l.After <= call).ToArray();
        _late.RemoveAll(l => l.After <= call);
        foreach (var (_, request) in due) Execute(request);
    }

    private byte[] Execute(Request request, Func<string, string>? change = null)
    {
        try
        {
            var result = _calls.Call(request.Wallet, request.Method, request.Parameters)?.ToJsonString() ?? "null";
            return Envelope(request, change?.Invoke(result) ?? result, "null");
        }
        catch (CallFailedException e)
        {
            return Envelope(request, "null", Error(e.Code, e.Message));
        }
    }

    private static byte[] Envelope(Request request, string result, string error) =>
        Encoding.UTF8.GetBytes($$"""{"result":{{result}},"error":{{error}},"id":{{request.Id}}}""");

    private static string Error(RpcError code, string message) =>
        new JsonObject { ["code"] = (int)code, ["message"] = message }.ToJsonString();

    private static Request Read(HttpRequestMessage request)
    {
        var path = request.RequestUri!.AbsolutePath;
        using var stream = request.Content!.ReadAsStream();
        using var document = JsonDocument.Parse(stream);
        var body = document.RootElement.Clone();
        return new Request(
            body.Get("id").ToLong(), path.StartsWith("/wallet/", StringComparison.Ordinal) ? Uri.UnescapeDataString(path["/wallet/".Length..]) : null,
            body.Get("method").ToText(), body.Get("params"));
    }

    private static HttpResponseMessage Respond(byte[] body) => new(HttpStatusCode.OK) { Content = new ByteArrayContent(body) };
}
