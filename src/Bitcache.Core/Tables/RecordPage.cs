namespace Bitcache.Core;

/// <summary>A part of a list that only grows, newest first: what stands at a place stays there, so places can be named.</summary>
/// <param name="Next">The place before which the rest stands; null at the list's beginning.</param>
public readonly record struct RecordPage<T>(IReadOnlyList<T> Items, long? Next);
