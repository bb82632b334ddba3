using System.Net;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Server.Settings;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class ServerSettingsTests : IDisposable
{
    private static readonly Dictionary<string, string> Good = new()
    {
        ["dataFolder"] = "/var/lib/bitcache",
        ["origin"] = "ledger.example.org/log",
        ["nodeCookieFile"] = "/var/lib/bitcoin/.cookie",
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_setting_is_read_from_the_file_and_the_command_line_wins()
    {
        var path = Write("""
            {
              // Comments are for operators.
              "dataFolder": "/data", "network": "regtest", "origin": "ledger.example.org/log", "listen": "127.0.0.1:1",
              "nodeUrl": "http://127.0.0.1:18443", "nodeUser": "bitcache", "nodePasswordFile": "PASSWORD", "nodeWallet": "hot",
              "nodeZmqBlock": "tcp://127.0.0.1:28332", "standbyUrl": "http://[::1]:18443", "standbyCookieFile": "/mnt/.cookie", "standbyWallet": "hot2",
              "standbyZmqBlock": "tcp://[::1]:28332", "nodeTimeout": "5s", "confirmationsToCredit": "0:2,5000:4", "finalityDepth": 9, "depositMinimumSat": 2000, "epochLength": "10m",
              "pollInterval": "500ms", "fallbackFeeRate": 3, "feeRateMax": 90, "feeTargetBlocks": 2, "feeCapSat": 20000,
              "anchorOutputSat": 700, "withdrawalFeeShare": true, "withdrawalBatchCount": 20,
              "withdrawalBatchTime": "5m", "feeRatePatience": 40, "withdrawalWaitMax": "3h", "segmentMebibytes": 16, "archiveFolder": "ARCHIVE", "archiveAfterSegments": 5,
              "snapshotEntries": 1000, "snapshotMebibytes": 64, "snapshotsKept": 3, "connections": 7, "tlsEndsAtProxy": true,
            }
            """.Replace("PASSWORD", Write("secret", "password"), StringComparison.Ordinal).Replace("ARCHIVE", _folder.Path, StringComparison.Ordinal));
        var settings = SettingsFile.Load(path, [KeyValuePair.Create("listen", "0.0.0.0:9")]);
        Assert.Equal(IPEndPoint.Parse("0.0.0.0:9"), settings.Listen);
        Assert.True(settings.TlsEndsAtProxy);
        Assert.Equal(7, settings.Connections);
        Assert.Equal(("bitcache", "hot", TimeSpan.FromSeconds(5)), (settings.Node.User, settings.Node.Wallet, settings.Node.Timeout));
        Assert.Equal(new Uri("tcp://127.0.0.1:28332"), settings.Node.ZmqBlock);
        Assert.Equal(
            new NodeSettings { Url = new Uri("http://[::1]:18443"), CookieFile = "/mnt/.cookie", Wallet = "hot2", ZmqBlock = new Uri("tcp://[::1]:28332") },
            settings.Standby);
        var engine = settings.Engine;
        Assert.Equal(("/data", BitcoinNetwork.Regtest, "ledger.example.org/log"), (engine.DataFolder, engine.Network, engine.Origin));
        Assert.Equal([new ConfirmationRule(0, 2), new ConfirmationRule(5000, 4)], engine.ConfirmationsToCredit);
        Assert.Equal((9, 2000L, TimeSpan.FromMinutes(10)), (engine.FinalityDepth, engine.DepositMinimumSat, engine.EpochLength));
        Assert.Equal((TimeSpan.FromMilliseconds(500), 3, 90, 2), (engine.PollInterval, engine.FallbackFeeRate, engine.FeeRateMax, engine.FeeTargetBlocks));
        Assert.Equal((20000L, 700L, 16), (engine.FeeCapSat, engine.AnchorOutputSat, engine.SegmentMebibytes));
        Assert.True(engine.WithdrawalFeeShare);
        Assert.Equal((20, TimeSpan.FromMinutes(5)), (engine.WithdrawalBatchCount, engine.WithdrawalBatchTime));
        Assert.Equal((40, TimeSpan.FromHours(3)), (engine.FeeRatePatience, engine.WithdrawalWaitMax));
        Assert.Equal((_folder.Path, 5), (engine.ArchiveFolder, engine.ArchiveAfterSegments));
        Assert.Equal((1000L, 64, 3), (engine.SnapshotEntries, engine.SnapshotMebibytes, engine.SnapshotsKept));
    }

    [Fact]
    public void A_journal_in_PostgreSQL_is_named_with_a_file_that_is_its_owners_alone()
    {
        var file = Write("Host=127.0.0.1", "connection");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var settings = new Dictionary<string, string>(Good)
        {
            ["journal"] = "postgres",
            ["postgresConnectionFile"] = file,
            ["postgresArchiveTablespace"] = "slow",
            ["snapshotsIn"] = "database",
        };
        var engine = SettingsFile.Load(null, settings).Engine;
        Assert.Equal((JournalKind.Postgres, file, "slow", true), (engine.Journal, engine.PostgresConnectionFile, engine.PostgresArchiveTablespace, engine.SnapshotsInDatabase));

        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains("chmod 600", Assert.Single(Assert.Throws<SettingsException>(() => SettingsFile.Load(null, settings)).Problems), StringComparison.Ordinal);
        settings["journal"] = "files";
        string[] expected = ["go together", "chmod 600", "postgresArchiveTablespace is for journal postgres", "snapshotsIn database is for journal postgres"];
        var problems = Assert.Throws<SettingsException>(() => SettingsFile.Load(null, settings)).Problems;
        Assert.All(expected, words => Assert.Contains(problems, p => p.Contains(words, StringComparison.Ordinal)));
        Assert.Equal(expected.Length, problems.Count);
    }

    [Fact]
    public void Every_problem_is_told_at_once()
    {
        var path = Write("""{"origin": "two words", "listen": "here", "finalityDepth": "0.5", "colour": "blue", "nodeUrl": ["a"]}""");
        var problems = Assert.Throws<SettingsException>(() => SettingsFile.Load(path, [])).Problems;
        string[] expected =
        [
            "nodeUrl must be a string", "there is no setting 'colour'", "listen is 'here' and should be", "finalityDepth is '0.5' and should be a whole number",
            "dataFolder is empty", "origin must have", "either nodeCookieFile, or nodeUser and nodePasswordFile",
        ];
        Assert.All(expected, words => Assert.Contains(problems, p => p.Contains(words, StringComparison.Ordinal)));
        Assert.Equal(expected.Length, problems.Count);
    }

    [Theory]
    [InlineData("0.0.0.0:8440")]
    [InlineData("[::]:8440")]
    [InlineData("192.0.2.1:8440")]
    public void Keys_do_not_cross_a_network_in_the_clear(string listen)
    {
        var exposed = new Dictionary<string, string>(Good) { ["listen"] = listen };
        Assert.Contains("listen is", Assert.Single(Assert.Throws<SettingsException>(() => SettingsFile.Load(null, exposed)).Problems), StringComparison.Ordinal);
        exposed["tlsEndsAtProxy"] = "true";
        Assert.Equal(IPEndPoint.Parse(listen), SettingsFile.Load(null, exposed).Listen);
    }

    [Theory]
    [InlineData("tlsCertificateFile", "/nowhere/cert.pem", "go together")]
    [InlineData("tlsEndsAtProxy", "yes", "true or false")]
    [InlineData("epochLength", "60", "such as 90s")]
    [InlineData("epochLength", "2147483647h", "at most 8760h")]
    [InlineData("epochLength", "99999999999999999999ms", "at most 8760h")]
    [InlineData("epochLength", "h", "such as 90s")]
    [InlineData("network", "main", "mainnet, testnet, signet or regtest")]
    [InlineData("network", "0", "mainnet, testnet, signet or regtest")]
    [InlineData("confirmationsToCredit", "0:1,x", "pairs")]
    [InlineData("connections", "0", "connections must lie")]
    [InlineData("archiveFolder", "/nowhere/slow", "there is no folder")]
    [InlineData("archiveFolder", "/var/lib/bitcache/journal", "outside dataFolder")]
    [InlineData("journal", "sqlite", "files or postgres")]
    [InlineData("journal", "postgres", "go together")]
    [InlineData("postgresConnectionFile", "/nowhere/connection", "there is no file")]
    [InlineData("snapshotsIn", "memory", "folder or database")]
    [InlineData("archiveAfterSegments", "0", "archiveAfterSegments must lie")]
    [InlineData("withdrawalBatchCount", "-1", "withdrawalBatchCount must be")]
    [InlineData("feeRatePatience", "201", "feeRatePatience must lie")]
    [InlineData("snapshotEntries", "0", "snapshotEntries must be")]
    [InlineData("snapshotMebibytes", "0", "snapshotMebibytes must be")]
    [InlineData("snapshotsKept", "0", "snapshotsKept must lie")]
    [InlineData("nodeUrl", "http://user:secret@127.0.0.1", "without user or password")]
    [InlineData("nodeUrl", "ftp://127.0.0.1", "http or https")]
    [InlineData("nodeZmqBlock", "ipc:///run/blocks", "nodeZmqBlock must be as in the node's zmqpubhashblock")]
    [InlineData("nodeZmqBlock", "tcp://127.0.0.1", "nodeZmqBlock must be as in the node's zmqpubhashblock")]
    [InlineData("standbyCookieFile", "/mnt/.cookie", "standbyUrl must be an http or https address")]
    [InlineData("standbyUrl", "http://127.0.0.1:8332", "either standbyCookieFile, or standbyUser and standbyPasswordFile")]
    [InlineData("standbyUrl", "http://127.0.0.1:18443", "standbyUrl is nodeUrl")]
    public void A_bad_value_is_named_with_what_it_should_be(string name, string value, string words)
    {
        var settings = new Dictionary<string, string>(Good) { [name] = value };
        var problems = Assert.Throws<SettingsException>(() => SettingsFile.Load(null, settings)).Problems;
        Assert.Contains(problems, p => p.Contains(words, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"origin\": \"a\", \"origin\": \"b\"}")]
    [InlineData("{")]
    public void A_file_that_is_no_settings_file_is_refused(string text) =>
        Assert.Contains(
            Assert.Throws<SettingsException>(() => SettingsFile.Load(Write(text), Good)).Problems,
            p => p.Contains("cannot be read", StringComparison.Ordinal));

    private string Write(string text, string name = "settings.json")
    {
        File.WriteAllText(_folder.File(name), text);
        return _folder.File(name);
    }
}
