namespace Bitcache.Cli;

/// <summary>What the process's exit code says. A server that meets a failed journal ends by abort (134): it must not
/// go on, and its next start finds out what became durable.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    /// <summary>Refused, not found, does not hold, or could not be found out.</summary>
    public const int Failed = 1;
    /// <summary>The command line or the settings cannot be used; nothing was begun.</summary>
    public const int Usage = 2;
    /// <summary>Ended by Ctrl-C before it was done, as shells say it.</summary>
    public const int Interrupted = 130;
}
