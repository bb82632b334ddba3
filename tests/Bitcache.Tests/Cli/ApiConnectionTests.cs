// A request whose outcome is open is sent again, with the same bytes; what is refused for good is not.

using System.Net;
using System.Text;
using Bitcache.Cli.Client;
using Bitcache.Core;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class ApiConnectionTests
{
    private const string Wallet = """{"wallet":"w","availableMsat":1,"heldMsat":0,"frozenMsat":0,"owedMsat":0,"owedPendingMsat":0,"newMember":true}""";
    private static readonly OperationId Id = OperationId.Create(new UnixTime(1_750_000_000_000), 1);

    [Theory]
    [InlineData(HttpStatusCode.Conflict, "id_in_flight")]
    [InlineData(HttpStatusCode.ServiceUnavailable, "outcome_unknown")]
    public async Task What_may_be_sent_again_is_sent_again_under_the_same_id(HttpStatusCode status, string code)
    {
        using var server = new ScriptedTransport(_ => Problem(status, code, retryAfter: 0), _ => Good());
        using var client = Client(server);

        var reply = await client.CreateWalletAsync(Id, TestContext.Current.CancellationToken);

        Assert.Equal((1, Wallet), (reply.Value.AvailableMsat, reply.Json));
        Assert.Equal([$$"""{"id":"{{Id}}"}""", $$"""{"id":"{{Id}}"}"""], server.Bodies);
    }

    [Fact]
    public async Task A_lost_answer_is_asked_for_again()
    {
        using var server = new ScriptedTransport(_ => throw new HttpRequestException(HttpRequestError.ResponseEnded, "gone"), _ => Good());
        using var client = Client(server);

        await client.CreateWalletAsync(Id, TestContext.Current.CancellationToken);

        Assert.Equal(2, server.Bodies.Count);
    }

    [Fact]
    public async Task A_server_that_goes_away_after_a_request_leaves_the_outcome_open()
    {
        using var server = new ScriptedTransport(
            _ => throw new HttpRequestException(HttpRequestError.ResponseEnded, "gone"),
            _ => throw new HttpRequestException(HttpRequestError.ConnectionError, "refused"),
            _ => Good());
        using var client = Client(server);

        await client.CreateWalletAsync(Id, TestContext.Current.CancellationToken);

        Assert.Equal(3, server.Bodies.Count);
    }

    [Fact]
    public async Task A_server_that_was_never_there_is_not_waited_for()
    {
        using var server = new ScriptedTransport(_ => throw new HttpRequestException(HttpRequestError.ConnectionError, "refused"));
        using var client = Client(server);

        await Assert.ThrowsAsync<ServerUnreachableException>(() => client.CreateWalletAsync(Id, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_refusal_is_final()
    {
        using var server = new ScriptedTransport(_ => Problem(HttpStatusCode.UnprocessableEntity, "insufficient_funds", retryAfter: null));
        using var client = Client(server);

        var refusal = await Assert.ThrowsAsync<ApiProblemException>(() => client.CreateWalletAsync(Id, TestContext.Current.CancellationToken));

        Assert.Equal("insufficient_funds", refusal.Problem.Code);
    }

    [Fact]
    public async Task Patience_ends()
    {
        using var server = new ScriptedTransport(_ => Problem(HttpStatusCode.ServiceUnavailable, "busy", retryAfter: 3_600));
        using var client = Client(server);

        var refusal = await Assert.ThrowsAsync<ApiProblemException>(() => client.CreateWalletAsync(Id, TestContext.Current.CancellationToken));

        Assert.Equal("busy", refusal.Problem.Code);
    }

    [Fact]
    public async Task An_answer_of_something_else_is_shown_as_such()
    {
        using var server = new ScriptedTransport(_ => new HttpResponseMessage(HttpStatusCode.BadGateway) { Content = new StringContent("<html>") });
        using var client = Client(server);

        var refusal = await Assert.ThrowsAsync<ApiProblemException>(() => client.CreateWalletAsync(Id, TestContext.Current.CancellationToken));

        Assert.Contains("<html>", refusal.Problem.Detail, StringComparison.Ordinal);
    }

    private static ApiClient Client(ScriptedTransport server) =>
        new(new ApiConnection(new Uri("http://server"), "key", TimeSpan.FromSeconds(30), TimeProvider.System, server));

    private static HttpResponseMessage Good() => new(HttpStatusCode.Created) { Content = new StringContent(Wallet, Encoding.UTF8, "application/json") };

    private static HttpResponseMessage Problem(HttpStatusCode status, string code, int? retryAfter)
    {
        var response = new HttpResponseMessage(status)
        {
            Content = new StringContent($$"""{"type":"t","title":"no","status":{{(int)status}},"code":"{{code}}"}""", Encoding.UTF8, "application/problem+json"),
        };
        if (retryAfter is { } seconds) response.Headers.RetryAfter = new(TimeSpan.FromSeconds(seconds));
        return response;
    }

    /// <summary>Answers the first request with the first answer, and so on; a request too many fails the test.</summary>
    private sealed class ScriptedTransport(params Func<HttpRequestMessage, HttpResponseMessage>[] answers) : HttpMessageHandler
    {
        public List<string> Bodies { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Bodies.Add(await request.Content!.ReadAsStringAsync(cancellationToken));
            return answers[Bodies.Count - 1](request);
        }
    }
}
