using System.Text.Json;
using System.Text.Json.Serialization;
using Bitcache.Core;

namespace Bitcache.Server.Api;

/// <summary>Everything that the API reads or writes as JSON, compiled ahead. Strict: no member twice, none unknown,
/// none missing, no number in quotes, no null where none is meant.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    MaxDepth = Limits.RequestJsonDepthMax,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IdRequest))]
[JsonSerializable(typeof(TransferRequest))]
[JsonSerializable(typeof(HoldRequest))]
[JsonSerializable(typeof(CaptureRequest))]
[JsonSerializable(typeof(ReleaseRequest))]
[JsonSerializable(typeof(RefundRequest))]
[JsonSerializable(typeof(PaymentRequest))]
[JsonSerializable(typeof(SplitRequest))]
[JsonSerializable(typeof(LimitsRequest))]
[JsonSerializable(typeof(FeesRequest))]
[JsonSerializable(typeof(BatchLine))]
[JsonSerializable(typeof(WithdrawalRequest))]
[JsonSerializable(typeof(AssignmentRequest))]
[JsonSerializable(typeof(SettlementRequest))]
[JsonSerializable(typeof(ProblemBody))]
[JsonSerializable(typeof(WalletReply))]
[JsonSerializable(typeof(PaymentReply))]
[JsonSerializable(typeof(SplitReply))]
[JsonSerializable(typeof(HoldReply))]
[JsonSerializable(typeof(Page<HoldReply>))]
[JsonSerializable(typeof(FreezeReply))]
[JsonSerializable(typeof(LimitsReply))]
[JsonSerializable(typeof(FeesReply))]
[JsonSerializable(typeof(Page<FeesReply>))]
[JsonSerializable(typeof(ReceiptReply))]
[JsonSerializable(typeof(Page<HistoryReply>))]
[JsonSerializable(typeof(AddressesRequest))]
[JsonSerializable(typeof(AddressReply))]
[JsonSerializable(typeof(AddressesReply))]
[JsonSerializable(typeof(Page<AddressReply>))]
[JsonSerializable(typeof(Page<DepositReply>))]
[JsonSerializable(typeof(WithdrawalReply))]
[JsonSerializable(typeof(Page<WithdrawalReply>))]
[JsonSerializable(typeof(WithdrawalQuoteReply))]
[JsonSerializable(typeof(Page<SigningReply>))]
[JsonSerializable(typeof(SignedRequest))]
[JsonSerializable(typeof(SignedReply))]
[JsonSerializable(typeof(StopReply))]
[JsonSerializable(typeof(ApprovalsReply))]
[JsonSerializable(typeof(EpochReply))]
[JsonSerializable(typeof(Page<EpochReply>))]
[JsonSerializable(typeof(OperatorReply))]
[JsonSerializable(typeof(ClockReply))]
[JsonSerializable(typeof(Page<SuspenseReply>))]
[JsonSerializable(typeof(AssignmentReply))]
[JsonSerializable(typeof(RescanRequest))]
[JsonSerializable(typeof(RescanReply))]
[JsonSerializable(typeof(Page<FrozenReply>))]
[JsonSerializable(typeof(SettlementReply))]
[JsonSerializable(typeof(HealthReply))]
[JsonSerializable(typeof(HealthDetailsReply))]
internal sealed partial class ApiJson : JsonSerializerContext;
