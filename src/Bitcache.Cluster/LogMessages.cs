using Microsoft.Extensions.Logging;

namespace Bitcache.Cluster;

/// <summary>Everything that a silo logs beside Orleans, in one place. Event ids are stable: operators filter by them.</summary>
internal static partial class LogMessages
{
    [LoggerMessage(4001, LogLevel.Information, "Partition {Partition} is written by silo {Silo} now")]
    public static partial void PartitionTaken(this ILogger log, int partition, string silo);

    [LoggerMessage(4002, LogLevel.Information, "Partition {Partition} is no longer written by silo {Silo}: {Reason}")]
    public static partial void PartitionLeft(this ILogger log, int partition, string silo, string reason);

    [LoggerMessage(4003, LogLevel.Information, "Settlement is done by silo {Silo} now")]
    public static partial void SettlementTaken(this ILogger log, string silo);

    [LoggerMessage(4004, LogLevel.Information, "Settlement is no longer done by silo {Silo}: {Reason}")]
    public static partial void SettlementLeft(this ILogger log, string silo, string reason);

    [LoggerMessage(4005, LogLevel.Warning, "Nobody may be at work on {What} now; it is tried again in a second")]
    public static partial void NotKept(this ILogger log, string what, Exception reason);

    [LoggerMessage(4007, LogLevel.Error, "Partition {Partition} could not be taken over by silo {Silo}")]
    public static partial void PartitionNotTaken(this ILogger log, int partition, string silo, Exception reason);

    [LoggerMessage(4008, LogLevel.Error, "Settlement could not be taken over by silo {Silo}")]
    public static partial void SettlementNotTaken(this ILogger log, string silo, Exception reason);
}
