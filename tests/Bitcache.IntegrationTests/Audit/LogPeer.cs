// A reader of signed notes and tiled logs that is made of golang.org/x/mod/sumdb, which nobody here wrote, asked about
// our log. Its program is LogPeer/main.go.

using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Bitcache.IntegrationTests.Audit;

/// <summary>What the peer said: the size of the log, or why it refuses.</summary>
internal sealed record PeerAnswer(int ExitCode, string Output, string Error)
{
    public long Size => ExitCode == 0 ? long.Parse(Output, CultureInfo.InvariantCulture) : throw new InvalidOperationException(Error);
}

internal sealed class LogPeer
{
    private const string Install = "install Go and its module for signed logs: apt-get install golang-go golang-golang-x-mod-dev";
    /// <summary>Where the distribution puts the sources of Go's modules.</summary>
    private const string Sources = "/usr/share/gocode";

    private readonly string _program;

    private LogPeer(string program) => _program = program;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Builds the peer into a folder.</summary>
    public static async Task<LogPeer> BuildAsync(string folder)
    {
        var program = Path.Combine(folder, "logpeer");
        var start = new ProcessStartInfo("go", ["build", "-o", program, Path.Combine(AppContext.BaseDirectory, "Audit", "LogPeer", "main.go")]);
        // Of the installed sources alone: nothing is fetched.
        foreach (var (name, value) in new[] { ("GO111MODULE", "off"), ("GOPATH", Sources), ("GOCACHE", Path.Combine(folder, "cache")), ("GOFLAGS", ""), ("HOME", folder) })
            start.Environment[name] = value;
        var built = await RunAsync(start);
        Assert.True(built.ExitCode == 0, $"{Install}\n{built.Error}");
        return new LogPeer(program);
    }

    /// <summary>Has it read the whole log, and look for receipts in it.</summary>
    /// <param name="prefix">A folder or an address.</param>
    /// <param name="receipts">Files, each with its .tlog-proof beside it.</param>
    public Task<PeerAnswer> AskAsync(string prefix, string vkeyFile, params string[] receipts) => RunAsync(new ProcessStartInfo(_program, [prefix, vkeyFile, .. receipts]));

    /// <summary>Runs a program to its end.</summary>
    public static async Task<PeerAnswer> RunAsync(ProcessStartInfo start)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        using var process = Start(start);
        var error = process.StandardError.ReadToEndAsync(Cancel);
        var output = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        return new PeerAnswer(process.ExitCode, output.TrimEnd('\n'), await error);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            Assert.Fail(Install);
            throw;
        }
    }
}
