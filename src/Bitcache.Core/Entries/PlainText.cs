using System.Globalization;
using System.Text;

namespace Bitcache.Core;

/// <summary>Text that shows as it is: without control characters, and without those that nobody sees but that turn, break
/// or hide what stands around them (Unicode's categories Cc, Cf, Zl and Zp). Others' texts are shown in terminals and
/// tables, where such characters could make a line look like another.</summary>
public static class PlainText
{
    public static bool IsPlain(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsHidden(rune)) return false;
        }
        return true;
    }

    /// <summary>The text with U+FFFD in the place of every other character.</summary>
    public static string Of(string text) => string.Concat(text.EnumerateRunes().Select(rune => (IsHidden(rune) ? Rune.ReplacementChar : rune).ToString()));

    private static bool IsHidden(Rune rune) => Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
