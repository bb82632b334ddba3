// Every way in which the API says no. The codes are for programs and never change their meaning; the titles are for
// people. docs/errors.md says of each what to do, and a test holds that page against this list.

using System.Reflection;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Server.Api;

/// <param name="RetryAfter">Seconds after which the same request, with the same id, may be sent again; 0 where that is of no use.</param>
public sealed record ProblemType(string Code, int Status, string Title, int RetryAfter = 0)
{
    // The request's shape. Nothing was looked up, nothing is remembered.
    public static readonly ProblemType MalformedRequest = new("malformed_request", 400, "The request is not well-formed HTTP.");
    public static readonly ProblemType MalformedJson = new("malformed_json", 400, "The body is not well-formed JSON.");
    public static readonly ProblemType UnknownMember = new("unknown_member", 400, "The body has a member that this request does not know.");
    public static readonly ProblemType DuplicateMember = new("duplicate_member", 400, "The body has a member twice.");
    public static readonly ProblemType MissingMember = new("missing_member", 400, "The body lacks a member.");
    public static readonly ProblemType WrongType = new("wrong_type", 400, "A member has a value of the wrong JSON type.");
    public static readonly ProblemType NotAnInteger = new("not_an_integer", 400, "A number must be written as an integer, without point or exponent.");
    public static readonly ProblemType NumberOutOfRange = new("number_out_of_range", 400, "A number lies outside its range.");
    public static readonly ProblemType AmountOutOfRange = new("amount_out_of_range", 400, "An amount must be at least 1 and at most all bitcoin there will ever be.");
    public static readonly ProblemType PartsOutOfRange = new("parts_out_of_range", 400, "A split has at least 1 part and at most 64.");
    public static readonly ProblemType AmountOrMax = new("amount_or_max", 400, "Exactly one of amountSat and \"max\": true must be given.");
    public static readonly ProblemType MalformedId = new("malformed_id", 400, "An id must be a UUID of version 7 in its form of 36 characters.");
    public static readonly ProblemType MalformedWallet = new("malformed_wallet", 400, "A wallet's name is mistyped: its check characters do not match.");
    public static readonly ProblemType MalformedReference = new("malformed_reference", 400, "A reference must be at most 64 bytes of UTF-8, without control characters and others that are not seen.");
    public static readonly ProblemType MalformedTime = new("malformed_time", 400, "A time must be ISO 8601 in UTC, in whole seconds or milliseconds: 2026-11-21T08:00:00.000Z.");
    public static readonly ProblemType UnknownKind = new("unknown_kind", 400, "There is no such kind of payment.");
    public static readonly ProblemType MalformedAddress = new("malformed_address", 400, "This is no Bitcoin address.");
    public static readonly ProblemType AddressOfOtherNetwork = new("address_of_other_network", 400, "The address belongs to another Bitcoin network.");
    public static readonly ProblemType UnsupportedAddress = new("unsupported_address", 400, "The address is of a kind that Bitcoin has no rules for yet: anybody could take coins sent there.");
    public static readonly ProblemType MalformedPsbt = new("malformed_psbt", 400, "This is no PSBT in base64 (BIP-174).");
    public static readonly ProblemType SignaturesMissing = new("signatures_missing", 400, "The PSBT is not signed completely, or signatures in it do not fit.");
    public static readonly ProblemType SignatureFalse = new("signature_false", 400, "A signature in the PSBT is not one of its coin's key over the whole transaction.");
    public static readonly ProblemType OtherTransaction = new("other_transaction", 400, "The PSBT holds another transaction than the one that was handed out.");
    public static readonly ProblemType UnknownParameter = new("unknown_parameter", 400, "The query has a parameter that this route does not know, or one twice.");
    public static readonly ProblemType MalformedParameter = new("malformed_parameter", 400, "A parameter of the query cannot be read, or lies outside its range.");

    // Who asks.
    public static readonly ProblemType KeyMissing = new("key_missing", 401, "The request carries no API key, or more than one.");
    public static readonly ProblemType KeyMalformed = new("key_malformed", 401, "The API key is mistyped or cut off: its check characters do not match.");
    public static readonly ProblemType KeyOfOtherNetwork = new("key_of_other_network", 401, "The API key is of another network: bck_live_ is for mainnet, bck_test_ for all others.");
    public static readonly ProblemType KeyUnknown = new("key_unknown", 401, "This server does not know the API key.");
    public static readonly ProblemType KeyRevoked = new("key_revoked", 401, "The API key was revoked.");
    public static readonly ProblemType KeyExpired = new("key_expired", 401, "The API key has expired.");
    public static readonly ProblemType ScopeMissing = new("scope_missing", 403, "The API key lacks the scope that this request needs.");

    // What is named.
    public static readonly ProblemType RouteNotFound = new("route_not_found", 404, "There is nothing at this path.");
    public static readonly ProblemType WalletNotFound = new("wallet_not_found", 404, "The wallet does not exist, or belongs to somebody else.");
    public static readonly ProblemType TransferNotFound = new("transfer_not_found", 404, "This wallet is the payer of no payment under this id.");
    public static readonly ProblemType SplitNotFound = new("split_not_found", 404, "This wallet paid no split under this id.");
    public static readonly ProblemType HoldUnknown = new("hold_unknown", 404, "This wallet is the payer of no hold under this id.");
    public static readonly ProblemType WithdrawalNotFound = new("withdrawal_not_found", 404, "This wallet asked for no withdrawal under this id.");
    public static readonly ProblemType EpochNotFound = new("epoch_not_found", 404, "This epoch is not closed yet.");
    public static readonly ProblemType TileNotFound = new("tile_not_found", 404, "There is no such tile or bundle: this is none of their paths, or the newest checkpoint does not cover it.");
    public static readonly ProblemType EpochNotStated = new("epoch_not_stated", 404, "Nothing is stated about this epoch: it is not closed, its books are being closed, or they could not be.");
    public static readonly ProblemType EpochFileNotFound = new("epoch_file_not_found", 404, "There is no such file: nothing is stated about the epoch, it is none of the published names, or it comes later, as what its anchor gives does.");
    public static readonly ProblemType SigningNotFound = new("signing_not_found", 404, "No transaction with this txid waits for its signer.");
    public static readonly ProblemType MethodNotAllowed = new("method_not_allowed", 405, "The path exists, but not for this method.");
    public static readonly ProblemType RequestTimeout = new("request_timeout", 408, "The request took too long to arrive.", 1);
    public static readonly ProblemType BodyTooLarge = new("body_too_large", 413, "The body has more than this route takes: 64 KiB, of a signed transaction 1 MiB, of a signed proof of reserves 30 MiB, of a batch 4 MiB, of one of its lines 64 KiB.");
    public static readonly ProblemType MalformedBatch = new("malformed_batch", 400, "The body does not end with a whole record. None of them was looked at.");
    public static readonly ProblemType MalformedPayment = new("malformed_payment", 400, "The record cannot be read as a payment.");
    public static readonly ProblemType BatchTooLarge = new("batch_too_large", 413, "A batch has at most 8,192 payments. None of them was looked at.");
    public static readonly ProblemType UnsupportedContentType = new("unsupported_content_type", 415, "The body must be sent as the content type that this route takes, in UTF-8 if it is JSON, and without compression.");

    // The id.
    public static readonly ProblemType IdReused = new("id_reused", 422, "The id was used before, for something else.");
    public static readonly ProblemType IdInFlight = new("id_in_flight", 409, "The first request under this id is not answered yet.", 1);
    public static readonly ProblemType IdTooOld = new("id_too_old", 422, "The id was made too long ago.");
    public static readonly ProblemType IdTooNew = new("id_too_new", 422, "The id's time lies in the future.");

    // The ledger's rules.
    public static readonly ProblemType SelfTransfer = new("self_transfer", 422, "Payer and payee are the same wallet.");
    public static readonly ProblemType AnchorAddress = new("anchor_address", 422, "The address is the ledger's own anchor address: nothing but anchors may pay it.");
    public static readonly ProblemType OwnChangeAddress = new("own_change_address", 422, "The address is the operator's own, for change: nobody's wallet would be paid.");
    public static readonly ProblemType DeadlineOutOfRange = new("deadline_out_of_range", 422, "A withdrawal's deadline must lie ahead, and by a year at most.");
    public static readonly ProblemType FeeAboveMax = new("fee_above_max", 422, "The withdrawal's share of mining costs more now than feeMaxSat.");
    public static readonly ProblemType BelowDust = new("amount_below_dust", 422, "Bitcoin nodes do not relay an output as small as this.");
    public static readonly ProblemType PayeeNotFound = new("payee_not_found", 422, "There is no such payee.");
    public static readonly ProblemType InsufficientFunds = new("insufficient_funds", 422, "The wallet has less available than this needs.");
    public static readonly ProblemType WalletOwes = new("wallet_owes", 422, "A deposit of this wallet was taken back after it was spent: nothing leaves until that is settled.");
    public static readonly ProblemType WalletFrozen = new("wallet_frozen", 422, "The wallet is frozen: nothing leaves it until it is unfrozen.");
    public static readonly ProblemType LimitExceeded = new("limit_exceeded", 422, "This is more than a spending limit of the wallet leaves.");
    public static readonly ProblemType PayeeTwice = new("payee_twice", 422, "A split names each payee once.");
    public static readonly ProblemType ExpiryOutOfRange = new("expiry_out_of_range", 422, "A hold must expire in the future, at most 31 days ahead.");
    public static readonly ProblemType OriginalNotFound = new("original_not_found", 422, "The wallet that is to refund was paid nothing under this id by the wallet that is to receive.");
    public static readonly ProblemType TooManyLookUps = new("too_many_look_ups", 503, "The batch has more than 64 refunds of payments of more than a day ago. This one was not looked up: send it in another batch.", 1);
    public static readonly ProblemType TenantNotFound = new("tenant_not_found", 422, "There is no tenant of this name.");
    public static readonly ProblemType HoldNotFound = new("hold_not_found", 422, "There is no such open hold between these wallets.");
    public static readonly ProblemType PayeeOnly = new("payee_only", 422, "Only the payee's owner may release a hold before it expires.");
    public static readonly ProblemType HoldExceeded = new("hold_exceeded", 422, "This is more than is left of the hold.");
    public static readonly ProblemType TooManyHolds = new("too_many_holds", 422, "The payer has 10,000 open holds, which is all that a wallet may have.");
    public static readonly ProblemType TooManyWithdrawals = new("too_many_withdrawals", 422, "The wallet has 10,000 withdrawals under way, which is all that a wallet may have.");
    public static readonly ProblemType TooManyAddresses = new("too_many_addresses", 422, "The wallet has 10,000 addresses, which is all that a wallet may have.");
    public static readonly ProblemType RefundExceeds = new("refund_exceeds", 422, "With what was refunded before, this is more than the original payment moved.");
    public static readonly ProblemType WithdrawalNotQueued = new("withdrawal_not_queued", 409, "The withdrawal does not wait any more: a transaction is made of it, it has left, or it is over.");
    public static readonly ProblemType WithdrawalsStopped = new("withdrawals_stopped", 409, "The operator has stopped withdrawals: no transaction that pays one is taken back from its signer.");
    public static readonly ProblemType SettlementStopped = new("settlement_stopped", 409, "The operator's settlement with Bitcoin has ended: nothing is withdrawn to the chain any more.");
    public static readonly ProblemType SecondPersonNeeded = new("second_person_needed", 409, "Whoever asked for a withdrawal cannot approve it: that takes another key.");
    public static readonly ProblemType WithdrawalNotAwaiting = new("withdrawal_not_awaiting", 409, "The withdrawal does not wait for approval: it is decided or cancelled, or never needed one.");
    public static readonly ProblemType SuspenseNotFound = new("suspense_not_found", 404, "No such output is in suspense: it was credited, taken back or assigned, or there is none.");
    public static readonly ProblemType SuspenseNotFinal = new("suspense_not_final", 409, "A reorganisation can still take this output back. Assign it when it is final.");
    public static readonly ProblemType FrozenNotFound = new("frozen_not_found", 404, "No such deposit is frozen: the chain or the operator has decided, or there is none.");
    public static readonly ProblemType DepositNotCredited = new("deposit_not_credited", 409, "The deposit was never credited: only the chain can bring that about.");
    public static readonly ProblemType ReceiptNotReady = new("receipt_not_ready", 409, "No signed checkpoint covers this entry yet.", 1);
    public static readonly ProblemType TooManyKeys = new("too_many_keys", 409, "The log had 1,000 checkpoint keys, and more it cannot have.");
    public static readonly ProblemType TooManyCoins = new("too_many_coins", 409, "The epoch has more than 90,000 coins, and no transaction can spend so many.");
    public static readonly ProblemType ClockBehind = new("clock_behind", 409, "The server's clock is more than a minute behind the ledger's time, which never runs backwards.");
    public static readonly ProblemType NothingToProve = new("transfer_refused", 409, "The transfer was refused: there is no receipt for it.");

    // The server's state. Nothing was applied, except where it says so.
    public static readonly ProblemType InternalError = new("internal_error", 500, "The server failed at this request. Sending it again with the same id is safe.");
    public static readonly ProblemType OutcomeUnknown = new("outcome_unknown", 503, "Whether this was done is not known. Sending it again with the same id is safe and tells.", 1);
    public static readonly ProblemType Busy = new("busy", 503, "The server has too much to do. This request changed nothing; an earlier one with its id may have.", 1);
    public static readonly ProblemType Stopping = new("stopping", 503, "The server is shutting down. This request changed nothing; an earlier one with its id may have.", 5);
    public static readonly ProblemType CheckpointNotReady = new("checkpoint_not_ready", 503, "No checkpoint has been signed yet.", 1);
    public static readonly ProblemType NodeUnavailable = new("node_unavailable", 503, "The Bitcoin node cannot be used now. Nothing was done.", 5);
    public static readonly ProblemType KeysUnavailable = new("keys_unavailable", 503, "The server cannot read its keys: its operator must act.", 5);
    public static readonly ProblemType StorageFull = new("storage_full", 507, "The server has no room for new entries: this one was not made. Reading goes on, and a retry of an earlier request is still told what came of it.", 30);

    /// <summary>All of them, by code.</summary>
    public static IReadOnlyList<ProblemType> All { get; } =
        [.. typeof(ProblemType).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => f.GetValue(null)).OfType<ProblemType>()];

    /// <summary>How the API answers an outcome; null for the one that is no refusal.</summary>
    public static ProblemType? Of(Outcome outcome) => outcome switch
    {
        Outcome.Accepted => null,
        Outcome.IdReused => IdReused,
        Outcome.IdInFlight => IdInFlight,
        Outcome.IdBelowFloor => IdTooOld,
        Outcome.IdAhead => IdTooNew,
        Outcome.AmountZero => AmountOutOfRange,
        Outcome.Malformed => MalformedPayment,
        Outcome.SelfTransfer => SelfTransfer,
        Outcome.BelowDust => BelowDust,
        Outcome.AnchorAddress => AnchorAddress,
        Outcome.WalletNotFound => WalletNotFound,
        Outcome.PayeeNotFound => PayeeNotFound,
        Outcome.InsufficientFunds => InsufficientFunds,
        Outcome.WalletOwes => WalletOwes,
        Outcome.WalletFrozen => WalletFrozen,
        Outcome.LimitExceeded => LimitExceeded,
        Outcome.PayeeTwice => PayeeTwice,
        Outcome.ExpiryOutOfRange => ExpiryOutOfRange,
        Outcome.HoldNotFound => HoldNotFound,
        Outcome.WithdrawalNotFound => WithdrawalNotFound,
        Outcome.WithdrawalNotQueued => WithdrawalNotQueued,
        Outcome.FeeAboveMax => FeeAboveMax,
        Outcome.DeadlineOutOfRange => DeadlineOutOfRange,
        Outcome.SettlementStopped => SettlementStopped,
        Outcome.SecondPersonNeeded => SecondPersonNeeded,
        Outcome.WithdrawalNotAwaiting => WithdrawalNotAwaiting,
        Outcome.SuspenseNotFound => SuspenseNotFound,
        Outcome.SuspenseNotFinal => SuspenseNotFinal,
        Outcome.FrozenNotFound => FrozenNotFound,
        Outcome.DepositNotCredited => DepositNotCredited,
        Outcome.PayeeOnly => PayeeOnly,
        Outcome.OriginalNotFound => OriginalNotFound,
        Outcome.LookUpsExceeded => TooManyLookUps,
        Outcome.HoldExceeded => HoldExceeded,
        Outcome.RefundExceeds => RefundExceeds,
        Outcome.TooManyHolds => TooManyHolds,
        Outcome.TooManyKeys => TooManyKeys,
        Outcome.TooManyWithdrawals => TooManyWithdrawals,
        Outcome.TooManyAddresses => TooManyAddresses,
        // The node gave an address twice; the next one is another.
        Outcome.AddressTaken => NodeUnavailable,
        // No client's command comes to one of these.
        Outcome.None or Outcome.Known or Outcome.Unchanged or Outcome.OperatorFundsLow or Outcome.AnchorPending
            or Outcome.WithdrawalsStopped or Outcome.TermOver => InternalError,
    };

    public static ProblemType Of(Unavailable reason) => reason switch
    {
        Unavailable.Busy => Busy,
        Unavailable.StorageFull => StorageFull,
        Unavailable.Stopping => Stopping,
    };
}
