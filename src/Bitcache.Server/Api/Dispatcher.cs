// What happens around every route: the key, the scope, the query's names; and whatever goes wrong becomes a problem.

using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Bitcache.Server.Api;

/// <param name="toSettlement">Has the silo that settles answer a request; null in a single node, which settles.</param>
internal sealed class Dispatcher(LedgerEngine engine, Keyring keys, RequestDelegate? toSettlement, TimeProvider time, ILogger<Dispatcher> log)
{
    private const string BearerScheme = "Bearer ";
    private readonly BlockPool _blocks = new();

    /// <summary>Blocks of payments that are in use.</summary>
    public int BlocksOut => _blocks.Out;

    public async Task RunAsync(Route route, HttpContext http)
    {
        // Answers are about money and change at any time.
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        IResult answer;
        try
        {
            // With the queue full nothing is read and nobody is looked up: saying no must cost nothing.
            if (!route.IsPublic && engine.Partitions.IsBusy) throw new ProblemException(ProblemType.Busy);
            var principal = route.IsPublic ? null : Authorise(route, http.Request);
            CheckQuery(route, http.Request);
            var call = new Call(http, engine, keys, _blocks, time, principal);
            if (toSettlement is not null && !engine.Settles && (route.AsksSettlement || (route.AsksSettlementForOperator && await call.IsOfOperatorsWalletAsync())))
            {
                await toSettlement(http);
                return;
            }
            answer = await route.Handle(call);
        }
        catch (ProblemException e)
        {
            answer = e.Problem;
        }
        catch (PartitionUnavailableException e)
        {
            answer = route.HasSteps ? new Problem(ProblemType.OutcomeUnknown) { Detail = e.Message } : new Problem(ProblemType.Of(e.Reason));
        }
        // Of several steps the first may have been taken before another process took settlement over.
        catch (Exception e) when (e is OutcomeUnknownException or TermOverException)
        {
            answer = new Problem(ProblemType.OutcomeUnknown);
        }
        catch (SettledElsewhereException)
        {
            // It was handed on while this was looked at: of what is done in steps the first may have been.
            answer = new Problem(HttpMethods.IsGet(http.Request.Method) ? ProblemType.Busy : ProblemType.OutcomeUnknown);
        }
        catch (NodeUnavailableException e)
        {
            answer = new Problem(ProblemType.NodeUnavailable) { Detail = e.Message };
        }
        catch (NoSpaceException)
        {
            answer = new Problem(ProblemType.StorageFull);
        }
        catch (KeyFileException)
        {
            answer = new Problem(ProblemType.KeysUnavailable);
        }
        catch (ConnectionResetException)
        {
            // Nobody waits for an answer. The failed read stays in the pipe, and the server would meet it there when it reads
            // on to the body's end, and log a failure of its own: unless the connection is given up.
            http.Abort();
            return;
        }
        catch (BadHttpRequestException e)
        {
            // What follows such a body is no request: without this the server would look for one, in a pipe that the failed
            // read has not let go.
            if (HttpProtocol.IsHttp11(http.Request.Protocol)) http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
            answer = new Problem(e.StatusCode switch
            {
                StatusCodes.Status413PayloadTooLarge => ProblemType.BodyTooLarge,
                StatusCodes.Status408RequestTimeout => ProblemType.RequestTimeout,
                _ => ProblemType.MalformedRequest,
            });
        }
#pragma warning disable CA1031 // The connection is answered whatever happened; the cause is logged, not shown.
        catch (Exception e)
        {
            // Whoever asked may have gone, and taken a stream or a wait with him.
            if (http.RequestAborted.IsCancellationRequested) return;
            log.RequestFailed(e, http.Request.Method, route.Path);
            answer = new Problem(ProblemType.InternalError);
        }
#pragma warning restore CA1031
        await answer.ExecuteAsync(http);
    }

    private Principal Authorise(Route route, HttpRequest request)
    {
        var principal = Authenticate(request);
        if ((principal.Scopes & route.Scopes) != 0) return principal;
        throw new ProblemException(new Problem(ProblemType.ScopeMissing) { Scope = route.Scopes.ToNames() });
    }

    private Principal Authenticate(HttpRequest request)
    {
        if (request.Headers.Authorization is not [{ } header] || !header.StartsWith(BearerScheme, StringComparison.OrdinalIgnoreCase))
            throw new ProblemException(ProblemType.KeyMissing);
        return keys.Identify(header, out var principal, BearerScheme.Length) switch
        {
            KeyRefusal.None => principal,
            KeyRefusal.Malformed => throw new ProblemException(ProblemType.KeyMalformed),
            KeyRefusal.OtherNetwork => throw new ProblemException(ProblemType.KeyOfOtherNetwork),
            KeyRefusal.Unknown => throw new ProblemException(ProblemType.KeyUnknown),
            KeyRefusal.Revoked => throw new ProblemException(ProblemType.KeyRevoked),
            KeyRefusal.Expired => throw new ProblemException(ProblemType.KeyExpired),
        };
    }

    private static void CheckQuery(Route route, HttpRequest request)
    {
        if (!request.QueryString.HasValue) return;
        foreach (var (name, values) in request.Query)
        {
            if ((!route.Query.Contains(name) && !route.TextQuery.Contains(name)) || values.Count != 1) throw new ProblemException(ProblemType.UnknownParameter, name);
        }
    }
}
