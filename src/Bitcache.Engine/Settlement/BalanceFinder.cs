// A wallet's chunks in the tree of an epoch, and their ways to the root, from the files alone: the tree of millions of wallets is
// not kept in memory. The allocation is in the order of wallets, and is halved; of the published rows an index knows where
// each thousandth begins.

using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>Reads the large files of one epoch. Belongs to whoever opened it.</summary>
internal sealed class BalanceFinder : IDisposable
{
    private const int LineBytesMax = 1 << 20;
    private const int BlockBytes = 1 << 12;
    private readonly IFile _allocation;
    private readonly IFile _rows;
    private readonly byte[] _index;
    private readonly string _path;

    public BalanceFinder(EpochFolder folder, long epoch)
    {
        _path = folder.PathOf(epoch, EpochFolder.AllocationName);
        _index = folder.Read(epoch, EpochFolder.RowsName) ?? throw new IOException($"{folder.PathOf(epoch, EpochFolder.RowsName)} is missing");
        _allocation = folder.Open(epoch, EpochFolder.AllocationName);
        _rows = folder.Open(epoch, EpochFolder.LiabilitiesName);
    }

    /// <summary>The proofs of a wallet's chunks, in their order; none if it was owed nothing.</summary>
    /// <param name="nonce">What opens the wallet's leaves of the epoch.</param>
    /// <exception cref="IOException">The files are not what was written.</exception>
    public IReadOnlyList<BalanceProof> Find(WalletId wallet, Hash256 nonce)
    {
        if (FindLine(wallet) is not { } line) return [];
        var proofs = new List<BalanceProof>();
        var leaves = CountLeaves();
        foreach (var chunk in line.Split(',')[3].Split(';'))
        {
            var words = chunk.Split(':');
            var (position, value) = (int.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture));
            var siblings = new SumNode[BitOperations.Log2((uint)leaves)];
            for (var row = 0; row < siblings.Length; row++)
                siblings[row] = ReadNode((leaves >> row) - 1L + ((position >> row) ^ 1));
            proofs.Add(new BalanceProof(nonce, new Msat(value), position, siblings));
        }
        return proofs;
    }

    public void Dispose()
    {
        _allocation.Dispose();
        _rows.Dispose();
    }

    /// <summary>2^k leaves have 2^(k+1) - 1 rows: the last stretch of the index tells which.</summary>
    private int CountLeaves()
    {
        var (stretches, rows) = ((_index.Length / sizeof(long)) - 1, 0L);
        var offset = BinaryPrimitives.ReadInt64BigEndian(_index.AsSpan(stretches * sizeof(long)));
        for (; offset < _rows.Length; rows++) offset = NextLine(_rows, offset);
        var all = ((long)stretches * EpochFolder.RowsOfIndex) + rows;
        return BitOperations.IsPow2(all + 1) ? (int)((all + 1) / 2) : throw new IOException($"the rows beside {_path} are not those of a tree");
    }

    /// <summary>A wallet's line; null if it has none.</summary>
    private string? FindLine(WalletId wallet)
    {
        // Where lines begin: the one that is looked for is none before low, and none from high on.
        var (low, high) = (NextLine(_allocation, 0), _allocation.Length);
        while (true)
        {
            var middle = low + ((high - low) / 2);
            var line = middle == low ? low : NextLine(_allocation, middle - 1);
            if (line >= high) break;
            var order = WalletAt(line).CompareTo(wallet);
            if (order == 0) return ReadLine(_allocation, line).Line;
            if (order < 0) low = NextLine(_allocation, line);
            else high = line;
        }
        // What is left is one long line, and what stands before it.
        for (var line = low; line < high; line = NextLine(_allocation, line))
        {
            if (WalletAt(line) == wallet) return ReadLine(_allocation, line).Line;
        }
        return null;
    }

    private WalletId WalletAt(long line)
    {
        Span<byte> bytes = stackalloc byte[WalletId.TextCharacters];
        Span<char> text = stackalloc char[WalletId.TextCharacters];
        if (_allocation.Read(line, bytes) != bytes.Length || Encoding.ASCII.GetChars(bytes, text) != text.Length) throw new IOException($"{_path} is damaged");
        if (WalletId.TryParse(text, out var wallet)) return wallet;
        return text.SequenceEqual(WalletId.Suspense.ToString()) ? WalletId.Suspense : throw new IOException($"{_path} is damaged");
    }

    /// <summary>A node by its place among the rows, the root being 0.</summary>
    private SumNode ReadNode(long row)
    {
        var at = (int)(row / EpochFolder.RowsOfIndex) * sizeof(long);
        var offset = BinaryPrimitives.ReadInt64BigEndian(_index.AsSpan(at));
        for (var left = row % EpochFolder.RowsOfIndex; ; left--)
        {
            var (line, next) = ReadLine(_rows, offset);
            if (left == 0) return ParseNode(line);
            offset = next;
        }
    }

    private SumNode ParseNode(string line)
    {
        var words = line.Split(',');
        return words.Length == 2 && Hash256.TryParse(words[0], out var hash) && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var sum) && sum is >= 0 and <= Limits.SupplyMsatMax
            ? new SumNode(hash, new Msat(sum))
            : throw new IOException($"the rows beside {_path} are damaged");
    }

    /// <summary>The line that begins at an offset, and where the next one does.</summary>
    private (string Line, long Next) ReadLine(IFile file, long offset)
    {
        var next = NextLine(file, offset);
        if (next - offset > LineBytesMax) throw new IOException($"{_path} has a line that is too long");
        var bytes = new byte[next - offset - 1];
        file.Read(offset, bytes);
        return (Encoding.ASCII.GetString(bytes), next);
    }

    /// <summary>Where the line begins that follows an offset.</summary>
    private long NextLine(IFile file, long offset)
    {
        var bytes = new byte[BlockBytes];
        while (file.Read(offset, bytes) is var length and > 0)
        {
            var end = bytes.AsSpan(0, length).IndexOf((byte)'\n');
            if (end >= 0) return offset + end + 1;
            offset += length;
        }
        throw new IOException($"{_path}, or the rows beside it, end within a line");
    }
}
