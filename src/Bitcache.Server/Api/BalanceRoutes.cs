// What a wallet's owner needs to find it in the liabilities of an epoch, and to prove to anybody that it was promised.

using System.Globalization;
using System.Text;
using Bitcache.Core.Audit;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Key">The wallet's key in hex, the same for all epochs: keep it, and show it to nobody who may not see its balances.</param>
/// <param name="AccountNumber">What validators of the published file call the account.</param>
public sealed record LiabilityKeyReply(string Wallet, string Key, string AccountNumber);

/// <param name="ValueMsat">What the wallet was owed at the cut of the epoch.</param>
/// <param name="Height">Of the block by which the books were closed.</param>
/// <param name="TlogProof">The proof that a signed checkpoint covers the statement (c2sp.org/tlog-proof@v1), in base64.</param>
public sealed record BalanceProofReply(long Epoch, long ValueMsat, long Height, string Block, string TlogProof, IReadOnlyList<BalanceChunkReply> Chunks);

/// <summary>A part of a balance, in a leaf of its own; bytes in base64.</summary>
/// <param name="Leaf">The file that proves it: its SHA-256 is the leaf.</param>
/// <param name="OpenTimestamps">The .ots file that leads from it to a Bitcoin block, once an anchor over the statement is in one.</param>
public sealed record BalanceChunkReply(long ValueMsat, string Leaf, string? OpenTimestamps);

internal static class BalanceRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/wallets/{wallet}/liability-key", Scopes.Read | Scopes.Audit, "The key that opens a wallet's leaves in the liabilities of every epoch", GetKeyAsync) with
        {
            Response = ApiJson.Default.LiabilityKeyReply,
        },
        Route.Get("/v1/wallets/{wallet}/balances/{epoch}", Scopes.Read | Scopes.Audit, "What an epoch's statement owes a wallet, with its proofs", GetAsync) with
        {
            Response = ApiJson.Default.BalanceProofReply,
        },
    ];

    private static async Task<IResult> GetKeyAsync(Call call)
    {
        var wallet = await call.AskAsync((_, w) => w.Id);
        return Replies.Json(
            new LiabilityKeyReply(
                wallet.ToString(), call.Engine.LiabilityKeyOf(wallet).ToString(),
                LiabilitySeed.AccountNumber(wallet).ToString(CultureInfo.InvariantCulture)),
            ApiJson.Default.LiabilityKeyReply);
    }

    private static async Task<IResult> GetAsync(Call call)
    {
        var wallet = await call.AskAsync((_, w) => w.Id);
        if (await call.Engine.FindBalanceAsync(call.NumberInPath("epoch") ?? 0, wallet) is not { } stated) throw new ProblemException(ProblemType.EpochNotStated);
        return Replies.Json(
            new BalanceProofReply(
                stated.Statement.Epoch, stated.Chunks.Sum(c => c.Value.Value), stated.Statement.Height, stated.Statement.Block.ToString(),
                Convert.ToBase64String(Encoding.UTF8.GetBytes(stated.TlogProof)),
                [.. stated.Chunks.Select(c => new BalanceChunkReply(
                    c.Value.Value, Convert.ToBase64String(c.File), c.OpenTimestamps is null ? null : Convert.ToBase64String(c.OpenTimestamps)))]),
            ApiJson.Default.BalanceProofReply);
    }
}
