namespace Bitcache.Cli;

/// <summary>A command cannot do what it was asked to; the message is for whoever asked.</summary>
internal sealed class CommandFailedException(string message, int exitCode = ExitCode.Failed) : Exception(message)
{
    public int ExitCode => exitCode;
}
