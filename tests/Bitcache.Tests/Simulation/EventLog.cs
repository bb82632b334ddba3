using Microsoft.Extensions.Logging;

namespace Bitcache.Tests.Simulation;

/// <summary>Keeps the numbers of the messages that were logged.</summary>
internal sealed class EventLog : ILogger
{
    public const int SnapshotNotTaken = 121;
    public const int SnapshotPassedOver = 123;
    public const int ManifestRefused = 124;

    public List<int> Events { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Events.Add(eventId.Id);
}
