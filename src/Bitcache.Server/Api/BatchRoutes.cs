// Many payments in one request. Each record stands for itself: one that is refused, or cannot be read, spoils nothing
// but itself, and a batch that is sent again is answered record by record. A batch has no identity of its own.

using System.Buffers;
using System.IO.Pipelines;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Bitcache.Server.Api;

internal static class BatchRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/transfers:batch", Scopes.Pay, "Pay many times: up to 8,192 payments, each answered for itself", PayAsync) with
        {
            BatchTypes = [BinaryBatch.RequestType, JsonLines.Type],
        },
    ];

    private static async Task<IResult> PayAsync(Call call)
    {
        var request = call.Http.Request;
        var isBinary = IsType(request, BinaryBatch.RequestType);
        if (!isBinary && !IsType(request, JsonLines.Type)) throw new ProblemException(ProblemType.UnsupportedContentType);
        call.Http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = Limits.BatchBodyBytesMax;
        // Memory for a batch is taken before its body is read, or the batch is not read at all.
        if (!call.Blocks.TryRent(out var block)) throw new ProblemException(ProblemType.Busy);
        try
        {
            block.Tenant = call.Principal.Tenant;
            var problems = isBinary
                ? await BinaryBatch.ReadAsync(request.BodyReader, block)
                : await JsonLines.ReadAsync(request.BodyReader, block);
            var refused = await Refunds.CompleteAsync(call.Partitions, block);
            await call.Partitions.SubmitAsync(block);
            call.Partitions.Recall(block);
            foreach (var (index, outcome) in refused) block.Results[index] = new PaymentResult(outcome);
            var response = call.Http.Response;
            response.ContentType = isBinary ? BinaryBatch.ResponseType : JsonLines.Type;
            if (isBinary)
            {
                response.ContentLength = block.Count * BinaryBatch.AnswerBytes;
                BinaryBatch.Write(response.BodyWriter, block);
            }
            else
            {
                JsonLines.Write(response.BodyWriter, block, problems!);
            }
            await response.BodyWriter.FlushAsync(call.Http.RequestAborted);
            return Results.Empty;
        }
        finally
        {
            // After an outcome that is unknown the partition may still hold it, but then the process ends.
            call.Blocks.Return(block);
        }
    }

    private static bool IsType(HttpRequest request, string type) =>
        request.Headers.ContentEncoding.Count == 0 && string.Equals(request.ContentType, type, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Blocks for requests with many payments; as many as the server has memory for.</summary>
internal sealed class BlockPool
{
    private readonly System.Collections.Concurrent.ConcurrentBag<PaymentBlock> _free = [];
    private int _out;

    /// <summary>False if all are in use.</summary>
    public bool TryRent([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out PaymentBlock? block)
    {
        block = null;
        if (Interlocked.Increment(ref _out) > Limits.BatchRequestsMax)
        {
            Interlocked.Decrement(ref _out);
            return false;
        }
        if (!_free.TryTake(out block)) block = new PaymentBlock();
        block.Count = 0;
        return true;
    }

    public void Return(PaymentBlock block)
    {
        _free.Add(block);
        Interlocked.Decrement(ref _out);
    }
}

/// <summary>Reads a body piece by piece, as it comes.</summary>
internal static class BatchBody
{
    /// <summary>Takes one record from the bytes that are there; false if it is not there whole.</summary>
    /// <param name="isLast">Whether no more bytes will come.</param>
    public delegate bool TakeRecord(ref ReadOnlySequence<byte> bytes, bool isLast);

    /// <remarks>Not to be cancelled, as in <see cref="JsonBody"/>.</remarks>
    public static async Task ReadAsync(PipeReader reader, TakeRecord take)
    {
        while (true)
        {
            ReadResult read;
            try
            {
                read = await reader.ReadAsync();
            }
            catch (IOException e) when (e is not BadHttpRequestException)
            {
                throw new ProblemException(ProblemType.MalformedRequest);
            }
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
