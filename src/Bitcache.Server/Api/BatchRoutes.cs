// Many payments in one request. Each record stands for itself: one that is refused, or cannot be read, spoils nothing
// but itself, and a batch that is sent again is answered record by record. A batch has no identity of its own.

using System.Buffers;
using System.IO.Pipelines;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using MinDataRate = Microsoft.AspNetCore.Server.Kestrel.Core.MinDataRate;

namespace Bitcache.Server.Api;

internal static class BatchRoutes
{
    /// <summary>Answers that are written before the client is waited for.</summary>
    private const int AnswersAtOnce = 512;

    /// <summary>A block waits for its body: 4 MiB are there after 37 seconds.</summary>
    private static readonly MinDataRate BodyRate = new(Limits.BatchBodyBytesPerSecondMin, gracePeriod: TimeSpan.FromSeconds(5));

    public static Route[] All =>
    [
        Route.Post("/v1/transfers:batch", Scopes.Pay, "Pay many times: up to 8,192 payments, each answered for itself", AnswerAsync) with
        {
            BatchTypes = [BinaryBatch.RequestType, JsonLines.Type],
        },
    ];

    private static async Task<IResult> AnswerAsync(Call call)
    {
        var request = call.Http.Request;
        var isBinary = IsType(request, BinaryBatch.RequestType);
        if (!isBinary && !IsType(request, JsonLines.Type)) throw new ProblemException(ProblemType.UnsupportedContentType);
        call.Http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = Limits.BatchBodyBytesMax;
        // HTTP/2 has one rate for a whole connection.
        if (HttpProtocol.IsHttp11(request.Protocol)) call.Http.Features.GetRequiredFeature<IHttpMinRequestBodyDataRateFeature>().MinDataRate = BodyRate;
        // Until the answer is gone this request counts for its tenant: one who is slow holds up nobody but himself.
        if (!call.Blocks.TryEnter(call.Principal.Tenant)) throw new ProblemException(ProblemType.Busy);
        try
        {
            await SendAsync(call.Http, isBinary, await PayAsync(call, isBinary));
            return Results.Empty;
        }
        finally
        {
            call.Blocks.Leave(call.Principal.Tenant);
        }
    }

    /// <summary>Reads the payments and pays. When this returns, the block is free for others: only the answers are kept.</summary>
    private static async Task<BatchAnswers> PayAsync(Call call, bool isBinary)
    {
        // Memory for a batch is taken before its body is read, or the batch is not read at all.
        if (!call.Blocks.TryRent(out var block)) throw new ProblemException(ProblemType.Busy);
        try
        {
            block.Tenant = call.Principal.Tenant;
            var body = call.Http.Request.BodyReader;
            var problems = isBinary ? await BinaryBatch.ReadAsync(body, block) : await JsonLines.ReadAsync(body, block);
            var refused = await Refunds.CompleteAsync(call.Partitions, block, call.Http.RequestAborted);
            await call.Partitions.SubmitAsync(block);
            Recall(call.Partitions, block);
            foreach (var (index, outcome) in refused) block.Results[index] = new PaymentResult(outcome);
            return new BatchAnswers(block.Results, problems);
        }
        finally
        {
            // Nobody holds it any more: of several partitions each had a block of its own, and the one that there is has failed
            // it where its outcome is unknown.
            call.Blocks.Return(block);
        }
    }

    private static void Recall(PartitionSet partitions, PaymentBlock block)
    {
        try
        {
            partitions.Recall(block);
        }
        catch (PartitionUnavailableException e)
        {
            // Others may just have been made, and so may these: a silo asks again for what nobody answered.
            throw new OutcomeUnknownException(e);
        }
    }

    private static async Task SendAsync(HttpContext http, bool isBinary, BatchAnswers answers)
    {
        using var held = answers;
        http.Response.ContentType = isBinary ? BinaryBatch.ResponseType : JsonLines.Type;
        if (isBinary) http.Response.ContentLength = answers.Count * BinaryBatch.AnswerBytes;
        for (var first = 0; first < answers.Count; first += AnswersAtOnce)
        {
            var some = answers.Slice(first, Math.Min(AnswersAtOnce, answers.Count - first));
            if (isBinary) BinaryBatch.Write(http.Response.BodyWriter, some.Span);
            else JsonLines.Write(http.Response.BodyWriter, some.Span, answers.Problems(first));
            await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
        }
    }

    private static bool IsType(HttpRequest request, string type) =>
        request.Headers.ContentEncoding.Count == 0 && string.Equals(request.ContentType, type, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Reads a body piece by piece, as it comes.</summary>
internal static class BatchBody
{
    /// <summary>Takes one record from the bytes that are there; false if it is not there whole.</summary>
    /// <param name="isLast">Whether no more bytes will come.</param>
    public delegate bool TakeRecord(ref ReadOnlySequence<byte> bytes, bool isLast);

    public static async Task ReadAsync(PipeReader reader, TakeRecord take)
    {
        while (true)
        {
            var read = await RequestBody.TakeAsync(reader.ReadAsync());
            var bytes = read.Buffer;
            try
            {
                while (take(ref bytes, read.IsCompleted))
                {
                }
                if (read.IsCompleted && !bytes.IsEmpty) throw new ProblemException(ProblemType.MalformedBatch);
            }
            finally
            {
                // Whatever was said of the body, the server goes on reading behind it.
                reader.AdvanceTo(bytes.Start, bytes.End);
            }
            if (read.IsCompleted) return;
        }
    }

    /// <summary>The place of the next payment.</summary>
    public static ref Payment Next(PaymentBlock block)
    {
        if (block.Count == Limits.BlockPaymentsMax) throw new ProblemException(ProblemType.BatchTooLarge);
        return ref block.Payments[block.Count++];
    }
}
