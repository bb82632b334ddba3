using System.Globalization;
using System.Text.RegularExpressions;
using Bitcache.Core;
using Bitcache.Server.Api;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;

namespace Bitcache.Tests.Api;

/// <summary>The pages in docs/ say what the tables in the code say.</summary>
[Trait("suite", "core")]
public sealed partial class DocumentationTests
{
    [Fact]
    public void Every_error_code_is_documented_with_its_status_and_no_other()
    {
        var documented = ErrorHeading().Matches(Read("errors.md"))
            .Select(m => (m.Groups[1].Value, int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture)));
        Assert.Equal(ProblemType.All.Select(p => (p.Code, p.Status)).Order(), documented.Order());
    }

    [Fact]
    public void Every_route_is_documented_with_its_scopes_and_its_query()
    {
        var page = Read("api.md");
        var sections = RouteHeading().Matches(page).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        Assert.Equal(Route.All.Select(r => $"{r.Method} {r.Path}").Order(), sections.Keys.Order());
        foreach (var route in Route.All)
        {
            var text = sections[$"{route.Method} {route.Path}"];
            if (route.IsPublic) Assert.StartsWith("No key.", text, StringComparison.Ordinal);
            else Assert.Equal(route.Scopes.ToNames(), Quoted().Matches(text.Split(['.', ';'])[0]).Select(m => m.Groups[1].Value));
            Assert.All(route.Query.Concat(route.TextQuery), name => Assert.Contains($"`{name}`", text, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Every_setting_is_documented_in_the_words_of_its_help()
    {
        var documented = SettingRow().Matches(Read("settings.md")).Select(m => (m.Groups[1].Value, m.Groups[2].Value));
        Assert.Equal(Setting.All.Select(s => (s.Name, s.Help)), documented);
    }

    [Fact]
    public void Codes_are_stable_names_and_each_is_there_once()
    {
        Assert.All(ProblemType.All, p => Assert.Matches(SnakeCase(), p.Code));
        Assert.Equal(ProblemType.All.Count, ProblemType.All.Select(p => p.Code).Distinct().Count());
    }

    [Fact]
    public void Every_outcome_of_the_ledger_has_its_answer()
    {
        foreach (var outcome in Enum.GetValues<Outcome>()) Assert.Equal(outcome == Outcome.Accepted, ProblemType.Of(outcome) is null);
    }

    private static string Read(string page)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Bitcache.sln"))) folder = folder.Parent!;
        return File.ReadAllText(Path.Combine(folder.FullName, "docs", page));
    }

    [GeneratedRegex(@"^### `(\w+)` \((\d+)\)$", RegexOptions.Multiline)]
    private static partial Regex ErrorHeading();

    [GeneratedRegex(@"^### `([A-Z]+ \S+)`\n(.*?)(?=^#|\z)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex RouteHeading();

    [GeneratedRegex("`(\\w+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"^\| `(\w+)` \| (.*?) \|", RegexOptions.Multiline)]
    private static partial Regex SettingRow();

    [GeneratedRegex("^[a-z]+(_[a-z]+)*$")]
    private static partial Regex SnakeCase();
}
