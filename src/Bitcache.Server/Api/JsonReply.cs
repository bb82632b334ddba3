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
    private static ArrayBufferWriter<byte>? _buffer;
    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        Write(httpContext.Response);
        return Task.CompletedTask;
    }

    private void Write(HttpResponse response)
    {
        _buffer ??= new ArrayBufferWriter<byte>(1024);
        _writer ??= new Utf8JsonWriter(_buffer);
        _buffer.ResetWrittenCount();
        _writer.Reset(_buffer);
        JsonSerializer.Serialize(_writer, body, type);
        _writer.Flush();
        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = _buffer.WrittenCount;
        response.BodyWriter.Write(_buffer.WrittenSpan);
        if (_buffer.Capacity > KeptBytesMax) _buffer = null;
    }
}
