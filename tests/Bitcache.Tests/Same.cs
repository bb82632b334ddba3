// What is compared some hundred thousand times in a test. xunit looks by reflection for how two values are to be
// compared, which took two fifths of the time of the property of the ledger's rules; it is asked only where they
// differ, or seem to.

namespace Bitcache.Tests;

internal static class Same
{
    public static void Value<T>(T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual)) Assert.Equal(expected, actual);
    }

    /// <summary>The same items in the same order.</summary>
    public static void Items<T>(IEnumerable<T> expected, IEnumerable<T> actual)
    {
        var (left, right) = (Listed(expected), Listed(actual));
        if (!left.SequenceEqual(right)) Assert.Equal(left, right);
    }

    /// <summary>The same items in any order.</summary>
    public static void Set<T>(IEnumerable<T> expected, IEnumerable<T> actual)
    {
        var left = expected.ToHashSet();
        var right = Listed(actual);
        if (!left.SetEquals(right)) Assert.Equal(left, [.. right]);
    }

    // Anew from a question would be another list than the one that was compared.
    private static IReadOnlyList<T> Listed<T>(IEnumerable<T> items) => items as IReadOnlyList<T> ?? [.. items];
}
