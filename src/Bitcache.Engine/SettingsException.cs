namespace Bitcache.Engine;

/// <summary>The server cannot be started as it was told to. The message lists every problem, in the operator's words.</summary>
public sealed class SettingsException(IReadOnlyList<string> problems) : Exception(string.Join(Environment.NewLine, problems))
{
    public IReadOnlyList<string> Problems => problems;
}
