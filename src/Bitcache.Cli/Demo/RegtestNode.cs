// A private Bitcoin network of one real node, for the demo and for tests: blocks come when asked for, coins are
// free. The wallet "miner" plays the outside world; the wallet "bitcache" is the server's.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Cli.Demo;

/// <summary>A bitcoind on regtest that lives no longer than this object, nor than this process. Its folder, port and
/// wallets stay the same over <see cref="StopAsync"/>, <see cref="KillAsync"/> and <see cref="RestartAsync"/>.
/// One caller at a time may start and stop it; the calls to the node itself are free.</summary>
public sealed class RegtestNode : IAsyncDisposable
{
    public const string ServerWallet = "bitcache";
    public const string MinerWallet = "miner";
    private const string ReadyLine = "bitcache: the node is ready";

    // A coinbase output may be spent after 100 more blocks; more blocks give the miner more coins. Beyond height 121
    // no wallet picks 21 as a lock time (they step back up to 100 blocks), which Bitcoin Knots takes for spam.
    private const int FirstBlocks = 130;
    private const int PortAttemptsMax = 3;
    private static readonly FeeRate MinerFeeRate = new(2_000);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(60);

    private readonly string _program;
    private readonly string[] _options;
    private ChildProcess? _process;

    private RegtestNode(string program, string folder, int port, string[] options)
    {
        (_program, Folder, _options) = (program, folder, options);
        Endpoint = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/"));
        Rpc = new BitcoinRpc(new BitcoinRpcOptions(Endpoint, Credentials, CallTimeout));
        Node = new BitcoinRpcNode(Rpc, ServerWallet);
    }

    public string Folder { get; }
    public Uri Endpoint { get; }
    public string CookieFile => Path.Combine(Folder, "regtest", ".cookie");
    public RpcCredentials Credentials => RpcCredentials.FromCookie(CookieFile);
    public BitcoinRpc Rpc { get; }

    /// <summary>The node with the server's wallet; valid over restarts.</summary>
    public BitcoinRpcNode Node { get; }

    /// <summary>Starts a node in a folder, new or used before, and gives its miner coins to spend.</summary>
    /// <param name="options">Of the node, at this start and at every other.</param>
    public static async Task<RegtestNode> StartAsync(string folder, CancellationToken cancel, params string[] options)
    {
        var node = await StartBareAsync(folder, cancel, options);
        try
        {
            await node.PrepareAsync(cancel);
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    /// <summary>The same without wallets, and without blocks of its own: for one that follows another.</summary>
    public static async Task<RegtestNode> StartBareAsync(string folder, CancellationToken cancel, params string[] options)
    {
        var program = FindProgram();
        Directory.CreateDirectory(folder);
        for (var attempt = 1; ; attempt++)
        {
            var node = new RegtestNode(program, Path.GetFullPath(folder), FreePort(), options);
            try
            {
                await node.RestartAsync(cancel);
                return node;
            }
            catch (ChildProcessException e) when (e.Message.Contains("Unable to bind", StringComparison.Ordinal) && attempt < PortAttemptsMax)
            {
                // Somebody took the port between our look and the node's: another one.
                await node.DisposeAsync();
            }
            catch
            {
                await node.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Starts the stopped or killed node again; it is ready when this returns.</summary>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="options">Of the node, for this time, such as <c>-minrelaytxfee=0.00005</c>.</param>
    public async Task RestartAsync(CancellationToken cancel, params string[] options)
    {
        if (_process is not null) throw new InvalidOperationException("the node is running");
        var process = new ChildProcess(_program,
        [
            "-regtest",
            $"-datadir={Folder}",
            "-server",
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            string.Create(CultureInfo.InvariantCulture, $"-rpcport={Endpoint.Port}"),
            // Alone: no peers, no ports but the one above.
            "-listen=0",
            "-dnsseed=0",
            "-connect=0",
            // An old tip is no reason to believe that a download is going on.
            "-maxtipage=3153600000",
            "-fallbackfee=0.00002",
            // Quick to start and to mine: few keys ahead, no self-checks after each block.
            "-keypool=50",
            "-checkblockindex=0",
            "-checkmempool=0",
            "-checkaddrman=0",
            "-dbcache=16",
            // What is written survives a kill; a power failure nobody here survives.
            "-unsafesqlitesync=1",
            "-printtoconsole=0",
            // The node runs this command when it is ready, so that nobody has to poll for it.
            $"-startupnotify=echo '{ReadyLine}'",
            .. _options,
            .. options,
        ], line => line == ReadyLine);
        try
        {
            await process.StartAsync(cancel);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
        _process = process;
    }

    /// <summary>Stops the node in good order: its wallets and mempool are saved.</summary>
    public async Task StopAsync(CancellationToken cancel)
    {
        if (_process is not { } process) return;
        await Rpc.CallAsync(null, "stop", [], cancel);
        await process.WaitForExitAsync(cancel);
        await KillAsync();
    }

    /// <summary>kill -9: what the node had not written is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Mines blocks on the best chain; their rewards go to the address, else to the miner.</summary>
    public async Task<IReadOnlyList<BlockHash>> MineAsync(int blocks, CancellationToken cancel, string? address = null)
    {
        address ??= await NewMinerAddressAsync(cancel);
        var mined = await Rpc.CallAsync(null, "generatetoaddress", [blocks, address], a => a.ToList(NodeJson.ToBlockHash), cancel);
        await SyncWalletsAsync(cancel);
        return mined;
    }

    /// <summary>Pays from the miner's wallet as any user would; not confirmed until a block is mined, and known to the
    /// server's wallet when this returns.</summary>
    public async Task<Txid> PayAsync(string address, Sats amount, CancellationToken cancel)
    {
        // In the steps that the server takes, too: signed first, then sent, and what is sent again is the same transaction.
        var miner = new BitcoinRpcNode(Rpc, MinerWallet);
        var funded = await miner.WalletCreateFundedPsbtAsync([], [new PayOutput(address, amount)], MinerFeeRate, cancel);
        var signed = await miner.WalletProcessPsbtAsync(funded.Psbt, cancel);
        if (signed.Transaction is not { } raw || !BitcoinTransaction.TryParse(raw, out var transaction))
            throw new InvalidOperationException("the miner's wallet could not sign its payment");
        var sent = await Node.SendRawTransactionAsync(raw, cancel);
        if (sent.Outcome != BroadcastOutcome.Accepted)
            throw new InvalidOperationException($"the node does not accept the miner's payment {transaction.Txid}: {sent.Message}");
        await SyncWalletsAsync(cancel);
        return transaction.Txid;
    }

    /// <summary>An address outside the server's wallet.</summary>
    public Task<string> NewMinerAddressAsync(CancellationToken cancel) => MinerAsync("getnewaddress", [], NodeJson.ToText, cancel);

    /// <summary>Takes a block and all above it off the best chain; its transactions return to the mempool.</summary>
    public async Task InvalidateBlockAsync(BlockHash block, CancellationToken cancel)
    {
        await Rpc.CallAsync(null, "invalidateblock", [block.ToString()], cancel);
        await SyncWalletsAsync(cancel);
    }

    public async Task ReconsiderBlockAsync(BlockHash block, CancellationToken cancel)
    {
        await Rpc.CallAsync(null, "reconsiderblock", [block.ToString()], cancel);
        await SyncWalletsAsync(cancel);
    }

    public Task<T> MinerAsync<T>(string method, JsonArray parameters, Func<JsonElement, T> read, CancellationToken cancel) =>
        Rpc.CallAsync(MinerWallet, method, parameters, read, cancel);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        Rpc.Dispose();
    }

    /// <summary>The node tells its wallets of blocks and transactions a moment later; this returns when it has.</summary>
    private Task SyncWalletsAsync(CancellationToken cancel) =>
        Rpc.CallAsync(null, "syncwithvalidationinterfacequeue", [], cancel);

    private async Task PrepareAsync(CancellationToken cancel)
    {
        foreach (var wallet in (BitcoinRpcNode[])[Node, new BitcoinRpcNode(Rpc, MinerWallet)])
            if (!await wallet.LoadWalletAsync(cancel)) await wallet.CreateWalletAsync(cancel);
        var chain = await Node.GetBlockchainInfoAsync(cancel);
        if (chain.Blocks < FirstBlocks) await MineAsync(FirstBlocks - chain.Blocks, cancel);
    }

    private static string FindProgram()
    {
        var path = Environment.GetEnvironmentVariable("PATH") ?? "";
        var onPath = path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, "bitcoind"));
        return Environment.GetEnvironmentVariable("BITCOIND") is { Length: > 0 } named ? named
            : onPath.FirstOrDefault(File.Exists)
            ?? throw new InvalidOperationException("there is no bitcoind on PATH; ./bitcache fetches one, or name yours in BITCOIND");
    }

    /// <summary>A port of this machine that nobody listens on just now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
