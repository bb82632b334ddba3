using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>An answer as JSON, written in one piece with its length: most answers are a few hundred bytes, and chunks
/// would cost the client and us more than the JSON.</summary>
internal sealed class JsonReply<T>(T body, JsonTypeInfo<T> type, int status) : IResult
{
    private const int KeptBytesMax = 64 << 10;

    // Whoever writes has it until the server has taken all of it, which is nearly always at once: so one of a thread serves
    // all its answers.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;
    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var buffer = Serialize();
        var response = httpContext.Response;
        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = buffer.WrittenCount;
        // In one call, so that the head and the body go the same way: what is written before a flush is copied once more.
        var sent = response.BodyWriter.WriteAsync(buffer.WrittenMemory);
        if (!sent.IsCompletedSuccessfully) return FinishAsync(sent, buffer);
        _ = sent.Result;
        return Task.CompletedTask;
    }

    /// <summary>Writes the body into this thread's buffer.</summary>
    private ArrayBufferWriter<byte> Serialize()
    {
        if (_buffer is null || _buffer.Capacity > KeptBytesMax) _buffer = new ArrayBufferWriter<byte>(1024);
        _writer ??= new Utf8JsonWriter(_buffer);
        _buffer.ResetWrittenCount();
        _writer.Reset(_buffer);
        JsonSerializer.Serialize(_writer, body, type);
        _writer.Flush();
        return _buffer;
    }

    /// <summary>The server is still busy with the buffer: this thread's next answer takes another.</summary>
    private static async Task FinishAsync(ValueTask<FlushResult> sent, ArrayBufferWriter<byte> buffer)
    {
        if (ReferenceEquals(_buffer, buffer)) _buffer = null;
        await sent;
    }
}
