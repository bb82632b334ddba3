using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;

namespace Bitcache.Engine;

/// <summary>From how many confirmations on a deposit of at least this size is credited.</summary>
public sealed record ConfirmationRule(long FromSat, int Confirmations);

/// <summary>Everything that the engine is told from outside. Refused whole: <see cref="Problems"/> names every
/// problem at once, before anything is opened.</summary>
public sealed record EngineSettings
{
    /// <summary>Where the journal, the log and the keys live. One server at a time may use it.</summary>
    public required string DataFolder { get; init; }

    /// <summary>In how many partitions the wallets of a new ledger are kept, for ever. One moves millions of payments a
    /// second, and a payment is then one entry; several use more processors, and a payment between two is two entries.</summary>
    public int Partitions { get; init; } = 1;

    public BitcoinNetwork Network { get; init; } = BitcoinNetwork.Regtest;

    /// <summary>The log's name in checkpoints and anchors, for ever: a host name and a path, without a scheme.</summary>
    public required string Origin { get; init; }

    /// <summary>Confirmations wanted before a deposit counts, by its amount; the largest threshold that is reached holds.</summary>
    public IReadOnlyList<ConfirmationRule> ConfirmationsToCredit { get; init; } =
        [new(0, 1), new(1_000_000, 3), new(100_000_000, 6)];

    /// <summary>From this depth on, deposits and transactions are taken to be there for good.</summary>
    public int FinalityDepth { get; init; } = 12;

    /// <summary>Smaller deposits go to the suspense account.</summary>
    public long DepositMinimumSat { get; init; } = 1_000;

    /// <summary>How long an epoch lasts.</summary>
    public TimeSpan EpochLength { get; init; } = TimeSpan.FromMinutes(60);

    /// <summary>How often the chain is looked at and the log is cut.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The fee rate where the node has no estimate, in sat per virtual byte.</summary>
    public int FallbackFeeRate { get; init; } = 5;

    /// <summary>No transaction pays a higher fee rate, in sat per virtual byte.</summary>
    public int FeeRateMax { get; init; } = 200;

    /// <summary>The confirmation target that the node's estimate is asked for, in blocks. A transaction that is in none of so
    /// many is replaced by one that pays more.</summary>
    public int FeeTargetBlocks { get; init; } = 6;

    /// <summary>The most that mining one transaction may cost; held in the operator's wallet before it is built.</summary>
    public long FeeCapSat { get; init; } = 50_000;

    /// <summary>Withdrawals leave before the epoch closes when so many wait; 0 for never.</summary>
    public int WithdrawalBatchCount { get; init; }

    /// <summary>The same when one has waited so long; zero for never.</summary>
    public TimeSpan WithdrawalBatchTime { get; init; }

    /// <summary>While mining costs more than this, in sat per virtual byte, withdrawals that can wait do; 0 for never.</summary>
    public int FeeRatePatience { get; init; }

    /// <summary>How long they wait for that at most.</summary>
    public TimeSpan WithdrawalWaitMax { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Whether users bear the share of mining fees that falls to their withdrawals, as quoted at most. Otherwise the
    /// operator bears all.</summary>
    public bool WithdrawalFeeShare { get; init; }

    /// <summary>The node's wallet has no private keys: transactions are handed out to be signed elsewhere.</summary>
    public bool ExternalSigner { get; init; }

    /// <summary>The value of the output that the next anchor spends.</summary>
    public long AnchorOutputSat { get; init; } = 1_000;

    /// <summary>Withdrawals of at least so much wait for a second person's approval; null for none.</summary>
    public long? ApprovalFromSat { get; init; }

    /// <summary>The most that withdrawals may take out of the hot wallet.</summary>
    public OutflowLimits WithdrawalLimits { get; init; } = new();

    /// <summary>With less than so many fee caps in it, the operator's wallet rings before it is too late.</summary>
    public int OperatorFundsWarnCaps { get; init; } = 5;

    /// <summary>Output descriptors, with checksums, of coins that are kept elsewhere and count as reserves.</summary>
    public IReadOnlyList<string> ColdDescriptors { get; init; } = [];

    /// <summary>No coin of theirs is in an earlier block.</summary>
    public UnixTime ColdSince { get; init; }

    /// <summary>With more in it, the hot wallet asks for coins to be moved away; null for never.</summary>
    public long? HotWalletCeilingSat { get; init; }

    /// <summary>While the node's estimate is at most this, in sat per virtual byte, small coins are made one; 0 for never.</summary>
    public int ConsolidateBelowFeeRate { get; init; } = 3;

    /// <summary>Only if there are more small coins than this.</summary>
    public int ConsolidateFromCoins { get; init; } = 200;

    /// <summary>Coins below this are small.</summary>
    public long ConsolidateCoinBelowSat { get; init; } = 100_000;

    /// <summary>What the journals are kept in.</summary>
    public JournalKind Journal { get; init; }

    /// <summary>A file whose first line says how PostgreSQL is reached, as Npgsql reads it.</summary>
    public string? PostgresConnectionFile { get; init; }

    /// <summary>The name of the cluster whose silos share the database; empty for a single server, which shares it with nobody.</summary>
    public string Cluster { get; init; } = "";

    /// <summary>An existing tablespace that old batches are moved to and read from; null to move none.</summary>
    public string? PostgresArchiveTablespace { get; init; }

    /// <summary>Journal segments are allocated whole.</summary>
    public int SegmentMebibytes { get; init; } = 64;

    /// <summary>A folder on a slower disk that old segments are moved to and read from; null to move none.</summary>
    public string? ArchiveFolder { get; init; }

    /// <summary>How many full segments, the newest, stay in the data folder.</summary>
    public int ArchiveAfterSegments { get; init; } = 16;

    /// <summary>Snapshots are in the database of the journal, where any machine finds them, and not in the data folder.</summary>
    public bool SnapshotsInDatabase { get; init; }

    /// <summary>After so many entries a snapshot of the ledger is taken, from which the next start goes on.</summary>
    public long SnapshotEntries { get; init; } = new SnapshotSettings().Entries;

    /// <summary>The same after so much of the journal.</summary>
    public int SnapshotMebibytes { get; init; } = (int)(new SnapshotSettings().JournalBytes >> 20);

    /// <summary>How many snapshots, the newest, are kept.</summary>
    public int SnapshotsKept { get; init; } = new SnapshotSettings().Kept;

    /// <summary>A coinbase output may be spent after so many confirmations (consensus: 100 blocks on top of its own).</summary>
    private const int CoinbaseMaturity = 101;

    /// <summary>Confirmations that an output must have to be booked.</summary>
    public int ConfirmationsFor(Sats amount, bool isCoinbase) =>
        isCoinbase ? CoinbaseMaturity : ConfirmationsToCredit.Where(r => amount.Value >= r.FromSat).Max(r => r.Confirmations);

    /// <summary>Every reason for which these settings cannot be used; empty when they can.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        void Require(bool holds, string problem)
        {
            if (!holds) problems.Add(problem);
        }
        Require(!string.IsNullOrWhiteSpace(DataFolder), "dataFolder is empty: name a folder for journal and keys");
        Require(Enum.IsDefined(Network), "network is none of mainnet, testnet, signet, regtest");
        Require(Origin.Length > 0, "origin must be given: the log's name for ever, a host name and a path, such as ledger.example.org/log");
        Require(Origin.Length == 0 || Origin.Length <= Limits.OriginBytesMax && VerifierKey.IsName(Origin),
            $"origin must have 1 to {Limits.OriginBytesMax} characters without spaces or plus signs, such as ledger.example.org/log");
        Require(Partitions is >= 1 and <= Limits.PartitionsOfProcessMax, $"partitions must lie between 1 and {Limits.PartitionsOfProcessMax}");
        Require(ConfirmationsToCredit.Count > 0 && ConfirmationsToCredit.Any(r => r.FromSat == 0),
            "confirmationsToCredit needs a rule from 0 sat");
        Require(ConfirmationsToCredit.All(r => r.FromSat >= 0 && r.Confirmations >= 1), "confirmationsToCredit: amounts from 0, confirmations from 1");
        Require(FinalityDepth >= 1 && ConfirmationsToCredit.All(r => r.Confirmations <= FinalityDepth),
            "finalityDepth must be at least the confirmations that credit a deposit");
        Require(Network != BitcoinNetwork.Mainnet || FinalityDepth >= 6, "finalityDepth below 6 is for test networks only");
        Require(DepositMinimumSat is >= 1 and <= Limits.SupplySatMax, "depositMinimumSat must be at least 1");
        Require(EpochLength >= TimeSpan.FromSeconds(1), "epochLength must be at least a second");
        Require(PollInterval >= TimeSpan.FromMilliseconds(10) && PollInterval <= TimeSpan.FromMinutes(10),
            "pollInterval must lie between 10 milliseconds and 10 minutes");
        Require(FallbackFeeRate >= 1 && FeeRateMax >= FallbackFeeRate, "fallbackFeeRate must be at least 1 and at most feeRateMax");
        Require(FeeTargetBlocks is >= 1 and <= 1008, "feeTargetBlocks must lie between 1 and 1008");
        Require(FeeCapSat is >= 1_000 and <= 10_000_000, "feeCapSat must lie between 1,000 and 10,000,000");
        Require(WithdrawalBatchCount >= 0, "withdrawalBatchCount must be at least 0");
        Require(FeeRatePatience >= 0 && FeeRatePatience <= FeeRateMax, "feeRatePatience must lie between 0 and feeRateMax");
        Require(AnchorOutputSat is >= 546 and <= 1_000_000, "anchorOutputSat must lie between 546 (dust) and 1,000,000");
        Require(IsAmount(ApprovalFromSat), "approvalFromSat must be at least 1");
        Require(IsAmount(WithdrawalLimits.TransactionSat), "withdrawalLimitTransactionSat must be at least 1");
        Require(IsAmount(WithdrawalLimits.HourSat), "withdrawalLimitHourSat must be at least 1");
        Require(IsAmount(WithdrawalLimits.DaySat), "withdrawalLimitDaySat must be at least 1");
        Require(OperatorFundsWarnCaps is >= 0 and <= 1_000_000, "operatorFundsWarnCaps must lie between 0 and 1,000,000");
        Require(ColdDescriptors.All(IsDescriptor),
            "coldDescriptors must each have a checksum and no private key, and one path: wpkh([fingerprint/84h/0h/0h]xpub…/0/*)#checksum, and another for /1/*");
        Require(ColdDescriptors.Select(ColdWallet.Canonical).Distinct().Count() == ColdDescriptors.Count, "coldDescriptors: one is there twice");
        Require(IsAmount(HotWalletCeilingSat), "hotWalletCeilingSat must be at least 1");
        Require(HotWalletCeilingSat is null || ColdDescriptors.Count > 0,
            "hotWalletCeilingSat needs coldDescriptors: what is moved to coins that are not declared is missing from the reserves");
        Require(ConsolidateBelowFeeRate >= 0 && ConsolidateBelowFeeRate <= FeeRateMax, "consolidateBelowFeeRate must lie between 0 (never) and feeRateMax");
        Require(ConsolidateFromCoins >= 10, "consolidateFromCoins must be at least 10");
        Require(ConsolidateCoinBelowSat is >= 1 and <= Limits.SupplySatMax, "consolidateCoinBelowSat must be at least 1");
        Require((Journal == JournalKind.Postgres) == (PostgresConnectionFile is not null), "journal postgres and postgresConnectionFile go together: give both or neither");
        Require(PostgresConnectionFile is null || File.Exists(PostgresConnectionFile), $"postgresConnectionFile: there is no file {PostgresConnectionFile}");
        Require(!IsReadByOthers(PostgresConnectionFile), $"postgresConnectionFile {PostgresConnectionFile} can be read by others: chmod 600 it");
        Require(Journal == JournalKind.Postgres || Cluster.Length == 0, "cluster is for journal postgres");
        Require(Cluster.Length == 0 || SnapshotsInDatabase, "cluster needs snapshotsIn database: any silo may have to load a partition");
        Require(Cluster.Length <= Limits.ClusterNameCharactersMax && Cluster.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'),
            $"cluster must be 1 to {Limits.ClusterNameCharactersMax} letters, digits, '-' or '.'");
        Require(Journal == JournalKind.Postgres || PostgresArchiveTablespace is null, "postgresArchiveTablespace is for journal postgres");
        Require(Journal == JournalKind.Postgres || !SnapshotsInDatabase, "snapshotsIn database is for journal postgres");
        Require(Journal == JournalKind.Files || ArchiveFolder is null, "archiveFolder is for journal files: in PostgreSQL name a postgresArchiveTablespace");
        Require(SegmentMebibytes is >= 16 and <= 1024, "segmentMebibytes must lie between 16 and 1024");
        Require(ArchiveFolder is null || Directory.Exists(ArchiveFolder),
            $"archiveFolder: there is no folder {ArchiveFolder}; make it, or mount its disk");
        Require(ArchiveFolder is null || !(FullPath(ArchiveFolder) + '/').StartsWith(FullPath(DataFolder) + '/', StringComparison.Ordinal),
            "archiveFolder must lie outside dataFolder");
        Require(ArchiveAfterSegments is >= 1 and <= Limits.ArchiveAfterSegmentsMax,
            $"archiveAfterSegments must lie between 1 and {Limits.ArchiveAfterSegmentsMax}");
        Require(SnapshotEntries >= 1, "snapshotEntries must be at least 1");
        Require(SnapshotMebibytes >= 1, "snapshotMebibytes must be at least 1");
        Require(SnapshotsKept is >= 1 and <= Limits.SnapshotsKeptMax, $"snapshotsKept must lie between 1 and {Limits.SnapshotsKeptMax}");
        return problems;
    }

    /// <summary>Only its form; the node reads it.</summary>
    private static bool IsDescriptor(string text) =>
        text.Split('#') is [var descriptor, { Length: 8 }] && !descriptor.Contains("prv", StringComparison.Ordinal) && !descriptor.Contains('<', StringComparison.Ordinal);

    private static bool IsReadByOthers(string? file) =>
        File.Exists(file) && (File.GetUnixFileMode(file) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead)) != 0;

    private static bool IsAmount(long? sat) => sat is null or (>= 1 and <= Limits.SupplySatMax);

    private static string FullPath(string folder) => folder.Length == 0 ? "" : Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
}
