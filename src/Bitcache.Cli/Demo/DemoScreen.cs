using System.Globalization;
using Spectre.Console;

namespace Bitcache.Cli.Demo;

/// <summary>What the demo shows while it runs: with colours and a progress bar on a terminal, else in plain lines.</summary>
internal sealed class DemoScreen(TextWriter output)
{
    private readonly bool _isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;

    /// <summary>Begins a part of the show.</summary>
    public void Title(string text)
    {
        if (_isTerminal) AnsiConsole.MarkupLineInterpolated($"[bold yellow]{text}[/]");
        else output.WriteLine($"== {text}");
    }

    public void Say(string text) => output.WriteLine($"   {text}");

    /// <summary>Says that something was checked and holds.</summary>
    public void Holds(string text)
    {
        if (_isTerminal) AnsiConsole.Markup("   [green]ok[/] ");
        else output.Write("   ok ");
        // Not by way of the library, which would wrap ids that somebody may want to copy.
        output.WriteLine(text);
    }

    /// <summary>Shows how far a piece of work is; the work reports how much is done, from any thread.</summary>
    public async Task ProgressAsync(string text, int total, Func<Action<int>, Task> work)
    {
        if (_isTerminal)
        {
            await AnsiConsole.Progress().StartAsync(async progress =>
            {
                var task = progress.AddTask("   " + text, maxValue: total);
                await work(done => task.Value = done);
            });
            return;
        }
        var step = Math.Max(total / 10, 1);
        await work(done =>
        {
            if (done % step == 0) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"   {text}: {done:N0} of {total:N0}"));
        });
    }
}
