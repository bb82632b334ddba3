using Bitcache.Core;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

/// <summary>Everything the engine logs, in one place. Event ids are stable: operators filter by them.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(1001, LogLevel.Warning,
        "{Ids} client ids are remembered, which is the bound: ids made before {Floor} are refused from now on")]
    public static partial void WindowFull(this ILogger log, int ids, UnixTime floor);
}
