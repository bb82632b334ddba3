// Every message that the engine logs, in one place: what an operator may read, and at which level.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

internal static partial class LogMessages
{
    [LoggerMessage(EventId = 100, Level = LogLevel.Information,
        Message = "Journal {Folder} is open: {Sequences} sequences in {Frames} frames and {Segments} segments were verified; writer epoch {WriterEpoch}")]
    public static partial void JournalOpened(this ILogger logger, string folder, long sequences, long frames, int segments, long writerEpoch);

    [LoggerMessage(EventId = 101, Level = LogLevel.Warning,
        Message = "An unfinished write of {TornBytes} bytes was cut from {File} at byte {Offset}, as after a power failure. "
            + "It was never acknowledged. Its bytes are kept in {TornFile}")]
    public static partial void TornTailCut(this ILogger logger, long tornBytes, string file, long offset, string tornFile);

    [LoggerMessage(EventId = 102, Level = LogLevel.Information,
        Message = "Segment {File} was made but not yet used when the process ended; it is removed and will be made again")]
    public static partial void UnusedSegmentRemoved(this ILogger logger, string file);

    [LoggerMessage(EventId = 103, Level = LogLevel.Debug, Message = "Journal segment {File} of {Bytes} bytes begins")]
    public static partial void SegmentBegun(this ILogger logger, string file, long bytes);

    [LoggerMessage(EventId = 104, Level = LogLevel.Error,
        Message = "No space for a new journal segment of {Bytes} bytes in {Folder}: new operations are refused until there is. {Reason}")]
    public static partial void NoSpaceForSegment(this ILogger logger, long bytes, string folder, string reason);

    [LoggerMessage(EventId = 105, Level = LogLevel.Critical,
        Message = "Journal {Folder} failed and is closed; what was being written may or may not be durable, the next start decides")]
    public static partial void JournalFailed(this ILogger logger, string folder, Exception reason);

    [LoggerMessage(EventId = 106, Level = LogLevel.Debug, Message = "Id filter {File} is made")]
    public static partial void FilterMade(this ILogger logger, string file);

    [LoggerMessage(EventId = 107, Level = LogLevel.Warning, Message = "Id filter {File} cannot be used and is made again: {Problem}")]
    public static partial void FilterRefused(this ILogger logger, string file, string problem);

    [LoggerMessage(EventId = 108, Level = LogLevel.Error,
        Message = "The id filter of {File} cannot be made now: {Reason} Look-ups of old ids are slow or wait until it can; nothing else does")]
    public static partial void FilterNotMade(this ILogger logger, string file, string reason);

    [LoggerMessage(EventId = 109, Level = LogLevel.Information, Message = "Segment {File} was moved to the archive")]
    public static partial void SegmentArchived(this ILogger logger, string file);

    [LoggerMessage(EventId = 110, Level = LogLevel.Error,
        Message = "The archive has no room for {File}, which stays where it is until there is: {Reason}")]
    public static partial void ArchiveFull(this ILogger logger, string file, string reason);

    [LoggerMessage(EventId = 111, Level = LogLevel.Error,
        Message = "{File} could not be moved to the archive: {Reason} It is safe where it is; nothing more is moved until the next start")]
    public static partial void ArchiveFailed(this ILogger logger, string file, string reason);

    [LoggerMessage(EventId = 112, Level = LogLevel.Warning, Message = "Id filters without their segment could not be removed: {Reason} They do no harm")]
    public static partial void FiltersNotSwept(this ILogger logger, string reason);

    [LoggerMessage(EventId = 113, Level = LogLevel.Information,
        Message = "Journal {Journal} is taken over: {Sequences} sequences, {Frames} batches verified; writer epoch {WriterEpoch}")]
    public static partial void PostgresJournalOpened(this ILogger logger, string journal, long sequences, long frames, long writerEpoch);

    [LoggerMessage(EventId = 114, Level = LogLevel.Critical,
        Message = "Another process has taken over {Journal}; this one was writer epoch {WriterEpoch}, writes nothing more and answers nothing")]
    public static partial void WriterFenced(this ILogger logger, string journal, long writerEpoch);

    [LoggerMessage(EventId = 115, Level = LogLevel.Debug, Message = "The batches of {Journal} from sequence {First} up to {End}, {Bytes} bytes, have an id filter")]
    public static partial void RunClosed(this ILogger logger, string journal, long first, long end, long bytes);

    [LoggerMessage(EventId = 116, Level = LogLevel.Information, Message = "The batches of {Journal} from sequence {First} up to {End} were moved to the archive")]
    public static partial void RunArchived(this ILogger logger, string journal, long first, long end);

    [LoggerMessage(EventId = 117, Level = LogLevel.Error,
        Message = "Id filters and archive of {Journal} have to wait: {Reason} Look-ups of old ids may wait too; nothing else does")]
    public static partial void RunUpkeepFailed(this ILogger logger, string journal, string reason);

    [LoggerMessage(EventId = 120, Level = LogLevel.Information,
        Message = "Snapshot {File} of {Entries} entries is written and verified: {Bytes} bytes in {Milliseconds} ms")]
    public static partial void SnapshotTaken(this ILogger logger, string file, long entries, long bytes, long milliseconds);

    [LoggerMessage(EventId = 121, Level = LogLevel.Error,
        Message = "No snapshot of {Entries} entries was taken: {Reason} Payments go on; a start takes longer until there is a new one")]
    public static partial void SnapshotNotTaken(this ILogger logger, long entries, string reason);

    [LoggerMessage(EventId = 122, Level = LogLevel.Information, Message = "Snapshot {File} of {Entries} entries is loaded, in {Milliseconds} ms")]
    public static partial void SnapshotLoaded(this ILogger logger, string file, long entries, long milliseconds);

    [LoggerMessage(EventId = 123, Level = LogLevel.Error,
        Message = "Snapshot {File} cannot be used, and an older one or the whole journal is read instead: {Reason} Nothing is lost, but check the disk")]
    public static partial void SnapshotPassedOver(this ILogger logger, string file, string reason);

    [LoggerMessage(EventId = 124, Level = LogLevel.Error,
        Message = "{File} is not as it was written: the snapshots beside it are tried without it. Nothing is lost, but check the disk")]
    public static partial void SnapshotManifestRefused(this ILogger logger, string file);

    [LoggerMessage(1001, LogLevel.Warning,
        "{Ids} client ids are remembered in {Bytes} bytes, and one of the two is the bound: ids made before {Floor} are refused from now on")]
    public static partial void WindowFull(this ILogger log, int ids, long bytes, UnixTime floor);

    [LoggerMessage(1002, LogLevel.Information, "Ledger {Origin} on {Network} begins: genesis entry written, anchor script {Script}")]
    public static partial void LedgerBegun(this ILogger log, string origin, BitcoinNetwork network, ByteString script);

    [LoggerMessage(1004, LogLevel.Information, "Checkpoints are signed with the key {Verifier} from now on: back it up")]
    public static partial void CheckpointKeyRotated(this ILogger log, VerifierKey verifier);

    [LoggerMessage(1003, LogLevel.Information,
        "Recovered partition {Partition}: {Entries} entries and {Wallets} wallets up to {Time} in {Milliseconds} ms; every balance adds up")]
    public static partial void LedgerRecovered(this ILogger log, int partition, long entries, int wallets, UnixTime time, long milliseconds);

    [LoggerMessage(1101, LogLevel.Warning, "The node does not know block {Block} at height {Height}: looking from an earlier one")]
    public static partial void CursorUnknown(this ILogger log, uint height, BlockHash block);

    [LoggerMessage(1102, LogLevel.Error, "The node has forgotten the transaction of deposit {OutPoint}: it is set aside")]
    public static partial void DepositForgotten(this ILogger log, OutPoint outPoint);

    [LoggerMessage(1104, LogLevel.Warning, "The list of what changed is too long, and the wallet's whole history is read instead: {Reason}")]
    public static partial void ListTooLong(this ILogger log, string reason);

    [LoggerMessage(1103, LogLevel.Information, "Deposit {OutPoint} of {Amount} is {State} with {Confirmations} confirmations")]
    public static partial void DepositChanged(this ILogger log, OutPoint outPoint, Sats amount, DepositState state, int confirmations);

    [LoggerMessage(1121, LogLevel.Error,
        "The node's wallet has looked for addresses up to index {Last}, and they were given away up to {Highest}: it was restored from an old backup. "
        + "It is told to look for all of them, and rescanned from block {From}; deposits and withdrawals wait meanwhile")]
    public static partial void WalletFallenBehind(this ILogger log, uint? last, uint highest, uint from);

    [LoggerMessage(1122, LogLevel.Information, "The node's wallet was rescanned from block {From} to {Last}, and what it found is booked")]
    public static partial void RescanFinished(this ILogger log, uint from, int last);

    [LoggerMessage(1201, LogLevel.Information, "Family {Family} opened with {Withdrawals} withdrawals, anchoring epoch {Epoch}")]
    public static partial void FamilyOpened(this ILogger log, long family, int withdrawals, long? epoch);

    [LoggerMessage(1210, LogLevel.Information, "Family {Family} opened: fees are low, and of {Coins} small coins one is made")]
    public static partial void ConsolidationOpened(this ILogger log, long family, int coins);

    [LoggerMessage(1202, LogLevel.Information, "Family {Family}: attempt {Attempt} signed as {Txid}, fee {Fee}")]
    public static partial void AttemptSigned(this ILogger log, long family, int attempt, Txid txid, Sats fee);

    [LoggerMessage(1210, LogLevel.Information, "Family {Family}: attempt {Attempt} is to be signed elsewhere as {Txid}, fee {Fee}")]
    public static partial void AttemptPrepared(this ILogger log, long family, int attempt, Txid txid, Sats fee);

    [LoggerMessage(1203, LogLevel.Warning, "Family {Family} cannot be built now ({Refusal}): {Detail}")]
    public static partial void BuildRefused(this ILogger log, long family, BuildRefusal refusal, string detail);

    [LoggerMessage(1208, LogLevel.Warning, "Family {Family}: the node refuses a step of it: {Detail}")]
    public static partial void StepRejected(this ILogger log, long family, string detail);

    [LoggerMessage(1204, LogLevel.Warning, "The node did not take {Txid} ({Outcome}): {Detail}. The same bytes are sent again; nothing is built anew")]
    public static partial void BroadcastRefused(this ILogger log, Txid txid, BroadcastOutcome outcome, string detail);

    [LoggerMessage(1209, LogLevel.Warning, "Family {Family} waits for a block and is not replaced by a transaction that pays more: {Detail}")]
    public static partial void ReplacementRefused(this ILogger log, long family, string detail);

    [LoggerMessage(1205, LogLevel.Information, "Family {Family}: {Txid} is in block {Height}")]
    public static partial void FamilyConfirmed(this ILogger log, long family, Txid txid, int height);

    [LoggerMessage(1206, LogLevel.Warning, "Family {Family}: {Txid} left the best chain and is sent again")]
    public static partial void FamilyUnconfirmed(this ILogger log, long family, Txid txid);

    [LoggerMessage(1207, LogLevel.Information, "Family {Family}: {Txid} is final; mining cost {Fee}")]
    public static partial void FamilyFinished(this ILogger log, long family, Txid txid, Sats fee);

    [LoggerMessage(1240, LogLevel.Error,
        "Family {Family} is dead: {Spender} in block {Height} has spent {Output} for good, which every transaction of it needs. "
        + "Its {Withdrawals} withdrawals are paid by another one. Unless a reorganisation put that transaction in the place of one of ours, find out who made it")]
    public static partial void FamilyDied(this ILogger log, long family, int withdrawals, OutPoint output, Txid spender, uint height);

    [LoggerMessage(1241, LogLevel.Error,
        "Family {Family}: {Spender}, which is not ours, waits in the mempool and spends {Output}, an input of it: who else has the wallet's keys?")]
    public static partial void InputTaken(this ILogger log, long family, OutPoint output, Txid spender);

    [LoggerMessage(1242, LogLevel.Information, "Family {Family}: child {Child} signed as {Txid}; it pays for {Parent}, fee {Fee}")]
    public static partial void ChildSigned(this ILogger log, long family, int child, Txid txid, Txid parent, Sats fee);

    [LoggerMessage(1243, LogLevel.Error, "Family {Family}: its change {Change} was taken by {Spender}, which is none of its children: who else has the wallet's keys?")]
    public static partial void ChildLost(this ILogger log, long family, OutPoint change, Txid spender);

    [LoggerMessage(1244, LogLevel.Critical,
        "The anchor's output {Output} is spent by {Spender}, which is not ours and {Where}: when that is final, nothing is anchored or withdrawn any more")]
    public static partial void AnchorOutputTaken(this ILogger log, OutPoint output, Txid spender, string where);

    [LoggerMessage(1245, LogLevel.Critical,
        "Settlement is stopped for good: {Spender} in block {Height}, which is not ours, has spent the anchor's output {Output}. "
        + "Payments and deposits go on; nothing is anchored or withdrawn. See the runbook")]
    public static partial void SettlementStopped(this ILogger log, OutPoint output, Txid spender, uint height);

    [LoggerMessage(1301, LogLevel.Information, "Epoch {Epoch} closed at {Size} statements")]
    public static partial void EpochClosed(this ILogger log, long epoch, long size);

    [LoggerMessage(1302, LogLevel.Warning, "Payments go on; deposits and withdrawals wait, for Bitcoin is not looked at now: {Reason}")]
    public static partial void NodeClosed(this ILogger log, string reason);

    [LoggerMessage(1306, LogLevel.Error, "Nothing is signed or settled now: {Reason}. Payments go on as far as the journal has room")]
    public static partial void SettlementWaits(this ILogger log, string reason);

    [LoggerMessage(1303, LogLevel.Information, "The Bitcoin node answers again at height {Height}")]
    public static partial void NodeOpen(this ILogger log, int height);

    [LoggerMessage(1306, LogLevel.Information, "The books of epoch {Epoch} are closed: {Total} are owed, {Reserves} are there, at block {Height}")]
    public static partial void EpochStated(this ILogger log, long epoch, Msat total, Sats reserves, uint height);

    [LoggerMessage(1308, LogLevel.Information, "The reserves of epoch {Epoch} are proven: the keys of {Coins} coins of {Total} have signed")]
    public static partial void ReservesProven(this ILogger log, long epoch, int coins, Sats total);

    [LoggerMessage(1309, LogLevel.Warning, "{Path} is passed over, and made again when its coins are signed for: {Reason}")]
    public static partial void ReservesProofDamaged(this ILogger log, string path, string reason);

    [LoggerMessage(1307, LogLevel.Warning, "Nothing is stated about epoch {Epoch}, and another one follows: {Reason}")]
    public static partial void EpochWithoutStatement(this ILogger log, long epoch, string reason);

    [LoggerMessage(1304, LogLevel.Error,
        "Reserves of {Reserves} are below liabilities of {Liabilities}: withdrawals stop until the hot wallet is topped up")]
    public static partial void ReservesShort(this ILogger log, Msat reserves, Msat liabilities);

    [LoggerMessage(1320, LogLevel.Warning,
        "The operator's wallet holds {Available}, less than the {Least} of {Caps} fee caps: top it up before withdrawals and anchors have to wait")]
    public static partial void OperatorFundsFalling(this ILogger log, Msat available, Msat least, int caps);

    [LoggerMessage(1321, LogLevel.Warning,
        "The limits on withdrawals hold back {Count} of {Amount}; {TooLarge} of them are larger than any limit will ever let through")]
    public static partial void WithdrawalsWithheld(this ILogger log, int count, Sats amount, int tooLarge);

    [LoggerMessage(1326, LogLevel.Warning, "Coin {Coin} of the hot wallet is not segwit, and no transaction of ours may spend it: move it by hand to an address of the hot wallet")]
    public static partial void CoinUnusable(this ILogger log, OutPoint coin);

    [LoggerMessage(1325, LogLevel.Warning, "{Count} withdrawals are to addresses of the hot wallet itself, and do not leave: the money would be nobody's")]
    public static partial void WithdrawalsToOurselves(this ILogger log, int count);

    [LoggerMessage(1322, LogLevel.Error, "Cold coins are not counted as reserves now: {Reason}")]
    public static partial void ColdCoinsUnknown(this ILogger log, string reason);

    [LoggerMessage(1323, LogLevel.Warning, "The hot wallet holds {Hot}, more than its ceiling: move {Above} to cold")]
    public static partial void HotWalletAboveCeiling(this ILogger log, Sats hot, Sats above);

    [LoggerMessage(1324, LogLevel.Warning, "The hot wallet has too few confirmed coins for what is to leave: move some there from cold, or wait for change to confirm")]
    public static partial void HotWalletTooLow(this ILogger log);

    [LoggerMessage(1305, LogLevel.Error, "The operator's wallet cannot hold the fee cap of {Cap}: top it up, or nothing is anchored or withdrawn")]
    public static partial void OperatorFundsLow(this ILogger log, Sats cap);

    [LoggerMessage(1340, LogLevel.Warning, "Node {Node} is used from now on: {Before} did not serve: {Reason}")]
    public static partial void NodeChanged(this ILogger log, string node, string before, string reason);

    [LoggerMessage(1341, LogLevel.Warning, "Node {Node} could not take over now: {Reason}")]
    public static partial void StandbyUnfit(this ILogger log, string node, string reason);

    [LoggerMessage(1342, LogLevel.Information, "Node {Node} could take over")]
    public static partial void StandbyFit(this ILogger log, string node);

    [LoggerMessage(1330, LogLevel.Information, "Blocks are announced by {Endpoint}")]
    public static partial void AnnouncementsCome(this ILogger log, Uri endpoint);

    [LoggerMessage(1331, LogLevel.Warning, "Blocks are not announced by {Endpoint}, and are found by polling: {Reason}")]
    public static partial void AnnouncementsStop(this ILogger log, Uri endpoint, string reason);

    [LoggerMessage(1400, LogLevel.Information, "Partition {Partition} is written here from now on, from sequence {Sequence}, as writer epoch {Epoch}")]
    public static partial void PartitionTaken(this ILogger log, int partition, long epoch, long sequence);

    [LoggerMessage(1401, LogLevel.Information, "Partition {Partition} was handed on at sequence {Sequence}")]
    public static partial void PartitionHandedOn(this ILogger log, int partition, long sequence);

    [LoggerMessage(1402, LogLevel.Warning, "Partition {Partition} is not written here any more, and is loaded again: {Reason}")]
    public static partial void PartitionSteppedDown(this ILogger log, int partition, string reason);

    [LoggerMessage(1405, LogLevel.Warning, "Partition {Partition} cannot be loaded now, and is tried again: {Reason}")]
    public static partial void PartitionWaits(this ILogger log, int partition, string reason);

    [LoggerMessage(1403, LogLevel.Error, "The journals in {Database} cannot be followed now; what is asked waits: {Reason}")]
    public static partial void TailWaits(this ILogger log, string database, string reason);

    [LoggerMessage(1404, LogLevel.Information, "The journals in {Database} are followed again")]
    public static partial void TailGoesOn(this ILogger log, string database);

    [LoggerMessage(1411, LogLevel.Information, "The ledger of the cluster {Cluster} in {Database} is followed here; its journals hold {Entries} entries")]
    public static partial void LedgerJoined(this ILogger log, string cluster, string database, long entries);

    [LoggerMessage(1406, LogLevel.Information, "Settlement is done here from now on; the newest checkpoint covers {Size} entries")]
    public static partial void SettlementBegun(this ILogger log, long size);

    [LoggerMessage(1407, LogLevel.Information, "Settlement was handed on")]
    public static partial void SettlementEnded(this ILogger log);

    [LoggerMessage(1408, LogLevel.Warning, "Settlement is not done here any more: {Reason}")]
    public static partial void SettlementTakenAway(this ILogger log, string reason);

    [LoggerMessage(1409, LogLevel.Error, "Settlement cannot be begun here now, and is tried again: {Reason}")]
    public static partial void SettlementNotBegun(this ILogger log, string reason);

    [LoggerMessage(1410, LogLevel.Warning, "What {Folder} holds of settlement was copied into {Database}, which all silos share; from here on that is what counts")]
    public static partial void SettlementAdopted(this ILogger log, string folder, string database);

    [LoggerMessage(1412, LogLevel.Critical, "Settlement ends here and is not begun again before a restart; payments go on: {Reason}")]
    public static partial void SettlementBarred(this ILogger log, string reason);
}
