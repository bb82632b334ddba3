// Proofs of balances from the files of an epoch, when its tree is gone from memory: a row of the allocation, found by halving, and
// one row of the published file for each row of the tree.

using System.Globalization;
using System.Numerics;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>Reads bytes of a file at a place: fewer than there is room for only at its end.</summary>
public delegate int ByteSource(long offset, Span<byte> bytes);

/// <summary>A part of a balance: a leaf, and what it is worth.</summary>
public readonly record struct BalanceChunk(int Position, Msat Value);

/// <summary>Reads <c>liabilities.csv</c> and <c>allocation.csv</c> of one epoch here and there; they are believed but for what a
/// proof shows. Belongs to one thread.</summary>
/// <param name="csvLines">Where the lines of the first begin.</param>
/// <param name="allocationBytes">How long the second is.</param>
public sealed class LiabilityFiles(ByteSource csv, LineIndex csvLines, ByteSource allocation, long allocationBytes)
{
    private const int PieceBytes = 1 << 12;

    /// <summary>Rows above the leaves.</summary>
    private int Rows => csvLines.Lines > 0 && BitOperations.IsPow2(csvLines.Lines) ? BitOperations.Log2((ulong)csvLines.Lines) - 1
        : throw new FormatException($"{csvLines.Lines} lines are no tree of liabilities");

    /// <summary>The chunks of a wallet's balance, in their order; none if it is owed nothing.</summary>
    /// <exception cref="FormatException">The file is not what it should be.</exception>
    public IReadOnlyList<BalanceChunk> ChunksOf(WalletId wallet)
    {
        // Nobody is owed nothing because his line is not found in a file that has none.
        Span<byte> last = stackalloc byte[1];
        if (allocation(allocationBytes - 1, last) != 1 || last[0] != '\n') throw new FormatException("the allocation does not end with a line");
        // Of lines that begin between the two: the first begins at low.
        var (low, high) = (LineAfter(0), allocationBytes);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            var start = LineAfter(middle);
            if (start >= high)
            {
                // None begins behind the middle; where none can, there is one line left.
                if (high - low > WalletId.TextCharacters)
                {
                    high = middle + 1;
                    continue;
                }
                start = low;
            }
            var found = WalletAt(start);
            if (found == wallet) return ReadChunks(start);
            if (found < wallet) low = LineAfter(start);
            else if (start == low) return [];
            else high = start;
        }
        return [];
    }

    /// <summary>The proof of a chunk.</summary>
    /// <param name="nonce">Of its wallet (<see cref="LiabilitySeed.Nonce"/>).</param>
    /// <exception cref="FormatException">The files do not fit one another, or the nonce.</exception>
    public BalanceProof Prove(BalanceChunk chunk, Hash256 nonce)
    {
        var siblings = new SumNode[Rows];
        for (var row = 0; row < siblings.Length; row++) siblings[row] = ReadNode(row, (chunk.Position >> row) ^ 1);
        var proof = new BalanceProof(nonce, chunk.Value, chunk.Position, siblings);
        if (proof.Root() != ReadNode(Rows, 0)) throw new FormatException($"leaf {chunk.Position} does not lead to the root of the tree");
        return proof;
    }

    private SumNode ReadNode(int row, int place)
    {
        // The first line is the height's, the root's is the second.
        var (offset, before) = csvLines.Find((1L << (Rows - row)) + place);
        Span<byte> part = stackalloc byte[LineIndex.LinesOfPart * Limits.LiabilityRowBytesMax];
        ReadOnlySpan<byte> lines = part[..csv(offset, part)];
        for (; before > 0; before--) lines = lines[(lines.IndexOf((byte)'\n') + 1)..];
        var end = lines.IndexOf((byte)'\n');
        const int HexCharacters = 2 * Hash256.Bytes;
        Span<byte> hash = stackalloc byte[Hash256.Bytes];
        if (end <= HexCharacters + 1 || lines[HexCharacters] != (byte)',' || Convert.FromHexString(lines[..HexCharacters], hash, out _, out _) != System.Buffers.OperationStatus.Done)
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"there is no node in the tree's file behind byte {offset}"));
        return new SumNode(Hash256.Read(hash), ReadAmount(lines[(HexCharacters + 1)..end]));
    }

    /// <summary>Where the first line begins whose line feed before it is at this place or later.</summary>
    private long LineAfter(long offset)
    {
        Span<byte> piece = stackalloc byte[PieceBytes];
        while (allocation(offset, piece) is var count and > 0)
        {
            var end = piece[..count].IndexOf((byte)'\n');
            if (end >= 0) return offset + end + 1;
            offset += count;
        }
        return allocationBytes;
    }

    private WalletId WalletAt(long line)
    {
        Span<byte> text = stackalloc byte[WalletId.TextCharacters];
        return allocation(line, text) == text.Length && AllocationText.TryReadWallet(text, out var wallet) ? wallet
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"there is no wallet at byte {line} of the allocation"));
    }

    private List<BalanceChunk> ReadChunks(long line)
    {
        var bytes = new byte[LineAfter(line) - 1 - line];
        if (allocation(line, bytes) != bytes.Length) throw new FormatException("the allocation ends in the middle of a line");
        var fields = Encoding.ASCII.GetString(bytes).Split(',');
        var chunks = new List<BalanceChunk>();
        foreach (var text in fields[^1].Split(';'))
        {
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            if (fields.Length != 4 || colon < 0 || !int.TryParse(text.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture, out var position))
                throw new FormatException($"'{text}' is no chunk of a balance");
            chunks.Add(new BalanceChunk(position, ReadAmount(Encoding.ASCII.GetBytes(text[(colon + 1)..]))));
        }
        return chunks;
    }

    private static Msat ReadAmount(ReadOnlySpan<byte> text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var msat) && msat <= Limits.SupplyMsatMax ? new Msat(msat)
            : throw new FormatException($"'{Encoding.ASCII.GetString(text)}' is no amount of money");
}
