// A program that runs as our child and cannot outlive us: bitcoind, the server of the demo, what benchmarks compare.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Bitcache.Cli.Demo;

/// <summary>A child ended before it was ready; the message holds its last words.</summary>
public sealed class ChildProcessException(string message) : Exception(message);

internal sealed class ChildProcess : IAsyncDisposable
{
    private const int LastLinesMax = 40;
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(20);

    private readonly string _program;
    private readonly Process _process;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<string> _lastLines = new();

    /// <param name="isReady">Recognises the line of output with which the program says that it is ready.</param>
    public ChildProcess(string program, IEnumerable<string> arguments, Predicate<string> isReady)
    {
        _program = Path.GetFileName(program);
        // setpriv (util-linux) asks the kernel to kill the child when its parent dies, however it dies; this holds
        // through the programs that a wrapper script executes in its place.
        var start = new ProcessStartInfo("setpriv") { RedirectStandardOutput = true, RedirectStandardError = true };
        // A child of .NET would open diagnostic pipes in the temporary folder, and one that ends by SIGKILL leaves them there.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        foreach (var argument in (string[])["--pdeathsig", "KILL", "--", program, .. arguments]) start.ArgumentList.Add(argument);
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);

        void Take(string? line)
        {
            if (line is not null && isReady(line)) _ready.TrySetResult(line);
            Keep(line);
        }
    }

    /// <summary>The program's process id, once it is started.</summary>
    public int Id => _process.Id;

    /// <summary>What the program wrote last, on both of its outputs.</summary>
    public string LastLines => string.Join(Environment.NewLine, _lastLines);

    /// <summary>Starts the program; returns the line that says it is ready, throws if it ends before.</summary>
    /// <exception cref="ChildProcessException">It could not be started, or ended.</exception>
    public async Task<string> StartAsync(CancellationToken cancel)
    {
        // The kernel counts as parent the thread that started the child, so that thread must live as long as the child.
        new Thread(Run) { IsBackground = true, Name = _program }.Start();
        await _started.Task;
        await Task.WhenAny(_ready.Task, _exited.Task).WaitAsync(cancel);
        if (_ready.Task.IsCompleted) return await _ready.Task;
        throw new ChildProcessException($"{_program} ended with exit code {_process.ExitCode} before it was ready:{Environment.NewLine}{LastLines}");
    }

    public Task WaitForExitAsync(CancellationToken cancel) => _exited.Task.WaitAsync(cancel);

    /// <summary>SIGINT, at which servers close their files and end; kill -9 if it does not.</summary>
    public async Task EndAsync()
    {
        using var patience = new CancellationTokenSource(EndPatience);
        var exit = WaitForExitAsync(patience.Token);
        // Ctrl-C reaches it before we do.
        if (exit.IsCompleted) return;
        try
        {
            await RunAsync("kill", ["-INT", Id.ToString(CultureInfo.InvariantCulture)], patience.Token);
            await exit;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"bitcache: process {Id} does not stop and is killed");
        }
    }

    /// <summary>Runs a program that is over soon; returns what it wrote.</summary>
    /// <exception cref="ChildProcessException">It failed.</exception>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = await process.StandardError.ReadToEndAsync(cancel);
        var text = await output;
        await process.WaitForExitAsync(cancel);
        return process.ExitCode == 0 ? text : throw new ChildProcessException($"{program} failed: {errors.Trim()}");
    }

    /// <summary>kill -9, if it still runs; returns when it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_started.Task.IsCompletedSuccessfully)
        {
            _process.Kill();
            await _exited.Task;
        }
        _process.Dispose();
    }

    private void Run()
    {
        try
        {
            _process.Start();
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
            _started.SetResult();
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            _started.SetException(new ChildProcessException($"setpriv (of util-linux) cannot be started: {e.Message}"));
            return;
        }
        // Also waits until all output has been read.
        _process.WaitForExit();
        _exited.SetResult();
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrEmpty(line)) return;
        _lastLines.Enqueue(line);
        if (_lastLines.Count > LastLinesMax) _lastLines.TryDequeue(out _);
    }
}
