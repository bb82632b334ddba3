// The server as it runs, over a real Kestrel on loopback and a real journal in a folder of its own. Only Bitcoin is
// missing: deposits are put into the ledger as the watcher would report them.

using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Server;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Api;

/// <summary>An answer of the API, read whole.</summary>
public sealed record ApiAnswer(int Status, byte[] Bytes, HttpResponseHeaders Headers, string? ContentType)
{
    public string Text => Encoding.UTF8.GetString(Bytes);
    public JsonElement Json => JsonElement.Parse(Text);
    public string? Code => Status < 400 ? null : Json.GetProperty("code").GetString();
    public long Long(string member) => Json.GetProperty(member).GetInt64();
    public string String(string member) => Json.GetProperty(member).GetString()!;
}

public sealed class ApiFixture : IAsyncLifetime
{
    public const string ShopTenant = "shop";
    public const string OtherTenant = "other";
    public const string OperatorTenant = "operator";
    /// <summary>From here on a withdrawal waits for a second person.</summary>
    public const long ApprovalFromSat = 1_000_000;
    private const Scopes AllOfUsers = Scopes.Read | Scopes.Pay | Scopes.Withdraw;

    private readonly TemporaryFolder _folder = new();
    private readonly Bitcoin _node = new();
    private readonly Dictionary<(string Tenant, Scopes Scopes), string> _keys = [];
    private readonly ILoggerFactory _logs;
    private BitcacheServer? _server;
    private HttpClient? _http;

    public ApiFixture() => _logs = LoggerFactory.Create(logging => logging.AddProvider(Log));

    /// <summary>Where old segments go; null to keep them.</summary>
    public string? ArchiveFolder { get; init; }

    /// <summary>The ledger's clock. The server has another, <see cref="Time"/>, for its keys.</summary>
    public TimeProvider EngineTime { get; init; } = TimeProvider.System;

    public LedgerEngine Engine { get; private set; } = null!;
    public OfflineNode Node => _node.Offline;
    /// <summary>What the server logged, Kestrel's part included.</summary>
    internal LogLines Log { get; } = new();
    internal ManualTime Time { get; } = new();
    internal ApiKeyStore Keys { get; private set; } = null!;
    /// <summary>Of the ledger.</summary>
    public int Partitions { get; set; } = 1;

    /// <summary>Whether users bear their share of mining.</summary>
    public bool WithdrawalFeeShare { get; init; }

    public string DataFolder => _folder.Path;
    public Uri Address => _server!.Address;
    internal BitcacheServer Server => _server!;
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A key of a tenant with everything that users may do.</summary>
    public string Shop => Key(ShopTenant, AllOfUsers);
    public string Other => Key(OtherTenant, AllOfUsers);
    public string Admin => Key(OperatorTenant, Scopes.Admin);
    public string Auditor => Key(OperatorTenant, Scopes.Audit);

    public async ValueTask InitializeAsync()
    {
        var settings = new ServerSettings
        {
            Engine = new EngineSettings
            {
                DataFolder = _folder.Path,
                Origin = "ledger.test/log",
                Partitions = Partitions,
                PollInterval = TimeSpan.FromMinutes(10),
                SegmentMebibytes = 16,
                ArchiveFolder = ArchiveFolder,
                ArchiveAfterSegments = 1,
                WithdrawalFeeShare = WithdrawalFeeShare,
                ApprovalFromSat = ApprovalFromSat,
            },
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
        };
        Engine = await LedgerEngine.OpenAsync(
            settings.Engine, _node.Seam, EngineTime, NullLoggerFactory.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), Cancel);
        Keys = new ApiKeyStore(new LinuxFileSystem(), _folder.Path, BitcoinNetwork.Regtest, Time);
        _server = await BitcacheServer.StartAsync(settings, Engine, Time, _logs, Cancel);
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false }) { BaseAddress = _server.Address };
    }

    /// <summary>Ends the server and starts it again on what is on the disk.</summary>
    /// <param name="meanwhile">What happens in between, with the data folder.</param>
    public async Task RestartAsync(Action<string>? meanwhile = null)
    {
        await StopAsync();
        meanwhile?.Invoke(_folder.Path);
        await InitializeAsync();
    }

    public async Task StopAsync()
    {
        _http?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
        await Engine.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _logs.Dispose();
        Log.Dispose();
        _folder.Dispose();
    }

    /// <summary>A key with exactly these scopes; made when it is first asked for.</summary>
    public string Key(string tenant, Scopes scopes)
    {
        if (_keys.TryGetValue((tenant, scopes), out var known)) return known;
        return _keys[(tenant, scopes)] = NewKey(tenant, scopes).Secret;
    }

    /// <summary>The file of the keys, for tests that damage it.</summary>
    public string KeysFile => _folder.File("keys.json");

    /// <summary>A key of its own, which the server knows when this returns.</summary>
    public CreatedKey NewKey(string tenant, Scopes scopes, TimeSpan? validFor = null)
    {
        var isNew = Keys.List().FindTenant(tenant) is null;
        var key = Keys.Create(new KeyTerms(tenant, isNew, scopes, "test", validFor));
        Time.Advance(Keyring.StaleMax);
        return key;
    }

    public Task<ApiAnswer> GetAsync(string key, string path) => SendAsync(HttpMethod.Get, path, key);

    public Task<ApiAnswer> PostAsync(string key, string path, string body) =>
        SendAsync(HttpMethod.Post, path, key, new StringContent(body, Encoding.UTF8, "application/json"));

    public async Task<ApiAnswer> SendAsync(HttpMethod method, string path, string? key, HttpContent? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        // The server refuses a body that is far too large while it is still being sent.
        request.Headers.ExpectContinue = body?.Headers.ContentLength > 1 << 20;
        if (key is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await _http!.SendAsync(request, Cancel);
        var bytes = await response.Content.ReadAsByteArrayAsync(Cancel);
        return new ApiAnswer((int)response.StatusCode, bytes, response.Headers, response.Content.Headers.ContentType?.ToString());
    }

    public static string NewId() => ClientIds.Next(TimeProvider.System).ToString();

    /// <summary>Makes a wallet through the API, with some satoshis in it.</summary>
    public Task<string> NewWalletAsync(string key, long sat = 0) => NewWalletAsync(key, ClientIds.Next(TimeProvider.System), sat);

    /// <summary>Makes one in a partition, which is that of the id under which it is asked for.</summary>
    public async Task<string> NewWalletInAsync(int partition, string key, long sat = 0)
    {
        OperationId id;
        do id = ClientIds.Next(TimeProvider.System);
        while (new WalletId(id.Value).PartitionOf(Partitions) != partition);
        var wallet = await NewWalletAsync(key, id, sat);
        Assert.Equal(partition, Parse(wallet).PartitionOf(Partitions));
        return wallet;
    }

    private async Task<string> NewWalletAsync(string key, OperationId id, long sat)
    {
        var answer = await PostAsync(key, "/v1/wallets", $$"""{"id":"{{id}}"}""");
        Assert.Equal(201, answer.Status);
        var wallet = answer.String("wallet");
        if (sat > 0) await DepositAsync(key, wallet, sat);
        return wallet;
    }

    public static WalletId Parse(string wallet)
    {
        Assert.True(WalletId.TryParse(wallet, out var id));
        return id;
    }

    /// <summary>Credits a deposit as if it had come from Bitcoin.</summary>
    public Task<ChangeDeposit> DepositAsync(string key, string wallet, long sat) => DepositAsync(key, wallet, sat, suspense: false);

    /// <summary>The same, to suspense; gives the output as the API writes it.</summary>
    public async Task<string> NewSuspenseAsync(string key, string wallet, long sat, bool isFinal = true)
    {
        var deposit = await DepositAsync(key, wallet, sat, suspense: true);
        if (isFinal) Assert.Equal(Outcome.Accepted, (await Engine.Partitions.HomeOf(Parse(wallet)).SubmitAsync(deposit with { To = DepositState.Final })).Outcome);
        return deposit.OutPoint.ToString();
    }

    /// <summary>A deposit that was credited and left the chain; gives the output as the API writes it.</summary>
    public async Task<string> NewFrozenAsync(string key, string wallet, long sat)
    {
        var deposit = await DepositAsync(key, wallet, sat);
        Assert.Equal(Outcome.Accepted, (await Engine.Partitions.HomeOf(Parse(wallet)).SubmitAsync(deposit with { To = DepositState.Frozen })).Outcome);
        return deposit.OutPoint.ToString();
    }

    private async Task<ChangeDeposit> DepositAsync(string key, string wallet, long sat, bool suspense)
    {
        var address = await PostAsync(key, $"/v1/wallets/{wallet}/addresses", $$"""{"id":"{{NewId()}}"}""");
        Assert.Equal(201, address.Status);
        Assert.True(BitcoinAddress.TryParse(address.String("address"), BitcoinNetwork.Regtest, out var script, out _));
        var txid = new Txid(Hash256.Read(RandomNumberGenerator.GetBytes(Hash256.Bytes)));
        var deposit = new ChangeDeposit(
            new OutPoint(txid, 0), DepositState.Credited, suspense, new ByteString(script), new Sats(sat), new BlockHash(txid.Hash), 101);
        Assert.Equal(Outcome.Accepted, (await Engine.Partitions.HomeOf(Parse(wallet)).SubmitAsync(deposit)).Outcome);
        return deposit;
    }

    public Task<ApiAnswer> TransferAsync(string key, string id, string payer, string payee, long msat) =>
        PostAsync(key, "/v1/transfers", $$"""{"id":"{{id}}","payer":"{{payer}}","payee":"{{payee}}","amountMsat":{{msat}}}""");

    public async Task<long> AvailableAsync(string key, string wallet) => (await GetAsync(key, "/v1/wallets/" + wallet)).Long("availableMsat");

    /// <summary>Until nothing is on its way between partitions: asking each of them lets it take a turn.</summary>
    public async Task ArriveAsync()
    {
        while (Engine.Partitions.LegsInFlight > 0)
        {
            Cancel.ThrowIfCancellationRequested();
            await Engine.Partitions.QueryAllAsync(ledger => ledger.NextSequence);
        }
    }

    /// <summary>The newest entry that says something new: a refusal of shape leaves none.</summary>
    public async Task<long> EntriesAsync() => (await Engine.Partitions.QueryAllAsync(ledger => ledger.LastContentSequence)).Sum();

    /// <summary>One node, seen as the seam and as the part that tests play with.</summary>
    private sealed class Bitcoin
    {
        public Engine.Bitcoin.IBitcoinNode Seam { get; } = OfflineNode.Create();
        public OfflineNode Offline => (OfflineNode)Seam;
    }
}

[CollectionDefinition("api")]
public sealed class ApiCollection : ICollectionFixture<ApiFixture>;
