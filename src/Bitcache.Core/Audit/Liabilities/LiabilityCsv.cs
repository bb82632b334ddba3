namespace Bitcache.Core.Audit;

/// <summary>The published file of an epoch's liabilities, <c>liabilities.csv</c>: <c>block_height:H</c>, then <c>hash,sum</c> of each
/// node in breadth-first order, root first, each line ended by a line feed; hashes in lower-case hex, sums in msat. This is the
/// file of BitMEX's proof of liabilities. Its public validator (<c>validate_liabilities.py</c> of
/// <c>github.com/BitMEX/proof-of-reserves-liabilities</c>) reads it with Python's csv module, takes the height from the first line,
/// wants rows of 1, 2, 4, ... nodes of which the last is whole, hex and decimal numbers; finds an account's leaves by
/// <c>--account</c> and <c>--account_nonce</c> as here defined, whatever their values are; and compares hash and sum of each node
/// on their ways. It says "sats" where these are msat, and needs two leaves at least.</summary>
internal static class LiabilityCsv
{
    public static ReadOnlySpan<byte> HeightLabel => "block_height"u8;

    public static void Write(uint height, SumTree tree, ByteSink sink)
    {
        var rows = new RowWriter(sink);
        rows.Bytes(HeightLabel);
        rows.Character(':');
        rows.Number(height);
        rows.Character('\n');
        for (var row = tree.Height; row >= 0; row--)
        {
            var length = tree.Leaves >> row;
            for (var first = 0; first < length; first += SumTree.RowPartMax)
            {
                var nodes = tree.Row(row, first, Math.Min(SumTree.RowPartMax, length - first));
                for (var i = 0; i < nodes.Count; i++)
                {
                    rows.Hex(nodes.Hashes[i]);
                    rows.Character(',');
                    rows.Number(nodes.Sums[i]);
                    rows.Character('\n');
                }
            }
        }
        rows.Finish();
    }
}
