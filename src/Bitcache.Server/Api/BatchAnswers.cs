using System.Buffers;
using Bitcache.Core;

namespace Bitcache.Server.Api;

/// <summary>What came of the payments of a batch, kept for a client who may be slow to take it.</summary>
internal sealed class BatchAnswers : IDisposable
{
    private readonly PaymentResult[] _results;
    private readonly Problem?[]? _problems;

    /// <param name="problems">What could not be read, by place; null if that is not told.</param>
    public BatchAnswers(ReadOnlySpan<PaymentResult> results, Problem?[]? problems)
    {
        (_results, Count, _problems) = (ArrayPool<PaymentResult>.Shared.Rent(results.Length), results.Length, problems);
        results.CopyTo(_results);
    }

    public int Count { get; }

    public ReadOnlyMemory<PaymentResult> Slice(int first, int count) => _results.AsMemory(first, count);

    public ReadOnlySpan<Problem?> Problems(int first) => _problems.AsSpan(first);

    public void Dispose() => ArrayPool<PaymentResult>.Shared.Return(_results);
}
