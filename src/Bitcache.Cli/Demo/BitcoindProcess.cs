// One run of bitcoind as a child that cannot outlive us.

using System.Diagnostics;

namespace Bitcache.Cli.Demo;

/// <summary>bitcoind did not become ready; the message holds its own words.</summary>
public sealed class BitcoindStartException(string message) : Exception(message)
{
    /// <summary>Another program listens on the port that the node was given.</summary>
    public bool PortTaken => Message.Contains("Unable to bind", StringComparison.Ordinal);
}

internal sealed class BitcoindProcess : IAsyncDisposable
{
    private const string ReadyLine = "bitcache: the node is ready";

    private readonly Process _process;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _errors = [];

    public BitcoindProcess(string program, IEnumerable<string> arguments)
    {
        // setpriv (util-linux) asks the kernel to kill the child when its parent dies, however it dies; this holds
        // through the programs that a wrapper script executes in its place.
        var start = new ProcessStartInfo("setpriv") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["--pdeathsig", "KILL", "--", program, .. arguments]) start.ArgumentList.Add(argument);
        // The node runs this command when it is ready, so that nobody has to poll for it.
        start.ArgumentList.Add($"-startupnotify=echo '{ReadyLine}'");
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data == ReadyLine) _ready.TrySetResult();
        };
        _process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is { Length: > 0 } text) _errors.Add(text);
        };
    }

    /// <summary>Starts the node; returns when it answers calls, throws if it ends before.</summary>
    public async Task StartAsync(CancellationToken cancel)
    {
        // The kernel counts as parent the thread that started the child, so that thread must live as long as the child.
        new Thread(Keep) { IsBackground = true, Name = "bitcoind" }.Start();
        await _started.Task;
        await Task.WhenAny(_ready.Task, _exited.Task).WaitAsync(cancel);
        if (_exited.Task.IsCompleted)
            throw new BitcoindStartException($"bitcoind ended before it was ready: {string.Join(' ', _errors)}");
    }

    public Task WaitForExitAsync(CancellationToken cancel) => _exited.Task.WaitAsync(cancel);

    public async ValueTask DisposeAsync()
    {
        if (_started.Task.IsCompletedSuccessfully)
        {
            _process.Kill();
            await _exited.Task;
        }
        _process.Dispose();
    }

    private void Keep()
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
            _started.SetException(new BitcoindStartException($"setpriv (of util-linux) cannot be started: {e.Message}"));
            return;
        }
        // Also waits until all output has been read.
        _process.WaitForExit();
        _exited.SetResult();
    }
}
