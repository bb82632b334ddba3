// `bitcache demo`: a whole Bitcache on a Bitcoin network of its own, from nothing, in about a minute.

using System.CommandLine;
using System.Diagnostics;
using Bitcache.Cli.Client;
using Bitcache.Cli.Demo;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Cli.Commands;

internal static class DemoCommand
{
    private const int PaymentsMax = 200_000;
    private static readonly TimeSpan BlockInterval = TimeSpan.FromSeconds(15);

    private static readonly Option<bool> Once = new("--once")
    {
        Description = "End when everything has been shown; the last line of output is one JSON object that sums it up.",
    };

    private static readonly Option<int> Payments = new("--payments")
    {
        Description = $"How many payments, at most {PaymentsMax}.",
        DefaultValueFactory = _ => 100_000,
    };

    private static readonly Option<DirectoryInfo> Out = new("--out")
    {
        Description = "A new folder that keeps what the demo proved: export (for everybody), auditor, receipts, balances, headers.json.",
        HelpName = "folder",
    };

    public static Command Create()
    {
        var command = new Command(
            "demo",
            "Show everything on a private Bitcoin network: deposit, payments, withdrawal, anchor, receipts, kill -9 and restart. "
            + "Exit code 0 only if every check holds.")
        {
            Once, Payments, Out,
        };
        Out.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<DirectoryInfo>() is { } folder && folder.Exists && folder.EnumerateFileSystemInfos().Any()) result.AddError($"--out: {folder.FullName} is not empty");
        });
        Payments.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 3 or > PaymentsMax) result.AddError($"--payments must lie between 3 and {PaymentsMax}");
        });
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken stop)
    {
        var output = parsed.InvocationConfiguration.Output;
        var screen = new DemoScreen(output);
        var watch = Stopwatch.StartNew();
        var once = parsed.GetValue(Once);
        DemoReport report;
        try
        {
            screen.Title("a Bitcoin node on regtest and a Bitcache server");
            await using var stage = await DemoStage.StartAsync(stop);
            try
            {
                screen.Say($"scratch folder {stage.Folder}");
                screen.Say($"node {stage.Node.Endpoint}, server {stage.Url}");
                var run = new DemoRun(stage, screen, parsed.GetValue(Payments), parsed.GetValue(Out)?.FullName ?? Path.Combine(stage.Folder, "out"), stop);
                report = await run.RunAsync(watch);
                if (!once)
                {
                    await ShowWhatToTryAsync(stage, run, output, stop);
                    await MineUntilStoppedAsync(stage, stop);
                }
            }
            catch (Exception e) when (IsFailure(e) && !stop.IsCancellationRequested)
            {
                stage.KeepsFolder = true;
                throw new CommandFailedException(
                    $"the demo failed: {e.Message}{Environment.NewLine}the scratch folder {stage.Folder} is kept; the server's last lines:{Environment.NewLine}{stage.ServerLines}");
            }
        }
        catch (Exception e) when (IsFailure(e) && stop.IsCancellationRequested)
        {
            // Ctrl-C reaches node and server as well: whatever failed, failed because it is over.
            throw new OperationCanceledException("stopped", e, stop);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw new CommandFailedException($"the demo could not start: {e.Message}");
        }
        if (once) output.WriteLine(report.ToJson());
        return ExitCode.Done;
    }

    private static bool IsFailure(Exception e) =>
        e is DemoFailedException or ChildProcessException or NodeException or ApiProblemException or ServerUnreachableException
            or AnswerLostException or HttpRequestException or CommandFailedException or InvalidOperationException or IOException;

    private static async Task ShowWhatToTryAsync(DemoStage stage, DemoRun run, TextWriter output, CancellationToken stop)
    {
        var server = stage.Url.ToString().TrimEnd('/');
        var wallet = (await stage.User.GetWalletAsync(run.AnyWallet, stop)).Value;
        output.WriteLine(
            $"""

            Everything holds. It keeps running:
              server            {server}
              the user's key    {stage.UserKey}
              the operator's    {stage.OperatorKey}
              a wallet          {wallet.Wallet} with {Session.Bits(wallet.AvailableMsat)}
              Bitcoin node      {stage.Node.Endpoint}, a block every {BlockInterval.TotalSeconds:0} seconds
              its cookie        {stage.Node.CookieFile}

            Try:
              export BITCACHE_URL={server} BITCACHE_KEY={stage.UserKey}
              curl -s $BITCACHE_URL/v1/health
              curl -s $BITCACHE_URL/v1/checkpoint
              curl -s -H "Authorization: Bearer $BITCACHE_KEY" $BITCACHE_URL/v1/wallets/{wallet.Wallet}
              curl -s -H "Authorization: Bearer $BITCACHE_KEY" $BITCACHE_URL/v1/wallets/{wallet.Wallet}/history
              curl -s -H 'Authorization: Bearer {stage.OperatorKey}' $BITCACHE_URL/v1/operator

              ./bitcache pay {wallet.Wallet} $(./bitcache wallet create) 0.001Bits
              ./bitcache history {wallet.Wallet}

            Ctrl-C stops everything and removes the scratch folder.
            """);
    }

    /// <summary>Time goes on: blocks come, so that deposits and withdrawals which somebody tries confirm.</summary>
    private static async Task MineUntilStoppedAsync(DemoStage stage, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(BlockInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop)) await stage.Node.MineAsync(1, stop);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C is how this ends.
        }
    }
}
