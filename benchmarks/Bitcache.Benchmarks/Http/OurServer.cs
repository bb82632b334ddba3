// The server as users run it, over a ledger with funded wallets. There is no Bitcoin node: payments need none, and
// the ledger is filled in this process before the server is started on it.

using System.Buffers.Binary;
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
            var owner = await engine.Partitions.First.QueryAsync(ledger => ledger.OperatorWallet.Id);
            server._wallets = await FundedWallets.CreateAsync(engine.Partitions.First, owner, server.Tenant, wallets);
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

    /// <summary>Batches of payments to this server.</summary>
    public BatchPayments Batches(int paymentsPerRequest) => new(_process.Url, _key, _wallets, paymentsPerRequest);

    /// <summary>Kills the server, as a power switch would, and reads its journal: every payment that was acknowledged
    /// is there once, and no money came or went.</summary>
    /// <exception cref="BenchFailedException">That is not so.</exception>
    public async Task CheckAsync(long acknowledged, CancellationToken cancel)
    {
        await _process.DisposeAsync();
        await using var engine = await OpenAsync(cancel);
        var (next, totals) = await engine.Partitions.First.QueryAsync(ledger => (ledger.NextSequence, ledger.Totals));
        // Of an id the 62 bits that are all random are enough to tell two apart.
        var ids = new List<ulong>();
        engine.Partitions.First.ReadRecords(1, next - 1, record =>
        {
            var isOurs = Entry.StatementOf(record)[1] == (byte)EntryType.Transfer && BinaryPrimitives.ReadUInt32BigEndian(record[8..]) == Tenant;
            if (isOurs && EntryId.TryRead(record, out var identity)) ids.Add(unchecked((ulong)identity.Id.Value));
        });
        ids.Sort();
        var twice = ids.Zip(ids.Skip(1), (a, b) => a == b).Count(same => same);
        if (ids.Count != acknowledged || twice > 0)
            throw new BenchFailedException($"{acknowledged} payments were acknowledged, the journal has {ids.Count}, {twice} of them under an id used before");
        if (!totals.IsConserved || totals.Available != FundedWallets.Start.Value * _wallets.Length)
            throw new BenchFailedException($"the wallets hold {totals.Available} msat, and should hold what they began with");
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private Task<LedgerEngine> OpenAsync(CancellationToken cancel) => LedgerEngine.OpenAsync(
        _settings, OfflineNode.Create(), TimeProvider.System, NullLoggerFactory.Instance, Environment.FailFast, cancel);
}
