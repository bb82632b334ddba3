using Microsoft.Extensions.Logging;

namespace Bitcache.Server;

/// <summary>Everything the server logs, in one place. Event ids are stable: operators filter by them.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(2001, LogLevel.Warning, "{Path} holds no API key yet: make one with 'bitcache key create'")]
    public static partial void NoKeys(this ILogger log, string path);

    [LoggerMessage(2002, LogLevel.Information, "{Keys} API keys read from {Path}")]
    public static partial void KeysRead(this ILogger log, int keys, string path);

    [LoggerMessage(2003, LogLevel.Error, "Nobody is let in until this is mended: {Problem}")]
    public static partial void KeysUnusable(this ILogger log, string problem);

    [LoggerMessage(2004, LogLevel.Error, "{Method} {Path} failed in a way that nobody foresaw")]
    public static partial void RequestFailed(this ILogger log, Exception cause, string method, string path);

    [LoggerMessage(2006, LogLevel.Warning, "{Path} was there and has gone: nobody is let in until it is back")]
    public static partial void KeysGone(this ILogger log, string path);

    [LoggerMessage(2005, LogLevel.Information, "Listening on {Address}")]
    public static partial void Listening(this ILogger log, string address);
}
