using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Journal;

namespace Bitcache.Benchmarks.Micro;

/// <summary>What the journal and the log compute over the entries, for each entry of a full batch.</summary>
public class HashBenchmarks
{
    private const int Entries = 8_192;
    private const int EntryBytes = 143;
    private const int StatementBytes = 97;

    private readonly byte[] _batch = new byte[Entries * EntryBytes];
    private readonly ulong _secret = 12345;
    private readonly byte[] _hash = new byte[Hash256.Bytes];

    [GlobalSetup]
    public void Setup() => new Random(1).NextBytes(_batch);

    [Benchmark(OperationsPerInvoke = Entries)]
    public int ChainHash() => SHA256.HashData(_batch, _hash);

    [Benchmark(OperationsPerInvoke = Entries)]
    public uint Checksum() => Crc32C.Compute(_batch);

    [Benchmark]
    public Hash256 LeafHash() => Rfc6962.LeafHash(_batch.AsSpan(0, StatementBytes));

    [Benchmark]
    public uint IndexHash() => SlotIndex.Hash(UInt128.MaxValue, _secret);
}
