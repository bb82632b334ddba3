using System.Text.Json;
using System.Text.Json.Serialization;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Client;

/// <summary>The API's JSON as a client reads it: members that this version does not know yet are passed over.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IdRequest))]
[JsonSerializable(typeof(TransferRequest))]
[JsonSerializable(typeof(HoldRequest))]
[JsonSerializable(typeof(CaptureRequest))]
[JsonSerializable(typeof(ReleaseRequest))]
[JsonSerializable(typeof(RefundRequest))]
[JsonSerializable(typeof(SplitRequest))]
[JsonSerializable(typeof(LimitsRequest))]
[JsonSerializable(typeof(FeesRequest))]
[JsonSerializable(typeof(WithdrawalRequest))]
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
[JsonSerializable(typeof(AddressReply))]
[JsonSerializable(typeof(Page<DepositReply>))]
[JsonSerializable(typeof(WithdrawalReply))]
[JsonSerializable(typeof(Page<WithdrawalReply>))]
[JsonSerializable(typeof(WithdrawalQuoteReply))]
[JsonSerializable(typeof(EpochReply))]
[JsonSerializable(typeof(Page<EpochReply>))]
[JsonSerializable(typeof(OperatorReply))]
[JsonSerializable(typeof(ClockReply))]
[JsonSerializable(typeof(HealthReply))]
[JsonSerializable(typeof(HealthDetailsReply))]
internal sealed partial class ClientJson : JsonSerializerContext;
