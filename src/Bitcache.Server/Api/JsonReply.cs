using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>An answer as JSON, written in one piece with its length: most answers are a few hundred bytes, and chunks
/// would cost the client and us more than the JSON.</summary>
internal sealed class JsonReply<T>(T body, JsonTypeInfo<T> type, int status) : IResult
{
    private const int KeptBytesMax = 64 << 10;

    // Used from the first byte to the last without an await between, so one of a thread serves all its answers.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? buffer;
    [ThreadStatic]
    private static Utf8JsonWriter? writer;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        buffer ??= new ArrayBufferWriter<byte>(1024);
        writer ??= new Utf8JsonWriter(buffer);
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        JsonSerializer.Serialize(writer, body, type);
        writer.Flush();
        var response = httpContext.Response;
        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = buffer.WrittenCount;
        response.BodyWriter.Write(buffer.WrittenSpan);
        if (buffer.Capacity > KeptBytesMax) buffer = null;
        return Task.CompletedTask;
    }
}
