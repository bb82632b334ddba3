// The server as users run it, over a ledger with funded wallets. There is no Bitcoin node: payments need none, and
// the ledger is filled in this process before the server is started on it.

using System.Globalization;
using System.Net;
using Bitcache.Cli.Commands;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Server.Keys;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks.Http;

internal sealed class OurServer : IAsyncDisposable
{
    private const string Origin = "bench.example/log";
    /// <summary>For whoever else looks at the server while it is under load.</summary>
    private const int SpareConnections = 16;

    private readonly EngineSettings _settings;
    private readonly string _key;
    private DotnetProcess _process = null!;
    private WalletId[] _wallets = [];

    private OurServer(string folder)
    {
        _settings = new EngineSettings { DataFolder = folder, Origin = Origin };
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var keys = new ApiKeyStore(new LinuxFileSystem(), folder, BitcoinNetwork.Regtest, TimeProvider.System);
        var key = keys.Create(new KeyTerms("bench", NewTenant: true, Scopes.Pay, "bench"));
        (_key, Tenant) = (key.Secret, key.Record.Tenant);
    }

    public EndPoint EndPoint => _process.EndPoint;
    private uint Tenant { get; }

    /// <summary>Fills a new data folder and starts the server on it.</summary>
    /// <param name="connections">How many it will be asked to hold.</param>
    public static async Task<OurServer> StartAsync(string folder, int wallets, int connections, CancellationToken cancel)
    {
        var server = new OurServer(folder);
        await using (var engine = await server.OpenAsync(cancel))
        {
            var owner = await engine.Partition.QueryAsync(ledger => ledger.OperatorWallet.Id);
            server._wallets = await FundedWallets.CreateAsync(engine.Partition, owner, server.Tenant, wallets);
        }
        server._process = await DotnetProcess.StartAsync("bitcache.dll",
            [
                ServeCommand.Name, "--data-folder", folder, "--origin", Origin, "--listen", "127.0.0.1:0",
                "--connections", (connections + SpareConnections).ToString(CultureInfo.InvariantCulture),
                // Nobody is there: what needs the node waits, and payments go on.
                "--node-url", "http://127.0.0.1:1", "--node-cookie-file", Path.Combine(folder, "no-node"),
            ], cancel);
        return server;
    }

    /// <summary>Single payments to this server, or with the same bytes to another.</summary>
    public SinglePayments SinglePayments(Uri? other = null, int status = (int)HttpStatusCode.Created) =>
        new(other ?? _process.Url, EmptyEndpoint.Route, _key, status, _wallets);

    /// <summary>Kills the server, as a power switch would, and reads its journal: every payment that was acknowledged
    /// is there once, and no money came or went.</summary>
    /// <exception cref="BenchFailedException">That is not so.</exception>
    public async Task CheckAsync(long acknowledged, CancellationToken cancel)
    {
        await _process.DisposeAsync();
        await using var engine = await OpenAsync(cancel);
        var (next, totals) = await engine.Partition.QueryAsync(ledger => (ledger.NextSequence, ledger.Totals));
        var ids = new HashSet<OperationId>();
        var payments = 0L;
        engine.Partition.ReadRecords(1, next - 1, record =>
        {
            var entry = Entry.Read(record);
            if (entry.Command is not Transfer payment || entry.Tenant != Tenant) return;
            payments++;
            ids.Add(payment.Id);
        });
        if (payments != acknowledged || ids.Count != acknowledged)
            throw new BenchFailedException($"{acknowledged} payments were acknowledged, the journal has {payments} under {ids.Count} ids");
        if (!totals.IsConserved || totals.Available != FundedWallets.Start.Value * _wallets.Length)
            throw new BenchFailedException($"the wallets hold {totals.Available} msat, and should hold what they began with");
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private Task<LedgerEngine> OpenAsync(CancellationToken cancel) => LedgerEngine.OpenAsync(
        _settings, OfflineNode.Create(), TimeProvider.System, NullLoggerFactory.Instance, Environment.FailFast, cancel);
}
