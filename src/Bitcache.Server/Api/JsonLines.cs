// The JSON form of a batch: one payment a line, as the route of its kind takes it, with its kind beside it; one answer
// a line, in the same order.

using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Server.Api;

/// <param name="Outcome"><c>accepted</c>, or the code of the problem for which the payment was refused.</param>
/// <param name="Sequence">Of the entry; absent where nothing was journaled.</param>
/// <param name="PayeeAvailableMsat">Absent where the payee belongs to somebody else.</param>
/// <param name="AmountMsat">What was moved, held or given back; absent where nothing was.</param>
/// <param name="FeeMsat">What the payer paid on top; absent where there is no fee, or the payer belongs to somebody else.</param>
/// <param name="Member">The member that the problem is about.</param>
public sealed record BatchLine(
    string Outcome, long? Sequence, long? PayerAvailableMsat, long? PayeeAvailableMsat, long? AmountMsat, long? FeeMsat, string? Member);

internal static class JsonLines
{
    public const string Type = "application/x-ndjson";
    internal const byte NewLine = (byte)'\n';

    /// <summary>Fills the block. A line that cannot be read takes its place as a payment of no kind.</summary>
    /// <returns>What is wrong with each line, or null.</returns>
    public static async Task<Problem?[]?> ReadAsync(PipeReader reader, PaymentBlock block)
    {
        var problems = new Problem?[Limits.BlockPaymentsMax];
        var lines = new LineReader();
        await BatchBody.ReadAsync(
            reader,
            (ref bytes, isLast) =>
            {
                if (!lines.TryTake(ref bytes, isLast, out var line)) return false;
                ref var payment = ref BatchBody.Next(block);
                problems[block.Count - 1] = Parse(line, out payment);
                return true;
            });
        return problems;
    }

    /// <param name="problems">Of the same payments and perhaps of more.</param>
    public static void Write(PipeWriter writer, ReadOnlySpan<PaymentResult> results, ReadOnlySpan<Problem?> problems)
    {
        using var json = new Utf8JsonWriter((IBufferWriter<byte>)writer);
        for (var i = 0; i < results.Length; i++)
        {
            ref readonly var result = ref results[i];
            JsonSerializer.Serialize(
                json,
                new BatchLine(
                    (problems[i]?.Type ?? ProblemType.Of(result.Outcome))?.Code ?? PaymentReplies.Accepted,
                    result.Sequence > 0 ? result.Sequence : null, result.PayerAvailable?.Value, result.PayeeAvailable?.Value,
                    PaymentReplies.MoreThanNothing(result.Amount), result.PayerAvailable is null ? null : PaymentReplies.MoreThanNothing(result.Fee),
                    problems[i]?.Member),
                ApiJson.Default.BatchLine);
            json.Flush();
            json.Reset();
            writer.Write([NewLine]);
        }
    }

    private static Problem? Parse(in ReadOnlySequence<byte> line, out Payment payment)
    {
        payment = default;
        if (line.Length > Limits.RequestBodyBytesMax) return new Problem(ProblemType.BodyTooLarge);
        try
        {
            if (!JsonBody.TryParse(line.IsSingleSegment ? line.FirstSpan : line.ToArray(), ApiJson.Default.PaymentRequest, out var request, out var problem)) return problem;
            payment = PaymentRequests.ToPayment(request);
            return null;
        }
        catch (ProblemException e)
        {
            return e.Problem;
        }
    }
}
