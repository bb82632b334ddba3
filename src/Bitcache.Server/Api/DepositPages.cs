// Lists of deposits of all wallets, which lie in several partitions, and the one that a path names.

using Bitcache.Core;

namespace Bitcache.Server.Api;

internal static class DepositPages
{
    // A place in a list is a partition and a place among its outputs.
    private const int PlaceBits = 32;

    /// <summary>The page that a request asks for, newest first within a partition; one that is not full may have a next one.</summary>
    /// <param name="read">Reads of one ledger, before a place and at most so many.</param>
    public static async Task<RecordPage<Deposit>> ReadAsync(Call call, Func<Ledger, long, int, RecordPage<Deposit>> read)
    {
        var (before, limit) = (Replies.Before(call), Replies.Limit(call));
        var items = new List<Deposit>();
        var place = before & ((1L << PlaceBits) - 1);
        long? next = null;
        for (var number = (int)Math.Min(before >> PlaceBits, call.Partitions.Count - 1); number >= 0; number--)
        {
            var end = number == before >> PlaceBits ? place : long.MaxValue;
            var page = await call.Partitions[number].QueryAsync(ledger => read(ledger, end, limit - items.Count));
            items.AddRange(page.Items);
            next = page.Next is { } left ? ((long)number << PlaceBits) | left : number > 0 ? (long)number << PlaceBits : null;
            if (items.Count == limit) break;
        }
        return new RecordPage<Deposit>(items, next);
    }

    /// <summary>The output in the path; what is no output is in no list.</summary>
    public static OutPoint OutputInPath(Call call, ProblemType absent) =>
        Txid.TryParse((string)call.Http.Request.RouteValues["txid"]!, out var txid) && call.NumberInPath("vout") is { } index and <= uint.MaxValue
            ? new OutPoint(txid, (uint)index)
            : throw new ProblemException(absent);
}
