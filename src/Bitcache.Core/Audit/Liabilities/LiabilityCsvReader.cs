using System.Globalization;

namespace Bitcache.Core.Audit;

/// <summary>The content of a <c>liabilities.csv</c> in which every sum and every hash is right.</summary>
public sealed class PublishedLiabilities
{
    private readonly SumNodes _leaves;

    internal PublishedLiabilities(uint height, SumNode root, SumNodes leaves) => (Height, Root, _leaves) = (height, root, leaves);

    /// <summary>Of the epoch's block.</summary>
    public uint Height { get; }
    public SumNode Root { get; }
    public int Leaves => _leaves.Count;

    internal SumNodeSpan Nodes => _leaves.Part(0, Leaves);
}

/// <summary>Reads <c>liabilities.csv</c> as it arrives, and checks it: every node's hash and sum against the two below it, no
/// negative sum, none above all money, a whole tree, one form. Keeps two rows of the tree, 60 bytes a leaf. A file that was cut behind
/// a whole row is such a tree, too: that its last row has the leaves shows from an allocation (<see cref="LiabilityAudit"/>), or
/// from one balance that is found in it.</summary>
public sealed class LiabilityCsvReader : FieldReader
{
    /// <summary>Nodes that are checked at once.</summary>
    private const int Pairs = Sha256Batch.Count;

    private readonly Sha256Batch _batch = new();
    private SumNodes? _above;
    private SumNodes? _row;
    private int _filled;
    private SumNode _root;
    private uint _height;
    private Hash256 _hash;
    private Part _next;

    private enum Part
    {
        Mark,
        Height,
        Hash,
        Sum,
    }

    /// <summary>The content, once the whole file was read; null if it is refused (<see cref="FieldReader.Finding"/>).</summary>
    public PublishedLiabilities? Finish()
    {
        if (!HasEnded(_next == Part.Hash)) return null;
        if (_row is { Count: > 1 } && _filled == _row.Count) return new PublishedLiabilities(_height, _root, _row);
        RefuseFile(LiabilityFault.NotATree, string.Create(CultureInfo.InvariantCulture, $"the file ends after {_filled} nodes of a row that has {_row?.Count ?? 1}, or has no row below its root"));
        return null;
    }

    protected override bool Take(ReadOnlySpan<byte> field, char separator)
    {
        var expected = _next switch
        {
            Part.Mark => ':',
            Part.Hash => ',',
            Part.Height or Part.Sum => '\n',
        };
        if (separator != expected) return Refuse(LiabilityFault.Malformed, _next <= Part.Height ? "the file does not begin with a block height" : "the line is not a hash and a sum");
        switch (_next)
        {
            case Part.Mark:
                _next = Part.Height;
                return field.SequenceEqual(LiabilityCsv.HeightLabel) || Refuse(LiabilityFault.Malformed, "the file does not begin with a block height");
            case Part.Height:
                _next = Part.Hash;
                if (!TryReadNumber(field, out var height) || height > Limits.BlockHeightMax) return Refuse(LiabilityFault.Malformed, "this is no height of a block");
                _height = (uint)height;
                return true;
            case Part.Hash:
                _next = Part.Sum;
                return TakeHash(field, out _hash);
            case Part.Sum:
                _next = Part.Hash;
                return TakeAmount(field, out var sum) && AddNode(_hash, sum);
        }
        return false;
    }

    private bool AddNode(Hash256 hash, long sum)
    {
        if (_row is null)
        {
            _root = new SumNode(hash, new Msat(sum));
            _row = new SumNodes(1);
        }
        else if (_filled == _row.Count)
        {
            if (_row.Count == Limits.LiabilityLeavesMax) return Refuse(LiabilityFault.NotATree, "the tree has too many rows");
            (_above, _row, _filled) = (_row, new SumNodes(2 * _row.Count), 0);
        }
        var at = _row.Part(_filled++, 1);
        (at.Hashes[0], at.Sums[0]) = (hash, sum);
        return _above is null || (_filled % (2 * Pairs) != 0 && _filled != _row.Count) || CheckPairs(_above, _row);
    }

    /// <summary>Checks the newest nodes of the row against those above them.</summary>
    private bool CheckPairs(SumNodes above, SumNodes row)
    {
        var first = (_filled - 1) / (2 * Pairs) * Pairs;
        var count = (_filled / 2) - first;
        var nodes = above.Part(first, count);
        var children = row.Part(2 * first, 2 * count);
        Span<byte> preimage = stackalloc byte[SumNode.PreimageBytes];
        for (var i = 0; i < count; i++)
        {
            var (left, right) = (2 * i, (2 * i) + 1);
            // Neither is above all money, so that their sum is a number.
            if (children.Sums[left] + children.Sums[right] != nodes.Sums[i])
                return RefuseFile(LiabilityFault.SumWrong, string.Create(CultureInfo.InvariantCulture, $"{Name(above, first + i)} says {nodes.Sums[i]}, but the two below it are worth {children.Sums[left]} and {children.Sums[right]}"));
            SumNode.WritePreimage(children.Hashes[left], children.Sums[left], children.Hashes[right], children.Sums[right], preimage);
            _batch.Add(preimage);
        }
        var hashes = _batch.Finish();
        var same = hashes.CommonPrefixLength(nodes.Hashes);
        return same == count || RefuseFile(LiabilityFault.HashWrong, $"the hash of {Name(above, first + same)} is not that of the two below it");
    }

    private static string Name(SumNodes row, int place) => string.Create(CultureInfo.InvariantCulture, $"node {place} of the row of {row.Count}");
}
