// The memory that sockets are read into and written from. Kestrel's own blocks of 4 KiB make 320 reads of the 1.3 MB of
// a batch; with blocks as long as a segment on loopback, or as what comes while a thread is awoken, there are twenty.
// A block that was given back last is taken first, so that payments one by one find theirs in the cache.

using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Bitcache.Server;

/// <summary>Pinned blocks of one size, for any thread; a connection that is idle has none. Where more are wanted at a time than
/// there may be, whoever comes gets memory as small as Kestrel's own: clients who hold what they were given hold no more.</summary>
internal sealed class TransportMemory : MemoryPool<byte>
{
    public const int BlockBytes = 64 << 10;
    /// <summary>What a pool keeps for good is at most 16 MiB. Kestrel has a pool for each of its queues, as many as there are
    /// processors and at most 16.</summary>
    public const int BlocksMax = 256;
    private const int SmallBytes = 4 << 10;

    private readonly Lock _turn = new();
    private readonly Stack<Block> _free = new();
    private int _made;

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        lock (_turn)
        {
            if (!_free.TryPop(out var block) && _made < BlocksMax)
            {
                block = new Block(this);
                _made++;
            }
            if (block is not null)
            {
                block.IsOut = true;
                return block;
            }
        }
        return Shared.Rent(Math.Max(minBufferSize, SmallBytes));
    }

    /// <summary>Connections that are still open go on with what they have.</summary>
    protected override void Dispose(bool disposing)
    {
    }

    private void Return(Block block)
    {
        lock (_turn)
        {
            // Given back twice before somebody took it again, it would be two connections' at a time.
            if (block.IsOut) _free.Push(block);
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
