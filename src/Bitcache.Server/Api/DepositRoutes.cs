// Money in: addresses to pay to, and what was paid to them.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>A Bitcoin address that belongs to a wallet for ever.</summary>
public sealed record AddressReply(string Wallet, string Address, string Purpose, long Sequence);

/// <param name="Count">How many: at most 1,000.</param>
public sealed record AddressesRequest(string Id, uint Count);

/// <summary>Bitcoin addresses that belong to a wallet for ever.</summary>
/// <param name="Sequence">Of the entry that they share.</param>
public sealed record AddressesReply(string Wallet, IReadOnlyList<string> Addresses, string Purpose, long Sequence);

/// <summary>One output that pays an address of the wallet.</summary>
/// <param name="Output">As txid:index.</param>
/// <param name="State">seen, credited, frozen, reversed or final.</param>
/// <param name="Suspense">It is too small to be credited, or a coinbase, and kept apart.</param>
/// <param name="Assigned">The operator gave it to a wallet since: then its entry is in that wallet's history.</param>
/// <param name="Block">The block that holds it, or held it last; absent while it is seen and its block left the chain.</param>
/// <param name="Confirmations">While it is seen: how many it has, as far as the chain was looked at; absent before the first look.</param>
/// <param name="ConfirmationsNeeded">While it is seen: with how many it is booked.</param>
public sealed record DepositReply(
    string Output, string Address, long AmountSat, string State, bool Suspense, string? Block = null, long? Height = null,
    int? Confirmations = null, int? ConfirmationsNeeded = null, bool? Assigned = null)
{
    /// <param name="chainHeight">Up to where the chain was looked at; null if it was not yet.</param>
    public static DepositReply Of(Deposit deposit, EngineSettings settings, int? chainHeight)
    {
        var waits = deposit.State == DepositState.Seen;
        var isInBlock = deposit.Height > 0;
        return new DepositReply(
            deposit.OutPoint.ToString(), DepositRoutes.Text(deposit.Script, settings.Network), deposit.Amount.Value, NameOf(deposit.State),
            deposit.Suspense, isInBlock ? deposit.Block.ToString() : null, isInBlock ? deposit.Height : null,
            waits ? ConfirmationsOf(deposit, chainHeight) : null,
            waits ? settings.ConfirmationsFor(deposit.Amount, deposit.IsWaitingCoinbase) : null,
            deposit.Assigned is null ? null : true);
    }

    private static int? ConfirmationsOf(Deposit deposit, int? chainHeight)
    {
        if (deposit.Height == 0) return 0;
        // The block may be newer than the last look at the chain's height.
        return chainHeight is { } height ? (int)Math.Max(1, height - deposit.Height + 1) : null;
    }

    internal static string NameOf(DepositState state) => state switch
    {
        DepositState.Seen => "seen",
        DepositState.Credited => "credited",
        DepositState.Frozen => "frozen",
        DepositState.Reversed => "reversed",
        DepositState.Final => "final",
        DepositState.None => throw new InvalidOperationException("a deposit that is nothing"),
    };
}

internal static class DepositRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/wallets/{wallet}/addresses", Scopes.Pay, "Get an address for deposits", AssignAsync) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.AddressReply,
            AsksSettlement = true,
        },
        Route.Post("/v1/wallets/{wallet}/addresses:batch", Scopes.Pay, "Get many addresses for deposits, all or none", AssignManyAsync) with
        {
            Request = ApiJson.Default.AddressesRequest,
            Response = ApiJson.Default.AddressesReply,
            AsksSettlement = true,
        },
        Route.Get("/v1/wallets/{wallet}/addresses", Scopes.Read | Scopes.Audit, "A wallet's addresses, newest first", GetAddressesAsync) with
        {
            Response = ApiJson.Default.PageAddressReply,
            Query = Replies.Paging,
        },
        Route.Get("/v1/wallets/{wallet}/deposits", Scopes.Read | Scopes.Audit, "A wallet's deposits, newest first", GetDepositsAsync) with
        {
            Response = ApiJson.Default.PageDepositReply,
            Query = Replies.Paging,
            AsksSettlement = true,
        },
    ];

    private static async Task<IResult> AssignAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.IdRequest);
        return await AssignAsync(call, Call.ParseId(request.Id), call.WalletInPath, AddressPurpose.Deposit);
    }

    /// <summary>Gives an address to a wallet of the caller, and answers.</summary>
    public static async Task<IResult> AssignAsync(Call call, OperationId id, WalletId wallet, AddressPurpose purpose)
    {
        var answer = await call.Engine.AssignAddressAsync(id, wallet, call.Principal.Tenant, purpose, call.Http.RequestAborted);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var assigned = (AssignAddress)answer.Entry!.Command;
        var address = new DepositAddress(assigned.Wallet, assigned.Purpose, assigned.Script, answer.Entry.Sequence, assigned.Origin);
        return Replies.Done(answer, ToReply(address, call.Engine.Network), ApiJson.Default.AddressReply);
    }

    private static async Task<IResult> AssignManyAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.AddressesRequest);
        var id = Call.ParseId(request.Id);
        if (request.Count is < 1 or > Limits.AddressesAtOnceMax) throw new ProblemException(ProblemType.NumberOutOfRange, "count");
        var answer = await call.Engine.AssignAddressesAsync(
            id, call.WalletInPath, call.Principal.Tenant, AddressPurpose.Deposit, (int)request.Count, call.Http.RequestAborted);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var assigned = (AssignAddresses)answer.Entry!.Command;
        var reply = new AddressesReply(
            assigned.Wallet.ToString(), [.. assigned.Addresses.Select(a => Text(a.Script, call.Engine.Network))], NameOf(assigned.Purpose), answer.Entry.Sequence);
        return Replies.Done(answer, reply, ApiJson.Default.AddressesReply);
    }

    private static async Task<IResult> GetAddressesAsync(Call call)
    {
        var (before, limit) = (Replies.Before(call), Replies.Limit(call));
        var addresses = await call.AskAsync((ledger, wallet) => ledger.AddressesOf(wallet.Id, before, limit));
        return Replies.Json(Replies.Page(addresses, a => ToReply(a, call.Engine.Network)), ApiJson.Default.PageAddressReply);
    }

    private static async Task<IResult> GetDepositsAsync(Call call)
    {
        var (before, limit) = (Replies.Before(call), Replies.Limit(call));
        var deposits = await call.AskAsync((ledger, wallet) => ledger.DepositsOf(wallet.Id, before, limit));
        return Replies.Json(
            Replies.Page(deposits, d => DepositReply.Of(d, call.Engine.Settings, call.Engine.ChainHeight)), ApiJson.Default.PageDepositReply);
    }

    private static AddressReply ToReply(DepositAddress address, BitcoinNetwork network) => new(
        address.Wallet.ToString(), Text(address.Script, network), NameOf(address.Purpose), address.Sequence);

    /// <summary>Every script that we give away has an address.</summary>
    internal static string Text(ByteString script, BitcoinNetwork network) => BitcoinAddress.FromScript(script.Span, network)!;

    private static string NameOf(AddressPurpose purpose) => purpose switch
    {
        AddressPurpose.Deposit => "deposit",
        AddressPurpose.OperatorTopUp => "operator_top_up",
    };
}
