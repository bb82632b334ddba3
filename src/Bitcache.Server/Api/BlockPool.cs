using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Server.Api;

/// <summary>Blocks for requests with many payments, as many as the server has memory for; and to each tenant a share of
/// such requests.</summary>
internal sealed class BlockPool
{
    private readonly ConcurrentBag<PaymentBlock> _free = [];
    private readonly Lock _lock = new();
    // Under the lock: tenants who have any.
    private readonly Dictionary<uint, int> _requests = [];
    private int _out;

    /// <summary>Blocks that are in use.</summary>
    public int Out => Volatile.Read(ref _out);

    /// <summary>Takes up one more request of a tenant; false if he has his share. Ends with <see cref="Leave"/>.</summary>
    public bool TryEnter(uint tenant)
    {
        lock (_lock)
        {
            var there = _requests.GetValueOrDefault(tenant);
            if (there >= Limits.BatchRequestsOfTenantMax) return false;
            _requests[tenant] = there + 1;
            return true;
        }
    }

    public void Leave(uint tenant)
    {
        lock (_lock)
        {
            if (--_requests[tenant] == 0) _requests.Remove(tenant);
        }
    }

    /// <summary>False if all are in use.</summary>
    public bool TryRent([NotNullWhen(true)] out PaymentBlock? block)
    {
        block = null;
        if (Interlocked.Increment(ref _out) > Limits.BatchRequestsMax)
        {
            Interlocked.Decrement(ref _out);
            return false;
        }
        if (!_free.TryTake(out block)) block = new PaymentBlock();
        block.Count = 0;
        return true;
    }

    public void Return(PaymentBlock block)
    {
        _free.Add(block);
        Interlocked.Decrement(ref _out);
    }
}
