// Shapes that several routes answer with, and how a good answer is sent.

using System.Text.Json.Serialization.Metadata;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>The body of a request that needs nothing but an id.</summary>
public sealed record IdRequest(string Id);

/// <summary>A wallet and what is in it, in msat.</summary>
/// <param name="HeldMsat">Set aside for withdrawals on their way, and for holds with their fees.</param>
/// <param name="FrozenMsat">Deposits that left the chain and may come back.</param>
/// <param name="OwedMsat">Deposits that were spent and then left the chain for good: nothing leaves until this is repaid.</param>
/// <param name="OwedPendingMsat">Deposits that were spent and then left the chain, and may come back.</param>
/// <param name="FrozenBy">Who stopped what leaves the wallet: owner, operator or both; absent if nobody did.</param>
public sealed record WalletReply(
    string Wallet, long AvailableMsat, long HeldMsat, long FrozenMsat, long OwedMsat, long OwedPendingMsat, IReadOnlyList<string>? FrozenBy = null)
{
    /// <param name="id">The wallet's id as text, where it is there already.</param>
    public static WalletReply Of(in Wallet wallet, string? id = null) => new(
        id ?? wallet.Id.ToString(), wallet.Available.Value, wallet.Held.Value, wallet.Frozen.Value, wallet.Owed.Value, wallet.OwedPending.Value,
        wallet.IsFrozen ? WalletControlRoutes.NamesOf(wallet.Freezes) : null);
}

/// <summary>A part of a list, newest first.</summary>
/// <param name="Next">Give this as <c>before</c> to read on; absent at the end.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, long? Next = null);

internal static class Replies
{
    /// <summary>The parameters of every list.</summary>
    public static readonly string[] Paging = ["before", "limit"];

    public static IResult Json<T>(T body, JsonTypeInfo<T> type) => new JsonReply<T>(body, type, StatusCodes.Status200OK);

    /// <summary>201 for what was done now, 200 for what was done the first time this id came.</summary>
    public static IResult Done<T>(Answer answer, T body, JsonTypeInfo<T> type) => Done(answer.IsRetry, body, type);

    public static IResult Done<T>(bool isRetry, T body, JsonTypeInfo<T> type) =>
        new JsonReply<T>(body, type, isRetry ? StatusCodes.Status200OK : StatusCodes.Status201Created);

    public static int Limit(Call call) => call.NumberInQuery("limit") switch
    {
        null => PageDefault,
        >= 1 and <= Limits.HistoryPageMax and var limit => (int)limit,
        _ => throw new ProblemException(ProblemType.MalformedParameter, "limit"),
    };

    /// <summary>The place before which a page begins: an earlier page's <c>next</c>, or behind the newest.</summary>
    public static long Before(Call call) => call.NumberInQuery("before") ?? long.MaxValue;

    /// <summary>A page of a short list that only grows: what stands at a place stays there, so places can be named.</summary>
    public static Page<TReply> Page<T, TReply>(Call call, IReadOnlyList<T> oldestFirst, Func<T, TReply> reply)
    {
        var end = (int)Math.Min(Before(call), oldestFirst.Count);
        var first = Math.Max(end - Limit(call), 0);
        return new Page<TReply>([.. oldestFirst.Take(first..end).Reverse().Select(reply)], first == 0 ? null : first);
    }

    public static Page<TReply> Page<T, TReply>(RecordPage<T> page, Func<T, TReply> reply) => new([.. page.Items.Select(reply)], page.Next);

    private const int PageDefault = 50;
}
