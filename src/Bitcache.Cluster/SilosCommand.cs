// `bitcache silos`: two silos over a PostgreSQL and a Bitcoin node of their own, for trying out.

using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Bitcache.Cli;
using Bitcache.Cli.Client;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Command = System.CommandLine.Command;

namespace Bitcache.Cluster;

internal static class SilosCommand
{
    private const int Partitions = 4;
    private const int Payments = 100;
    private static readonly Msat Amount = new(1_000);
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly TimeSpan BlockInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly Option<bool> Once = new("--once") { Description = "End when everything has been shown." };

    public static Command Create()
    {
        var command = new Command("silos", "Run two silos over a PostgreSQL and a Bitcoin node of their own: payments through both, kill -9 of one. Until Ctrl-C.") { Once };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken stop)
    {
        var output = parsed.InvocationConfiguration.Output;
        try
        {
            await using var cluster = await LocalCluster.StartAsync(typeof(SilosCommand).Assembly.Location, 2, Partitions, output.WriteLine, stop);
            var wallet = await ShowAsync(cluster, output, stop);
            if (parsed.GetValue(Once)) return ExitCode.Done;
            await output.WriteLineAsync(
                $"""

                It keeps running:
                  silos             {cluster.Silos[0].Url} and {cluster.Silos[1].Url}
                  the user's key    {cluster.UserKey}
                  the operator's    {cluster.OperatorKey}
                  a wallet          {wallet}
                  scratch folder    {cluster.Folder}

                Try:
                  curl -s -H 'Authorization: Bearer {cluster.UserKey}' {cluster.Silos[1].Url}v1/wallets/{wallet}

                Ctrl-C stops everything and removes the scratch folder.
                """);
            await MineUntilStoppedAsync(cluster, stop);
            return ExitCode.Done;
        }
        catch (Exception e) when (e is ChildProcessException or NodeException or DemoFailedException or InvalidOperationException or HttpRequestException && !stop.IsCancellationRequested)
        {
            throw new CommandFailedException(e.Message);
        }
    }

    private static async Task<WalletId> ShowAsync(LocalCluster cluster, TextWriter output, CancellationToken cancel)
    {
        using var a = Connect(cluster.Silos[0], cluster.UserKey);
        using var b = Connect(cluster.Silos[1], cluster.UserKey);
        var payer = await CreateWalletAsync(a, cancel);
        var payees = await CreateInEachPartitionAsync(b, cancel);
        // Only the silo that settles gives addresses: the other one hands the request on.
        var addresses = await Task.WhenAll(new[] { a, b }.Select(silo => silo.AssignAddressAsync(payer, NewId(), cancel)));
        await cluster.Node.PayAsync(addresses[0].Value.Address, Deposit, cancel);
        await cluster.Node.MineAsync(1, cancel);
        await DemoCheck.EventuallyAsync("a credited deposit", async () => await BalanceAsync(b, payer, cancel) is var balance and > 0 ? $"{balance}" : null, cancel);
        await output.WriteLineAsync($"a deposit of {Deposit.Value} sat is credited");

        for (var i = 0; i < Payments; i++) await PayAsync(i % 2 == 0 ? a : b, NewId(), payer, payees[i % Partitions], cancel);
        await CheckAsync([a, b], payer, payees, Payments / Partitions, cancel);
        await output.WriteLineAsync($"{Payments} payments, in turn through both: each shows the same balances");

        await cluster.Silos[0].KillAsync();
        var killed = Stopwatch.GetTimestamp();
        await Task.WhenAll(payees.Select(payee => PayAsync(b, NewId(), payee, payer, cancel)));
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"kill -9 of silo a: silo b has taken a payment in each of {Partitions} partitions after {Stopwatch.GetElapsedTime(killed).TotalSeconds:0.0} s"));
        await cluster.Silos[0].StartAsync(cancel);
        await CheckAsync([a, b], payer, payees, (Payments / Partitions) - 1, cancel);
        await output.WriteLineAsync("silo a is back, and each shows the same balances");
        return payer;
    }

    private static ApiClient Connect(LocalSilo silo, string key) => new(new ApiConnection(silo.Url, key, Patience, TimeProvider.System));

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private static async Task<WalletId> CreateWalletAsync(ApiClient silo, CancellationToken cancel) =>
        WalletId.TryParse((await silo.CreateWalletAsync(NewId(), cancel)).Value.Wallet, out var wallet) ? wallet : throw new DemoFailedException("a wallet has no id");

    /// <returns>A wallet of each partition: silos share the partitions, so some are written by either.</returns>
    private static async Task<WalletId[]> CreateInEachPartitionAsync(ApiClient silo, CancellationToken cancel)
    {
        var wallets = new Dictionary<int, WalletId>();
        while (wallets.Count < Partitions)
        {
            var wallet = await CreateWalletAsync(silo, cancel);
            wallets.TryAdd(wallet.PartitionOf(Partitions), wallet);
        }
        return [.. wallets.Values];
    }

    /// <summary>Where nothing came of it, or nobody knows what, the client asks again with the same id.</summary>
    private static async Task PayAsync(ApiClient silo, OperationId id, WalletId payer, WalletId payee, CancellationToken cancel) =>
        await silo.PayAsync(new Transfer(id, payer, payee, Amount, 0, ByteString.Empty), cancel);

    private static async Task<long> BalanceAsync(ApiClient silo, WalletId wallet, CancellationToken cancel) => (await silo.GetWalletAsync(wallet, cancel)).Value.AvailableMsat;

    /// <summary>A credit from one partition to another follows its debit.</summary>
    private static async Task CheckAsync(ApiClient[] silos, WalletId payer, WalletId[] payees, int paymentsEach, CancellationToken cancel)
    {
        foreach (var silo in silos)
        {
            foreach (var payee in payees) await CheckAsync(silo, payee, paymentsEach * Amount.Value, cancel);
            await CheckAsync(silo, payer, Deposit.ToMsat().Value - (payees.Length * paymentsEach * Amount.Value), cancel);
        }
    }

    private static async Task CheckAsync(ApiClient silo, WalletId wallet, long balance, CancellationToken cancel) =>
        await DemoCheck.EventuallyAsync($"a balance of {balance} msat", async () => await BalanceAsync(silo, wallet, cancel) == balance ? "" : null, cancel);

    private static async Task MineUntilStoppedAsync(LocalCluster cluster, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(BlockInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop)) await cluster.Node.MineAsync(1, stop);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C is how this ends.
        }
    }
}
