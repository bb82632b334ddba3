// `bitcache simulate`: the engine under simulated faults, for as long as one likes.

using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Bitcache.Simulation;

namespace Bitcache.Cli.Commands;

internal static class SimulateCommand
{
    private const long DefaultSteps = 1_000_000;
    private static readonly TimeSpan BetweenReports = TimeSpan.FromSeconds(10);

    private static readonly Option<int?> Seed = new("--seed") { Description = "Where to begin; the same seed runs the same steps. Without it a random one, which is printed.", HelpName = "number" };
    private static readonly Option<long?> Steps = new("--steps")
    {
        Description = $"How many steps to take: {DefaultSteps.ToString("N0", CultureInfo.InvariantCulture)} if not said. Whole episodes are run.",
        HelpName = "number",
    };

    private static readonly Option<bool> Forever = new("--forever") { Description = "Go on until something is found, or Ctrl-C." };
    private static readonly Option<bool> AsJson = new("--json") { Description = "End with the result as one JSON object on a line." };

    public static Command Create()
    {
        var command = new Command("simulate", "Run the ledger's engine on a simulated machine that crashes, fails and loses power, and hold it against a model. Exit code 1 at the first broken promise.")
        {
            Seed, Steps, Forever, AsJson,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Steps) < 1) result.AddError("--steps is at least 1.");
            if (result.GetValue(Forever) && result.GetValue(Steps) is not null) result.AddError("Give --steps or --forever, not both.");
        });
        command.SetAction((parsed, cancel) => Task.Run(() => Run(parsed, cancel), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, CancellationToken cancel)
    {
        var output = parsed.InvocationConfiguration.Output;
        var seed = parsed.GetValue(Seed) ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        var steps = parsed.GetValue(Forever) ? long.MaxValue : parsed.GetValue(Steps) ?? DefaultSteps;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}"));
        var run = new SimulationRun(seed, steps);
        var reported = TimeSpan.Zero;
        run.Run(Report, cancel);
        Write(run, seed, parsed.GetValue(AsJson), output);
        if (run.Violation is not null) return ExitCode.Failed;
        return run.Steps < steps && !parsed.GetValue(Forever) ? ExitCode.Interrupted : ExitCode.Done;

        void Report(SimulationRun r)
        {
            if (r.Elapsed - reported < BetweenReports) return;
            reported = r.Elapsed;
            output.WriteLine(Line(r));
        }
    }

    private static string Line(SimulationRun run) => string.Create(
        CultureInfo.InvariantCulture,
        $"{run.Steps:N0} steps in {run.Elapsed.TotalSeconds:N0} s, {run.Steps / run.Elapsed.TotalSeconds:N0} a second; {run.Coverage["crashes"]:N0} crashes, {run.Coverage["retries"]:N0} retries");

    private static void Write(SimulationRun run, int seed, bool asJson, TextWriter output)
    {
        output.WriteLine(run.Coverage.ToString());
        output.WriteLine(Line(run));
        output.WriteLine(run.Violation is null ? "every promise was kept" : $"BROKEN: {run.Violation}");
        if (!asJson) return;
        output.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["seed"] = seed,
            ["steps"] = run.Steps,
            ["episodes"] = run.Episodes,
            ["seconds"] = Math.Round(run.Elapsed.TotalSeconds, 1),
            ["stepsPerSecond"] = Math.Round(run.Steps / run.Elapsed.TotalSeconds),
            ["violation"] = run.Violation,
            ["met"] = run.Coverage.Counts,
        }));
    }
}
