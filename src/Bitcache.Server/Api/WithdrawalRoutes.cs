using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="AmountSat">Whole satoshis to send; or else <paramref name="Max"/>.</param>
/// <param name="Max">True: send all whole satoshis that are available.</param>
/// <param name="FeeMaxSat">Refuse rather than hold more than this for mining.</param>
/// <param name="Deadline">When the money goes back if no transaction that pays it was signed, or handed to its signer, by then.</param>
public sealed record WithdrawalRequest(
    string Id, string Address, long? AmountSat = null, bool? Max = null, long? FeeMaxSat = null, string? Deadline = null);

/// <summary>What a withdrawal would cost.</summary>
/// <param name="AmountSat">What was named; otherwise what <c>max</c> would send now.</param>
/// <param name="FeeSat">What would be held for its share of mining, and the most that it would be charged.</param>
/// <param name="ValidUntil">Until when a withdrawal that is asked for is not held to more.</param>
public sealed record WithdrawalQuoteReply(string Address, long AmountSat, long FeeSat, string ValidUntil);

/// <param name="State">awaiting_approval, queued, building, broadcast, confirmed, final, settled_inside, cancelled, expired or declined.</param>
/// <param name="FeeQuotedSat">What was held for its share of mining on top of the amount: the most that it is charged.</param>
/// <param name="FeeChargedSat">What it was charged of that, once its transaction is final; the rest went back.</param>
/// <param name="Txid">The transaction that pays it; rely on it once it is confirmed.</param>
/// <param name="Block">The block that holds the transaction.</param>
public sealed record WithdrawalReply(
    string Id, string Wallet, string Address, long AmountSat, string State, long Sequence, string Time,
    string? Txid = null, string? Block = null, long? Height = null, long? FeeQuotedSat = null, long? FeeChargedSat = null, string? Deadline = null);

internal static class WithdrawalRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/wallets/{wallet}/withdrawals", Scopes.Withdraw, "Send money to a Bitcoin address", RequestAsync) with
        {
            Request = ApiJson.Default.WithdrawalRequest,
            Response = ApiJson.Default.WithdrawalReply,
            AsksSettlement = true,
        },
        Route.Get("/v1/wallets/{wallet}/withdrawals", Scopes.Read | Scopes.Audit, "A wallet's withdrawals, newest first", ListAsync) with
        {
            Response = ApiJson.Default.PageWithdrawalReply,
            Query = Replies.Paging,
        },
        Route.Get("/v1/wallets/{wallet}/withdrawals:quote", Scopes.Read | Scopes.Withdraw, "What a withdrawal would cost now", QuoteAsync) with
        {
            Response = ApiJson.Default.WithdrawalQuoteReply,
            Query = ["amountSat"],
            TextQuery = ["address"],
            AsksSettlement = true,
        },
        Route.Get("/v1/wallets/{wallet}/withdrawals/{id}", Scopes.Read | Scopes.Audit, "A withdrawal", GetAsync) with
        {
            Response = ApiJson.Default.WithdrawalReply,
        },
        Route.Post("/v1/wallets/{wallet}/withdrawals/{id}/cancel", Scopes.Withdraw, "Take back a withdrawal that still waits", CancelAsync) with
        {
            Response = ApiJson.Default.WithdrawalReply,
        },
    ];

    /// <summary>A withdrawal and the family that pays it, seen at one moment.</summary>
    internal sealed record Standing(Withdrawal Withdrawal, Family? Family);

    private static async Task<IResult> RequestAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.WithdrawalRequest);
        var (amount, max) = (request.AmountSat, request.Max) switch
        {
            (null, true) => (Sats.Zero, true),
            ({ } sat, null) => (ParseAmount(sat), false),
            _ => throw new ProblemException(ProblemType.AmountOrMax),
        };
        var (id, script) = (Call.ParseId(request.Id), ParseAddress(request.Address, call.Engine.Network));
        var command = new RequestWithdrawal(id, call.WalletInPath, script, amount, max)
        {
            Fee = call.Engine.WithdrawalFees.Charge(script),
            FeeMax = request.FeeMaxSat is { } feeMax ? ParseFee(feeMax) : null,
            Deadline = request.Deadline is { } deadline ? PaymentRequests.ParseTime(deadline, "deadline") : null,
            ApprovalFrom = call.Engine.Settings.ApprovalFromSat is { } from ? new Sats(from) : null,
            AskedBy = BrakeRoutes.NameOf(call.Principal),
        };
        if (await PaysOurselvesAsync(call, command)) throw new ProblemException(ProblemType.OwnChangeAddress, "address");
        if (await WouldWaitForEverAsync(call, command)) throw new ProblemException(ProblemType.SettlementStopped);
        var answer = await call.Partitions.SubmitAsync(command, call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        // The first answer needs no second question, which could fail when the withdrawal is already durable.
        var standing = answer.IsRetry ? await FindAgainAsync(call, command) : new Standing(First(answer.Entry!), Family: null);
        return Replies.Done(answer, ToReply(standing!, call.Engine.Network), ApiJson.Default.WithdrawalReply);
    }

    private static async Task<Standing?> FindAgainAsync(Call call, RequestWithdrawal command)
    {
        try
        {
            return await call.AskAsync((ledger, wallet) => Find(ledger, new WithdrawalKey(wallet.Id, command.Id)));
        }
        catch (PartitionUnavailableException e)
        {
            // It may be this request that asked for it: a silo asks again for what nobody answered.
            throw new OutcomeUnknownException(e);
        }
    }

    /// <summary>Whether a new withdrawal would pay the hot wallet itself, whose change everybody can see in its transactions: the
    /// money would be nobody's then.</summary>
    private static async Task<bool> PaysOurselvesAsync(Call call, RequestWithdrawal command)
    {
        return (await call.Partitions.QueryAllAsync(ledger => ledger.IsOwnChange(command.Script))).Contains(true) && await IsNewAsync(call, command);
    }

    /// <summary>Whether a new withdrawal would leave for the chain after settlement has ended for good: its money would be held until
    /// somebody cancels it. One to an address of ours is settled inside as before.</summary>
    private static async Task<bool> WouldWaitForEverAsync(Call call, RequestWithdrawal command)
    {
        if (await call.Partitions.First.QueryAsync(ledger => ledger.SettlementStop is null)) return false;
        return !(await call.Partitions.QueryAllAsync(ledger => ledger.FindAddress(command.Script) is not null)).Contains(true) && await IsNewAsync(call, command);
    }

    /// <summary>A retry of what was accepted is told what became of it.</summary>
    private static async Task<bool> IsNewAsync(Call call, RequestWithdrawal command)
    {
        var key = new WithdrawalKey(command.Wallet, command.Id);
        return await call.Partitions.HomeOf(command.Wallet).QueryAsync(ledger => ledger.FindWithdrawal(key)) is null;
    }

    /// <summary>The same for every address of a kind, also for one of ours: whose it is, is nobody else's affair.</summary>
    private static async Task<IResult> QuoteAsync(Call call)
    {
        var text = call.TextInQuery("address") ?? throw new ProblemException(ProblemType.MalformedParameter, "address");
        var fee = call.Engine.WithdrawalFees.Quote(ParseAddress(text, call.Engine.Network));
        var available = (await call.AskAsync((_, wallet) => wallet.Available)).RoundDownToSats();
        var most = available > fee ? available - fee : Sats.Zero;
        var amount = call.NumberInQuery("amountSat") is { } sat ? ParseAmount(sat) : most;
        var validUntil = new UnixTime((call.Time.GetUtcNow() + WithdrawalFees.QuoteValidity).ToUnixTimeMilliseconds());
        return Replies.Json(new WithdrawalQuoteReply(text, amount.Value, fee.Value, validUntil.ToString()), ApiJson.Default.WithdrawalQuoteReply);
    }

    private static async Task<IResult> GetAsync(Call call)
    {
        var id = call.IdInPath;
        var standing = await call.AskAsync((ledger, wallet) => Find(ledger, new WithdrawalKey(wallet.Id, id)))
            ?? throw new ProblemException(ProblemType.WithdrawalNotFound);
        return Replies.Json(ToReply(standing, call.Engine.Network), ApiJson.Default.WithdrawalReply);
    }

    private static async Task<IResult> CancelAsync(Call call)
    {
        var id = call.IdInPath;
        // Asked before: once it is cancelled no question may fail, and what it was never changes.
        var found = await call.AskAsync((ledger, wallet) => ledger.FindWithdrawal(new WithdrawalKey(wallet.Id, id)))
            ?? throw new ProblemException(ProblemType.WithdrawalNotFound);
        var answer = await call.Partitions.SubmitAsync(new CancelWithdrawal(id, found.Key.Wallet), call.Principal.Tenant);
        if (answer.Outcome != Outcome.Unchanged && call.Refusal(answer) is { } refusal) return refusal;
        var cancelled = new Standing(found with { State = WithdrawalState.Cancelled, Family = 0 }, Family: null);
        return Replies.Json(ToReply(cancelled, call.Engine.Network), ApiJson.Default.WithdrawalReply);
    }

    private static async Task<IResult> ListAsync(Call call)
    {
        var (before, limit) = (Replies.Before(call), Replies.Limit(call));
        var (standings, next) = await call.AskAsync((ledger, wallet) =>
        {
            var page = ledger.WithdrawalsOf(wallet.Id, before, limit);
            return (page.Items.Select(w => new Standing(w, FamilyOf(ledger, w))).ToArray(), page.Next);
        });
        return Replies.Json(
            new Page<WithdrawalReply>([.. standings.Select(s => ToReply(s, call.Engine.Network))], next), ApiJson.Default.PageWithdrawalReply);
    }

    /// <summary>A withdrawal as it stands right after its entry.</summary>
    private static Withdrawal First(Entry entry)
    {
        var command = (RequestWithdrawal)entry.Command;
        var state = entry.Type == EntryType.WithdrawalSettledInside ? WithdrawalState.SettledInside
            : command.ApprovalFrom is null ? WithdrawalState.Queued : WithdrawalState.AwaitingApproval;
        return new Withdrawal(
            new WithdrawalKey(command.Wallet, command.Id), command.Script, command.Amount, entry.Time, entry.Sequence, state, Family: 0, entry.Payee)
        {
            Fee = command.Fee,
            Deadline = command.Deadline,
        };
    }

    internal static Standing? Find(Ledger ledger, WithdrawalKey key) =>
        ledger.FindWithdrawal(key) is { } withdrawal ? new Standing(withdrawal, FamilyOf(ledger, withdrawal)) : null;

    private static Family? FamilyOf(Ledger ledger, Withdrawal withdrawal) =>
        withdrawal.Family == 0 ? null : ledger.FindFamily(withdrawal.Family);

    /// <summary>One that no family holds.</summary>
    internal static WithdrawalReply ToReply(Withdrawal withdrawal, BitcoinNetwork network) => ToReply(new Standing(withdrawal, Family: null), network);

    internal static WithdrawalReply ToReply(Standing standing, BitcoinNetwork network)
    {
        var (withdrawal, family) = standing;
        var confirmed = family?.Confirmation;
        // Attempts are numbered from 1; the newest replaces the ones before it until one of them confirms.
        var number = confirmed?.Attempt ?? family?.Attempts.Count ?? 0;
        var attempt = number == 0 ? null : family!.Attempts[number - 1];
        return new WithdrawalReply(
            withdrawal.Key.Id.ToString(), withdrawal.Key.Wallet.ToString(), BitcoinAddress.FromScript(withdrawal.Script.Span, network)!,
            withdrawal.Amount.Value, StateOf(withdrawal, family), withdrawal.Sequence, withdrawal.Requested.ToString(),
            attempt?.Txid.ToString(), confirmed?.Block.ToString(), confirmed?.Height,
            withdrawal.Fee > Sats.Zero ? withdrawal.Fee.Value : null,
            withdrawal.State is (WithdrawalState.Sent or WithdrawalState.Paid) && withdrawal.Fee > Sats.Zero ? withdrawal.Charge.Value : null,
            withdrawal.Deadline?.ToString());
    }

    private static string StateOf(Withdrawal withdrawal, Family? family) => withdrawal.State switch
    {
        WithdrawalState.Queued => "queued",
        WithdrawalState.InFamily => family!.State switch
        {
            FamilyState.Opened => "building",
            FamilyState.Signed => "broadcast",
            FamilyState.Confirmed => "confirmed",
            FamilyState.None or FamilyState.Final or FamilyState.Abandoned or FamilyState.Dead =>
                throw new InvalidOperationException($"a withdrawal in a family that is {family.State}"),
        },
        WithdrawalState.Paid or WithdrawalState.Sent => "final",
        WithdrawalState.SettledInside => "settled_inside",
        WithdrawalState.Cancelled => "cancelled",
        WithdrawalState.Expired => "expired",
        WithdrawalState.AwaitingApproval => "awaiting_approval",
        WithdrawalState.Declined => "declined",
        WithdrawalState.None => throw new InvalidOperationException("a withdrawal that is nothing"),
    };

    private static Sats ParseAmount(long amount) => amount is >= 1 and <= Limits.SupplySatMax
        ? new Sats(amount)
        : throw new ProblemException(ProblemType.AmountOutOfRange, "amountSat");

    private static Sats ParseFee(long fee) => fee is >= 0 and <= Limits.SupplySatMax
        ? new Sats(fee)
        : throw new ProblemException(ProblemType.NumberOutOfRange, "feeMaxSat");

    private static ByteString ParseAddress(string text, BitcoinNetwork network)
    {
        if (BitcoinAddress.TryParse(text, network, out var script, out var refusal)) return new ByteString(script);
        throw new ProblemException(
            refusal switch
            {
                AddressRefusal.OtherNetwork => ProblemType.AddressOfOtherNetwork,
                AddressRefusal.UnsupportedWitnessVersion => ProblemType.UnsupportedAddress,
                AddressRefusal.Malformed or AddressRefusal.None => ProblemType.MalformedAddress,
            },
            "address");
    }
}
