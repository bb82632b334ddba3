// The anchors, back to the first: one chain of transactions, each of which fixes the log as it was then.

using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>An anchor of the chain.</summary>
/// <param name="Output">What the next anchor must spend.</param>
/// <param name="Height">Of its block, as the timestamps over it say.</param>
internal sealed record CheckedAnchor(AnchorRecord Record, BitcoinTransaction Transaction, OutPoint Output, BlockHeader Header, uint Height);

internal sealed class AnchorAudit(AuditInputs inputs, Pins pins, MerkleLog log, AuditSteps steps)
{
    private readonly List<CheckedAnchor> _chain = [];
    private readonly Dictionary<Txid, CheckedAnchor> _byId = [];
    private readonly Dictionary<long, AnchorRecord> _records = [];
    private readonly Dictionary<long, AuditedAnchor> _known = [];

    /// <summary>In the order in which they spend each other.</summary>
    public IReadOnlyList<CheckedAnchor> Chain => _chain;

    /// <summary>What is anchored for an epoch by an anchor of its own.</summary>
    public AnchorRecord? RecordOf(long epoch) => _records.GetValueOrDefault(epoch);

    /// <summary>An epoch's own anchor, as it is shown or, where nobody could say that it is gone, was at the last audit.</summary>
    public AuditedAnchor? AnchorOf(long epoch) => _known.GetValueOrDefault(epoch);

    /// <summary>Checks the chain, and that every epoch leads to it.</summary>
    /// <param name="epochs">In order.</param>
    public bool Check(IReadOnlyList<CheckedEpoch> epochs, AuditState? state)
    {
        foreach (var known in state?.Epochs ?? [])
        {
            if (known.Record is { } record) _records.Add(known.Epoch, record);
        }
        foreach (var epoch in epochs)
        {
            inputs.Progress("anchors", epoch.Statement.Epoch, epochs[^1].Statement.Epoch);
            if (!CheckAnchor(epoch)) return false;
        }
        if (!CheckWithheld(state)) return false;
        if (_chain.Count > 0) steps.Passed($"{_chain.Count} anchors: each carries the log's own root, pays the anchor script once and spends the one before it{(pins.FirstAnchor is null ? "" : $", back to the first, {_chain[0].Transaction.Txid}")}");
        if (_chain.Count > 0 && pins.FirstAnchor is null) steps.NotChecked($"that this is the only history: the pins have no first anchor; it is {_chain[0].Transaction.Txid}, write it down");
        var waiting = 0;
        UnixTime? since = null;
        foreach (var epoch in epochs)
        {
            if (!CheckTimestamp(epoch, ref waiting)) return false;
            if (waiting > 0) since ??= epoch.Stated;
        }
        if (epochs.Count > waiting) steps.Passed($"the statements of {epochs.Count - waiting} epochs lead through these anchors to blocks whose headers have work");
        return waiting == 0 || steps.NotChecked($"{waiting} epochs wait for their anchor, the first since {since}: until then what was stated about them rests on the operator's signature");
    }

    /// <summary>Anchors that are known are shown, unless a reorganisation took them; only a node can tell of that. The first one is
    /// pinned when it is deep enough.</summary>
    private bool CheckWithheld(AuditState? state)
    {
        if (_chain.Count == 0 && pins.FirstAnchor is { } first)
            return steps.Failed(AuditFault.AnchorWithheld, $"the pins have the first anchor, {first}, and no anchor is shown", AuditPaths.Pins);
        foreach (var known in state?.Epochs ?? [])
        {
            if (known.Anchor is not { } anchor || _byId.ContainsKey(anchor.Txid)) continue;
            if (inputs.Chain?.BlockAt(anchor.Height) == anchor.Block)
                return steps.Failed(AuditFault.AnchorWithheld, $"the anchor of epoch {known.Epoch}, {anchor.Txid}, was shown at the last audit and is not now, and its block {anchor.Block} is in the best chain at height {anchor.Height}", AuditPaths.Of(known.Epoch, AuditPaths.Anchor));
            if (inputs.Chain is not null) continue;
            steps.NotChecked($"the anchor of epoch {known.Epoch}, {anchor.Txid}, was shown at the last audit and is not now: a reorganisation took it, or it is withheld; a node can tell (--node)");
            _known.TryAdd(known.Epoch, anchor);
        }
        foreach (var anchor in _chain) _known[anchor.Record.Epoch] = new AuditedAnchor(anchor.Transaction.Txid, anchor.Height, anchor.Header.Hash);
        return true;
    }

    /// <summary>An anchor that is shown somewhere. Another one for the same epoch is a second history.</summary>
    /// <param name="where">The file that shows it.</param>
    public bool See(AnchorRecord record, string where)
    {
        if (_records.TryAdd(record.Epoch, record) || _records[record.Epoch] == record) return true;
        var other = _records[record.Epoch];
        return steps.Failed(
            AuditFault.SecondAnchor, $"two records were anchored for epoch {record.Epoch}: {where} has {record.TreeSize} entries under {record.Root}, the other {other.TreeSize} under {other.Root}",
            where, Convert.ToHexStringLower(record.ToArray()), Convert.ToHexStringLower(other.ToArray()));
    }

    private bool CheckAnchor(CheckedEpoch epoch)
    {
        var number = epoch.Statement.Epoch;
        var (path, recordPath, headerPath) = (AuditPaths.Of(number, AuditPaths.Anchor), AuditPaths.Of(number, AuditPaths.Record), AuditPaths.Of(number, AuditPaths.Header));
        var (text, bytes, head) = (Text(path, 2 * Limits.RawTransactionBytesMax), inputs.Published.Read(recordPath, AnchorRecord.Bytes), Text(headerPath, 2 * BlockHeader.Bytes));
        // It waits for its anchor to be in a block, or another one's covers it.
        if (text is null && bytes is null && head is null) return true;
        if (text is null || !BitcoinTransaction.TryParse(text, out var transaction)) return steps.Failed(AuditFault.FileMalformed, $"{path} is missing or no transaction in hex", path);
        if (bytes is null || !AnchorRecord.TryRead(bytes, out var record)) return steps.Failed(AuditFault.FileMalformed, $"{recordPath} is missing or no anchor record", recordPath);
        if (head is null || !BlockHeader.TryParse(head, out var header)) return steps.Failed(AuditFault.FileMalformed, $"{headerPath} is missing or no header in hex", headerPath);
        if (!CheckRecord(epoch, record, recordPath) || !CheckTransaction(record, transaction, path) || !CheckPlace(number, transaction, path)) return false;
        if (!header.MeetsTarget(pins.Network)) return steps.Failed(AuditFault.AnchorNotInBlock, $"{headerPath} shows no work that {pins.Network.ChainName()} accepts", headerPath);
        var output = transaction.Outputs.TakeWhile(o => !o.Script.AsSpan().SequenceEqual(pins.AnchorScript)).Count();
        if (!TryReadHeight(epoch, transaction, header, out var height)) return false;
        if (_chain.Count > 0 && height < _chain[^1].Height) return steps.Failed(AuditFault.AnchorNotInBlock, $"the anchor of epoch {number} is of block {height}, and the one that it spends of block {_chain[^1].Height}", path);
        var anchor = new CheckedAnchor(record, transaction, new OutPoint(transaction.Txid, (uint)output), header, height);
        _chain.Add(anchor);
        _byId.Add(transaction.Txid, anchor);
        return true;
    }

    private bool CheckRecord(CheckedEpoch epoch, AnchorRecord record, string path)
    {
        var number = epoch.Statement.Epoch;
        if (record.OriginHash != AnchorRecord.HashOrigin(pins.Origin)) return steps.Failed(AuditFault.AnchorFalse, $"{path} is not of the log '{pins.Origin}'", path);
        if (record.Epoch != number) return steps.Failed(AuditFault.AnchorFalse, $"{path} is of epoch {record.Epoch}", path);
        if (!See(record, path)) return false;
        if (record.TreeSize <= epoch.Index) return steps.Failed(AuditFault.AnchorFalse, $"{path} covers {record.TreeSize} entries, and what was stated about the epoch is entry {epoch.Index}", path);
        if (record.TreeSize > log.Size) return steps.Failed(AuditFault.AnchorOfAnotherLog, $"{path} covers {record.TreeSize} entries, and the log has {log.Size}", path);
        var root = log.Root(record.TreeSize);
        return root == record.Root || steps.Failed(AuditFault.AnchorOfAnotherLog, $"{path} fixes the root {record.Root} for {record.TreeSize} entries, but the log's is {root}: what is shown is not what was anchored", path);
    }

    private bool CheckTransaction(AnchorRecord record, BitcoinTransaction transaction, string path)
    {
        if (!AnchorRecord.TryFindCommitment(transaction, out var commitment) || commitment != record.Commitment())
            return steps.Failed(AuditFault.AnchorFalse, $"transaction {transaction.Txid} does not carry the hash of the record of epoch {record.Epoch}, and no other", path);
        var count = pins.CountAnchorOutputs(transaction);
        return count == 1 || steps.Failed(AuditFault.AnchorFalse, $"transaction {transaction.Txid} pays the anchor script {count} times, not once", path);
    }

    private bool CheckPlace(long number, BitcoinTransaction transaction, string path)
    {
        if (_chain.Count == 0)
        {
            return pins.FirstAnchor is null || pins.FirstAnchor == transaction.Txid
                || steps.Failed(AuditFault.SecondFirstAnchor, $"the first anchor that is shown is {transaction.Txid}, of epoch {number}; the pinned one is {pins.FirstAnchor}", path, AuditPaths.Pins);
        }
        var spent = transaction.Inputs[0].Spent;
        return spent == _chain[^1].Output || steps.Failed(
            AuditFault.AnchorChainBroken, $"the anchor of epoch {number}, {transaction.Txid}, spends {spent}, and not {_chain[^1].Output} of the anchor of epoch {_chain[^1].Record.Epoch}: an anchor between them is not shown, or there are two histories", path, AuditPaths.Of(_chain[^1].Record.Epoch, AuditPaths.Anchor));
    }

    /// <summary>The epoch's own timestamp leads through its own anchor to the header that is shown.</summary>
    private bool TryReadHeight(CheckedEpoch epoch, BitcoinTransaction transaction, BlockHeader header, out uint height)
    {
        height = 0;
        var path = AuditPaths.Of(epoch.Statement.Epoch, AuditPaths.Timestamp);
        if (!TryReadTimestamp(path, out var proof, out var way)) return false;
        if (!See(way.Record, path)) return false;
        if (way.Transaction.Txid != transaction.Txid) return steps.Failed(AuditFault.TimestampFalse, $"{path} leads to transaction {way.Transaction.Txid}, not to the epoch's anchor {transaction.Txid}", path);
        if (!way.Block.Verify(header.MerkleRoot)) return steps.Failed(AuditFault.AnchorNotInBlock, $"transaction {transaction.Txid} is not in block {header.Hash}", path);
        height = (uint)proof.Height;
        return true;
    }

    private bool CheckTimestamp(CheckedEpoch epoch, ref int waiting)
    {
        var path = AuditPaths.Of(epoch.Statement.Epoch, AuditPaths.Timestamp);
        if (inputs.Published.Read(path, Limits.TimestampFileBytesMax) is null)
        {
            waiting++;
            return !_chain.Exists(a => a.Record.TreeSize > epoch.Index) || steps.Failed(AuditFault.FileMissing, $"{path} is not published, and an anchor covers the epoch", path);
        }
        if (!TryReadTimestamp(path, out var proof, out var way) || !See(way.Record, path)) return false;
        if (way.Leaf != epoch.Leaf || !MerkleProof.VerifyInclusion(epoch.Index, way.Record.TreeSize, epoch.Leaf, way.LogPath, way.Record.Root))
            return steps.Failed(AuditFault.TimestampFalse, $"{path} does not lead from what was stated about epoch {epoch.Statement.Epoch} to an anchored root", path);
        if (!_byId.TryGetValue(way.Transaction.Txid, out var anchor)) return steps.Failed(AuditFault.TimestampFalse, $"{path} leads to transaction {way.Transaction.Txid}, which is no anchor of the chain", path);
        if (way.Block.Verify(anchor.Header.MerkleRoot) && proof.Height == anchor.Height) return true;
        return steps.Failed(AuditFault.TimestampFalse, $"{path} leads to block {proof.Height}, and its anchor is in block {anchor.Height}", path);
    }

    private bool TryReadTimestamp(string path, [NotNullWhen(true)] out OpenTimestamps? proof, [NotNullWhen(true)] out AnchorPath? way)
    {
        (proof, way) = (null, null);
        if (inputs.Published.Read(path, Limits.TimestampFileBytesMax) is not { } file) return steps.Failed(AuditFault.FileMissing, $"{path} is not published", path);
        if (!OpenTimestamps.TryParse(file, out proof, out var refusal) || !AnchorPath.TryRead(proof, 0, out way, out refusal)) return steps.Failed(AuditFault.FileMalformed, $"{path}: {refusal}", path);
        return true;
    }

    /// <summary>A line of hex; anything else is no text here.</summary>
    private string? Text(string path, int charactersMax)
    {
        if (inputs.Published.Read(path, charactersMax + 1) is not { Length: > 0 } file) return null;
        return file[^1] == (byte)'\n' && !file.AsSpan(0, file.Length - 1).ContainsAnyExcept(Hex) ? Encoding.ASCII.GetString(file, 0, file.Length - 1) : "";
    }

    private static readonly SearchValues<byte> Hex = SearchValues.Create("0123456789abcdef"u8);
}
