// A ledger with a log: the partition and its journal in memory, the log's hashes on a simulated disk, and what was signed
// last in a folder of its own, where it is as durable as its owner makes it.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Api;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

internal sealed class LogBook : IAsyncDisposable
{
    public const string Folder = "/data/log";
    private readonly OwnedPartition _partition;
    private readonly TemporaryFolder _keys;
    private readonly bool _isCopy;
    private WalletId _payer;
    private WalletId _payee;

    private LogBook(GatedJournal journal, Ledger ledger, TemporaryFolder? keys)
    {
        (Journal, _keys, _isCopy) = (journal, keys ?? new TemporaryFolder(), keys is not null);
        _partition = BegunLedger.Over(journal, TimeProvider.System, ledger);
        _partition.Start();
    }

    public GatedJournal Journal { get; }
    public Partition Partition => _partition;
    public long Entries => Journal.DurableSequence + 1;

    public VerifierKey Verifier => Key.Verifier;
    public IReadOnlyList<WalletId> Wallets => [_payer, _payee];
    private CheckpointKey Key => OpenKey(new LinuxFileSystem());

    /// <summary>The folder of the keys.</summary>
    public string KeysPath => _keys.Path;

    /// <summary>The checkpoint key as a start finds it.</summary>
    public CheckpointKey OpenKey(IFileSystem files) => CheckpointKey.Open(files, _keys.Path, BegunLedger.Origin, mayCreate: true, Rotations);

    /// <summary>Those of the ledger, as they were when they were read last.</summary>
    public IReadOnlyList<KeyRotation> Rotations { get; private set; } = [];

    /// <summary>What a start learns of the ledger's keys.</summary>
    public async Task ReadRotationsAsync() => Rotations = await _partition.QueryAsync(ledger => ledger.KeyRotations);

    /// <summary>Signs what the log's owner would have to sign for it.</summary>
    public string Sign(Checkpoint checkpoint) => checkpoint.Sign(Key.Seed);

    /// <summary>What was signed last, as it stands in its file.</summary>
    public string LastSigned
    {
        get => File.ReadAllText(_keys.File("last-signed"));
        set => File.WriteAllText(_keys.File("last-signed"), value);
    }

    /// <summary>A ledger with this many payments from the operator's wallet to another.</summary>
    public static async Task<LogBook> CreateAsync(int payments)
    {
        var book = new LogBook(new GatedJournal(), new Ledger(0), null);
        (book._payer, book._payee) = await BegunLedger.BeginAsync(book._partition, TimeProvider.System, sat: 100_000, keys: [book.Key.Fingerprint]);
        await book.PayAsync(payments);
        return book;
    }

    /// <summary>A ledger with the same first entries, as if it had been copied then, and the same keys.</summary>
    public LogBook CopyAt(long entries)
    {
        var (ledger, records, scratch) = (new Ledger(0), new List<byte[]>(), new byte[Limits.RecordBytesMax]);
        Journal.ReadRecords(0, entries, record => records.Add(record.ToArray()));
        foreach (var record in records) ledger.Replay(record, scratch);
#pragma warning disable CA2000 // The copy disposes of it.
        return new LogBook(new GatedJournal(records), ledger, _keys) { _payer = _payer, _payee = _payee };
#pragma warning restore CA2000
    }

    public async Task PayAsync(int payments)
    {
        var block = new PaymentBlock { Tenant = Ledger.OperatorTenant };
        for (var left = payments; left > 0; left -= block.Count)
        {
            block.Count = Math.Min(left, Limits.BlockPaymentsMax);
            for (var i = 0; i < block.Count; i++)
                block.Payments[i] = new Payment { Kind = PaymentKind.Transfer, Id = NewId(), Payer = _payer, Payee = _payee, Amount = new Msat(1) };
            await _partition.SubmitAsync(block);
            foreach (var result in block.Results) Assert.Equal(Outcome.Accepted, result.Outcome);
        }
    }

    public static SimDisk NewDisk(int seed = 1)
    {
        var disk = new SimDisk(seed);
        disk.MakeDurableFolder("/data");
        return disk;
    }

    /// <summary>A keeper that has not been started.</summary>
    /// <param name="key">Whose file operations are watched; null for a key like any other.</param>
    public LogKeeper Keeper(IFileSystem disk, CheckpointKey? key = null) =>
        new(new SettlementTerm(new PartitionSet([_partition])), key ?? Key, SignedMark.Open(new LinuxFileSystem(), _keys.Path), disk, Folder);

    /// <summary>Starts a keeper, lets it sign what there is, and checks it.</summary>
    public async Task SignAsync(IFileSystem disk)
    {
        using var keeper = Keeper(disk);
        await keeper.ResumeAsync();
        await keeper.AdvanceAsync();
        Check(keeper);
    }

    /// <summary>The newest checkpoint is signed over the journal's own entries, and proofs lead to it.</summary>
    public void Check(LogKeeper keeper)
    {
        var size = keeper.CheckpointSize;
        Assert.InRange(size, 1, Entries);
        var leaves = new List<Hash256>();
        Journal.ReadRecords(0, size, record => leaves.Add(Rfc6962.LeafHash(Entry.StatementOf(record, leaves.Count))));
        var reference = new MerkleLog(new MemoryHashStore());
        reference.Append([.. leaves]);
        Assert.Equal(Sign(new Checkpoint(BegunLedger.Origin, size, reference.Root())), keeper.Checkpoint);
        for (long sequence = 0; sequence < size; sequence += Math.Max(1, Math.Min(199, size / 7)))
            Assert.True(MerkleProof.VerifyInclusion(sequence, size, leaves[(int)sequence], keeper.FindPath(sequence, size)!, reference.Root()));
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        Journal.Dispose();
        if (!_isCopy) _keys.Dispose();
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
