// The memory that sockets are read into and written from. Kestrel's own blocks of 4 KiB make 320 reads of the 1.3 MB of
// a batch; with blocks as long as a segment on loopback, or as what comes while a thread is awoken, there are twenty.
// A block that was given back last is taken first, so that payments one by one find theirs in the cache.

using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Bitcache.Server;

/// <summary>Pinned blocks of one size, for any thread. A connection that is idle has none.</summary>
internal sealed class TransportMemory : MemoryPool<byte>
{
    public const int BlockBytes = 64 << 10;
    /// <summary>As many are kept for later; what a rush of connections took beyond them is the collector's.</summary>
    public const int KeptMax = 1_024;

    private readonly Lock _turn = new();
    private readonly Stack<Block> _free = new();

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        Block? block;
        lock (_turn) _free.TryPop(out block);
        block ??= new Block(this);
        block.IsOut = true;
        return block;
    }

    /// <summary>Connections that are still open go on with what they have.</summary>
    protected override void Dispose(bool disposing)
    {
    }

    private void Return(Block block)
    {
        lock (_turn)
        {
            // Given back twice, it would be two connections' at a time.
            if (block.IsOut && _free.Count < KeptMax) _free.Push(block);
            block.IsOut = false;
        }
    }

    private sealed class Block(TransportMemory pool) : IMemoryOwner<byte>
    {
        public Memory<byte> Memory { get; } =
            MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true), 0, BlockBytes);

        /// <summary>Whether somebody has it.</summary>
        public bool IsOut { get; set; }

        public void Dispose() => pool.Return(this);
    }
}

/// <summary>Gives Kestrel its pools.</summary>
internal sealed class TransportMemoryFactory : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new TransportMemory();
}
