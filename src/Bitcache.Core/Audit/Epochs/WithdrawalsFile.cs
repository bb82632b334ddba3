// Withdrawals that were in a block by an epoch's own block, and that the ledger still held when the epoch was closed, as
// withdrawals.csv lists them: they are paid, and left out of what is owed.

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>One output that pays a withdrawal.</summary>
public sealed record PaidWithdrawal(OutPoint Output, Sats Amount, ByteString Script);

/// <summary>An epoch's withdrawals.csv: the line <c>txid,vout,sats,script</c>, then one for each, in ascending order of transaction
/// id, as text, and index; the script in hex. Lines end with a line feed.</summary>
public static class WithdrawalsFile
{
    public const string Name = "withdrawals.csv";
    private const string Head = "txid,vout,sats,script\n";

    /// <exception cref="ArgumentException">One output is given twice.</exception>
    public static byte[] Write(IEnumerable<PaidWithdrawal> withdrawals)
    {
        var text = new StringBuilder(Head);
        PaidWithdrawal? last = null;
        foreach (var one in withdrawals.OrderBy(w => w.Output, Comparer<OutPoint>.Create(ReservesFile.Compare)))
        {
            if (last?.Output == one.Output) throw new ArgumentException($"output {one.Output} pays two withdrawals", nameof(withdrawals));
            last = one;
            text.Append(CultureInfo.InvariantCulture, $"{one.Output.Txid},{one.Output.Index},{one.Amount.Value},{Convert.ToHexStringLower(one.Script.Span)}\n");
        }
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    /// <summary>Reads what <see cref="Write"/> wrote: any other spelling of the same is refused, with the reason in words.</summary>
    public static bool TryParse(byte[] file, [NotNullWhen(true)] out IReadOnlyList<PaidWithdrawal>? withdrawals, out string refusal)
    {
        withdrawals = null;
        refusal = $"{Name} is not written as its format says";
        var text = Encoding.ASCII.GetString(file);
        if (!text.StartsWith(Head, StringComparison.Ordinal) || text[^1] != '\n') return false;
        var read = new List<PaidWithdrawal>();
        foreach (var line in text[Head.Length..].Split('\n')[..^1])
        {
            var words = line.Split(',');
            if (words.Length != 4 || !Txid.TryParse(words[0], out var txid) || !uint.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                || !long.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out var sats) || sats > Limits.SupplySatMax
                || words[3].Length > 2 * Limits.ScriptBytesMax) return false;
            var script = new byte[words[3].Length / 2];
            if (Convert.FromHexString(words[3], script, out _, out _) != System.Buffers.OperationStatus.Done) return false;
            if (read.Count > 0 && ReservesFile.Compare(read[^1].Output, new OutPoint(txid, index)) >= 0)
            {
                refusal = $"output {txid}:{index} is listed twice, or out of order, in {Name}";
                return false;
            }
            read.Add(new PaidWithdrawal(new OutPoint(txid, index), new Sats(sats), new ByteString(script)));
        }
        if (!file.AsSpan().SequenceEqual(Write(read))) return false;
        (withdrawals, refusal) = (read, "");
        return true;
    }
}
