// Each setting once: its name in the file and on the command line, what it means, and how its text is read.

using System.Globalization;
using System.Net;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;

namespace Bitcache.Server.Settings;

/// <summary>One setting.</summary>
/// <param name="Help">What it means, with its unit and an example.</param>
/// <param name="Apply">Puts the text into the record; throws <see cref="FormatException"/> with what is expected instead.</param>
public sealed record Setting(string Name, string Help, Func<ServerSettings, string, ServerSettings> Apply)
{
    /// <summary>All settings, in the order in which they are documented.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        ForEngine("dataFolder", "The folder of the journal, the log and the keys.", (e, t) => e with { DataFolder = t }),
        ForEngine("network", "mainnet, testnet, signet or regtest. It can never change for one data folder.", (e, t) => e with { Network = Network(t) }),
        ForEngine("origin", "The log's name for ever: a host name and a path, such as ledger.example.org/log.", (e, t) => e with { Origin = t }),
        ForEngine("partitions", "In how many partitions a new ledger keeps its wallets; 1 unless more processors are to be used. It can never change for one data folder.", (e, t) => e with { Partitions = Integer(t) }),
        new("listen", "The address and port of the API, such as 127.0.0.1:8440 or [::1]:8440.", (s, t) => s with { Listen = EndPoint(t) }),
        new("tlsCertificateFile", "A certificate with its chain, in PEM.", (s, t) => s with { TlsCertificateFile = t }),
        new("tlsKeyFile", "The certificate's private key, in PEM.", (s, t) => s with { TlsKeyFile = t }),
        new("tlsEndsAtProxy", "true: a proxy in front speaks TLS, so plain HTTP may be served beyond this machine.", (s, t) => s with { TlsEndsAtProxy = YesNo(t) }),
        new("telemetry", "The address of an OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318: what the server measures of itself is sent there.", (s, t) => s with { Telemetry = Url(t) }),
        new("connections", "Connections held at once.", (s, t) => s with { Connections = Integer(t) }),
        ForNode("nodeUrl", "The Bitcoin node's RPC address, such as http://127.0.0.1:8332.", (n, t) => n with { Url = Url(t) }),
        ForNode("nodeCookieFile", "The node's .cookie file.", (n, t) => n with { CookieFile = t }),
        ForNode("nodeUser", "A user of the node's rpcauth, instead of the cookie.", (n, t) => n with { User = t }),
        ForNode("nodePasswordFile", "A file whose first line is that user's password.", (n, t) => n with { PasswordFile = t }),
        ForNode("nodeWallet", "The node's wallet that is Bitcache's alone.", (n, t) => n with { Wallet = t }),
        ForNode("nodeZmqBlock", "The node's zmqpubhashblock, such as tcp://127.0.0.1:28332: a new block is looked at at once.", (n, t) => n with { ZmqBlock = Url(t) }),
        ForNode("nodeTimeout", "How long one call to a node may take, such as 60s.", (n, t) => n with { Timeout = Duration(t) }),
        ForStandby("standbyUrl", "The RPC address of another node with the same hot wallet, which takes over when the first does not serve.", (n, t) => n with { Url = Url(t) }),
        ForStandby("standbyCookieFile", "That node's .cookie file.", (n, t) => n with { CookieFile = t }),
        ForStandby("standbyUser", "A user of that node's rpcauth, instead of the cookie.", (n, t) => n with { User = t }),
        ForStandby("standbyPasswordFile", "A file whose first line is that user's password.", (n, t) => n with { PasswordFile = t }),
        ForStandby("standbyWallet", "The name of the hot wallet there.", (n, t) => n with { Wallet = t }),
        ForStandby("standbyZmqBlock", "That node's zmqpubhashblock.", (n, t) => n with { ZmqBlock = Url(t) }),
        ForEngine("confirmationsToCredit", "Confirmations by amount: from 0 sat 1, from 1,000,000 sat 3 is written 0:1,1000000:3.", (e, t) => e with { ConfirmationsToCredit = Rules(t) }),
        ForEngine("finalityDepth", "From this many confirmations on nothing is taken back.", (e, t) => e with { FinalityDepth = Integer(t) }),
        ForEngine("depositMinimumSat", "Smaller deposits are kept apart and not credited.", (e, t) => e with { DepositMinimumSat = Integer(t) }),
        ForEngine("epochLength", "How long an epoch lasts, such as 60m.", (e, t) => e with { EpochLength = Duration(t) }),
        ForEngine("pollInterval", "How often the chain is looked at and the log is cut, such as 2s.", (e, t) => e with { PollInterval = Duration(t) }),
        ForEngine("fallbackFeeRate", "The fee rate in sat/vB where the node has no estimate.", (e, t) => e with { FallbackFeeRate = Integer(t) }),
        ForEngine("feeRateMax", "No transaction pays a higher fee rate, in sat/vB.", (e, t) => e with { FeeRateMax = Integer(t) }),
        ForEngine("feeTargetBlocks", "Within how many blocks a transaction should confirm; after as many it is replaced by one that pays more.", (e, t) => e with { FeeTargetBlocks = Integer(t) }),
        ForEngine("feeCapSat", "The most that mining one transaction may cost.", (e, t) => e with { FeeCapSat = Integer(t) }),
        ForEngine("withdrawalBatchCount", "Withdrawals leave before the epoch closes when so many wait in a partition; 0 for never.", (e, t) => e with { WithdrawalBatchCount = Integer(t) }),
        ForEngine("withdrawalBatchTime", "The same when one has waited so long, such as 10m; 0s for never.", (e, t) => e with { WithdrawalBatchTime = Duration(t) }),
        ForEngine("feeRatePatience", "While mining costs more than this, in sat/vB, withdrawals that can wait do; 0 for never.", (e, t) => e with { FeeRatePatience = Integer(t) }),
        ForEngine("withdrawalWaitMax", "How long they wait for that at most, such as 24h.", (e, t) => e with { WithdrawalWaitMax = Duration(t) }),
        ForEngine("withdrawalFeeShare", "true: users bear the share of mining fees that falls to their withdrawals, at most what they were quoted; false: the operator bears all.", (e, t) => e with { WithdrawalFeeShare = YesNo(t) }),
        ForEngine("externalSigner", "true: the node's wallet has no private keys, and transactions are signed elsewhere.", (e, t) => e with { ExternalSigner = YesNo(t) }),
        ForEngine("anchorOutputSat", "The value of the output that the next anchor spends.", (e, t) => e with { AnchorOutputSat = Integer(t) }),
        ForEngine("approvalFromSat", "Withdrawals of at least so much wait for a second person's approval.", (e, t) => e with { ApprovalFromSat = Satoshis(t) }),
        ForEngine("withdrawalLimitTransactionSat", "The most that withdrawals may take in one transaction.", (e, t) => e with { WithdrawalLimits = e.WithdrawalLimits with { TransactionSat = Satoshis(t) } }),
        ForEngine("withdrawalLimitHourSat", "The most that withdrawals may take in any 60 minutes.", (e, t) => e with { WithdrawalLimits = e.WithdrawalLimits with { HourSat = Satoshis(t) } }),
        ForEngine("withdrawalLimitDaySat", "The most that withdrawals may take in any 24 hours.", (e, t) => e with { WithdrawalLimits = e.WithdrawalLimits with { DaySat = Satoshis(t) } }),
        ForEngine("operatorFundsWarnCaps", "With less than so many times feeCapSat in it, the operator's wallet asks to be topped up.", (e, t) => e with { OperatorFundsWarnCaps = Integer(t) }),
        ForEngine("coldDescriptors", "Output descriptors, with checksums and separated by spaces, of coins that are kept elsewhere and count as reserves.", (e, t) => e with { ColdDescriptors = Words(t) }),
        ForEngine("coldSince", "A day, such as 2026-11-21, before which there are no such coins; blocks from then on are searched for them, which may take hours.", (e, t) => e with { ColdSince = Day(t) }),
        ForEngine("hotWalletCeilingSat", "With more in it, the node's wallet asks for coins to be moved away.", (e, t) => e with { HotWalletCeilingSat = Satoshis(t) }),
        ForEngine("consolidateBelowFeeRate", "While the node estimates at most this, in sat/vB, many small coins are made one; 0 for never.", (e, t) => e with { ConsolidateBelowFeeRate = Integer(t) }),
        ForEngine("consolidateFromCoins", "Only if there are more small coins than this.", (e, t) => e with { ConsolidateFromCoins = Integer(t) }),
        ForEngine("consolidateCoinBelowSat", "Coins below this are small.", (e, t) => e with { ConsolidateCoinBelowSat = Satoshis(t) }),
        ForEngine("journal", "files: the journal is in the data folder. postgres: it is in a database, and keys, log, epochs and snapshots are in the data folder.", (e, t) => e with { Journal = Journal(t) }),
        ForEngine("postgresConnectionFile", "A file whose first line says how PostgreSQL is reached, such as Host=db.example.org;Username=bitcache;Password=...;Database=bitcache;SSL Mode=VerifyFull.", (e, t) => e with { PostgresConnectionFile = t }),
        ForEngine("postgresArchiveTablespace", "An existing tablespace, on a slower disk, that old batches are moved to and read from.", (e, t) => e with { PostgresArchiveTablespace = t }),
        ForEngine("cluster", "The name of the cluster whose silos share this database, for ever: letters, digits, '-' and '.'. Only for bitcache silo.", (e, t) => e with { Cluster = t }),
        ForSilo("silo", "This silo's own name, such as a.", (c, t) => c with { Name = t }),
        ForSilo("siloAddress", "The IP address at which the other silos reach this one.", (c, t) => c with { Address = Address(t) }),
        ForSilo("siloPort", "The port for the other silos.", (c, t) => c with { Port = Integer(t) }),
        ForSilo("siloUrl", "Where the other silos reach this one's API, such as http://10.0.0.1:8440: for what only the silo that settles can answer.", (c, t) => c with { Url = Url(t) }),
        ForEngine("segmentMebibytes", "The size of a journal segment; in PostgreSQL of the batches that have an id filter together.", (e, t) => e with { SegmentMebibytes = Integer(t) }),
        ForEngine("archiveFolder", "An existing folder, on a slower disk, that old journal segments are moved to and read from.", (e, t) => e with { ArchiveFolder = t }),
        ForEngine("archiveAfterSegments", "How many full segments, the newest, are not moved to the archive.", (e, t) => e with { ArchiveAfterSegments = Integer(t) }),
        ForEngine("snapshotsIn", "folder: snapshots are in the data folder. database: they are in the journal's database, where any machine finds them.", (e, t) => e with { SnapshotsInDatabase = InDatabase(t) }),
        ForEngine("snapshotEntries", "After so many entries a snapshot is taken, from which the next start goes on.", (e, t) => e with { SnapshotEntries = Integer(t) }),
        ForEngine("snapshotMebibytes", "The same after so much of the journal.", (e, t) => e with { SnapshotMebibytes = Integer(t) }),
        ForEngine("snapshotsKept", "How many snapshots, the newest, are kept.", (e, t) => e with { SnapshotsKept = Integer(t) }),
    ];

    private static Setting ForEngine(string name, string help, Func<EngineSettings, string, EngineSettings> apply) =>
        new(name, help, (s, t) => s with { Engine = apply(s.Engine, t) });

    private static Setting ForSilo(string name, string help, Func<SiloSettings, string, SiloSettings> apply) =>
        new(name, help, (s, t) => s with { Silo = apply(s.Silo ?? new SiloSettings(), t) });

    private static Setting ForNode(string name, string help, Func<NodeSettings, string, NodeSettings> apply) =>
        new(name, help, (s, t) => s with { Node = apply(s.Node, t) });

    // Whatever is given of it there is one, and then its address is missed if it is not given.
    private static Setting ForStandby(string name, string help, Func<NodeSettings, string, NodeSettings> apply) =>
        new(name, help, (s, t) => s with { Standby = apply(s.Standby ?? new NodeSettings { Url = new Uri("not:given") }, t) });

    private static int Integer(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : throw new FormatException("a whole number");

    private static long Satoshis(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw new FormatException("a whole number of satoshis");

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static UnixTime Day(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day.Year >= 2009
            ? new UnixTime(new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero).ToUnixTimeMilliseconds())
            : throw new FormatException("a day since 2009, such as 2026-11-21");

    private static bool YesNo(string text) => text switch
    {
        "true" => true,
        "false" => false,
        _ => throw new FormatException("true or false"),
    };

    private static JournalKind Journal(string text) => text switch
    {
        "files" => JournalKind.Files,
        "postgres" => JournalKind.Postgres,
        _ => throw new FormatException("files or postgres"),
    };

    private static bool InDatabase(string text) => text switch
    {
        "folder" => false,
        "database" => true,
        _ => throw new FormatException("folder or database"),
    };

    private static BitcoinNetwork Network(string text) =>
        text == "mainnet" || text == "testnet" || text == "signet" || text == "regtest"
            ? Enum.Parse<BitcoinNetwork>(text, ignoreCase: true)
            : throw new FormatException("mainnet, testnet, signet or regtest");

    private static IPEndPoint EndPoint(string text) =>
        text.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(text, out var endPoint)
            ? endPoint
            : throw new FormatException("an IP address and a port, such as 127.0.0.1:8440");

    private static IPAddress Address(string text) =>
        IPAddress.TryParse(text, out var address) ? address : throw new FormatException("an IP address, such as 10.0.0.1");

    private static Uri Url(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) ? url : throw new FormatException("an address such as http://127.0.0.1:8332");

    private static TimeSpan Duration(string text)
    {
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        var unit = digits < 0 ? 0 : text[digits..] switch
        {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        // A number that is too long for its type is too large as well.
        if (unit == 0 || digits == 0) throw new FormatException("a number and ms, s, m or h, such as 90s");
        return long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= Limits.SettingMillisecondsMax / unit
            ? TimeSpan.FromMilliseconds(number * unit)
            : throw new FormatException($"at most {Limits.SettingMillisecondsMax / 3_600_000}h");
    }

    private static ConfirmationRule[] Rules(string text) => [.. text.Split(',').Select(rule =>
        rule.Split(':') is [var from, var confirmations]
            && long.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var sat)
            && int.TryParse(confirmations, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new ConfirmationRule(sat, number)
            : throw new FormatException("pairs of satoshis and confirmations, such as 0:1,1000000:3,100000000:6"))];
}
