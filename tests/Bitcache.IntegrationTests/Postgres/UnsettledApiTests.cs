// The API of a silo while nobody settles: whatever the partitions decide and every copy can tell goes on; the rest is handed on to
// whoever settles, and here to nobody.

using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Server;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;
using Bitcache.Tests.Partitions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class UnsettledApiTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Partitions = 2;
    private const int HandedOn = StatusCodes.Status421MisdirectedRequest;
    private static readonly ByteString Abroad = new([0x00, 0x14, .. Enumerable.Repeat((byte)7, 20)]);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-unsettled-");
    private readonly WalletId _operator = ClientIds.NextWallet(0, Partitions);
    private readonly WalletId _wallet = ClientIds.NextWallet(1, Partitions);
    private readonly OperationId _withdrawal = NewId();
    private readonly OperationId _awaiting = NewId();
    private BitcoinRpc _rpc = null!;
    private LedgerEngine _engine = null!;
    private BitcacheServer _server = null!;
    private HttpClient _http = null!;
    private string _user = "";
    private string _admin = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var settings = new ServerSettings { Engine = NewSettings(), Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        // Whoever does not settle asks no node.
        _rpc = new BitcoinRpc(new BitcoinRpcOptions(new Uri("http://127.0.0.1:9"), RpcCredentials.None, TimeSpan.FromSeconds(1)));
        var nobody = new RemoteOwner((partition, _) => throw new PartitionElsewhereException(partition), TimeProvider.System, TimeSpan.Zero);
        _engine = await LedgerEngine.JoinAsync(
            settings.Engine, "silo", nobody, new BitcoinRpcNode(_rpc, "none"), null, TimeProvider.System, NullLoggerFactory.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause));
        foreach (var partition in _engine.Partitions.All) await ((SharedPartition)partition).PromoteAsync();
        var keys = new ApiKeyStore(new LinuxFileSystem(), _folder.FullName, BitcoinNetwork.Regtest, TimeProvider.System);
        (_user, _admin) = (keys.Create(new KeyTerms("shop", true, Scopes.Read | Scopes.Pay | Scopes.Withdraw, "test")).Secret, keys.Create(new KeyTerms("operator", false, Scopes.Admin, "test")).Secret);
        await BeginAsync(keys.List().FindTenant("shop")!.Number);
        _server = await BitcacheServer.StartAsync(settings, _engine, TimeProvider.System, NullLoggerFactory.Instance, Cancel, toSettlement: http =>
        {
            http.Response.StatusCode = HandedOn;
            return Task.CompletedTask;
        });
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false }) { BaseAddress = _server.Address };
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
        if (_engine is not null) await _engine.DisposeAsync();
        _rpc?.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_user_freezes_a_wallet_and_only_the_operators_own_is_handed_on()
    {
        var (status, reply) = await PostAsync(_user, $"/v1/wallets/{_wallet}/freeze", new { id = NewId().ToString() });
        Assert.Equal((201, "owner"), (status, reply.GetProperty("frozenBy")[0].GetString()));
        Assert.Equal(201, (await PostAsync(_user, $"/v1/wallets/{_wallet}/unfreeze", new { id = NewId().ToString() })).Status);
        Assert.Equal(201, (await PostAsync(_admin, $"/v1/wallets/{_wallet}/freeze", new { id = NewId().ToString() })).Status);
        foreach (var what in new[] { "freeze", "unfreeze" })
            Assert.Equal(HandedOn, (await PostAsync(_admin, $"/v1/wallets/{_operator}/{what}", new { id = NewId().ToString() })).Status);
    }

    [Fact]
    public async Task Withdrawals_are_shown_taken_back_and_declined()
    {
        var withdrawals = $"/v1/wallets/{_wallet}/withdrawals";
        Assert.Equal(2, (await GetAsync(_user, withdrawals)).Reply.GetProperty("items").GetArrayLength());
        Assert.Equal("queued", (await GetAsync(_user, $"{withdrawals}/{_withdrawal}")).Reply.GetProperty("state").GetString());
        Assert.Equal("cancelled", (await PostAsync(_user, $"{withdrawals}/{_withdrawal}/cancel", null)).Reply.GetProperty("state").GetString());
        Assert.Equal(1, (await GetAsync(_admin, "/v1/operator/approvals")).Reply.GetProperty("waiting").GetInt32());
        Assert.Equal("declined", (await PostAsync(_admin, $"{withdrawals}/{_awaiting}/decline", null)).Reply.GetProperty("state").GetString());
    }

    [Fact]
    public async Task What_needs_no_desk_is_answered_and_the_rest_handed_on()
    {
        foreach (var path in new[] { $"/v1/wallets/{_wallet}/addresses", "/v1/operator", "/v1/operator/fees", "/v1/operator/suspense", "/v1/operator/frozen" })
            Assert.Equal((path, 200), (path, (await GetAsync(path.StartsWith("/v1/wallets", StringComparison.Ordinal) ? _user : _admin, path)).Status));
        Assert.Equal(200, (await PostAsync(_admin, "/v1/operator/clock:confirm", null)).Status);
        foreach (var path in new[] { "deposits", "withdrawals:quote?address=x" })
            Assert.Equal((path, HandedOn), (path, (await GetAsync(_user, $"/v1/wallets/{_wallet}/{path}")).Status));
        foreach (var path in new[] { "addresses", "withdrawals" })
            Assert.Equal((path, HandedOn), (path, (await PostAsync(_user, $"/v1/wallets/{_wallet}/{path}", new { id = NewId().ToString() })).Status));
        foreach (var path in new[] { "withdrawals:stop", "withdrawals:resume", "fees", "rescan", "addresses" })
            Assert.Equal((path, HandedOn), (path, (await PostAsync(_admin, "/v1/operator/" + path, new { })).Status));
    }

    /// <summary>A user's wallet with money, one withdrawal that waits and one that awaits approval.</summary>
    private async Task BeginAsync(uint tenant)
    {
        foreach (var partition in _engine.Partitions.All) await DoAsync(partition, new Genesis(NewSettings().Origin, 3, Partitions, _operator, new ByteString([0x51]), []));
        var home = _engine.Partitions.HomeOf(_wallet);
        await DoAsync(home, new CreateWallet(NewId(), tenant, _wallet), tenant);
        await DoAsync(home, new AssignAddress(NewId(), _wallet, AddressPurpose.Deposit, BegunLedger.Script), tenant);
        await DoAsync(home, new ChangeDeposit(default, DepositState.Credited, false, BegunLedger.Script, new Sats(10_000), default, 1));
        await DoAsync(home, new RequestWithdrawal(_withdrawal, _wallet, Abroad, new Sats(1_000), Max: false), tenant);
        await DoAsync(home, new RequestWithdrawal(_awaiting, _wallet, Abroad, new Sats(5_000), Max: false) { ApprovalFrom = new Sats(2_000), AskedBy = ByteString.FromUtf8("user") }, tenant);
    }

    private static async Task DoAsync(Partition partition, Command command, uint tenant = Ledger.OperatorTenant) =>
        Assert.Equal(Outcome.Accepted, (await partition.SubmitAsync(command, tenant)).Outcome);

    private Task<(int Status, JsonElement Reply)> GetAsync(string key, string path) => SendAsync(HttpMethod.Get, key, path, null);

    private Task<(int Status, JsonElement Reply)> PostAsync(string key, string path, object? body) => SendAsync(HttpMethod.Post, key, path, body is null ? null : JsonContent.Create(body));

    private async Task<(int Status, JsonElement Reply)> SendAsync(HttpMethod method, string key, string path, HttpContent? body)
    {
        if (body is not null) await body.LoadIntoBufferAsync(Cancel);
        using var request = new HttpRequestMessage(method, path) { Content = body };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await _http.SendAsync(request, Cancel);
        var text = await response.Content.ReadAsStringAsync(Cancel);
        return ((int)response.StatusCode, text.Length == 0 ? default : JsonDocument.Parse(text).RootElement);
    }

    private EngineSettings NewSettings()
    {
        var connection = Path.Combine(_folder.FullName, "connection");
        if (!File.Exists(connection))
        {
            File.WriteAllText(connection, postgres.NewDatabase().ConnectionString);
            File.SetUnixFileMode(connection, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        return new EngineSettings
        {
            DataFolder = _folder.FullName,
            Origin = "ledger.test/log",
            Network = BitcoinNetwork.Regtest,
            Partitions = Partitions,
            SegmentMebibytes = 16,
            Journal = JournalKind.Postgres,
            PostgresConnectionFile = connection,
            SnapshotsInDatabase = true,
            Cluster = "tests",
        };
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
