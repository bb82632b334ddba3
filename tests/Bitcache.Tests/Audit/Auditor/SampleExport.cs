// What an operator publishes, as the export lays it out.

using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Audit.Auditor;

internal sealed record SampleExport(MemoryFolder Open, MemoryFolder Auditors)
{
    /// <summary>Exports what there is, signed at its size.</summary>
    /// <param name="epochs">How many epochs are published.</param>
    /// <param name="rotation">By which another key signs the checkpoint, and that key's seed.</param>
    /// <param name="size">Of the log, if not all of it was there yet.</param>
    public static SampleExport Of(SampleOperator by, int? epochs = null, (KeyRotation Note, byte[] Seed)? rotation = null, long? size = null)
    {
        var (open, auditors, log, end) = (new MemoryFolder(), new MemoryFolder(), by.Log, size ?? by.Log.Size);
        open[AuditPaths.Checkpoint] = Encoding.UTF8.GetBytes(Note(by, end));
        if (rotation is { } key)
        {
            open[AuditPaths.Checkpoint] = Encoding.UTF8.GetBytes(new Checkpoint(SampleOperator.Origin, log.Size, log.Root()).Sign(key.Seed));
            open[AuditPaths.Rotations] = Encoding.UTF8.GetBytes(key.Note.Note);
        }
        open[AuditPaths.Pins] = Encoding.UTF8.GetBytes(SampleOperator.Pins(IsAnchored(by.Epochs[0], end) ? by.Epochs[0].Anchor!.Txid : null).Write());
        foreach (var tile in LogTile.Between(0, end))
        {
            open[tile.ToString()] = HashTile.Write(log.Tile(tile));
            if (tile.Level == 0) auditors[tile.Bundle.ToString()] = Bundle(by.Entries.Skip((int)tile.First).Take(tile.Width));
        }
        var published = by.Epochs.Take(epochs ?? by.Epochs.Count).TakeWhile(e => e.Index < end).ToArray();
        open[AuditPaths.Index] = Encoding.ASCII.GetBytes($$"""{"epochs":[{{string.Join(',', published.Select(e => $$"""{"epoch":{{e.Statement.Epoch}},"anchor":{{(IsAnchored(e, end) ? e.Statement.Epoch : "null")}},"state":"{{(IsAnchored(e, end) ? "final" : "pending")}}"}"""))}}]}""" + "\n");
        foreach (var epoch in published) Write(by, epoch, end, open, auditors);
        return new SampleExport(open, auditors);
    }

    /// <summary>Takes the newest epoch's anchor back, as before its block was mined.</summary>
    public void HideAnchor(long epoch)
    {
        foreach (var name in new[] { AuditPaths.Anchor, AuditPaths.Record, AuditPaths.Header, AuditPaths.Timestamp }) Open.Files.Remove(AuditPaths.Of(epoch, name));
        var listed = Encoding.ASCII.GetString(Open[AuditPaths.Index]);
        Open[AuditPaths.Index] = Encoding.ASCII.GetBytes(listed.Replace($"\"anchor\":{epoch},\"state\":\"final\"", "\"anchor\":null,\"state\":\"pending\"", StringComparison.Ordinal));
    }

    /// <summary>The receipt of an entry, as it was given out when the log had a size.</summary>
    public static HeldReceipt Receipt(SampleOperator by, int index, long size, SampleEpoch? anchoredBy = null) => new($"receipt-{index}.leaf", new ReceiptFiles(
        LeafOf(by.Entries[index]), Encoding.UTF8.GetBytes(new TlogProof(index, by.Log.InclusionProof(index, size), Note(by, size)).Write()))
    {
        Timestamp = anchoredBy is null ? (ReadOnlyMemory<byte>?)null : Timestamp(by, index, anchoredBy),
    });

    private static void Write(SampleOperator by, SampleEpoch epoch, long size, MemoryFolder open, MemoryFolder auditors)
    {
        string Path(string name) => AuditPaths.Of(epoch.Statement.Epoch, name);
        open[Path(AuditPaths.Close)] = LeafOf(by.Entries[epoch.Index]);
        open[Path(AuditPaths.Proof)] = Encoding.UTF8.GetBytes(new TlogProof(epoch.Index, by.Log.InclusionProof(epoch.Index, size), Note(by, size)).Write());
        open[Path(AuditPaths.Liabilities)] = Encoding.ASCII.GetBytes(epoch.Tree.Csv);
        open[Path(WithdrawalsFile.Name)] = epoch.Withdrawals;
        open[Path(ReservesFile.Name)] = epoch.Reserves;
        if (epoch.Proof is { } proof) open[Path(ReservesProof.FileName)] = proof;
        auditors[Path(AuditPaths.Allocation)] = Encoding.ASCII.GetBytes(epoch.Tree.Allocation);
        auditors[Path(AuditPaths.Keys)] = Encoding.ASCII.GetBytes(epoch.Tree.Keys);
        if (!IsAnchored(epoch, size)) return;
        open[Path(AuditPaths.Timestamp)] = Timestamp(by, epoch.Index, epoch);
        open[Path(AuditPaths.Anchor)] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(FakeTransactions.Sign(epoch.Anchor!)) + "\n");
        open[Path(AuditPaths.Record)] = epoch.Record!.ToArray();
        open[Path(AuditPaths.Header)] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(epoch.Block!.Bytes) + "\n");
    }

    private static bool IsAnchored(SampleEpoch epoch, long size) => epoch.Anchor is not null && epoch.Record!.TreeSize <= size;

    private static byte[] Timestamp(SampleOperator by, int index, SampleEpoch anchor) => OpenTimestamps.Build(
        Rfc6962.LeafHash(by.Entries[index]), index, by.Log.InclusionProof(index, anchor.Record!.TreeSize), anchor.Record, anchor.Anchor!,
        BlockProof.Build([.. anchor.Block!.Transactions.Select(t => t.Txid)], anchor.Anchor!.Txid), anchor.Block.Height);

    public static string Note(SampleOperator by, long? size = null) =>
        new Checkpoint(SampleOperator.Origin, size ?? by.Log.Size, by.Log.Root(size ?? by.Log.Size)).Sign(SampleOperator.KeySeed);

    private static byte[] LeafOf(byte[] entry) => [0, .. entry];

    private static byte[] Bundle(IEnumerable<byte[]> entries)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        foreach (var entry in entries) EntryBundle.Add(buffer, entry);
        return buffer.WrittenSpan.ToArray();
    }
}

/// <summary>The simulated network as an auditor's node shows it.</summary>
/// <param name="signs">What the node says of a signed transaction, if it is not that it is good: the simulated network executes no
/// scripts.</param>
/// <param name="tip">Where the node is, if it is behind.</param>
internal sealed class SampleChainView(FakeChain chain, Func<byte[], IReadOnlyList<SpentCoin>, bool>? signs = null, uint? tip = null) : IChainView
{
    public uint TipHeight => tip ?? (uint)chain.Tip.Height;

    public BlockHash? BlockAt(uint height) => height > TipHeight ? null : chain.At((int)height)?.Hash;

    public BitcoinBlock ReadBlock(BlockHash block) =>
        BitcoinBlock.TryParse(chain.Find(block)!.ToBytes(), out var whole) && whole.IsWhole ? whole : throw new InvalidOperationException($"block {block} is none");

    public TransactionOutput? FindUnspent(OutPoint output) => chain.FindCoin(output)?.Output;

    public bool IsSigned(byte[] transaction, IReadOnlyList<SpentCoin> spent) => signs is null || signs(transaction, spent);
}
