using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>How wallets are written in an auditor's files.</summary>
internal static class AllocationText
{
    private static readonly string SuspenseText = WalletId.Suspense.ToString();

    /// <summary>Reads a wallet, or suspense, in its only form.</summary>
    public static bool TryReadWallet(ReadOnlySpan<byte> field, out WalletId wallet)
    {
        Span<char> text = stackalloc char[WalletId.TextCharacters];
        wallet = WalletId.Suspense;
        if (field.Length != text.Length || Encoding.ASCII.GetChars(field, text) != text.Length) return false;
        if (text.SequenceEqual(SuspenseText)) return true;
        // The bytes in upper case are the same wallet, but not its form here.
        return !text.ContainsAnyInRange('A', 'Z') && WalletId.TryParse(text, out wallet);
    }
}
