namespace Bitcache.Core;

/// <summary>Every bound of the ledger and its formats, in one place. Unit and Max come last in a name;
/// the relations between bounds are tested.</summary>
public static class Limits
{
    /// <summary>21 million bitcoin, in millisatoshi: no amount of money is larger.</summary>
    public const long SupplyMsatMax = SupplySatMax * MsatPerSat;
    public const long SupplySatMax = 21_000_000L * 100_000_000;
    public const long MsatPerSat = 1_000;
    /// <summary>1 Bit is a millionth of a bitcoin.</summary>
    public const long MsatPerBit = 100_000;

    /// <summary>Bytes that a payer may attach to a payment.</summary>
    public const int ReferenceBytesMax = 64;
    /// <summary>A segwit program is at most 40 bytes; older scripts are shorter than this.</summary>
    public const int ScriptBytesMax = 42;
    /// <summary>An epoch's transaction without its witness: larger ones cannot be proven with OpenTimestamps.</summary>
    public const int AnchorTransactionBytesMax = 4_096;
    /// <summary>A withdrawal transaction without an anchor; a standard one weighs at most 400,000 units.</summary>
    public const int TransactionBytesMax = 100_000;
    /// <summary>Withdrawals that one family of transactions may carry; 44 bytes an output stay below the bound above.</summary>
    public const int FamilyWithdrawalsMax = 1_000;
    /// <summary>Coins that one transaction makes one of: some 35,000 virtual bytes, a third of what is standard.</summary>
    public const int ConsolidationCoinsMax = 500;
    /// <summary>The tiles of the log give an entry's length in 16 bits.</summary>
    public const int StatementBytesMax = 65_535;
    public const int OriginBytesMax = 128;
    /// <summary>The name of one of a cluster's processes.</summary>
    public const int SiloNameBytesMax = 128;
    /// <summary>Epochs whose balances are kept at once while their books are being closed.</summary>
    public const int EpochsKeptMax = 4;
    public const int PartitionsMax = 4_096;
    /// <summary>Partitions that one process runs: each has five threads (owner, sync, snapshots, upkeep, reserve), and two
    /// batches and a frame in about 17 MB.</summary>
    public const int PartitionsOfProcessMax = 64;

    /// <summary>Payees of one split.</summary>
    public const int SplitPayeesMax = 64;
    /// <summary>How far ahead a hold may expire: 31 days.</summary>
    public const long HoldMillisecondsMax = 31 * 24 * 3_600_000L;
    /// <summary>How far ahead the deadline of a withdrawal may lie: a year.</summary>
    public const long WithdrawalDeadlineMillisecondsMax = 365 * 24 * 3_600_000L;
    /// <summary>Open holds of one payer. Each takes about 150 bytes until it is closed.</summary>
    public const int HoldsOpenPerWalletMax = 10_000;
    /// <summary>Withdrawals of one wallet that wait or whose transaction is not final.</summary>
    public const int WithdrawalsOpenPerWalletMax = 10_000;
    /// <summary>Bitcoin addresses of one wallet. Each takes about 300 bytes for ever, and the node looks for all of them.</summary>
    public const int AddressesPerWalletMax = 10_000;
    /// <summary>Bitcoin addresses that one request may ask for: they share one entry, and the node's wallet needs about half a
    /// second for as many.</summary>
    public const int AddressesAtOnceMax = 1_000;
    /// <summary>How many addresses more than asked for the node's wallet is told to watch, when it must be told.</summary>
    public const int AddressesAhead = 500;
    /// <summary>Addresses that the node's wallet is told to watch in one call; it does nothing else meanwhile.</summary>
    public const int AddressesWatchedAtOnceMax = 5_000;
    /// <summary>The highest index of a derived address: keys are numbered with 31 bits.</summary>
    public const uint AddressIndexMax = int.MaxValue;
    /// <summary>The part of an amount that a fee may be: all of it.</summary>
    public const int FeePartsPerMillionMax = 1_000_000;

    /// <summary>Entries with which a batch is full: one frame, one sync. A split that begins below may pass it, as each of its
    /// parts is an entry.</summary>
    public const int BatchEntriesMax = 8_192;
    /// <summary>Bytes of records in one batch; a batch closes before it would pass this.</summary>
    public const int BatchBytesMax = 4 << 20;
    /// <summary>One journal record: statement, links and whatever a transaction needs.</summary>
    public const int RecordBytesMax = 512 << 10;
    /// <summary>A command on its way to another process: what its record holds of it, and what no record does.</summary>
    public const int SentCommandBytesMax = RecordBytesMax + (2 << 10);
    /// <summary>The record of one payment, with the longest reference.</summary>
    public const int PaymentRecordBytesMax = 512;
    /// <summary>That of a plain transfer, without one.</summary>
    public const int PaymentRecordBytesMin = 143;
    /// <summary>A journal segment: recovery reads one whole into memory.</summary>
    public const int SegmentBytesMax = 1 << 30;
    /// <summary>A segment's first page, and as much again for frames.</summary>
    public const int SegmentBytesMin = 8 << 10;

    /// <summary>Commands and questions waiting for a partition; above it callers are told to come back.</summary>
    public const int QueueItemsMax = 65_536;
    /// <summary>Credits on their way from one partition to the others, each of which has an equal part of it; above that payers
    /// are told to come back. Those that one batch or request brings are looked at together, and may pass it.</summary>
    public const int LegsInFlightMax = 65_536;
    /// <summary>Payments that one request may bring.</summary>
    public const int BlockPaymentsMax = 8_192;
    /// <summary>The body of a request with many payments: about 500 bytes of JSON for each.</summary>
    public const int BatchBodyBytesMax = 4 << 20;
    /// <summary>Requests with many payments that are served at once: each takes about 2 MiB.</summary>
    public const int BatchRequestsMax = 32;
    /// <summary>Those of one tenant, with those whose answers he has not taken yet.</summary>
    public const int BatchRequestsOfTenantMax = BatchRequestsMax / 4;
    /// <summary>Refunds of one such request whose originals are so old that the journal must be searched for them; each may
    /// cost a read for each segment.</summary>
    public const int BatchLookUpsMax = 64;
    /// <summary>How fast the body of one must come.</summary>
    public const int BatchBodyBytesPerSecondMin = 128 << 10;

    /// <summary>Remembered client ids; above it the floor rises early.</summary>
    public const int WindowIdsMax = 64 << 20;
    /// <summary>Memory that they may take: 64 bytes each. Above it the floor rises early, too.</summary>
    public const long WindowBytesMax = 4L << 30;
    /// <summary>How long an id is remembered at least, unless one of the bounds above is met: one day.</summary>
    public const long WindowMillisecondsMin = 24 * 3_600_000L;
    /// <summary>How far an id's own time may lie ahead of journaled time: five minutes.</summary>
    public const long IdAheadMillisecondsMax = 5 * 60_000L;
    /// <summary>How far it may do so without counting as ahead, as clocks of clients do: ten seconds.</summary>
    public const long IdAheadMillisecondsFree = 10_000;
    /// <summary>Remembered ids that are farther ahead; more are refused. They could otherwise fill the window, and push
    /// everybody else's out of it.</summary>
    public const int AheadIdsMax = WindowIdsMax / 8;
    /// <summary>Memory that an id takes which is alone in its slice of the window, at most.</summary>
    public const int LoneIdBytes = 512;
    /// <summary>Slices that these may be spread over, so that they may not take more than their part of the memory either.</summary>
    public const int AheadSlicesMax = (int)(WindowBytesMax / 8 / LoneIdBytes);
    /// <summary>How far journaled time may run ahead of the process's monotonic clock.</summary>
    public const long TimeAheadMillisecondsMax = 2_000;
    /// <summary>A start later than this after the last journaled time waits for an operator's word.</summary>
    public const long TimeGapMillisecondsMax = 24 * 3_600_000L;

    /// <summary>Block hashes kept to step back along after a reorganisation.</summary>
    public const int CursorRingMax = 288;
    public const int HistoryPageMax = 200;

    /// <summary>The path of a tile of the log: its number has at most 17 digits.</summary>
    public const int TilePathCharactersMax = 64;
    /// <summary>Hashes in a path of the log: its size is a 63-bit number.</summary>
    public const int LogPathHashesMax = 63;
    /// <summary>The signed-note format asks for 16 signatures at least; ours carries one.</summary>
    public const int NoteSignaturesMax = 16;
    /// <summary>A tlog-proof: 63 hashes of 45 bytes and a checkpoint, with room for signatures of witnesses.</summary>
    public const int LogProofBytesMax = 128 << 10;
    /// <summary>A receipt file: one byte 00 and the statement.</summary>
    public const int ReceiptBytesMax = 1 + StatementBytesMax;
    public const int PinsBytesMax = 4_096;

    /// <summary>Leaves of the tree of liabilities: thirty million wallets. Each takes 58 bytes while the tree is there.</summary>
    public const int LiabilityLeavesMax = 1 << 26;
    /// <summary>Rows of it above the leaves.</summary>
    public const int LiabilityRowsMax = 26;
    /// <summary>The longest row of its file: a hash in hex, a comma, a sum and a line feed.</summary>
    public const int LiabilityRowBytesMax = 64 + 1 + 19 + 1;
    /// <summary>Of a tree's files: every row of it; for each leaf its place and value, or for each wallet, of which none has less than
    /// a leaf, its id, account number and balance; for each its id and key.</summary>
    public const long LiabilitiesFileBytesMax = 2L * LiabilityLeavesMax * LiabilityRowBytesMax;
    public const long AllocationFileBytesMax = LiabilityLeavesMax * 128L;
    public const long KeysFileBytesMax = LiabilityLeavesMax * 104L;
    /// <summary>What an auditor reads of an epoch's other lists, and of the list of epochs.</summary>
    public const int PublishedListBytesMax = 256 << 20;

    /// <summary>Any transaction of Bitcoin, with its witness: a block weighs at most 4,000,000 units.</summary>
    public const int RawTransactionBytesMax = 4_000_000;
    /// <summary>A block weighs at most 4,000,000, of which a byte is at least one.</summary>
    public const int BlockBytesMax = 4_000_000;
    /// <summary>Siblings between a transaction and its block's root: at most 16,666 transactions of 60 bytes fit.</summary>
    public const int BlockPathHashesMax = 15;
    /// <summary>The reference implementation of OpenTimestamps reads a chain of 255 operations and no longer one.</summary>
    public const int TimestampOperationsMax = 255;
    /// <summary>The longest message of OpenTimestamps; a whole transaction must fit in one.</summary>
    public const int TimestampMessageBytesMax = 4_096;
    public const int TimestampFileBytesMax = 64 << 10;

    /// <summary>One answer of the Bitcoin node, but for the list below.</summary>
    public const int NodeAnswerBytesMax = 32 << 20;
    /// <summary>The node's list of what changed since the cursor, in which an output has 1,100 bytes at most. Anybody may pay
    /// our scripts: it must hold twelve blocks with nothing else in them, 23,255 outputs of 43 bytes each.</summary>
    public const int NodeListBytesMax = 320 << 20;
    /// <summary>Entries of the wallet's history that are asked for at once, 1,100 bytes each at most. The node makes those that are
    /// skipped, too.</summary>
    public const int WalletEntriesAtOnceMax = 50_000;
    public const int NodeAnswerDepthMax = 32;
    /// <summary>No chain is higher for the next nineteen hundred years: a number above this is no height.</summary>
    public const int BlockHeightMax = 100_000_000;

    /// <summary>How far below an epoch's block an auditor looks for what is listed as paid and not yet booked as final: two weeks.</summary>
    public const uint PaidBlocksMax = 2_016;

    /// <summary>For how many blocks an auditor takes an anchor that is not shown for one that will be: a week.</summary>
    public const uint UnshownAnchorBlocksMax = 1_008;

    /// <summary>Blocks that an auditor's node may be behind the operator's: what rests on them is left to the next audit.</summary>
    public const uint BlocksAheadMax = 6;

    /// <summary>Blocks that a node may be behind the best chain when an epoch is cut, as an auditor sees it; one more is no delay of
    /// the network's.</summary>
    public const uint CutBlocksBehindMax = 6;
    /// <summary>How far a block's own time may be ahead of the clock (Bitcoin's MAX_FUTURE_BLOCK_TIME): 2 hours.</summary>
    public const long BlockTimeAheadMillisecondsMax = 2 * 3_600_000L;

    /// <summary>The body of a request to the HTTP API.</summary>
    public const int RequestBodyBytesMax = 64 << 10;
    public const int RequestHeaderBytesMax = 8 << 10;
    public const int RequestLineBytesMax = 2 << 10;
    /// <summary>How deep JSON in a request may be nested. Every request is flat; this bounds what the parser follows.</summary>
    public const int RequestJsonDepthMax = 16;
    /// <summary>Characters of a member's name that is told back because no request has it.</summary>
    public const int MemberNameCharactersMax = 64;
    /// <summary>Connections that the HTTP API holds at once; the settings may say less.</summary>
    public const int ConnectionsMax = 10_000;
    /// <summary>The name of a key, as far as entries keep it: who asked for a withdrawal, and who approved it.</summary>
    public const int KeyIdBytesMax = 64;
    /// <summary>Names of tenants and labels of keys.</summary>
    public const int KeyNameCharactersMax = 64;

    /// <summary>A signed transaction with its witness: a standard one weighs at most 400,000, and a byte at least one.</summary>
    public const int SignedTransactionBytesMax = 400_000;
    /// <summary>A transaction to be signed, with what a signer must know of the coins that it spends.</summary>
    public const int PsbtBytesMax = 400_000;
    /// <summary>A request that brings one back in base64, signatures added.</summary>
    public const int SignedBodyBytesMax = 1 << 20;
    /// <summary>Coins of a proof of reserves: its transaction has 41 bytes for each, and no transaction is larger than a block.</summary>
    public const int ReservesProofCoinsMax = 90_000;
    /// <summary>A proof of reserves as it is published, 350 bytes a coin; one of a single key takes 157 (P2TR) or 187 (P2WPKH).</summary>
    public const int ReservesProofBytesMax = 32 << 20;
    /// <summary>A request that brings signatures of such a proof in base64. The node reads no longer ones.</summary>
    public const int ReservesBodyBytesMax = 30 << 20;
    /// <summary>Files with signatures that one such request may bring.</summary>
    public const int ReservesPartsMax = 32;
    /// <summary>A block's header.</summary>
    public const int BlockHeaderBytes = 80;
    /// <summary>Levels of a block's Merkle tree; a block's transactions need far fewer.</summary>
    public const int MerkleSiblingsMax = 32;
    /// <summary>Fingerprints of public keys in the genesis entry.</summary>
    public const int KeysMax = 32;

    /// <summary>Keys that one log's checkpoints are signed with, one after the other: each takes 144 bytes of the state for ever.</summary>
    public const int KeyRotationsMax = 1_000;
    /// <summary>The note in which one such key names the next: purpose, origin and key, and a signature with the origin again.</summary>
    public const int KeyRotationNoteBytesMax = 1 << 10;

    /// <summary>Segments without an id filter that one look-up of an old id may read, the one being written included.</summary>
    public const int SegmentsScannedMax = 4;
    /// <summary>Ids of the segment being written that look-ups remember, in about 60 bytes each; those behind are read again.</summary>
    public const int NewestIdsMax = 1 << 20;
    /// <summary>Closed segments that may be kept from the archive.</summary>
    public const int ArchiveAfterSegmentsMax = 1_000_000;

    /// <summary>A piece of a ledger's state, in a snapshot and on its way there; the longest row fits in half of one.</summary>
    public const int StatePieceBytesMax = 1 << 20;
    /// <summary>The longest time that a setting may say: a year.</summary>
    public const long SettingMillisecondsMax = 365 * 24 * 3_600_000L;
    /// <summary>Snapshots of one partition that may be kept.</summary>
    public const int SnapshotsKeptMax = 100;

    /// <summary>A part of a message that a node publishes: a topic, a hash or a number.</summary>
    public const int PublishedFrameBytesMax = 8 << 10;
    public const int PublishedPartsMax = 8;

    /// <summary>Of a cluster's name and a silo's.</summary>
    public const int ClusterNameCharactersMax = 64;
    /// <summary>How long a wallet's grain tells an observer that does not subscribe again.</summary>
    public const int SubscriptionMinutes = 5;
    /// <summary>Observers of one wallet.</summary>
    public const int WalletObserversMax = 100;
    /// <summary>Wallets with observers that a partition is asked about at once: the rest waits for the next look.</summary>
    public const int WalletsLookedAtOnceMax = 1_000;
}
