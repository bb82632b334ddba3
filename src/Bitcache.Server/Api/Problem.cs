// Refusals as problem+json (RFC 9457).

using System.Globalization;
using Bitcache.Core;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>The body of every refusal.</summary>
/// <param name="Type">A name for the kind of problem, as RFC 9457 wants it: <c>urn:bitcache:problem:</c> and the code.</param>
/// <param name="Detail">What is special about this case.</param>
/// <param name="Member">The member of the body, or the parameter, that the problem is about.</param>
/// <param name="Scope">The scopes of which the key must have one.</param>
/// <param name="ServerTime">The server's time, where the id's own time was refused.</param>
/// <param name="Sequence">The entry that remembers the refusal: the same id gets the same answer for as long as ids are kept.</param>
/// <param name="Time">The time of that entry.</param>
public sealed record ProblemBody(
    string Type, string Title, int Status, string Code, string? Detail = null, string? Member = null,
    IReadOnlyList<string>? Scope = null, string? ServerTime = null, long? Sequence = null, string? Time = null);

/// <summary>One refusal, ready to be sent.</summary>
public sealed record Problem(ProblemType Type) : IResult
{
    private const string ContentType = "application/problem+json";

    public string? Detail { get; init; }
    public string? Member { get; init; }
    public IReadOnlyList<string>? Scope { get; init; }
    public UnixTime? ServerTime { get; init; }
    public long? Sequence { get; init; }
    public UnixTime? Time { get; init; }

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Type.Status;
        if (Type.RetryAfter > 0) response.Headers.RetryAfter = Type.RetryAfter.ToString(CultureInfo.InvariantCulture);
        if (Type.Status == StatusCodes.Status401Unauthorized) response.Headers.WWWAuthenticate = "Bearer";
        var body = new ProblemBody(
            "urn:bitcache:problem:" + Type.Code, Type.Title, Type.Status, Type.Code, Detail, Member, Scope,
            ServerTime?.ToString(), Sequence, Time?.ToString());
        return response.WriteAsJsonAsync(body, ApiJson.Default.ProblemBody, ContentType);
    }
}

/// <summary>The request is refused as it stands: it was not applied, and sending it again changes nothing.</summary>
public sealed class ProblemException(Problem problem) : Exception(problem.Type.Title)
{
    public ProblemException(ProblemType type, string? member = null) : this(new Problem(type) { Member = member })
    {
    }

    public Problem Problem => problem;
}
