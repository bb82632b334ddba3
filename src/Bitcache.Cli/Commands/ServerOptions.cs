// What a server is told on the command line: a settings file, and each setting by itself, which wins.

using System.CommandLine;
using Bitcache.Server.Settings;

namespace Bitcache.Cli.Commands;

internal static class ServerOptions
{
    private static readonly Option<FileInfo> Config = new("--config") { Description = "A settings file in JSON.", HelpName = "file" };

    /// <summary>One option for each setting: dataFolder is --data-folder.</summary>
    private static readonly IReadOnlyDictionary<Setting, Option<string>> Overrides =
        Setting.All.ToDictionary(s => s, s => new Option<string>("--" + KebabCase(s.Name)) { Description = s.Help, HelpName = "value" });

    public static void AddTo(Command command)
    {
        command.Add(Config);
        foreach (var option in Overrides.Values) command.Add(option);
    }

    /// <exception cref="Engine.SettingsException">They cannot be used; every reason is named.</exception>
    public static ServerSettings Load(ParseResult parsed) => SettingsFile.Load(
        parsed.GetValue(Config)?.FullName,
        Overrides.Where(o => parsed.GetValue(o.Value) is not null).Select(o => KeyValuePair.Create(o.Key.Name, parsed.GetValue(o.Value)!)));

    private static string KebabCase(string name) =>
        string.Concat(name.Select(c => char.IsAsciiLetterUpper(c) ? "-" + char.ToLowerInvariant(c) : c.ToString()));
}
