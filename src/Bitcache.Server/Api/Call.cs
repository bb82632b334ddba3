// One request on its way through a route: what came in, and who sent it.

using System.Globalization;
using System.Text.Json.Serialization.Metadata;
using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Bitcache.Server.Api;

/// <param name="principal">Null on public routes only.</param>
internal sealed class Call(HttpContext http, LedgerEngine engine, Keyring keys, BlockPool blocks, TimeProvider time, Principal? principal)
{
    public HttpContext Http => http;
    public LedgerEngine Engine => engine;
    public PartitionSet Partitions => engine.Partitions;
    public Keyring Keys => keys;
    public BlockPool Blocks => blocks;
    public TimeProvider Time => time;
    public Principal Principal => principal!;

    /// <summary>Reads the body.</summary>
    public Task<T> BodyAsync<T>(JsonTypeInfo<T> type) where T : class => JsonBody.ReadAsync(http.Request, type, Limits.RequestBodyBytesMax);

    /// <summary>Reads a body of a route that takes more than others do.</summary>
    public Task<T> BodyAsync<T>(JsonTypeInfo<T> type, int bytesMax) where T : class
    {
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = bytesMax;
        return JsonBody.ReadAsync(http.Request, type, bytesMax);
    }

    /// <summary>The wallet in the path.</summary>
    public WalletId WalletInPath => ParseWallet((string)http.Request.RouteValues["wallet"]!, "wallet");

    /// <summary>The client-made id in the path.</summary>
    public OperationId IdInPath => ParseId((string)http.Request.RouteValues["id"]!);

    /// <summary>A whole number in the path; what is none names nothing.</summary>
    public long? NumberInPath(string name) => ParseNumber((string)http.Request.RouteValues[name]!);

    /// <summary>A whole number in the query, or null where it is not given.</summary>
    public long? NumberInQuery(string name)
    {
        var text = http.Request.Query[name];
        if (text.Count == 0) return null;
        return ParseNumber(text.ToString()) ?? throw new ProblemException(ProblemType.MalformedParameter, name);
    }

    /// <summary>A text in the query, or null where it is not given.</summary>
    public string? TextInQuery(string name) => http.Request.Query[name] is [{ } text] ? text : null;

    public static WalletId ParseWallet(string text, string member) =>
        WalletId.TryParse(text, out var wallet) ? wallet : throw new ProblemException(ProblemType.MalformedWallet, member);

    public static OperationId ParseId(string text, string member = "id") =>
        OperationId.TryParse(text, out var id) ? id : throw new ProblemException(ProblemType.MalformedId, member);

    /// <summary>Asks the ledger about the wallet in the path, if the caller may see it.</summary>
    public async Task<T> AskAsync<T>(Func<Ledger, Wallet, T> question)
    {
        var id = WalletInPath;
        var (wallet, answer) = await Partitions.HomeOf(id).QueryAsync(ledger =>
            ledger.FindWallet(id) is { } found && Principal.MaySee(found) ? ((Wallet?)found, question(ledger, found)) : (null, default!));
        return wallet is null ? throw new ProblemException(ProblemType.WalletNotFound) : answer;
    }

    /// <summary>Whether the wallet in the path is the operator's own.</summary>
    public Task<bool> IsOfOperatorsWalletAsync()
    {
        var id = WalletInPath;
        return Partitions.First.QueryAsync(ledger => ledger.OperatorWallet.Id == id);
    }

    /// <summary>A wallet as it is now, or null.</summary>
    public Task<Wallet?> FindAsync(WalletId wallet) => Partitions.HomeOf(wallet).QueryAsync(ledger => ledger.FindWallet(wallet));

    /// <summary>The refusal that an answer of the ledger is, or null when it was accepted.</summary>
    public Problem? Refusal(Answer answer) => Refusal(answer.Outcome, answer.Entry?.Sequence ?? 0, answer.Entry?.Time ?? default);

    /// <param name="sequence">Of the entry that remembers the refusal; 0 for none.</param>
    /// <param name="entryTime">Its time.</param>
    public Problem? Refusal(Outcome outcome, long sequence, UnixTime entryTime) => ProblemType.Of(outcome) is not { } type ? null : new Problem(type)
    {
        Sequence = sequence == 0 ? null : sequence,
        Time = sequence == 0 ? null : entryTime,
        ServerTime = type == ProblemType.IdTooOld || type == ProblemType.IdTooNew
            ? new UnixTime(time.GetUtcNow().ToUnixTimeMilliseconds())
            : null,
    };

    private static long? ParseNumber(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
