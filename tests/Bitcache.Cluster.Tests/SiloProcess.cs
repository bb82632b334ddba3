using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Bitcache.Cli.Demo;
using Bitcache.Core;

namespace Bitcache.Cluster.Tests;

/// <summary>A silo as a process of its own; it ends with its input, and so with this process.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;
    // What was asked of it and is not answered yet.
    private readonly ConcurrentDictionary<long, TaskCompletionSource<string[]>> _asked = new();
    private Task _listening = Task.CompletedTask;
    private volatile bool _isGone;
    private long _questions;

    private SiloProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>What it logged. Ends with the process.</summary>
    public Task<string> Errors => _errors;

    /// <summary>Starts it; it is a member of the cluster when this returns.</summary>
    public static async Task<SiloProcess> StartAsync(string database, string name, int partitions, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        // The tests run as `dotnet X.dll` or as the program itself.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(SiloProcess).Assembly.Location);
        foreach (var argument in (string[])["silo", database, name, Port(), Port(), partitions.ToString(CultureInfo.InvariantCulture)]) start.ArgumentList.Add(argument);
        var silo = new SiloProcess(Process.Start(start)!);
        while (await silo._process.StandardOutput.ReadLineAsync(cancel) is { } line)
        {
            if (line != TestSilo.Ready) continue;
            silo._listening = Task.Run(silo.ListenAsync, CancellationToken.None);
            return silo;
        }
        throw new InvalidOperationException($"The silo {name} did not start: {await silo.Errors}");
    }

    /// <summary>Has it make a payment of 1 msat.</summary>
    /// <returns>The outcome and the rest of its answer.</returns>
    /// <exception cref="IOException">It is gone.</exception>
    public async Task<string[]> PayAsync(OperationId id, WalletId payer, WalletId payee)
    {
        var number = Interlocked.Increment(ref _questions);
        var answer = _asked.GetOrAdd(number, _ => new TaskCompletionSource<string[]>(TaskCreationOptions.RunContinuationsAsynchronously));
        // Its output may have ended before the question was there to be failed.
        if (_isGone) FailAll();
        else Tell(string.Create(CultureInfo.InvariantCulture, $"{number} {id} {payer} {payee}"));
        return await answer.Task;
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Stands still until <see cref="GoOnAsync"/>, as in a pause of its machine.</summary>
    public Task PauseAsync(CancellationToken cancel) => SignalAsync("-STOP", cancel);

    public Task GoOnAsync(CancellationToken cancel) => SignalAsync("-CONT", cancel);

    /// <summary>Waits for it to end by itself.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> WaitForEndAsync(CancellationToken cancel)
    {
        await _process.WaitForExitAsync(cancel);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        await _errors;
        await _listening;
        _process.Dispose();
    }

    private async Task ListenAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            var words = line.Split(' ');
            if (_asked.TryRemove(long.Parse(words[0], CultureInfo.InvariantCulture), out var answer)) answer.TrySetResult(words[1..]);
        }
        _isGone = true;
        FailAll();
    }

    private void FailAll()
    {
        foreach (var number in _asked.Keys)
        {
            if (_asked.TryRemove(number, out var answer)) answer.TrySetException(new IOException("the silo is gone"));
        }
    }

    private void Tell(string line)
    {
        try
        {
            lock (_asked)
            {
                _process.StandardInput.WriteLine(line);
                _process.StandardInput.Flush();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // It ends: what it has taken it still answers.
            throw new IOException("the silo takes nothing more", e);
        }
    }

    private Task<string> SignalAsync(string signal, CancellationToken cancel) =>
        ChildProcess.RunAsync("kill", [signal, _process.Id.ToString(CultureInfo.InvariantCulture)], cancel);

    private static string Port() => RegtestNode.FreePort().ToString(CultureInfo.InvariantCulture);
}
