// Settings come from a flat JSON file and from the command line, which wins. All problems are told at once.

using System.Globalization;
using System.Text.Json;
using Bitcache.Engine;

namespace Bitcache.Server.Settings;

public static class SettingsFile
{
    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
        MaxDepth = 2,
    };

    /// <summary>Reads the settings.</summary>
    /// <param name="path">A file of one JSON object whose values are strings, numbers or booleans; null for none.</param>
    /// <param name="overrides">Name and text of what the command line says.</param>
    /// <exception cref="SettingsException">They cannot be used; every reason is named.</exception>
    public static ServerSettings Load(string? path, IEnumerable<KeyValuePair<string, string>> overrides)
    {
        var problems = new List<string>();
        var settings = new ServerSettings { Engine = new EngineSettings { DataFolder = "", Origin = "" } };
        var given = path is null ? [] : Read(path, problems);
        foreach (var (name, text) in overrides) given[name] = text;
        foreach (var (name, text) in given)
        {
            var setting = Setting.All.FirstOrDefault(s => s.Name == name);
            if (setting is null)
            {
                problems.Add($"there is no setting '{name}': known are {string.Join(", ", Setting.All.Select(s => s.Name))}");
                continue;
            }
            try
            {
                settings = setting.Apply(settings, text);
            }
            catch (FormatException e)
            {
                problems.Add(string.Create(CultureInfo.InvariantCulture, $"{name} is '{text}' and should be {e.Message}"));
            }
        }
        problems.AddRange(settings.Problems());
        return problems.Count == 0 ? settings : throw new SettingsException(problems);
    }

    private static Dictionary<string, string> Read(string path, List<string> problems)
    {
        var given = new Dictionary<string, string>();
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new JsonException("it must be one JSON object");
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (member.Value.ValueKind is JsonValueKind.String) given[member.Name] = member.Value.GetString()!;
                else if (member.Value.ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False) given[member.Name] = member.Value.GetRawText();
                else problems.Add($"{member.Name} must be a string, a number, true or false");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            problems.Add($"the settings file {path} cannot be read: {e.Message}");
        }
        return given;
    }
}
